//! Sets or removes one key of a function.json and leaves every other byte as it is.

use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use super::document::{Content, Document, Member, Node};
use super::problem::{Problem, Problems};

/// The text of a function.json with the top-level `key` set to `value`, or without the key for `None`.
///
/// A key that is there keeps its position, and of an object that stays one, only the keys that differ change; a new key
/// comes last, laid out as the one before it. Nothing else of the text changes, but for the blanks inside an object that
/// was or becomes empty.
///
/// # Errors
///
/// The text is not strict JSON, or not an object; places are in `function.json`. Or `value` is not JSON.
pub fn set_key<T: Serialize + ?Sized>(text: &str, key: &str, value: Option<&T>) -> Result<String, Problems> {
    let value = value
        .map(serde_json::to_value)
        .transpose()
        .map_err(|error| Problem::new(format!("cannot write `{key}`: {error}")))?;
    let document = Document::json("function.json", text).map_err(Problems::sorted_by_file)?;
    match (document.root().get(key).map(Node::to_value), &value) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let gone = old.keys().filter(|inner| !new.contains_key(*inner)).map(|inner| (inner, None));
            let other = new.iter().filter(|(inner, value)| old.get(*inner) != Some(value));
            let mut changes = gone.chain(other.map(|(inner, value)| (inner, Some(value))));
            changes.try_fold(text.to_owned(), |text, (inner, value)| set(&text, &[key], inner, value))
        }
        _ => set(text, &[], key, value.as_ref()),
    }
}

/// Sets or removes one key of the object that `path` leads to.
fn set(text: &str, path: &[&str], key: &str, value: Option<&Value>) -> Result<String, Problems> {
    let document = Document::json("function.json", text).map_err(Problems::sorted_by_file)?;
    let object = path.iter().try_fold(document.root(), |node, key| node.get(key));
    let Some(Node { span, content: Content::Object(members) }) = object else {
        return Err(Problem::new("the file must be an object").at(document.place_of(0)).into());
    };
    let inside = span.start + 1..span.end - 1;
    let index = members.iter().position(|member| member.key == key);
    let (range, replacement) = match (index, value) {
        (Some(index), Some(value)) => (members[index].value.span.clone(), written(value)),
        (Some(index), None) => (with_its_comma(members, index, inside), String::new()),
        (None, Some(value)) => addition(document.text(), members, inside, key, &written(value)),
        (None, None) => return Ok(text.to_owned()),
    };
    let mark = text.len() - document.text().len();
    let mut edited = text.to_owned();
    edited.replace_range(range.start + mark..range.end + mark, &replacement);
    Ok(edited)
}

/// A value on one line, as a person writes it.
fn written(value: &Value) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), written(value))
            };
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The bytes of a member and of the comma that goes with it.
fn with_its_comma(members: &[Member], index: usize, inside: Range<usize>) -> Range<usize> {
    match (index.checked_sub(1).map(|before| &members[before]), members.get(index + 1)) {
        (_, Some(after)) => members[index].key_span.start..after.key_span.start,
        (Some(before), None) => before.value.span.end..members[index].value.span.end,
        (None, None) => inside,
    }
}

fn addition(
    text: &str,
    members: &[Member],
    inside: Range<usize>,
    key: &str,
    value: &str,
) -> (Range<usize>, String) {
    let entry = format!("{}: {value}", Value::from(key));
    let Some(last) = members.last() else {
        return (inside, format!("\n  {entry}\n"));
    };
    let before = &text[..last.key_span.start];
    let blanks = &before[before.trim_end().len()..];
    let blanks = if blanks.is_empty() { " " } else { blanks };
    (last.value.span.end..last.value.span.end, format!(",{blanks}{entry}"))
}
