//! The generic difference of two serialised values, field by field.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::project::{FINGERPRINT_PREFIX, Reference};

/// What stands in a plan for a value that must not be printed.
pub const HIDDEN: &str = "(hidden)";

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where the field is, as `environment.N_CLASSES` or `routes["GET /x"].security`.
    pub path: String,
    /// The observed value; null when there is none.
    pub before: Value,
    /// The desired value; null when there is none.
    pub after: Value,
    /// Of a variable, what names its value, where that is kept elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Reference>,
}

impl FieldChange {
    /// The name of the environment variable that it is, and of the function where it is a server's.
    pub fn variable(&self) -> Option<(Option<&str>, &str)> {
        match self.path.strip_prefix("functions") {
            None => Some((None, self.path.strip_prefix("environment.")?)),
            Some(rest) => {
                let (function, name) = rest.split_once(".environment.")?;
                Some((Some(function.trim_matches(['.', '[', ']', '"'])), name))
            }
        }
    }
}

/// Every leaf that differs between two values, in the order of the fields. Secrets come masked.
pub(super) fn diff(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    walk("", before, after, &mut changes);
    changes
}

fn walk(path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let empty = Map::new();
    let (left, right) = match (before, after) {
        (Value::Object(left), Value::Object(right)) => (left, right),
        (Value::Object(left), Value::Null) if !left.is_empty() => (left, &empty),
        (Value::Null, Value::Object(right)) if !right.is_empty() => (&empty, right),
        _ => {
            let (before, after) = (mask(before), mask(after));
            changes.push(FieldChange { path: path.to_owned(), before, after, from: None });
            return;
        }
    };
    let added = right.keys().filter(|key| !left.contains_key(*key));
    for key in left.keys().chain(added) {
        let (before, after) = (left.get(key), right.get(key));
        walk(&join(path, key), before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null), changes);
    }
}

fn join(path: &str, key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

fn mask(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(FINGERPRINT_PREFIX) => HIDDEN.into(),
        other => other.clone(),
    }
}
