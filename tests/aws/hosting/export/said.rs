//! What a deploy asked for, and what a document says: held against each other field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::support::iam::asked::Asked;
use crate::support::recording::Recording;

/// What a deploy asked for.
pub(super) struct Calls<'a>(pub(super) &'a Recording);

impl Calls<'_> {
    /// The bodies of an operation's calls, with the tags that are not mdo's own.
    pub(super) fn all(&self, operation: &str) -> Vec<Value> {
        let calls =
            self.0.calls().iter().filter(|call| call.operation.name == operation && call.status < 300);
        calls.map(|call| with_own_tags(Asked::of(call).body())).collect()
    }

    #[track_caller]
    pub(super) fn one(&self, operation: &str) -> Value {
        let all = self.all(operation);
        let [one] = all.as_slice() else { panic!("{operation}: {all:#?}") };
        one.clone()
    }

    #[track_caller]
    pub(super) fn with(&self, operation: &str, key: &str, value: &str) -> Value {
        let found = self.all(operation).into_iter().find(|body| body[key] == value);
        found.unwrap_or_else(|| panic!("no {operation} with {key} {value}"))
    }

    /// A security group with whom it lets in, as a template says it.
    pub(super) fn group(&self, name: &str) -> Value {
        let mut made = self.with("CreateSecurityGroup", "GroupName", name);
        let tags = made.as_object_mut().unwrap().remove("TagSpecification").unwrap();
        made["Tags"] = own_tags(&tags[0]["Tag"]);
        // The other one lets in a group.
        let is_tasks = name != "shop-lb";
        let opened = self.all("AuthorizeSecurityGroupIngress");
        let opened =
            opened.iter().find(|body| body["IpPermissions"][0]["Groups"].is_array() == is_tasks).unwrap();
        let door = |door: &Value| {
            let mut said = json!({});
            for key in ["IpProtocol", "FromPort", "ToPort"] {
                said[key] = door[key].clone();
            }
            match is_tasks {
                true => said["SourceSecurityGroupId"] = door["Groups"][0]["GroupId"].clone(),
                false => said["CidrIp"] = door["IpRanges"][0]["CidrIp"].clone(),
            }
            said
        };
        made["SecurityGroupIngress"] = opened["IpPermissions"].as_array().unwrap().iter().map(door).collect();
        made
    }
}

fn with_own_tags(mut body: Value) -> Value {
    for key in ["Tags", "tags"] {
        if let Some(tags) = body.get(key).map(own_tags) {
            body[key] = tags;
        }
    }
    body
}

/// The tags that are not mdo's own, whichever way a service takes them.
fn own_tags(tags: &Value) -> Value {
    let pairs: Vec<(String, Value)> = match tags {
        Value::Object(tags) => tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        tags => {
            let each = tags.as_array().into_iter().flatten();
            let part = |tag: &Value, name: &str| {
                tag.get(name).or(tag.get(name.to_lowercase())).cloned().unwrap_or_default()
            };
            each.map(|tag| (part(tag, "Key").as_str().unwrap().to_owned(), part(tag, "Value"))).collect()
        }
    };
    let own = pairs.into_iter().filter(|(key, _)| !key.starts_with("mdo:"));
    own.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// What a document says, and which values stand for what it refers to.
pub(super) struct Said<'a> {
    document: &'a Value,
    account: &'a str,
    pub(super) values: BTreeMap<String, Value>,
    pub(super) seen: BTreeSet<String>,
}

impl<'a> Said<'a> {
    pub(super) fn new(document: &'a Value, account: &'a str) -> Self {
        Self { document, account, values: BTreeMap::new(), seen: BTreeSet::new() }
    }

    /// Proves that a resource is what a call has asked for, but for what other calls do.
    #[track_caller]
    pub(super) fn is(&mut self, id: &str, elsewhere: &[&str], asked: Value) {
        let mut properties = self.document["Resources"][id]["Properties"].clone();
        let all = properties.as_object_mut().unwrap_or_else(|| panic!("no {id}"));
        elsewhere.iter().for_each(|key| drop(all.remove(*key)));
        self.seen.insert(id.to_owned());
        self.same(id, &properties, &asked);
    }

    pub(super) fn stands_for(&self, parameter: &str) -> String {
        self.values[parameter].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn same(&mut self, at: &str, said: &Value, asked: &Value) {
        match (said, asked) {
            (Value::Object(said), _) if said.len() == 1 && is_function(said) => self.refers(at, said, asked),
            (Value::String(text), _) if text.starts_with("${") => {
                self.stands(at, text.trim_start_matches("${").trim_end_matches('}'), asked);
            }
            // A document within a call is a text.
            (Value::Object(_), Value::String(text)) => {
                let asked = serde_json::from_str(text).unwrap_or_else(|_| panic!("{at}: {text}"));
                self.same(at, said, &asked);
            }
            (Value::Object(said), Value::Object(asked)) => {
                let by_name = |of: &'_ Map<String, Value>| -> BTreeMap<String, Value> {
                    of.iter().map(|(key, value)| (small(key), value.clone())).collect()
                };
                let (said, mut asked) = (by_name(said), by_name(asked));
                // The SDK writes 0 where nothing is asked for.
                asked.retain(|key, value| said.contains_key(key) || *value != 0);
                assert_eq!(said.keys().collect::<Vec<_>>(), asked.keys().collect::<Vec<_>>(), "{at}");
                for (key, value) in &said {
                    self.same(&format!("{at}.{key}"), value, &asked[key]);
                }
            }
            (Value::Array(said), Value::Array(asked)) => {
                assert_eq!(said.len(), asked.len(), "{at}: {said:?} {asked:?}");
                for (index, (said, asked)) in said.iter().zip(asked).enumerate() {
                    self.same(&format!("{at}[{index}]"), said, asked);
                }
            }
            _ => assert_eq!(plain(said), plain(asked), "{at}"),
        }
    }

    /// What refers to something: of the ways to say it, the one of a stack that makes everything.
    #[track_caller]
    fn refers(&mut self, at: &str, said: &Map<String, Value>, asked: &Value) {
        if let Some(ways) = said.get("Fn::If") {
            return self.same(at, &ways[1], asked);
        }
        match said.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) if text.starts_with('{') => {
                let (said, asked): (Value, Value) = (
                    serde_json::from_str(text).unwrap(),
                    serde_json::from_str(asked.as_str().unwrap()).unwrap(),
                );
                self.same(at, &said, &asked);
            }
            Some(text) if text.starts_with("arn:") => {
                let arn = text.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", self.account);
                assert_eq!(json!(arn), *asked, "{at}");
            }
            _ => match said.get("Ref").and_then(Value::as_str) {
                Some(name) => self.stands(at, name, asked),
                None => self.stands(at, &json!(said).to_string(), asked),
            },
        }
    }

    /// What is referred to has one value, wherever it is.
    #[track_caller]
    fn stands(&mut self, at: &str, reference: &str, asked: &Value) {
        let known = self.values.entry(reference.to_owned()).or_insert_with(|| asked.clone());
        assert_eq!(known, asked, "{at}: {reference}");
    }
}

fn is_function(object: &Map<String, Value>) -> bool {
    object.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

fn small(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// A value as a form has it: every one is a text there.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}
