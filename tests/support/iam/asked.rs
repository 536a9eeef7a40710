//! What a recorded request says: its path, its query, and its body as JSON or as a form.

use serde_json::{Map, Value};

use crate::support::recording::Call;

/// A request, taken apart.
pub struct Asked {
    /// The segments of its path, decoded.
    pub path: Vec<String>,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    /// Its body, where that is JSON.
    pub json: Value,
}

impl Asked {
    pub fn of(call: &Call) -> Asked {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let segments = path.trim_matches('/').split('/').map(decoded).collect();
        let body = String::from_utf8_lossy(&call.body);
        let json = serde_json::from_str(&body).unwrap_or_default();
        Asked { path: segments, query: pairs(query), form: pairs(&body), json }
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A field of the form; empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        self.form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether the form has a field whose name begins so.
    pub fn has_field(&self, start: &str) -> bool {
        self.form.iter().any(|(key, _)| key.starts_with(start))
    }

    /// Its body as JSON, a form taken apart: `Subnets.member.2` is the second of the list `Subnets`.
    pub fn body(&self) -> Value {
        if !self.json.is_null() {
            return self.json.clone();
        }
        let mut body = Value::Object(Map::new());
        for (name, value) in self.form.iter().filter(|(name, _)| name != "Action" && name != "Version") {
            let mut at = &mut body;
            for part in name.split('.').filter(|part| *part != "member") {
                at = &mut at[part];
            }
            *at = value.as_str().into();
        }
        listed(body)
    }

    /// A text of the JSON; empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    /// Whether the JSON has something at a key.
    pub fn has(&self, key: &str) -> bool {
        match &self.json[key] {
            Value::Null => false,
            Value::Array(all) => !all.is_empty(),
            Value::Object(all) => !all.is_empty(),
            _ => true,
        }
    }
}

/// What is named by numbers is a list.
fn listed(value: Value) -> Value {
    let Value::Object(entries) = value else { return value };
    let mut numbered: Vec<(usize, Value)> = entries
        .iter()
        .filter_map(|(name, value)| Some((name.parse().ok()?, listed(value.clone()))))
        .collect();
    if numbered.is_empty() {
        return entries.into_iter().map(|(name, value)| (name, listed(value))).collect::<Map<_, _>>().into();
    }
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    text.split('&').map(pair).collect()
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = (byte == b'%').then(|| tail.get(..2)).flatten();
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
