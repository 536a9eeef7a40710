//! The chosen functions as zips: builds and checks run beside each other, and everything that is wrong is told at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mdo_model::Sha256;
use mdo_model::project::{FunctionName, Project, Settings};
use mdo_model::stack::Selection;
use mdo_package::{self, Destination, OwnFolder, OwnFolderError, Package, PackageError, Source};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::abandoned::Waiting;
use crate::output::{self, Complaint, ErrorCode, Failure, exit_code};

/// What is packaged, and for whom.
pub(super) struct Packaging<'a> {
    pub project: &'a Project,
    pub settings: &'a Settings,
    /// Zips that are there already and need not be looked at again.
    pub packaged: &'a BTreeMap<FunctionName, Package>,
    pub selection: &'a Selection,
    pub destination: Destination,
    /// Whether zips that nobody uses afterwards may be made in another folder, where the project's cannot be written.
    pub may_be_elsewhere: bool,
}

/// Packages the chosen functions, several at once, and says what may go wrong with them.
pub(super) async fn package_functions(
    packaging: Packaging<'_>,
) -> Result<BTreeMap<FunctionName, Package>, Failure> {
    let Packaging { project, settings, packaged, selection, destination, may_be_elsewhere } = packaging;
    let mut elsewhere = None;
    let artifacts = match OwnFolder::of(&settings.root).folder("packages") {
        Err(OwnFolderError::Write { .. }) if may_be_elsewhere => {
            elsewhere.insert(tempfile::tempdir()?).path().to_owned()
        }
        own => own?,
    };
    let waiting = Waiting::default();
    let mut tasks = JoinSet::new();
    let mut packages = BTreeMap::new();
    // Builds are at work with all that the machine has, so that more of them at once are not sooner done.
    let turns =
        Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))));
    for (name, function) in settings.functions.iter().filter(|(name, _)| selection.contains(name)) {
        if let Some(package) = packaged.get(name).filter(|package| package.path.is_file()) {
            packages.insert(name.clone(), package.clone());
            continue;
        }
        let (name, function, artifacts) = (name.clone(), function.clone(), artifacts.clone());
        let ignore = settings.root.join(".mdoignore");
        let abandoned = waiting.abandoned();
        let package = move || {
            let source = Source {
                function: name.as_str(),
                folder: &function.folder,
                runtime: &function.configuration.runtime,
                handler: &function.configuration.handler,
                architecture: function.configuration.architecture,
                project_ignore: Some(&ignore),
                has_layers: !function.configuration.layers.is_empty(),
                destination,
                abandoned: &abandoned,
                build_hook: function.build_hook.as_deref(),
                clean_hook: function.clean_hook.as_deref(),
            };
            let mut observe = |line: &str| output::message(&format!("  {name}: {line}"));
            let result = mdo_package::package_observed(&source, &artifacts, &mut observe);
            (name, result)
        };
        let turns = Arc::clone(&turns);
        tasks.spawn(async move {
            let _turn = turns.acquire().await;
            tokio::task::spawn_blocking(package).await
        });
    }
    let mut failures = Vec::new();
    let mut code = exit_code::USAGE;
    let mut results = BTreeMap::new();
    while let Some(task) = tasks.join_next().await {
        let (name, result) = task.flatten().map_err(anyhow::Error::from)?;
        results.insert(name, result);
    }
    for (name, result) in results {
        match result {
            Ok(package) => {
                for warning in &package.warnings {
                    output::once(&format!("warning: function {name}: {warning}"));
                }
                packages.insert(name, package);
            }
            Err(error) => {
                // A full disk is no fault of the package.
                if matches!(error, PackageError::Write { .. }) {
                    code = exit_code::FAILED;
                }
                failures.extend(complaints(project, &name, &error));
            }
        }
    }
    if !failures.is_empty() {
        return Err(Failure { complaints: failures, code });
    }
    tidy(&artifacts, &packages);
    Ok(packages)
}

/// A packaging error, each of its problems with the place in function.json that it is about.
fn complaints(project: &Project, name: &FunctionName, error: &PackageError) -> Vec<Complaint> {
    let resource = format!("function {name}");
    if error.problems().is_empty() {
        let mut text = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            text = format!("{text}: {source}");
        }
        let complaint = Complaint::new(ErrorCode::Package, text).on(resource);
        return vec![Complaint { help: error.help(), ..complaint }];
    }
    let complaint = |problem: &mdo_package::Problem| Complaint {
        place: problem.key().and_then(|key| project.place(name, key)),
        help: problem.help(),
        ..Complaint::new(ErrorCode::Package, format!("{resource}: {problem}")).on(&resource)
    };
    error.problems().iter().map(complaint).collect()
}

/// Removes zips of a day ago or older that this plan does not use. A failure to do so is nobody's concern. What is no zip of ours, a
/// link among it, stays.
fn tidy(artifacts: &Path, packages: &BTreeMap<FunctionName, Package>) {
    const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
    let Ok(entries) = std::fs::read_dir(artifacts) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_zip = path.extension().is_some_and(|extension| extension == "zip")
            && path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| stem.parse::<Sha256>().is_ok());
        // A crash has left what has this name, and is as old.
        let is_half = path.extension().is_some_and(|extension| extension == "tmp");
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let used = packages.values().any(|package| package.path == path);
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if is_file && (is_zip || is_half) && !used && age.is_some_and(|age| age > KEEP) {
            let _ = std::fs::remove_file(path);
        }
    }
}
