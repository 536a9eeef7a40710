//! Policy documents: statements from the groups of permissions, without what is said twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::actions::{action, gateway_path};
use super::group::{Group, On, Part};
use super::scope::Scope;

/// The most characters of a managed policy, white space apart.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LIMIT: usize = 6_144;

/// A policy document of IAM.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    statements: Vec<Statement>,
}

/// One statement that allows something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    sid: String,
    part: Part,
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    condition: Option<Value>,
}

impl Document {
    /// The document of some groups, in their order.
    pub(super) fn new<'a>(scope: &Scope, groups: impl Iterator<Item = &'a Group>) -> Self {
        let mut statements: Vec<Statement> = Vec::new();
        for statement in groups.filter(|group| scope.needs(group)).flat_map(|group| of(scope, group)) {
            let statement = statement.without_what(&statements);
            let alike = statements.iter_mut().find(|other| statement.belongs_to(other));
            match alike {
                _ if statement.actions.is_empty() => {}
                Some(other) => other.resources.extend(statement.resources),
                None => statements.push(statement),
            }
        }
        Self { statements }
    }

    /// The document as IAM takes it.
    pub fn to_value(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::to_value).collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    /// Its statements.
    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The same in as many documents as it takes, so that none has more than [`LIMIT`] characters.
    pub fn split(&self) -> Vec<Self> {
        let mut documents: Vec<Self> = Vec::new();
        for statement in &self.statements {
            let whole = documents.last().map(|last| {
                let statements = last.statements.iter().chain([statement]).cloned().collect();
                Self { statements }
            });
            match (whole.filter(|whole| whole.size() <= LIMIT), documents.last_mut()) {
                (Some(whole), Some(last)) => *last = whole,
                _ => documents.push(Self { statements: vec![statement.clone()] }),
            }
        }
        documents
    }

    /// How many characters IAM counts.
    pub fn size(&self) -> usize {
        // No name in it has white space.
        self.to_value().to_string().len()
    }
}

/// The statements of a group: one, or for API Gateway one for each HTTP method.
fn of(scope: &Scope, group: &Group) -> Vec<Statement> {
    let condition = scope.condition(group);
    let statement = |sid: String, actions: BTreeSet<String>, resources: BTreeSet<String>| Statement {
        sid,
        part: group.part,
        actions,
        resources: without_covered(resources),
        condition: condition.clone(),
    };
    let sid = match group.part {
        Part::Look => format!("Look{}", group.sid),
        Part::Deploy => format!("Deploy{}", group.sid),
        Part::Operate => format!("Operate{}", group.sid),
        Part::Destroy => format!("Destroy{}", group.sid),
    };
    if matches!(group.on, On::Gateway) {
        let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for operation in group.operations {
            let arns = gateway_path(operation).map(|path| scope.gateway(path)).unwrap_or_default();
            methods.entry(action(operation)).or_default().extend(arns);
        }
        let named = |(method, resources): (String, BTreeSet<String>)| {
            let name = method.rsplit(':').next().unwrap_or_default();
            let (first, rest) = name.split_at(1);
            statement(format!("{sid}{first}{}", rest.to_lowercase()), [method.clone()].into(), resources)
        };
        return methods.into_iter().map(named).collect();
    }
    let resources: BTreeSet<String> = scope.arns(group.on).into_iter().collect();
    if resources.is_empty() {
        return Vec::new();
    }
    let called = group.operations.iter().map(|operation| action(operation));
    let actions = called.chain(group.beside.iter().map(|action| (*action).to_owned()));
    vec![statement(sid, actions.collect(), resources)]
}

impl Statement {
    pub(crate) fn actions(&self) -> impl Iterator<Item = &String> {
        self.actions.iter()
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &String> {
        self.resources.iter()
    }

    /// What its condition asks about, each with a value that fits.
    pub(crate) fn context(&self) -> Vec<(String, String)> {
        let operators = self.condition.iter().filter_map(Value::as_object).flat_map(|all| all.values());
        let keys = operators.filter_map(Value::as_object).flatten();
        let fits = |value: &Value| value.get(0).unwrap_or(value).as_str().map(str::to_owned);
        keys.filter_map(|(key, value)| Some((key.clone(), fits(value)?))).collect()
    }

    /// The statement without the actions that others allow on all of its resources already.
    fn without_what(mut self, others: &[Self]) -> Self {
        let resources = &self.resources;
        let condition = &self.condition;
        self.actions.retain(|action| {
            let is_same = |other: &&Self| {
                other.actions.contains(action) && (other.condition.is_none() || other.condition == *condition)
            };
            let patterns: Vec<&String> =
                others.iter().filter(is_same).flat_map(|other| &other.resources).collect();
            !resources.iter().all(|resource| patterns.iter().any(|pattern| covers(pattern, resource)))
        });
        self
    }

    /// Whether it allows, for the same part and under the same condition, exactly the actions that another one does.
    fn belongs_to(&self, other: &Self) -> bool {
        self.part == other.part && self.actions == other.actions && self.condition == other.condition
    }

    fn to_value(&self) -> Value {
        let mut value = json!({
            "Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resources,
        });
        if let Some(condition) = &self.condition {
            value["Condition"] = condition.clone();
        }
        value
    }
}

/// The patterns that no other one covers.
fn without_covered(patterns: BTreeSet<String>) -> BTreeSet<String> {
    let is_covered = |one: &String| patterns.iter().any(|other| other != one && covers(other, one));
    patterns.iter().filter(|one| !is_covered(one)).cloned().collect()
}

/// Whether a pattern of IAM, in which `*` stands for any text, matches all that another one does, as far as it is written there.
fn covers(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(text) = text.strip_prefix(start) else { return false };
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| covers(rest, &text[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, wanted) in [
            ("*", "anything", true),
            ("/restapis/*", "/restapis/*/stages/dev", true),
            ("/restapis", "/restapis/*", false),
            ("function:a_*:dev", "function:a_b:dev", true),
            ("function:a_*:dev", "function:a_b:prod", false),
        ] {
            assert_eq!(covers(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
