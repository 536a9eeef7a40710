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

/// How functions are built that apex compiled itself, by what their runtimes begin with there.
const COMPILED: [(&str, &str); 2] = [
    (
        "go",
        "Go: mdo compiles nothing by itself: write \"runtime\": \"provided.al2023\" and \"hooks\": {\"build\": \"CGO_ENABLED=0 GOOS=linux go build -o bootstrap .\"}",
    ),
    (
        "rust",
        "Rust: mdo compiles nothing by itself: write \"hooks\": {\"build\": \"…\"} with a command that builds for x86_64-unknown-linux-musl and copies the program to ./bootstrap",
    ),
];

/// Keys of a project that a stage can have for itself.
const OF_A_STAGE: [&str; 3] = ["environment", "profile", "region"];

/// Converts an apex `project.json`, the `project.<stage>.json` beside it, given with the stage, and the `function.json` of each
/// function, given with the name of its folder.
///
/// The layout of each function.json is kept; only keys that mdo does not have are taken out. Where there is no `project.json`,
/// the first stage's file stands for it.
///
/// # Errors
///
/// A text that is not a JSON object, a project without a usable name, a folder's name that is not one for a function.
pub fn convert(
    project_json: Option<&str>,
    stages: &[(String, String)],
    functions: &[(String, String)],
) -> Result<Converted, Problems> {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let mut read = |file: &str, text| object(file, text).map_err(|found| problems.extend(found)).ok();
    let mut stages: Vec<(&str, Map<String, Value>)> = stages
        .iter()
        .filter_map(|(stage, text)| Some((stage.as_str(), read(&format!("project.{stage}.json"), text)?)))
        .collect();
    let project = match project_json {
        Some(text) => read("project.json", text),
        None => stages.first().map(|(stage, keys)| in_place_of_project(stage, keys, stages.len() == 1)),
    };
    if let (None, [(_, only)]) = (project_json, stages.as_mut_slice()) {
        only.clear();
    }
    let mut project_toml = project
        .as_ref()
        .and_then(|project| project_toml(project, &mut notes, &mut problems))
        .unwrap_or_default();
    for (stage, keys) in &stages {
        project_toml.push_str(&stage_toml(stage, keys, project.as_ref(), &mut notes).unwrap_or_default());
    }
    let compiled = |keys: &Map<String, Value>| keys.get("runtime").and_then(Value::as_str).map(str::to_owned);
    let mut runtimes: Vec<String> = project.iter().filter_map(compiled).collect();
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
                runtimes.extend(compiled(&keys));
                converted.push((name.clone(), function_json(&file, text, &keys, &project_hooks, &mut notes)?))
            }
            Err(found) => problems.extend(found),
        }
    }
    for (language, note) in COMPILED {
        notes.extend(runtimes.iter().any(|runtime| runtime.starts_with(language)).then(|| note.to_owned()));
    }
    if !functions.is_empty() {
        notes.push(
            "no function has a route, so the conversion opens nothing to the world: write \"routes\": [\"GET /…\"] in the function.json of one that is for the API"
                .to_owned(),
        );
    }
    Problems::unless(problems, Converted { project_toml, functions: converted, notes: each_once(notes) })
}

/// The text of the `.mdoignore` that means what the project's `.apexignore` meant: apex reads it from each function's folder.
pub fn ignore_file(apex_ignore: &str) -> String {
    let line = |line: &str| {
        let (mark, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern));
        let is_anchored = pattern.trim_end().trim_end_matches('/').contains('/');
        if line.starts_with('#') || !is_anchored || pattern.starts_with("**/") {
            return format!("{line}\n");
        }
        format!("{mark}functions/*/{}\n", pattern.trim_start_matches('/'))
    };
    apex_ignore.lines().map(line).collect()
}

/// What the first stage's file says of the project as a whole; all of it, where it is the only one.
fn in_place_of_project(stage: &str, keys: &Map<String, Value>, is_only: bool) -> Map<String, Value> {
    let mut keys = keys.clone();
    keys.retain(|key, _| is_only || !OF_A_STAGE.contains(&key.as_str()));
    keys.entry("defaultEnvironment").or_insert_with(|| json!(stage));
    keys
}

/// The table of a stage, for what its file says otherwise than the project.
fn stage_toml(
    stage: &str,
    keys: &Map<String, Value>,
    project: Option<&Map<String, Value>>,
    notes: &mut Vec<String>,
) -> Option<String> {
    let file = format!("project.{stage}.json");
    let (mut text, mut environment) = (String::new(), String::new());
    for (key, value) in keys {
        if project.and_then(|project| project.get(key)) == Some(value) {
            continue;
        }
        match value {
            Value::Object(variables) if key == "environment" => {
                for (name, value) in usable_variables(&file, variables, notes) {
                    let _ = writeln!(environment, "{name} = {}", toml_value(&value)?);
                }
            }
            Value::String(_) if OF_A_STAGE.contains(&key.as_str()) => {
                let _ = writeln!(text, "{key} = {}", toml_value(value)?);
            }
            _ => notes.push(format!("{file}: `{key}` is left out: a stage has none of its own")),
        }
    }
    notes.extend(inherited(&file, keys, project));
    let tables = [(format!("stages.{stage}"), text), (format!("stages.{stage}.environment"), environment)];
    let written = tables.iter().filter(|(_, lines)| !lines.is_empty());
    Some(written.map(|(table, lines)| format!("\n[{table}]\n{lines}")).collect())
}

/// The variables that a stage now has from the project: apex reads its file instead of `project.json`, mdo reads both.
fn inherited(file: &str, keys: &Map<String, Value>, project: Option<&Map<String, Value>>) -> Option<String> {
    let variables = |keys: &Map<String, Value>| keys.get("environment").and_then(Value::as_object).cloned();
    let own = variables(keys).unwrap_or_default();
    let of_all = variables(project?)?;
    let missing: Vec<&str> =
        of_all.keys().filter(|name| !own.contains_key(*name)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "{file}: does not set {}, which every stage now has from [defaults.environment] in project.toml",
            missing.join(", ")
        )
    })
}

/// The notes, of which the same one about several files comes once.
fn each_once(notes: Vec<String>) -> Vec<String> {
    let mut grouped: Vec<(Vec<String>, String)> = Vec::new();
    for note in notes {
        let (file, text) = match note.split_once(": ") {
            Some((file, text)) if file.ends_with(".json") => (vec![file.to_owned()], text.to_owned()),
            _ => (Vec::new(), note),
        };
        match grouped.iter_mut().find(|(_, known)| *known == text) {
            Some((files, _)) => files.extend(file),
            None => grouped.push((file, text)),
        }
    }
    let written = |(files, text): (Vec<String>, String)| match files.as_slice() {
        [] => text,
        files => format!("{}: {text}", files.join(", ")),
    };
    grouped.into_iter().map(written).collect()
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
    if !keys.contains_key("routes") {
        text = set_key(&text, "routes", Some(&json!([])))?;
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
