//! Checks that the file which a managed runtime's handler names is in the package.

use super::collect::Entry;
use super::{Problem, Source};

/// The problem, if there is one; none is seen for a runtime whose handlers we cannot read.
pub(super) fn check(source: &Source, entries: &[Entry]) -> Option<Problem> {
    let handler = source.handler;
    let looked_for = match family(source.runtime) {
        "python" => python(handler),
        "nodejs" => script(handler, "file.function", &[".js", ".mjs", ".cjs"]),
        "ruby" => script(handler, "file.method", &[".rb"]),
        "java" => java(handler),
        "dotnet" => dotnet(handler),
        _ => return None,
    };
    let missing = looked_for.unless_found(entries)?;
    Some(missing.problem(handler, entries))
}

/// How many of the files that would do a message names: the usual ones come first.
const NAMED: usize = 2;

enum LookedFor {
    Malformed(&'static str),
    Files {
        expected: Vec<String>,
        /// Endings of root files that are worth naming when the expected one is missing.
        kind: &'static str,
    },
}

impl LookedFor {
    /// Itself if it is a problem.
    fn unless_found(self, entries: &[Entry]) -> Option<Self> {
        let Self::Files { expected, .. } = &self else {
            return Some(self);
        };
        let found = entries.iter().any(|entry| expected.iter().any(|pattern| names(pattern, &entry.name)));
        (!found).then_some(self)
    }

    fn problem(self, handler: &str, entries: &[Entry]) -> Problem {
        let handler = handler.to_owned();
        let key = "handler";
        match self {
            Self::Malformed(form) => Problem::HandlerMalformed { handler, form, key },
            Self::Files { expected, kind } => Problem::HandlerMissing {
                handler,
                expected: expected.into_iter().take(NAMED).collect(),
                near: entries
                    .iter()
                    .map(|entry| &entry.name)
                    .filter(|name| !name.contains('/') && name.ends_with(kind))
                    .take(3)
                    .cloned()
                    .collect(),
                key,
            },
        }
    }
}

/// Whether a pattern with at most one `*` names the file.
fn names(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= pattern.len() && name.starts_with(start) && name.ends_with(end),
    }
}

fn family(runtime: &str) -> &str {
    runtime.trim_end_matches(|last: char| last.is_ascii_digit() || matches!(last, '.' | 'x'))
}

fn python(handler: &str) -> LookedFor {
    match handler.rsplit_once('.') {
        Some((module, function)) if !module.is_empty() && !function.is_empty() => {
            let path = module.replace('.', "/");
            LookedFor::Files {
                expected: [".py", "/__init__.py", ".pyc", ".*so"].map(|end| format!("{path}{end}")).to_vec(),
                kind: ".py",
            }
        }
        _ => LookedFor::Malformed("module.function"),
    }
}

fn script(handler: &str, form: &'static str, endings: &[&'static str]) -> LookedFor {
    let (folder, file) = match handler.rsplit_once('/') {
        Some((folder, file)) => (format!("{}/", folder.trim_start_matches("./")), file),
        None => (String::new(), handler),
    };
    match file.split_once('.') {
        Some((file, function)) if !file.is_empty() && !function.is_empty() => LookedFor::Files {
            expected: endings.iter().map(|ending| format!("{folder}{file}{ending}")).collect(),
            kind: endings.first().copied().unwrap_or_default(),
        },
        _ => LookedFor::Malformed(form),
    }
}

/// The class may lie in any jar of `lib/`, which Lambda puts on the class path, and is not looked for inside.
fn java(handler: &str) -> LookedFor {
    let class = handler.split("::").next().unwrap_or(handler);
    LookedFor::Files {
        expected: vec![format!("{}.class", class.replace('.', "/")), "lib/*.jar".into()],
        kind: ".jar",
    }
}

fn dotnet(handler: &str) -> LookedFor {
    let assembly = handler.split("::").next().unwrap_or(handler);
    LookedFor::Files { expected: vec![format!("{assembly}.dll")], kind: ".dll" }
}
