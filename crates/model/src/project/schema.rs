//! The JSON Schema of each kind of file, generated from its types, and the table of keys for the documentation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::function_file::FunctionFile;
use super::manifest::Manifest;

/// A kind of file that mdo reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// `project.toml`.
    Project,
    /// `function.json`.
    Function,
}

/// The JSON Schema (draft 2020-12) of a kind of file.
pub fn schema(kind: SchemaKind) -> Value {
    cached(kind).clone()
}

/// The same schema, generated once.
pub(super) fn cached(kind: SchemaKind) -> &'static Value {
    static PROJECT: LazyLock<Value> = LazyLock::new(|| {
        let mut schema = generate::<Manifest>();
        if let Some(stage) = schema.pointer_mut("/properties/stages/additionalProperties") {
            without_default(stage);
        }
        schema
    });
    static FUNCTION: LazyLock<Value> = LazyLock::new(generate::<FunctionFile>);
    match kind {
        SchemaKind::Project => &PROJECT,
        SchemaKind::Function => &FUNCTION,
    }
}

fn generate<T: schemars::JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// Takes `null` out of what optional keys may be: a key that is not wanted is left out of the file.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            drop_null_type(object);
            if let Some(Value::Array(options)) = object.get_mut("enum") {
                options.retain(|option| !option.is_null());
            }
            if let Some(Value::Array(branches)) = object.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").and_then(Value::as_str) != Some("null"));
                if let [only] = &mut branches[..] {
                    let only = only.take();
                    object.remove("anyOf");
                    if let Value::Object(only) = only {
                        for (key, value) in only {
                            object.entry(key).or_insert(value);
                        }
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// Takes the defaults out of what overrides something: what is left out there is as in what it overrides.
fn without_default(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_default),
        Value::Object(object) => {
            object.remove("default");
            object.values_mut().for_each(without_default);
        }
        _ => {}
    }
}

fn drop_null_type(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
}

/// Every key of a kind of file as a row of a Markdown table: key, type, default, description.
///
/// The rows are sorted by key; a key inside a table is written with its path, as in `api.timeout`. The overrides of
/// `[api]` and `[server]` at a stage are one row each, since they have the same keys.
pub fn reference(kind: SchemaKind) -> String {
    let mut rows = BTreeMap::new();
    collect_rows(cached(kind), "", &mut rows);
    let header = ["| key | type | default | description |".to_owned(), "|---|---|---|---|".to_owned()];
    header.into_iter().chain(rows.into_values()).map(|row| row + "\n").collect()
}

fn collect_rows(schema: &Value, prefix: &str, rows: &mut BTreeMap<String, String>) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (key, property) in properties.filter(|(key, _)| *key != "$schema") {
        let path = format!("{prefix}{key}");
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|name| name == key));
        let default = match property.get("default") {
            _ if required => "required".to_owned(),
            None | Some(Value::Array(_)) => String::new(),
            Some(value) => format!("`{value}`"),
        };
        let description = property.get("description").and_then(Value::as_str).unwrap_or("");
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let row = format!("| `{path}` | {} | {default} | {description} |", kind_of(property));
        rows.insert(path.clone(), row);
        if ["stages.<name>.api", "stages.<name>.server"].contains(&path.as_str()) {
            continue;
        }
        for branch in branches(property) {
            collect_rows(branch, &format!("{path}."), rows);
            if let Some(items) = branch.get("items") {
                branches(items).into_iter().for_each(|item| collect_rows(item, &format!("{path}[]."), rows));
            }
            if let Some(values) = branch.get("additionalProperties").filter(|values| values.is_object()) {
                branches(values)
                    .into_iter()
                    .for_each(|value| collect_rows(value, &format!("{path}.<name>."), rows));
            }
        }
    }
}

/// The alternatives of a schema; a schema without alternatives is its only one.
pub(super) fn branches(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(alternatives) => alternatives.iter().flat_map(branches).collect(),
        None => vec![schema],
    }
}

/// The values that a schema restricts to, if it lists them.
pub(super) fn listed(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    schema.get("enum").and_then(Value::as_array).map(|values| values.iter().collect())
}

fn kind_of(property: &Value) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for branch in branches(property) {
        let kind = match (listed(branch), branch.get("type").and_then(Value::as_str)) {
            (Some(values), kind) if values.len() < 8 || kind != Some("integer") => {
                values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ")
            }
            (_, Some("integer")) => bounded("integer", branch),
            (_, Some("object")) => "table".to_owned(),
            (_, Some("array")) => {
                format!("array of {}", branch.get("items").map_or_else(|| "anything".to_owned(), kind_of))
            }
            (_, Some(kind)) => kind.to_owned(),
            (_, None) => "anything".to_owned(),
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(" or ")
}

fn bounded(kind: &str, schema: &Value) -> String {
    match (schema.get("minimum").and_then(Value::as_u64), schema.get("maximum").and_then(Value::as_u64)) {
        (Some(minimum), Some(maximum)) if maximum < u64::from(u16::MAX) => {
            format!("{kind}, {minimum} to {maximum}")
        }
        _ => kind.to_owned(),
    }
}
