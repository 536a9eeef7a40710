//! Turns the files of an apex project into ours. Pure: it reads texts and returns texts.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::document::Document;
use super::edit::set_key;
use super::function_file::hint;
use super::problem::{Problem, Problems};
use super::schema::{self, SchemaKind};
use super::validate::validate;
use super::{FunctionName, ProjectName, runtime};

/// The files that an apex project becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The text of `project.toml`.
    pub project_toml: String,
    /// Each function's name with the text of its `function.json`.
    pub functions: Vec<(String, String)>,
    /// What could not be carried over, and what to do about it; for a person to read.
    pub notes: Vec<String>,
}

/// Keys of an apex project.json that become keys of `[defaults]`.
const DEFAULTS: [&str; 7] = ["runtime", "memory", "timeout", "handler", "kms_arn", "vpc", "environment"];

/// The template of names that apex uses unless it is told otherwise, which is how mdo names functions too.
const NAME_TEMPLATE: &str = "{{.Project.Name}}_{{.Function.Name}}";

/// Converts an apex `project.json` and the `function.json` of each function, given with the name of its folder.
///
/// The layout of each function.json is kept; only keys that mdo does not have are taken out.
///
/// # Errors
///
/// A text that is not a JSON object, a project without a usable name, a folder's name that is not one for a function.
pub fn convert(project_json: &str, functions: &[(String, String)]) -> Result<Converted, Problems> {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let project = object("project.json", project_json).map_err(|found| problems.extend(found)).ok();
    let project_toml = project
        .as_ref()
        .and_then(|project| project_toml(project, &mut notes, &mut problems))
        .unwrap_or_default();
    let project_hooks =
        project.and_then(|project| project.get("hooks")?.as_object().cloned()).unwrap_or_default();
    let mut converted = Vec::new();
    for (name, text) in functions {
        let file = format!("functions/{name}/function.json");
        if let Err(error) = name.parse::<FunctionName>() {
            problems.push(Problem::new(error.to_string()).help("rename the folder"));
        }
        match object(&file, text) {
            Ok(keys) => {
                converted.push((name.clone(), function_json(&file, text, &keys, &project_hooks, &mut notes)?))
            }
            Err(found) => problems.extend(found),
        }
    }
    if !functions.is_empty() {
        notes.push(
            "every function without `routes` is now served at `ANY /<function>` with an API key: write \"routes\": [] in the function.json of one that is not for the API"
                .to_owned(),
        );
    }
    Problems::unless(problems, Converted { project_toml, functions: converted, notes })
}

fn object(file: &str, text: &str) -> Result<Map<String, Value>, Vec<Problem>> {
    let document = Document::json(file, text)?;
    match document.root().to_value() {
        Value::Object(object) => Ok(object),
        _ => Err(vec![Problem::new("the file must be an object").at(document.place_of(0))]),
    }
}

fn project_toml(
    project: &Map<String, Value>,
    notes: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let name = project.get("name").and_then(Value::as_str).unwrap_or_default();
    if let Err(error) = name.parse::<ProjectName>() {
        problems.push(Problem::new(format!("project.json: {error}")).help("change its `name`"));
        return None;
    }
    let mut text = format!("name = {}\n", toml_value(&json!(name))?);
    let mut defaults = String::new();
    let mut environment = String::new();
    for (key, value) in project.iter().filter(|(key, _)| *key != "name") {
        if let ("environment", Value::Object(variables)) = (key.as_str(), value) {
            for (name, value) in usable_variables("project.json", variables, notes) {
                let _ = writeln!(environment, "{name} = {}", toml_value(&value)?);
            }
            continue;
        }
        let renamed = if key == "defaultEnvironment" { "default_stage" } else { key };
        let kind = if DEFAULTS.contains(&key.as_str()) { SchemaKind::Function } else { SchemaKind::Project };
        if let Some(reason) = obstacle("project.json", kind, key, renamed, value) {
            notes.extend(reason);
            continue;
        }
        match kind {
            SchemaKind::Function => drop(writeln!(defaults, "{key} = {}", toml_value(value)?)),
            SchemaKind::Project => drop(writeln!(text, "{renamed} = {}", toml_value(value)?)),
        }
    }
    for (table, lines) in [("defaults", defaults), ("defaults.environment", environment)] {
        if !lines.is_empty() {
            let _ = write!(text, "\n[{table}]\n{lines}");
        }
    }
    Some(text)
}

fn toml_value(value: &Value) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

fn function_json(
    file: &str,
    text: &str,
    keys: &Map<String, Value>,
    project_hooks: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<String, Problems> {
    let mut text = text.to_owned();
    for (key, value) in keys {
        if let ("environment", Value::Object(variables)) = (key.as_str(), value) {
            let usable = usable_variables(file, variables, notes);
            text = set_key(&text, key, (!usable.is_empty()).then_some(&usable))?;
            continue;
        }
        if let Some(reason) = obstacle(file, SchemaKind::Function, key, key, value) {
            notes.extend(reason);
            text = set_key(&text, key, None::<&Value>)?;
        }
    }
    let mut hooks = project_hooks.clone();
    hooks.extend(keys.get("hooks").and_then(Value::as_object).cloned().unwrap_or_default());
    if hooks.remove("deploy").is_some() {
        notes.extend(hint("hooks.deploy").map(|hint| format!("{file}: the deploy hook is left out: {hint}")));
    }
    hooks.retain(|_, command| command.is_string());
    if keys.get("hooks").and_then(Value::as_object) != Some(&hooks) {
        text = set_key(&text, "hooks", (!hooks.is_empty()).then_some(&hooks))?;
    }
    Ok(text)
}

/// The variables of an environment that can be carried over; numbers and booleans become text.
fn usable_variables(
    file: &str,
    variables: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Map<String, Value> {
    let mut usable = Map::new();
    for (name, value) in variables {
        let text = match value {
            Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
            other => other.clone(),
        };
        let alone = Value::Object(Map::from_iter([(name.clone(), text.clone())]));
        match obstacle(file, SchemaKind::Function, "environment", "environment", &alone) {
            None => drop(usable.insert(name.clone(), text)),
            Some(reason) => {
                let whole = "`environment` is left out";
                notes.extend(
                    reason.map(|note| note.replace(whole, &format!("variable `{name}` is left out"))),
                );
            }
        }
    }
    usable
}

/// Why a key cannot be carried over, as a note; `Some(None)` if it goes without a word.
fn obstacle(file: &str, kind: SchemaKind, key: &str, renamed: &str, value: &Value) -> Option<Option<String>> {
    let left_out = |why: &str| Some(Some(format!("{file}: `{key}` is left out: {why}")));
    match key {
        "hooks" => return (kind == SchemaKind::Project).then_some(None),
        "nameTemplate" if value.as_str() == Some(NAME_TEMPLATE) => return Some(None),
        "vpc" if is_empty_network(value) => return Some(None),
        "runtime" => {
            if let Some(replacement) = value.as_str().and_then(runtime::replacement_of_blocked) {
                let runtime = value.as_str().unwrap_or_default();
                return left_out(&format!(
                    "Lambda has blocked `{runtime}`, so the function runs a bootstrap on `provided.al2023` unless you say otherwise; {replacement}"
                ));
            }
        }
        _ => {}
    }
    let Some(property) =
        schema::cached(kind).get("properties").and_then(|properties| properties.get(renamed))
    else {
        return left_out(hint(key).unwrap_or("mdo has no such key"));
    };
    let schema = json!({"type": "object", "properties": {renamed: property}});
    let alone = Value::Object(Map::from_iter([(renamed.to_owned(), value.clone())])).to_string();
    let document = Document::json(file, &alone).ok()?;
    validate(&document, &schema, hint).first().and_then(|problem| left_out(&problem.message))
}

fn is_empty_network(value: &Value) -> bool {
    value.as_object().is_some_and(|vpc| vpc.values().all(|ids| ids.as_array().is_some_and(Vec::is_empty)))
}
