//! Who decides what an environment variable is: the one place that knows the precedence of files and flags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::document::{Content, Document, Member};
use super::problem::{Place, Problem};
use super::reference::{Referred, Variable};
use super::shape::Environment;
use super::{Secret, dotenv, format, text};
use crate::quotas::ENVIRONMENT_LIMIT;
use crate::thousands;

/// The name of an environment file that stands for standard input.
pub const PIPED: &str = "-";

/// What flags say over the files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// An environment file that is read without being named, below all others: it may be absent, and hold what is meant for
    /// other programs; see [`left_out`].
    pub own_env_file: Option<PathBuf>,
    /// Environment files (`-E`), lowest precedence first: dotenv or JSON, told apart by their content. `-` stands for `piped`.
    pub env_files: Vec<PathBuf>,
    /// What standard input holds, where one of the files is `-`.
    pub piped: Option<Secret>,
    /// Variables set by flags (`-s`), over all files, for every function.
    pub set: Vec<Assignment>,
    /// Variables that are to be removed from the live stage (`--unset`).
    pub unset: BTreeSet<String>,
    /// The region.
    pub region: Option<String>,
    /// The profile of the credentials.
    pub profile: Option<String>,
    /// Whether the stage is taken for one that servers host, whatever it says, for an image of its functions. How the load balancer
    /// is reached does not matter then.
    pub hosted: bool,
}

/// `NAME=value`; everything after the first `=` is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable's name, as Lambda accepts it.
    pub name: String,
    /// The value.
    pub value: Secret,
}

/// Why a text is not an [`Assignment`]; it never repeats the value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidAssignment {
    /// There is no `=`.
    #[error("there is no `=`: write NAME=value")]
    Syntax,
    /// The name is not one that Lambda accepts.
    #[error("{0}")]
    Name(String),
    /// The value is not one that a process can have.
    #[error("{0}")]
    Value(String),
}

impl FromStr for Assignment {
    type Err = InvalidAssignment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or(InvalidAssignment::Syntax)?;
        if let Some(problem) = format::environment_name(name) {
            return Err(InvalidAssignment::Name(problem.message));
        }
        match format::environment_value(value) {
            Some(problem) => Err(InvalidAssignment::Value(problem.message)),
            None => Ok(Self { name: name.to_owned(), value: Secret::new(value) }),
        }
    }
}

/// The variables of one source, with what the source is called and where each stands.
pub(super) struct Layer {
    source: &'static str,
    variables: BTreeMap<String, (Variable, Option<Place>)>,
}

impl Layer {
    /// The variables of a table or object at a path of a document.
    pub(super) fn of_document(environment: &Environment, document: &Document, path: &[&str]) -> Self {
        let place = |name: &str| document.key_place(&[path, &[name]].concat());
        let variables =
            environment.0.iter().map(|(name, value)| (name.clone(), (value.clone(), place(name)))).collect();
        Self { source: "a file", variables }
    }

    /// The variables set by flags.
    pub(super) fn of_flags(assignments: &[Assignment]) -> Self {
        let variables = assignments
            .iter()
            .map(|assignment| (assignment.name.clone(), (Variable::Text(assignment.value.clone()), None)))
            .collect();
        Self { source: "-s", variables }
    }

    /// The variables of an environment file that the user named.
    pub(super) fn of_file(path: &Path, piped: Option<&Secret>) -> Result<Self, Vec<Problem>> {
        match piped.filter(|_| path == Path::new(PIPED)) {
            Some(text) => Self::of_entries(parsed("standard input", text.reveal())?),
            None => Self::of_entries(entries(path)?),
        }
    }

    /// The variables of the environment file that nobody named, without those that [`left_out`] tells.
    pub(super) fn of_own_file(path: &Path) -> Result<Self, Vec<Problem>> {
        let mut entries = if path.is_file() { entries(path)? } else { Vec::new() };
        entries.retain(|entry| format::environment_name(&entry.name).is_none());
        Self::of_entries(entries)
    }

    fn of_entries(entries: Vec<dotenv::Entry>) -> Result<Self, Vec<Problem>> {
        let problems: Vec<Problem> = entries
            .iter()
            .flat_map(|entry| {
                let of_name = format::environment_name(&entry.name);
                let of_value = format::environment_value(&entry.value);
                of_name.into_iter().chain(of_value).map(|problem| problem.at(entry.place.clone()))
            })
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let variables = entries
            .into_iter()
            .map(|entry| (entry.name, (Variable::Text(Secret::new(entry.value)), Some(entry.place))))
            .collect();
        Ok(Self { source: "a file", variables })
    }

    /// The variables that are to be unset although this source sets them.
    pub(super) fn contradictions(&self, unset: &BTreeSet<String>) -> Vec<Problem> {
        let contradiction = |name: &String| {
            let (_, place) = self.variables.get(name)?;
            let problem = Problem::new(format!("`{name}` is to be unset, but {} sets it", self.source))
                .at(place.clone());
            Some(problem.help("remove it there, or do not unset it"))
        };
        unset.iter().filter_map(contradiction).collect()
    }
}

/// What the environment file that nobody named holds and no function can have, as notes: credentials for tools, mostly.
pub fn left_out(own_env_file: &Path) -> Vec<Problem> {
    // What cannot be read is told by who needs it.
    let entries = entries(own_env_file).unwrap_or_default();
    let note = |entry: &dotenv::Entry| {
        let why = format::environment_name(&entry.name)?.message;
        let name = format::shown(&entry.name);
        Some(Problem::new(format!("no function gets `{name}`: {why}")).at(entry.place.clone()))
    };
    entries.iter().filter_map(note).collect()
}

/// The variables of an environment file, dotenv or JSON.
fn entries(path: &Path) -> Result<Vec<dotenv::Entry>, Vec<Problem>> {
    let file = path.display().to_string();
    let text = text::read(path, &file).map_err(|problem| {
        let is_assignment = path.as_os_str().as_encoded_bytes().contains(&b'=');
        vec![if is_assignment { problem.help("set a variable with -s NAME=value") } else { problem }]
    })?;
    parsed(&file, &text)
}

fn parsed(file: &str, text: &str) -> Result<Vec<dotenv::Entry>, Vec<Problem>> {
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    if is_json { json_entries(file, text) } else { dotenv::parse(file, text) }
}

fn json_entries(file: &str, text: &str) -> Result<Vec<dotenv::Entry>, Vec<Problem>> {
    let document = Document::json(file, text)?;
    let Content::Object(members) = &document.root().content else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for member in members {
        match &member.value.content {
            Content::String(value) => entries.push(dotenv::Entry {
                name: member.key.clone(),
                value: value.clone(),
                place: document.place_of(member.key_span.start),
            }),
            _ => problems.push(
                Problem::new(format!("`{}` must be a string", format::shown(&member.key)))
                    .at(document.place_of(member.value.span.start))
                    .help(format!("write the value in quotes: \"{}\": \"…\"", format::shown(&member.key))),
            ),
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

/// The variables of all layers, the later ones over the earlier ones.
pub(super) fn merge<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Merged {
    let mut all: BTreeMap<&String, &(Variable, Option<Place>)> = BTreeMap::new();
    for layer in layers {
        all.extend(&layer.variables);
    }
    let mut merged = Merged::default();
    for (name, (variable, place)) in all {
        let (value, referred) = variable.read(place.as_ref());
        merged.environment.insert(name.clone(), value);
        merged.referred.extend(referred.map(|referred| (name.clone(), referred)));
    }
    merged
}

/// The variables of all sources.
#[derive(Default)]
pub(super) struct Merged {
    /// What they hold, as far as it is known.
    pub environment: BTreeMap<String, Secret>,
    /// Those whose values are kept elsewhere.
    pub referred: BTreeMap<String, Referred>,
}

/// The size of an environment in bytes, as Lambda counts it: its names and values as a JSON object.
pub fn environment_size(environment: &BTreeMap<String, Secret>) -> usize {
    let revealed: BTreeMap<&str, &str> =
        environment.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    serde_json::to_vec(&revealed).map_or(0, |bytes| bytes.len())
}

/// Checks that an environment is not larger than Lambda takes.
pub(super) fn check_size(
    function: &str,
    environment: &BTreeMap<String, Secret>,
    document: &Document,
) -> Option<Problem> {
    let size = environment_size(environment);
    let message = format!(
        "the environment of function {function} has {} bytes: Lambda takes at most {}",
        thousands(size as u64),
        thousands(ENVIRONMENT_LIMIT as u64)
    );
    (size > ENVIRONMENT_LIMIT).then(|| {
        Problem::new(message)
            .at(document.key_place(&["environment"]))
            .help("keep large values elsewhere, such as in a file of the package or in Parameter Store")
    })
}

/// The same for a function.json that has other mistakes as well, by what it sets itself.
pub(super) fn oversized(function: &str, document: &Document) -> Option<Problem> {
    let Content::Object(members) = &document.root().get("environment")?.content else { return None };
    let text = |member: &Member| match &member.value.content {
        Content::String(value) => Some((member.key.clone(), Secret::new(value))),
        _ => None,
    };
    check_size(function, &members.iter().filter_map(text).collect(), document)
}
