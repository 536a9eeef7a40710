//! Sets or removes one key of a function.json and leaves every other byte as it is.

use std::ops::Range;

use serde::Serialize;

use super::document::{Content, Document, Member};
use super::problem::{Problem, Problems};

/// The text of a function.json with the top-level `key` set to `value`, or without the key for `None`.
///
/// A key that is there keeps its position; a new one comes last, laid out as the one before it. Nothing else of the
/// text changes, but for the blanks inside an object that was or becomes empty.
///
/// # Errors
///
/// The text is not strict JSON, or not an object; places are in `function.json`. Or `value` is not JSON.
pub fn set_key<T: Serialize + ?Sized>(text: &str, key: &str, value: Option<&T>) -> Result<String, Problems> {
    let document = Document::json("function.json", text).map_err(Problems::sorted_by_file)?;
    let Content::Object(members) = &document.root().content else {
        return Err(Problem::new("the file must be an object").at(document.place_of(0)).into());
    };
    let value = value
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| Problem::new(format!("`{key}` cannot be written: {error}")))?;
    let inside = document.root().span.start + 1..document.root().span.end - 1;
    let index = members.iter().position(|member| member.key == key);
    let (range, replacement) = match (index, value) {
        (Some(index), Some(value)) => (members[index].value.span.clone(), value),
        (Some(index), None) => (with_its_comma(members, index, inside), String::new()),
        (None, Some(value)) => addition(document.text(), members, inside, key, &value),
        (None, None) => return Ok(text.to_owned()),
    };
    let mark = text.len() - document.text().len();
    let mut edited = text.to_owned();
    edited.replace_range(range.start + mark..range.end + mark, &replacement);
    Ok(edited)
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
    let entry = format!("{}: {value}", serde_json::Value::from(key));
    let Some(last) = members.last() else {
        return (inside, format!("\n  {entry}\n"));
    };
    let before = &text[..last.key_span.start];
    let blanks = &before[before.trim_end().len()..];
    let blanks = if blanks.is_empty() { " " } else { blanks };
    (last.value.span.end..last.value.span.end, format!(",{blanks}{entry}"))
}
