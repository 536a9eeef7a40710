//! Tags that a project puts on what it has on AWS, beside those by which mdo knows its own.
//!
//! Others tag resources too, so that a resource bears the names of the tags that came from the files in a tag of its own: what that
//! names and the files do not is taken off, and what it does not name is nobody's business here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::problem::Problem;

/// The most tags of a project's own: AWS lets a resource have 50, and those of mdo are among them.
const MOST: usize = 40;
/// The most characters of a tag's name.
const NAME_LIMIT: usize = 128;
/// The most characters of a tag's value.
const VALUE_LIMIT: usize = 256;
/// How many tags may hold the names of the project's own.
const RECORDS: usize = 4;
/// The tag that holds the names of the project's own; a second one has a 2 behind it.
const RECORD: &str = "mdo:tags";
/// What stands for a value that not every part of a resource has. No tag can have it: AWS takes no parentheses.
const DIFFERS: &str = "(not everywhere)";

/// Tags by name, those of a project's own alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// These, and the other ones over them.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        Self(self.0.iter().chain(&over.0).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// What a resource is to bear: the tags, and the record of their names.
    pub fn written(&self) -> BTreeMap<String, String> {
        let records = (1..).zip(self.records()).map(|(number, names)| (record(number), names));
        self.0.clone().into_iter().chain(records).collect()
    }

    /// Those among the tags of a resource that its record names as the project's own.
    pub fn recorded<K: AsRef<str>, V: AsRef<str>>(live: impl IntoIterator<Item = (K, V)>) -> Self {
        let live: BTreeMap<String, String> = live
            .into_iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned()))
            .collect();
        let records = (1..=RECORDS).filter_map(|number| live.get(&record(number)));
        let names = records.flat_map(|names| names.split(' ')).map(unescaped);
        Self(names.filter_map(|name| live.get(&name).map(|value| (name.clone(), value.clone()))).collect())
    }

    /// What the parts of one resource bear: a tag that they do not agree about has a value that none can have.
    pub fn together(parts: impl IntoIterator<Item = Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().collect();
        let value = |name: &String| {
            let mut values = parts.iter().map(|part| part.0.get(name));
            let first = values.next().flatten();
            first.filter(|_| values.all(|value| value == first)).map_or(DIFFERS, String::as_str)
        };
        Self(
            parts
                .iter()
                .flat_map(|part| part.0.keys())
                .map(|name| (name.clone(), value(name).to_owned()))
                .collect(),
        )
    }

    /// The names, as values of tags: as many to each as it has room for.
    fn records(&self) -> Vec<String> {
        let mut records: Vec<String> = Vec::new();
        for name in self.0.keys().map(|name| escaped(name)) {
            match records.last_mut() {
                Some(last) if last.chars().count() + 1 + name.chars().count() <= VALUE_LIMIT => {
                    last.push(' ');
                    last.push_str(&name);
                }
                _ => records.push(name),
            }
        }
        records
    }
}

fn record(number: usize) -> String {
    if number == 1 { RECORD.to_owned() } else { format!("{RECORD}{number}") }
}

/// A name without spaces, which stand between names. Only characters that a tag may have are written.
fn escaped(name: &str) -> String {
    name.replace('+', "++").replace(' ', "+_")
}

fn unescaped(text: &str) -> String {
    let mut name = String::new();
    let mut rest = text.chars();
    while let Some(one) = rest.next() {
        name.push(match one {
            '+' if rest.next() == Some('_') => ' ',
            one => one,
        });
    }
    name
}

impl JsonSchema for Tags {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tags".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": MOST,
            "propertyNames": { "format": "tag-name", "minLength": 1, "maxLength": NAME_LIMIT },
            "additionalProperties": { "type": "string", "format": "tag-value", "maxLength": VALUE_LIMIT },
        })
    }
}

/// What is wrong with the name of a tag.
pub(super) fn name(text: &str) -> Option<Problem> {
    let lower = text.to_lowercase();
    if let Some(owner) =
        [("aws:", "AWS"), ("mdo:", "mdo")].iter().find(|(prefix, _)| lower.starts_with(prefix))
    {
        let problem = Problem::new(format!(
            "the tag `{text}`: names that begin with `{}` are {}'s own",
            owner.0, owner.1
        ));
        return Some(problem.help("choose another name"));
    }
    let length = text.chars().count();
    if length == 0 || length > NAME_LIMIT {
        return Some(Problem::new(format!(
            "the name of a tag has 1 to {NAME_LIMIT} characters, not {length}"
        )));
    }
    if text.trim() != text {
        return Some(Problem::new(format!("the tag `{text}` has a space at an end of its name")));
    }
    characters(text).map(|wrong| not_allowed(&format!("the name of the tag `{text}`"), wrong))
}

/// What is wrong with the value of a tag.
pub(super) fn value(text: &str) -> Option<Problem> {
    characters(text).map(|wrong| not_allowed(&format!("the value `{text}` of a tag"), wrong))
}

fn characters(text: &str) -> Option<char> {
    text.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || "_.:/=+-@".contains(*c)))
}

fn not_allowed(what: &str, wrong: char) -> Problem {
    Problem::new(format!("{what} has a `{wrong}` in it"))
        .help("AWS takes letters, digits, spaces and _ . : / = + - @ in tags")
}

/// What is wrong with tags together, as they stand at `path`.
pub(super) fn check(tags: &Tags, document: &Document, path: &[&str]) -> Option<Problem> {
    let at = |problem: Problem| problem.at(document.key_place(path));
    if tags.0.len() > MOST {
        let message =
            format!("there are {} tags: {MOST} is the most, beside those of mdo's own", tags.0.len());
        return Some(at(Problem::new(message)));
    }
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in tags.0.keys() {
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let message = format!(
                "the tags `{other}` and `{name}` are the same one for IAM, which does not tell upper from lower case"
            );
            return Some(at(Problem::new(message).help("remove one of them")));
        }
    }
    (tags.records().len() > RECORDS).then(|| {
        let message = format!(
            "the names of the tags have more than {} characters together, which is the most that mdo can record",
            RECORDS * VALUE_LIMIT
        );
        at(Problem::new(message).help("shorten the names"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[(&str, &str)]) -> Tags {
        Tags(tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_written_reads_back_and_strangers_tags_do_not() {
        let own = tags(&[("Cost Center", "42"), ("a+b", ""), ("a+_b", "x"), ("team", "ml")]);
        let mut live = own.written();
        assert_eq!(live["mdo:tags"], "Cost+_Center a+++_b".replace("+++_", "++_") + " a++b team");
        live.insert("stranger".to_owned(), "x".to_owned());
        assert_eq!(Tags::recorded(&live), own);
        live.remove("mdo:tags");
        assert_eq!(Tags::recorded(&live), Tags::default());
    }

    #[test]
    fn many_names_are_recorded_in_several_tags() {
        let many: Vec<_> = (0..30).map(|number| format!("a-rather-long-name-{number}")).collect();
        let own = tags(&many.iter().map(|name| (name.as_str(), "x")).collect::<Vec<_>>());
        let written = own.written();
        assert_eq!(written.keys().filter(|name| name.starts_with(RECORD)).count(), 3);
        assert!(written.values().all(|value| value.chars().count() <= VALUE_LIMIT));
        assert_eq!(Tags::recorded(&written), own);
    }

    #[test]
    fn parts_that_do_not_agree_equal_nothing_that_can_be_wanted() {
        let (one, other) = (tags(&[("team", "ml"), ("stage", "dev")]), tags(&[("stage", "dev")]));
        assert_eq!(Tags::together([one.clone(), one.clone()]), one);
        assert_eq!(Tags::together([one.clone(), other]), tags(&[("team", DIFFERS), ("stage", "dev")]));
        assert!(value(DIFFERS).is_some());
        assert_eq!(Tags::together([]), Tags::default());
    }
}
