//! `mdo init --apex`: makes the apex project in a folder ours. It overwrites nothing but function.json, which stays as
//! function.apex.json.

use std::fs;
use std::path::Path;

use mdo_model::project::StageName;
use mdo_model::project::apex::{self, Converted};

use super::init::{NewFile, text, write_all};
use super::schema;
use crate::output::{self, Failure, exit_code};

/// apex's ignore file, in the project's folder and in those of functions.
const APEX_IGNORE: &str = ".apexignore";

/// What is written beside a function.json, before it takes its place.
const NEW_FUNCTION: &str = "function.mdo.json";

/// The file that makes the folder a project of apex, be it for one of its environments alone.
pub(super) fn apex_file(folder: &Path) -> Option<String> {
    if folder.join("project.json").exists() {
        return Some("project.json".to_owned());
    }
    let of_stages = stage_files(folder).map(|(_, file)| file).min();
    of_stages.filter(|_| folder.join("functions").is_dir())
}

pub(super) fn run(folder: &Path) -> Result<(), Failure> {
    let mut stages = Vec::new();
    for (stage, file) in stage_files(folder) {
        stages.push((stage, read(folder, &file)?));
    }
    stages.sort();
    let is_there = folder.join("project.json").exists() || stages.is_empty();
    let project = if is_there { Some(read(folder, "project.json")?) } else { None };
    let functions = functions(folder)?;
    let mut converted = apex::convert(project.as_deref(), &stages, &functions)?;
    converted.notes.extend(notes_on_folders(folder, &functions));
    let written = write_all(folder, files(folder, &functions, &converted)?, &[".mdoignore"])?.written;
    for path in &written {
        match path.to_str().and_then(|path| path.strip_suffix(NEW_FUNCTION)) {
            Some(home) => {
                fs::rename(folder.join(path), folder.join(home).join("function.json"))?;
                output::data(&format!("  converted  {home}function.json\n"));
            }
            None => output::data(&format!("  wrote      {}\n", path.display())),
        }
    }
    schema::write_for_editors(folder)?;
    for note in converted.notes {
        output::message(&format!("note: {note}"));
    }
    output::data("\nmdo no longer reads project.json. See what a deploy would do: mdo plan --adopt\n");
    Ok(())
}

/// The files `project.<stage>.json`, each with its stage.
fn stage_files(folder: &Path) -> impl Iterator<Item = (String, String)> {
    names(folder).into_iter().filter_map(|file| {
        let stage = file.strip_prefix("project.")?.strip_suffix(".json")?;
        stage.parse::<StageName>().is_ok().then(|| (stage.to_owned(), file.clone()))
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn read(folder: &Path, file: &str) -> Result<String, Failure> {
    fs::read_to_string(folder.join(file)).map_err(|error| {
        Failure::with_help(
            exit_code::USAGE,
            format!("cannot read {file}: {error}"),
            "mdo init --apex runs in the folder of an apex project, which has a project.json",
        )
    })
}

/// The function.json of each function, by the name of its folder; apex needs none. Folders of tools are hidden.
fn functions(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut functions = Vec::new();
    for name in names(&folder.join("functions")) {
        let file = format!("functions/{name}/function.json");
        if name.starts_with('.') || !folder.join("functions").join(&name).is_dir() {
            continue;
        }
        let text = if folder.join(&file).is_file() { read(folder, &file)? } else { "{}".to_owned() };
        functions.push((name, text));
    }
    functions.sort();
    Ok(functions)
}

fn files(
    folder: &Path,
    functions: &[(String, String)],
    converted: &Converted,
) -> Result<Vec<NewFile>, Failure> {
    let mut files = vec![text("project.toml", converted.project_toml.clone())];
    if folder.join(APEX_IGNORE).is_file() {
        files.push(text(".mdoignore", apex::ignore_file(&read(folder, APEX_IGNORE)?)));
    }
    for ((name, old), (_, new)) in functions.iter().zip(&converted.functions) {
        let home = Path::new("functions").join(name);
        if folder.join(&home).join(APEX_IGNORE).is_file() {
            let ignored = read(folder, &format!("functions/{name}/{APEX_IGNORE}"))?;
            files.push(text(home.join(".mdoignore"), ignored));
        }
        if old == new {
            continue;
        }
        if folder.join(&home).join("function.json").is_file() {
            files.push(text(home.join("function.apex.json"), old.clone()));
        }
        files.push(text(home.join(NEW_FUNCTION), new.clone()));
    }
    Ok(files)
}

/// What is to be known of the folders, rather than of what is written in the files.
fn notes_on_folders(folder: &Path, functions: &[(String, String)]) -> Vec<String> {
    let mut notes = Vec::new();
    if folder.join("infrastructure").is_dir() {
        notes.push(
            "infrastructure/ is left alone: mdo runs no Terraform, so run it there yourself".to_owned(),
        );
    }
    for (name, _) in functions {
        let home = folder.join("functions").join(name);
        for link in links_that_leave(&home, &home) {
            let shown = link.strip_prefix(folder).unwrap_or(&link).display().to_string();
            notes.push(format!(
                "{shown} is a link that leaves the function's folder, which mdo does not package: copy what it points at, for instance in the build hook"
            ));
        }
    }
    notes
}

/// The links below `folder` that lead out of `home`.
fn links_that_leave(folder: &Path, home: &Path) -> Vec<std::path::PathBuf> {
    let home_is = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_symlink() {
            let leaves = path.canonicalize().is_ok_and(|real| !real.starts_with(&home_is));
            found.extend(leaves.then_some(path));
        } else if path.is_dir() {
            found.extend(links_that_leave(&path, home));
        }
    }
    found.sort();
    found
}
