//! IAM's side of a recording: what each request needs, told from the request itself, and whether a policy allows it.
//!
//! It shares nothing with mdo's own table of permissions. What it knows is from AWS's Service Authorization Reference.

pub mod asked;
pub mod demand;

use std::collections::BTreeSet;

use serde_json::Value;

use self::demand::Demand;

/// A policy document, and what of it was ever needed.
pub struct Policy {
    statements: Vec<Value>,
    used: BTreeSet<(String, String)>,
}

impl Policy {
    /// The policy of a document.
    pub fn new(document: &Value) -> Policy {
        Policy { statements: document["Statement"].as_array().unwrap().clone(), used: BTreeSet::new() }
    }

    /// Whether it allows what is demanded; notes what of it does.
    pub fn allows(&mut self, demand: &Demand) -> bool {
        let allowing: Vec<&Value> = self
            .statements
            .iter()
            .filter(|one| texts(&one["Action"]).contains(&demand.action.as_str()) && holds(one, demand))
            .collect();
        let mut is_allowed = false;
        for statement in allowing {
            let resources = texts(&statement["Resource"]);
            for pattern in resources.into_iter().filter(|pattern| matches(pattern, &demand.resource)) {
                let sid = statement["Sid"].as_str().unwrap().to_owned();
                self.used.insert((sid.clone(), demand.action.clone()));
                self.used.insert((sid, pattern.to_owned()));
                is_allowed = true;
            }
        }
        is_allowed
    }

    /// What was never needed: actions and resources of its statements, as `Sid action`.
    pub fn unused(&self) -> Vec<String> {
        let all = self.statements.iter().flat_map(|statement| {
            let sid = statement["Sid"].as_str().unwrap();
            let each = texts(&statement["Action"]).into_iter().chain(texts(&statement["Resource"]));
            each.map(move |one| (sid.to_owned(), one.to_owned()))
        });
        let unused = all.filter(|pair| !self.used.contains(pair));
        unused.map(|(sid, one)| format!("{sid} {one}")).collect()
    }
}

/// Whether the conditions of a statement hold.
fn holds(statement: &Value, demand: &Demand) -> bool {
    let Some(condition) = statement["Condition"].as_object() else { return true };
    condition.iter().all(|(operator, keys)| {
        let known = ["StringEquals", "StringEqualsIfExists", "ArnEquals"];
        assert!(known.contains(&operator.as_str()), "{operator}");
        keys.as_object().unwrap().iter().all(|(key, wanted)| match demand.context.get(key) {
            Some(value) => texts(wanted).contains(&value.as_str()),
            None => operator.ends_with("IfExists"),
        })
    })
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

/// Whether a pattern, in which `*` stands for any text, fits.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    let after = |c: char| &text[c.len_utf8()..];
    match (first, text.chars().next()) {
        ('*', None) => matches(rest, text),
        ('*', Some(c)) => matches(rest, text) || matches(pattern, after(c)),
        ('?', Some(c)) => matches(rest, after(c)),
        (first, Some(c)) => first == c && matches(rest, after(c)),
        (_, None) => false,
    }
}

#[test]
fn a_policy_allows_what_matches_under_its_conditions_and_notes_what_was_needed() {
    let document = serde_json::json!({"Statement": [{
        "Sid": "A", "Effect": "Allow", "Action": ["s:One", "s:Two"], "Resource": ["arn:x_*", "arn:*:y", "arn:ab:z-??"],
        "Condition": {"StringEquals": {"k": "v"}, "StringEqualsIfExists": {"l": ["w"]}},
    }]});
    let demand = |action: &str, resource: &str, context: &[(&str, &str)]| Demand {
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    };
    let mut policy = Policy::new(&document);
    assert!(policy.allows(&demand("s:One", "arn:x_1", &[("k", "v")])));
    for other in [
        demand("s:Three", "arn:x_1", &[("k", "v")]),
        demand("s:One", "arn:x", &[("k", "v")]),
        demand("s:One", "arn:ab:z-1", &[("k", "v")]),
        demand("s:One", "arn:z:y:z", &[("k", "v")]),
        demand("s:One", "arn:x_1", &[]),
        demand("s:One", "arn:x_1", &[("k", "v"), ("l", "other")]),
    ] {
        assert!(!policy.allows(&other), "{other:?}");
    }
    assert_eq!(policy.unused(), ["A s:Two", "A arn:*:y", "A arn:ab:z-??"]);
}
