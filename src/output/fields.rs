//! The lines of a plan below a resource: what changes of it, in the words of the files.

use std::collections::BTreeSet;
use std::time::Duration;

use mdo_model::project::{Permissions, Route};
use mdo_model::stack::{
    Action, ApiRoute, Change, Definition, FieldChange, Function, Kind, Plan, Resource, function_changes,
};
use serde_json::Value;

use super::thousands;

/// The lines worth showing: what an update changes, and the environment of a new function.
pub(super) fn lines(change: &Change, plan: &Plan) -> Vec<String> {
    let environment = |field: &&FieldChange| field.path.contains("environment");
    match change.action {
        Action::Delete => Vec::new(),
        _ if change.id.kind == Kind::Permissions => permissions(change),
        Action::Create => change.fields.iter().filter(environment).filter_map(environment_line).collect(),
        Action::Update => updated(change, plan),
    }
}

fn updated(change: &Change, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let own = || change.fields.iter().filter(|field| !is_of_a_route(field) && !is_of_a_trial(field));
    lines
        .extend(own().filter(|field| !follows(field, change, plan)).map(|field| line(field, change.id.kind)));
    match (&change.before, &change.after) {
        (Some(Resource::Function(before)), Some(Resource::Function(after))) => {
            lines.extend(trial(before, after, change, plan));
        }
        (Some(Resource::Stage(before)), Some(Resource::Stage(after))) => {
            lines.extend(routes(&before.definition, &after.definition));
        }
        (Some(Resource::Server(before)), Some(Resource::Server(after))) => {
            lines.extend(routes(&before.definition, &after.definition));
        }
        _ => {}
    }
    if lines.is_empty() {
        // A line of its own needs a reason of its own.
        lines.extend(own().map(|field| line(field, change.id.kind)));
    }
    lines
}

/// What becomes permitted and what ceases to be: `+ s3:GetObject  arn:aws:s3:::bucket/*`.
fn permissions(change: &Change) -> Vec<String> {
    let of = |resource: &Option<Resource>| match resource {
        Some(Resource::Permissions(permissions)) => permissions.clone(),
        _ => Permissions::default(),
    };
    let (before, after) = (of(&change.before), of(&change.after));
    let nothing = BTreeSet::new();
    let missing = |sign: char, these: &Permissions, those: &Permissions| {
        let actions = these.allow.iter().filter_map(|(action, resources)| {
            let others = those.allow.get(action).unwrap_or(&nothing);
            let rest: Vec<&str> = resources.difference(others).map(String::as_str).collect();
            let differs = !rest.is_empty() || !those.allow.contains_key(action);
            differs.then(|| format!("{sign} {action}  {}", rest.join(", ")).trim_end().to_owned())
        });
        let policies = these.policies.difference(&those.policies).map(|arn| format!("{sign} {arn}"));
        actions.chain(policies).collect::<Vec<_>>()
    };
    [missing('+', &after, &before), missing('-', &before, &after)].concat()
}

fn is_of_a_route(field: &FieldChange) -> bool {
    field.path.starts_with("routes[")
}

fn is_of_a_trial(field: &FieldChange) -> bool {
    field.path == "canary" || field.path.starts_with("canary.")
}

/// What a version on trial has otherwise, or that there is none any more.
fn trial(before: &Function, after: &Function, change: &Change, plan: &Plan) -> Vec<String> {
    match (&before.canary, &after.canary) {
        (None, Some(canary)) => {
            let next = Function { canary: None, ..canary.next.clone() };
            let fields = function_changes(before, &next);
            let fields = fields.iter().filter(|field| !follows(field, change, plan));
            let mut lines: Vec<String> = fields.map(|field| line(field, Kind::Function)).collect();
            lines.push(format!("on trial  {} % of the requests", canary.percent));
            lines
        }
        (Some(canary), None) if before.freezes_as(after) => {
            vec![format!("on trial  {} % → none of the requests", canary.percent)]
        }
        (Some(canary), None) => vec![format!("on trial  {} % → all of the requests", canary.percent)],
        (Some(before), Some(after)) if before != after => {
            vec![format!("on trial  {} % → {} % of the requests", before.percent, after.percent)]
        }
        _ => Vec::new(),
    }
}

/// Whether a field is what it is because of another line of the plan.
fn follows(field: &FieldChange, change: &Change, plan: &Plan) -> bool {
    let changes = |kind: Kind, name: Option<&str>| {
        plan.changes.iter().any(|other| {
            other.id.kind == kind
                && other.action != Action::Update
                && name.is_none_or(|name| other.id.name == name)
        })
    };
    match (change.id.kind, field.path.as_str()) {
        // Who may call a function, where the caller comes or goes.
        (Kind::Function, "invokers") => {
            changes(Kind::WarmRule, Some(&change.id.name)) || changes(Kind::Stage, None)
        }
        // A ping holds its sandbox where several are to be kept warm.
        (Kind::WarmRule, path) => path.starts_with("input") && change.touches("concurrency"),
        _ => false,
    }
}

/// What becomes of each route that is not served as before: `- GET /x`, `+ GET /y → cart (key)`, `~ GET /z  security  key → open`.
fn routes(before: &Definition, after: &Definition) -> Vec<String> {
    let (before, after) = (&before.routes, &after.routes);
    let all: BTreeSet<&Route> = before.keys().chain(after.keys()).collect();
    let line = |route: &Route| match (before.get(route), after.get(route)) {
        (Some(_), None) => Some(format!("- {route}")),
        (None, Some(target)) => Some(format!("+ {route} → {} ({})", target.function, target.security)),
        (Some(before), Some(after)) if before != after => {
            Some(format!("~ {route}  {}", retargeted(before, after)))
        }
        _ => None,
    };
    all.into_iter().filter_map(line).collect()
}

fn retargeted(before: &ApiRoute, after: &ApiRoute) -> String {
    let mut parts = Vec::new();
    let mut add = |what: &str, before: String, after: String| {
        if before != after {
            parts.push(format!("{what}  {before} → {after}"));
        }
    };
    add("function", before.function.to_string(), after.function.to_string());
    add("security", before.security.to_string(), after.security.to_string());
    add("timeout", duration(before.timeout_ms), duration(after.timeout_ms));
    parts.join(", ")
}

/// `29 s` or `500 ms`.
fn duration(milliseconds: u32) -> String {
    let whole = Duration::from_millis(milliseconds.into());
    match whole.subsec_millis() {
        0 => format!("{} s", whole.as_secs()),
        _ => format!("{milliseconds} ms"),
    }
}

fn line(field: &FieldChange, kind: Kind) -> String {
    if let Some(line) = environment_line(field) {
        return line;
    }
    let (before, after) = (&field.before, &field.after);
    match (kind, field.path.as_str()) {
        (Kind::Server, "image") => format!("image  {} → {}", image(before), image(after)),
        (_, "code") => format!("code  {} → {}", short(before), short(after)),
        (Kind::Function, path) if path.starts_with("derivatives") => {
            let name = path.trim_start_matches("derivatives").trim_matches(['.', '[', ']', '"']);
            format!("derivative {name}  {} → {}", short(before), short(after))
        }
        (_, "owned") => "takes it over, with the tag mdo:project".to_owned(),
        (_, "deployed_by_mdo") => "redeployed, because somebody else has deployed it since".to_owned(),
        (Kind::Function, "invokers") => format!("callers  {} → {}", callers(before), callers(after)),
        (_, path) => format!("{}  {} → {}{}", words(path), plain(before), plain(after), unit(kind, path)),
    }
}

/// What a number of a field counts, with a blank before it.
fn unit(kind: Kind, path: &str) -> &'static str {
    match (kind, path) {
        (Kind::Function, "memory" | "ephemeral_storage") => " MB",
        (Kind::Function, "timeout") => " s",
        (Kind::LogGroup, "retention_days") => " days",
        (Kind::Stage, "throttle.rate") => " requests/s",
        (Kind::Stage, "throttle.burst" | "quota.limit") => " requests",
        (Kind::WarmRule, "concurrency") => " at once",
        (Kind::Server, "cpu") => " CPU units",
        (Kind::Server, "memory") => " MB",
        (Kind::Server, "drain" | "stop_timeout") | (Kind::LoadBalancer, "idle_timeout") => " s",
        (Kind::Server, "log_retention_days") => " days",
        (Kind::Server, "throttle.rate") => " requests/s",
        (Kind::Server, "throttle.burst") => " requests",
        _ => "",
    }
}

/// A path in words: its fields without underscores, its keys as they are written. Where the unit says what is counted, the path
/// does not.
fn words(path: &str) -> String {
    let path = match path {
        "retention_days" => "retention",
        "log_retention_days" => "log retention",
        path => path,
    };
    let part = |(index, part): (usize, &str)| match index % 2 {
        0 => part.replace(['_', '.'], " "),
        _ => format!("\"{part}\""),
    };
    path.split('"').enumerate().map(part).collect()
}

/// `environment  + NAME`, with a sign for added, changed, or removed; the value is never shown. Of a server's function, with the
/// function: `environment of hello  + NAME`. Of a value that is kept elsewhere, with where.
fn environment_line(field: &FieldChange) -> Option<String> {
    let (function, name) = field.variable()?;
    let sign = match (&field.before, &field.after) {
        (Value::Null, _) => '+',
        (_, Value::Null) => '-',
        _ => '~',
    };
    let of_function = function.map(|function| format!(" of {function}")).unwrap_or_default();
    let from = field.from.as_ref().map(|reference| format!("  from {reference}")).unwrap_or_default();
    Some(format!("environment{of_function}  {sign} {name}{from}"))
}

/// `the API, the warm rule` of the callers that a function lets in.
fn callers(value: &Value) -> String {
    let names: Vec<_> = value
        .as_array()
        .into_iter()
        .flatten()
        .map(|caller| match caller.as_str() {
            Some("api") => "the API".to_owned(),
            Some("warm_rule") => "the warm rule".to_owned(),
            _ => plain(caller),
        })
        .collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// The first digits of an image's digest.
fn image(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| plain(value), |text| text.trim_start_matches("sha256:").chars().take(12).collect())
}

fn short(value: &Value) -> String {
    value.as_str().map_or_else(|| plain(value), |text| text.chars().take(8).collect())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => thousands(whole),
            // A rate of ten is written as 10.
            None => number.as_f64().unwrap_or_default().to_string(),
        },
        other => other.to_string(),
    }
}
