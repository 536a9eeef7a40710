//! Checks a document against the schema of its kind and collects everything that is wrong with it.

use serde_json::Value;

use super::document::{Content, Document, Language, Node};
use super::problem::Problem;
use super::schema::{branches, listed};
use super::{format, suggest};

/// What to do about a key, by its path, that the schema does not have.
pub(super) type Hint = fn(&str) -> Option<&'static str>;

/// Everything that is wrong with `document`, in the order of its text.
pub(super) fn validate(document: &Document, schema: &Value, hint: Hint) -> Vec<Problem> {
    let mut validator = Validator { document, hint, found: Vec::new() };
    validator.node(document.root(), schema, "");
    validator.found.sort_by_key(|(offset, _)| *offset);
    validator.found.into_iter().map(|(_, problem)| problem).collect()
}

struct Validator<'a> {
    document: &'a Document,
    hint: Hint,
    found: Vec<(usize, Problem)>,
}

impl Validator<'_> {
    fn report(&mut self, offset: usize, problem: Problem) {
        let place = self.document.place_of(offset);
        self.found.push((offset, problem.at(place)));
    }

    fn node(&mut self, node: &Node, schema: &Value, path: &str) {
        let alternatives = branches(schema);
        let fitting: Vec<&Value> =
            alternatives.iter().copied().filter(|branch| has_type(node, branch)).collect();
        if fitting.is_empty() {
            return self.wrong_type(node, &alternatives, path);
        }
        let lists: Option<Vec<Vec<&Value>>> = fitting.iter().map(|branch| listed(branch)).collect();
        if let Some(lists) = lists {
            return self.listed(node, &lists.concat(), &alternatives, path);
        }
        let Some(branch) = fitting.into_iter().find(|branch| listed(branch).is_none()) else { return };
        match &node.content {
            Content::Object(_) => self.object(node, branch, path),
            Content::Array(items) => self.array(node, items, branch, path),
            Content::Number(_) => self.number(node, branch, path),
            Content::String(text) => self.text(node, text, branch, path),
            Content::Null | Content::Bool(_) | Content::Date => {}
        }
    }

    fn wrong_type(&mut self, node: &Node, alternatives: &[&Value], path: &str) {
        let mut expected: Vec<String> = Vec::new();
        for branch in alternatives {
            let name = self.expected(branch);
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        let actual = self.actual(node);
        let problem = Problem::new(format!("{} must be {}, not {actual}", named(path), either(&expected)));
        let key = path.rsplit('.').next().unwrap_or(path);
        let is = |branch: &Value, key: &str, value: &str| branch.get(key) == Some(&Value::from(value));
        let only_text = alternatives.iter().all(|branch| is(branch, "type", "string"))
            || alternatives.iter().any(|branch| is(branch, "format", "environment-value"));
        let problem = match &node.content {
            Content::Null => problem.help("leave the key out for its default"),
            Content::Number(_) | Content::Bool(_) if only_text => {
                problem.help(match self.document.language() {
                    Language::Json => format!("write the value in quotes: \"{key}\": \"…\""),
                    Language::Toml => format!("write the value in quotes: {key} = \"…\""),
                })
            }
            Content::String(text) if serde_json::from_str::<Value>(text).is_ok() => {
                problem.help("write the value without quotes")
            }
            _ => problem,
        };
        self.report(node.span.start, problem);
    }

    fn listed(&mut self, node: &Node, values: &[&Value], alternatives: &[&Value], path: &str) {
        let actual = node.to_value();
        if values.contains(&&actual) {
            return;
        }
        let problem = match &actual {
            Value::String(text) => {
                let known: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
                let problem = Problem::new(format!(
                    "{} is `{text}`: it must be {}",
                    named(path),
                    either(&quoted(&known))
                ));
                match suggest::nearest(text, known) {
                    Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
                    None => problem,
                }
            }
            Value::Bool(value) => {
                let expected: Vec<String> = alternatives.iter().map(|branch| self.expected(branch)).collect();
                Problem::new(format!("{} is `{value}`: it must be {}", named(path), either(&expected)))
            }
            other => {
                let known: Vec<String> = values.iter().map(ToString::to_string).collect();
                Problem::new(format!("{} is {other}: it must be {}", named(path), either(&known)))
            }
        };
        self.report(node.span.start, problem);
    }

    fn object(&mut self, node: &Node, schema: &Value, path: &str) {
        let Content::Object(members) = &node.content else { return };
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let key_format =
            schema.get("propertyNames").and_then(|names| names.get("format")).and_then(Value::as_str);
        for member in members {
            let inner = if path.is_empty() { member.key.clone() } else { format!("{path}.{}", member.key) };
            if let Some(property) = properties.and_then(|properties| properties.get(&member.key)) {
                self.node(&member.value, property, &inner);
            } else if let Some(others) = others.filter(|others| others.is_object()) {
                if let Some(problem) = key_format.and_then(|name| format::check(name, &member.key)) {
                    self.report(member.key_span.start, problem);
                }
                // A key that is no name of a variable may hold a value.
                let key = if key_format == Some("environment-name") {
                    format::shown(&member.key)
                } else {
                    member.key.clone()
                };
                self.node(&member.value, others, &format!("{path}.{key}"));
            } else if others == Some(&Value::Bool(false)) {
                let known = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                self.unknown_key(member.key_span.start, &member.key, &inner, path, known);
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let missing = name.as_str().filter(|name| node.get(name).is_none());
            if let Some(name) = missing {
                let inner = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                self.report(node.span.start, Problem::new(format!("{} is missing", named(&inner))));
            }
        }
    }

    fn unknown_key(&mut self, offset: usize, key: &str, inner: &str, path: &str, known: Vec<&str>) {
        let problem = if path.is_empty() {
            Problem::new(format!("unknown key `{key}`"))
        } else {
            Problem::new(format!("unknown key `{key}` in {}", named(path)))
        };
        let problem = if let Some(hint) = (self.hint)(inner) {
            problem.help(hint)
        } else if let Some(nearest) = suggest::nearest(key, known.iter().copied()) {
            problem.help(format!("did you mean `{nearest}`?"))
        } else {
            let known: Vec<&str> = known.into_iter().filter(|key| *key != "$schema").collect();
            problem.help(format!("the known keys are {}", all(&quoted(&known))))
        };
        self.report(offset, problem);
    }

    fn array(&mut self, node: &Node, items: &[Node], schema: &Value, path: &str) {
        if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
            let problem =
                Problem::new(format!("{} has {} entries: {most} is the most", named(path), items.len()));
            self.report(node.span.start, problem);
        }
        if let Some(least) = limit(schema, "minItems").filter(|least| items.len() < *least) {
            let problem =
                Problem::new(format!("{} has {} entries: {least} is the least", named(path), items.len()));
            self.report(node.span.start, problem);
        }
        if let Some(of_items) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.node(item, of_items, &format!("{path}[{index}]"));
            }
        }
    }

    fn number(&mut self, node: &Node, schema: &Value, path: &str) {
        let Content::Number(number) = &node.content else { return };
        let Some(value) = number.as_f64() else { return };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (minimum, maximum) = (bound("minimum"), bound("maximum"));
        let above = bound("exclusiveMinimum");
        let fits = minimum.is_none_or(|least| value >= least)
            && maximum.is_none_or(|most| value <= most)
            && above.is_none_or(|least| value > least)
            && (!is_integer(schema) || u32::try_from(number.as_u64().unwrap_or(u64::MAX)).is_ok());
        if fits {
            return;
        }
        let rule = match (minimum, maximum, above) {
            (Some(minimum), Some(maximum), _) => format!("{minimum} to {maximum}"),
            (_, _, Some(above)) => format!("above {above}"),
            (Some(minimum), None, None) => format!("{minimum} to {}", u32::MAX),
            _ => "within the bounds of a number".to_owned(),
        };
        self.report(node.span.start, Problem::new(format!("{} is {number}: it must be {rule}", named(path))));
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, path: &str) {
        let length = text.chars().count();
        if limit(schema, "minLength").is_some_and(|least| length < least) {
            self.report(node.span.start, Problem::new(format!("{} is empty", named(path))));
        }
        if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
            let problem =
                Problem::new(format!("{} has {length} characters: {most} is the most", named(path)));
            self.report(node.span.start, problem);
        }
        let format = schema.get("format").and_then(Value::as_str);
        if let Some(problem) = format.and_then(|format| format::check(format, text)) {
            self.report(node.span.start, problem);
        }
    }

    fn expected(&self, schema: &Value) -> String {
        if let Some([only]) = listed(schema).as_deref() {
            return format!("`{only}`").replace('"', "");
        }
        match (schema.get("type").and_then(Value::as_str), schema.get("format").and_then(Value::as_str)) {
            (Some("string"), Some("rate")) => "a rate such as `5m`".to_owned(),
            (Some("string"), Some("route")) => "a route such as `GET /samples/{id}`".to_owned(),
            (Some(kind), _) => self.kind_name(kind).to_owned(),
            (None, _) => "something else".to_owned(),
        }
    }

    fn actual(&self, node: &Node) -> &'static str {
        self.kind_name(match &node.content {
            Content::Null => "null",
            Content::Bool(_) => "boolean",
            Content::Number(number) if number.is_f64() => "decimal",
            Content::Number(_) => "number",
            Content::String(_) => "string",
            Content::Date => "date",
            Content::Array(_) => "array",
            Content::Object(_) => "object",
        })
    }

    fn kind_name(&self, kind: &str) -> &'static str {
        match (kind, self.document.language()) {
            ("null", _) => "null",
            ("boolean", _) => "true or false",
            ("integer", _) => "a whole number",
            ("number", _) => "a number",
            ("decimal", _) => "a decimal number",
            ("string", _) => "a string",
            ("array", _) => "an array",
            ("object", Language::Json) => "an object",
            ("object", Language::Toml) => "a table",
            _ => "a date",
        }
    }
}

fn has_type(node: &Node, schema: &Value) -> bool {
    let kind = schema.get("type").and_then(Value::as_str);
    match &node.content {
        Content::Null | Content::Date => kind.is_none(),
        Content::Bool(_) => matches!(kind, Some("boolean") | None),
        Content::Number(number) => {
            matches!(kind, Some("number") | None) || (kind == Some("integer") && !number.is_f64())
        }
        Content::String(_) => matches!(kind, Some("string") | None),
        Content::Array(_) => matches!(kind, Some("array") | None),
        Content::Object(_) => matches!(kind, Some("object") | None),
    }
}

fn is_integer(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("integer")
}

fn limit(schema: &Value, name: &str) -> Option<usize> {
    usize::try_from(schema.get(name)?.as_u64()?).ok()
}

fn named(path: &str) -> String {
    if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") }
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("`{word}`")).collect()
}

fn either(words: &[String]) -> String {
    joined(words, "or")
}

fn all(words: &[String]) -> String {
    joined(words, "and")
}

fn joined(words: &[String], conjunction: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} {conjunction} {last}", most.join(", ")),
    }
}
