//! A TOML or JSON file as one tree that knows where everything was written.

use std::fmt;
use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

/// The language of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Toml,
    Json,
}

/// A file that could be parsed. Its content is hidden from `Debug`: it may hold environment values.
#[derive(Clone)]
pub(super) struct Document {
    file: String,
    language: Language,
    line_starts: Vec<usize>,
    text: String,
    root: Node,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("file", &self.file).finish_non_exhaustive()
    }
}

/// A value and the bytes that it was written in.
#[derive(Clone)]
pub(super) struct Node {
    pub span: Range<usize>,
    pub content: Content,
}

/// What a [`Node`] holds.
#[derive(Clone)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Date,
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A key of an object with its value.
#[derive(Clone)]
pub(super) struct Member {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

impl Node {
    /// The value that `key` has in an object.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.member(key).map(|member| &member.value)
    }

    fn member(&self, key: &str) -> Option<&Member> {
        match &self.content {
            Content::Object(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The tree without its places.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null | Content::Date => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::String(value) => Value::String(value.clone()),
            Content::Array(items) => items.iter().map(Self::to_value).collect(),
            Content::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|member| (member.key.clone(), member.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Document {
    /// Parses TOML.
    pub(super) fn toml(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut document = Self::empty(file, text, Language::Toml);
        let (table, errors) = DeTable::parse_recoverable(&document.text);
        if !errors.is_empty() {
            let problem = |error: &toml::de::Error| {
                let place = document.place_of(error.span().map_or(0, |span| span.start));
                Problem::new(error.message().replace('\n', ", ")).at(place)
            };
            let mut problems: Vec<Problem> = errors.iter().map(problem).collect();
            problems.dedup_by_key(|problem| problem.place.as_ref().map(|place| place.line));
            return Err(problems);
        }
        document.root = Node { span: 0..0, content: from_table(table.get_ref()) };
        Ok(document)
    }

    /// Parses strict JSON: no comments, no trailing commas, no key twice.
    pub(super) fn json(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut document = Self::empty(file, text, Language::Json);
        let parsed = jsonc_parser::parse_to_ast(&document.text, &Default::default(), &strict_json())
            .map_err(|error| {
                let place = document.place_of(error.range().start);
                vec![Problem::new(lower_first(&error.kind().to_string())).at(place)]
            })?;
        let Some(value) = parsed.value else {
            return Err(vec![
                Problem::new("the file is empty")
                    .at(document.place_of(0))
                    .help("`{}` is the least it can hold"),
            ]);
        };
        let mut problems = Vec::new();
        let root = from_json(&value, &document, &mut problems);
        if problems.is_empty() {
            document.root = root;
            Ok(document)
        } else {
            Err(problems)
        }
    }

    fn empty(file: &str, text: &str, language: Language) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect();
        let root = Node { span: 0..0, content: Content::Object(Vec::new()) };
        Self { file: file.to_owned(), language, line_starts, text, root }
    }

    /// The language that it is written in.
    pub(super) fn language(&self) -> Language {
        self.language
    }

    /// The text that the spans are in: the file's, without a byte order mark.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The whole tree.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// The place of a byte of the text.
    pub(super) fn place_of(&self, offset: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Place { file: self.file.clone(), line, column }
    }

    /// The place of the value at a path of keys and indexes.
    pub(super) fn place(&self, path: &[&str]) -> Option<Place> {
        self.node(path).map(|node| self.place_of(node.span.start))
    }

    /// The place of the key at a path of keys.
    pub(super) fn key_place(&self, path: &[&str]) -> Option<Place> {
        let (key, parents) = path.split_last()?;
        let member = self.node(parents)?.member(key)?;
        Some(self.place_of(member.key_span.start))
    }

    fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, step| match &node.content {
            Content::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.get(step),
        })
    }
}

/// The options of strict JSON.
fn strict_json() -> jsonc_parser::ParseOptions {
    jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn from_table(table: &DeTable<'_>) -> Content {
    let mut members: Vec<Member> = table
        .iter()
        .map(|(key, value)| Member {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            value: Node { span: value.span(), content: from_toml(value.get_ref()) },
        })
        .collect();
    members.sort_by_key(|member| member.key_span.start);
    Content::Object(members)
}

fn from_toml(value: &DeValue<'_>) -> Content {
    match value {
        DeValue::String(text) => Content::String(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| decimal(integer.as_str()), |number| Content::Number(number.into())),
        DeValue::Float(float) => decimal(float.as_str()),
        DeValue::Boolean(value) => Content::Bool(*value),
        DeValue::Datetime(_) => Content::Date,
        DeValue::Array(items) => Content::Array(
            items.iter().map(|item| Node { span: item.span(), content: from_toml(item.get_ref()) }).collect(),
        ),
        DeValue::Table(table) => from_table(table),
    }
}

/// A number that is not a whole one of 64 bits; JSON has no infinite ones.
fn decimal(text: &str) -> Content {
    text.parse().ok().and_then(Number::from_f64).map_or(Content::Null, Content::Number)
}

fn from_json(value: &ast::Value<'_>, document: &Document, problems: &mut Vec<Problem>) -> Node {
    let range = value.range();
    let content = match value {
        ast::Value::NullKeyword(_) => Content::Null,
        ast::Value::BooleanLit(literal) => Content::Bool(literal.value),
        ast::Value::StringLit(literal) => Content::String(literal.value.to_string()),
        ast::Value::NumberLit(literal) => literal.value.parse().map_or(Content::Null, Content::Number),
        ast::Value::Array(array) => {
            Content::Array(array.elements.iter().map(|item| from_json(item, document, problems)).collect())
        }
        ast::Value::Object(object) => {
            let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                let key = property.name.as_str();
                let key_range = property.name.range();
                if let Some(first) = members.iter().find(|member| member.key == key) {
                    let first = document.place_of(first.key_span.start);
                    problems.push(
                        Problem::new(format!("duplicate key `{key}`"))
                            .at(document.place_of(key_range.start))
                            .help(format!("the first one is at {first}")),
                    );
                }
                members.push(Member {
                    key: key.to_owned(),
                    key_span: key_range.start..key_range.end,
                    value: from_json(&property.value, document, problems),
                });
            }
            Content::Object(members)
        }
    };
    Node { span: range.start..range.end, content }
}
