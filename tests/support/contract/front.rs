//! A front that the table runs against: the embedded provider's, or the emulator's.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::row::{Body, Expected, Row};
use crate::support::http::{self, Response};

/// How much of what came instead is shown, in characters.
const SHOWN: usize = 3000;

/// Where the stages are served, and how.
pub struct Front<'a> {
    name: &'a str,
    is_emulator: bool,
    /// The address, what stands before a target, and the key, by stage.
    stages: BTreeMap<&'static str, (SocketAddr, String, String)>,
}

impl<'a> Front<'a> {
    /// The front that every row is right about.
    pub fn embedded() -> Front<'a> {
        Front { name: "the embedded provider", is_emulator: false, stages: BTreeMap::new() }
    }

    /// The front that deviates where a row says so.
    pub fn emulator() -> Front<'a> {
        Front { name: "the emulator", is_emulator: true, stages: BTreeMap::new() }
    }

    /// Serves a stage at an address, behind a prefix, with a key.
    #[must_use]
    pub fn stage(mut self, stage: &'static str, address: SocketAddr, prefix: String, key: String) -> Self {
        self.stages.insert(stage, (address, prefix, key));
        self
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// Whether a row is not true here.
    pub(super) fn deviates(&self, row: &Row) -> bool {
        self.is_emulator && row.emulator.is_some()
    }

    /// Sends a row's request and compares.
    ///
    /// # Errors
    ///
    /// What is not as the row says.
    pub(super) fn run(&self, row: &Row) -> Result<(), String> {
        let (address, prefix, key) = &self.stages[row.stage];
        let mut headers: Vec<(&str, &str)> =
            row.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if row.is_keyed {
            headers.push(("x-api-key", key));
        }
        let target = format!("{prefix}{}", row.target);
        let answer = http::request(*address, row.method, &target, &headers, &row.body);
        let answer = answer.map_err(|error| format!("{}: {error}", row.name))?;
        let is_head = row.method == "HEAD";
        let differs = |expected: &Expected| self.differences(expected, &answer, key, is_head);
        let wrong = match row.emulator.as_ref().filter(|_| self.is_emulator) {
            None => differs(&row.expected),
            Some(_) if differs(&row.expected).is_empty() => vec!["the emulator is right by now".to_owned()],
            Some((instead, _)) => differs(instead),
        };
        if wrong.is_empty() {
            return Ok(());
        }
        let head: Vec<_> = answer.headers.iter().map(|(name, value)| format!("  {name}: {value}")).collect();
        let body: String = answer.text().chars().take(SHOWN).collect();
        let (wrong, head) = (wrong.join("\n- "), head.join("\n"));
        Err(format!(
            "{} ({} {})\n- {wrong}\n  {}\n{head}\n  {body}",
            row.name, row.method, row.target, answer.start
        ))
    }

    fn differences(&self, expected: &Expected, answer: &Response, key: &str, is_head: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: String, found: String, wanted: String| {
            if !matches(&found, &wanted.replace("KEY", key)) {
                let found: String = found.chars().take(SHOWN).collect();
                wrong.push(format!("{what} is {found}, not {wanted}"));
            }
        };
        compare("the status".to_owned(), answer.status().to_string(), expected.status.to_string());
        match &expected.body {
            None => {}
            Some(Body::Text(text)) => compare("the body".to_owned(), answer.text(), text.clone()),
            Some(Body::Message(_)) if answer.body.is_empty() && is_head => {}
            Some(Body::Message(message)) => {
                compare("the body".to_owned(), answer.text(), self.message(expected.status, message));
            }
        }
        for (name, values) in &expected.headers {
            let found = answer.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
            let found: Vec<_> = found.map(|(_, value)| value.as_str()).collect();
            compare((*name).to_owned(), format!("{found:?}"), format!("{values:?}"));
        }
        let event: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for (pointer, wanted) in &expected.event {
            let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
            compare((*pointer).to_owned(), shown(event.pointer(pointer)), shown(wanted.as_ref()));
        }
        wrong
    }

    /// The body of a refusal. AWS writes a blank where an integration failed, as `Content-Length` shows in recorded answers; the
    /// emulator, which has Python write it, does so everywhere.
    fn message(&self, status: u16, message: &str) -> String {
        let blank = if self.is_emulator || [500, 502, 504].contains(&status) { " " } else { "" };
        format!(r#"{{"message":{blank}"{message}"}}"#)
    }
}

/// Whether a text is like another one, in which `#` stands for a hexadecimal digit. Any text is like `"…"`.
fn matches(found: &str, pattern: &str) -> bool {
    if pattern == r#""…""# {
        return found.len() > 2 && found.starts_with('"');
    }
    let same =
        |(found, wanted): (char, char)| found == wanted || (wanted == '#' && found.is_ascii_hexdigit());
    found.chars().count() == pattern.chars().count() && found.chars().zip(pattern.chars()).all(same)
}
