//! The names that a shell completes: functions, stages and keys of the project in whose folder one stands. Nothing is asked of the network.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use clap_complete::CompletionCandidate;
use mdo_model::project::Project;
use mdo_model::stack::DEFAULT_KEY;
use mdo_package::OwnFolder;
use serde_json::Value;

/// The functions of the project, also of one that has mistakes.
pub(super) fn functions() -> Vec<CompletionCandidate> {
    candidates(root().map(|root| folders(&root.join("functions"))).unwrap_or_default())
}

/// The stages that project.toml names, and those that are on this machine.
pub(super) fn stages() -> Vec<CompletionCandidate> {
    let Some(root) = root() else { return Vec::new() };
    let mut names = folders(&own_stages(&root));
    let manifest: toml::Table = fs::read_to_string(root.join("project.toml"))
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    names.extend(
        manifest
            .get("stages")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    names.extend(manifest.get("default_stage").and_then(toml::Value::as_str).map(str::to_owned));
    if names.is_empty() {
        names.insert("dev".to_owned());
    }
    candidates(names)
}

/// The keys of the stages that are on this machine.
pub(super) fn keys() -> Vec<CompletionCandidate> {
    let Some(root) = root() else { return Vec::new() };
    let stages = own_stages(&root);
    let mut names = BTreeSet::from([DEFAULT_KEY.to_owned()]);
    for stage in folders(&stages) {
        let state = fs::read(stages.join(stage).join("state.json")).unwrap_or_default();
        let state: Value = serde_json::from_slice(&state).unwrap_or_default();
        names.extend(state["keys"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    candidates(names)
}

/// The project's folder.
fn root() -> Option<PathBuf> {
    Project::find(&std::env::current_dir().ok()?).ok()
}

fn own_stages(root: &std::path::Path) -> PathBuf {
    OwnFolder::of(root).path().join("stages")
}

/// The names of the folders in a folder, but for hidden ones.
fn folders(folder: &std::path::Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

fn candidates(names: BTreeSet<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}
