//! Finds and reads a project: `project.toml` and every `functions/*/function.json`, with everything that is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::document::Document;
use super::function_file;
use super::loaded_function::LoadedFunction;
use super::manifest::{self, Manifest};
use super::problem::{Place, Problem, Problems};
use super::schema::{self, SchemaKind};
use super::text::{self, unreadable};
use super::validate::{Hint, validate};
use super::written::Project;
use super::{FunctionName, check, environment};

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "project.toml";

impl Project {
    /// The folder at or above `start` that holds `project.toml`.
    ///
    /// # Errors
    ///
    /// There is none, or a project of apex is met first.
    pub fn find(start: &Path) -> Result<PathBuf, Problems> {
        let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
        for folder in start.ancestors() {
            if folder.join(PROJECT_FILE).is_file() {
                return Ok(folder.to_owned());
            }
            if folder.join("project.json").is_file() && folder.join("functions").is_dir() {
                return Err(apex_project(&folder.join("project.json").display().to_string()).into());
            }
        }
        Err(Problem::new(format!("there is no {PROJECT_FILE} in {} or above it", start.display()))
            .help("`mdo init` writes one")
            .into())
    }

    /// Reads and checks the project in the folder `root`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of its files, in the order of the files.
    pub fn load(root: &Path) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let manifest = keep(read_manifest(root), &mut problems);
        let functions = read_functions(root, &mut problems);
        if let Some((manifest, document)) = &manifest {
            check::manifest(manifest, document, &mut problems);
        }
        check::functions(
            root,
            manifest.as_ref().map(|(manifest, document)| (manifest, document)),
            &functions,
            &mut problems,
        );
        let Some((manifest, document)) = manifest else {
            return Err(Problems::sorted_by_file(problems));
        };
        let default_stage = match &manifest.default_stage {
            Some(stage) => stage.clone(),
            None => "dev".parse().map_err(|error| Problem::new(format!("{error}")))?,
        };
        let project = Self { root: root.to_owned(), manifest, document, functions, default_stage };
        if problems.is_empty() {
            return Ok(project);
        }
        // What is wrong with a stage as a whole is told at once too, as far as the files can be read.
        problems.extend(project.problems_at(&project.default_stage));
        Err(Problems::sorted_by_file(problems))
    }
}

/// The problem of meeting a project of apex.
fn apex_project(file: &str) -> Problem {
    Problem::new(format!("{file} belongs to an apex project"))
        .help("`mdo init --apex` converts it to project.toml")
}

fn keep<T>(read: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|found| problems.extend(found)).ok()
}

fn read_manifest(root: &Path) -> Result<(Manifest, Document), Vec<Problem>> {
    let path = root.join(PROJECT_FILE);
    if !path.exists() && root.join("project.json").is_file() {
        return Err(vec![apex_project("project.json")]);
    }
    let document = Document::toml(PROJECT_FILE, &read(&path, PROJECT_FILE)?)?;
    let manifest = typed(&document, SchemaKind::Project, manifest::hint)?;
    Ok((manifest, document))
}

/// The functions of the project; one that cannot be read is reported and left out.
fn read_functions(root: &Path, problems: &mut Vec<Problem>) -> BTreeMap<FunctionName, LoadedFunction> {
    let mut functions = BTreeMap::new();
    for name in function_folders(root, problems) {
        let file = format!("functions/{name}/function.json");
        let path = root.join(&file);
        let exists = path.try_exists().map_err(|error| vec![unreadable(&file, &error)]);
        let Some(exists) = keep(exists, problems) else { continue };
        if !exists {
            if holds_anything(&root.join("functions").join(&name)) {
                problems.push(
                    Problem::new(format!("functions/{name} has no function.json"))
                        .help("write one, `{}` is enough, or move the folder out of functions/"),
                );
            }
            continue;
        }
        let valid_name = name.parse::<FunctionName>().map_err(|error| {
            let place = Place { file: file.clone(), line: 1, column: 1 };
            vec![Problem::new(error.to_string()).at(place).help("rename the folder")]
        });
        let read = read(&path, &file).and_then(|text| {
            let document = Document::json(&file, &text)?;
            let file = typed(&document, SchemaKind::Function, function_file::hint);
            let file = file.map_err(|mut found| {
                found.extend(environment::oversized(&name, &document));
                found
            })?;
            Ok(LoadedFunction { file, document })
        });
        if let (Some(name), Some(function)) = (keep(valid_name, problems), keep(read, problems)) {
            functions.insert(name, function);
        }
    }
    functions
}

/// The names of the folders in `functions/` that are not hidden, sorted.
fn function_folders(root: &Path, problems: &mut Vec<Problem>) -> Vec<String> {
    let folder = root.join("functions");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(unreadable("functions", &error));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn holds_anything(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    })
}

fn read(path: &Path, file: &str) -> Result<String, Vec<Problem>> {
    text::read(path, file).map_err(|problem| vec![problem])
}

/// The document as the type that its schema was generated from.
fn typed<T: DeserializeOwned>(document: &Document, kind: SchemaKind, hint: Hint) -> Result<T, Vec<Problem>> {
    let problems = validate(document, schema::cached(kind), hint);
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(document.root().to_value()).map_err(|_| {
        let place = document.place_of(0);
        vec![
            Problem::new("the schema accepts this file but mdo cannot read it: this is a bug in mdo")
                .at(place),
        ]
    })
}
