//! `mdo derivative lock`.

use std::collections::BTreeSet;

use mdo_model::project::{DERIVATIVES, DerivativeName, Settings};
use mdo_model::stack::Selection;
use mdo_package::derivative::{self, LockOptions, Locked, PythonRuntime};

use super::super::abandoned::Waiting;
use super::super::derivatives::{Needed, tell};
use super::several::Several;
use super::unused::remove_unused_builds;
use super::{chosen, oldest_runtime, open};
use crate::output::{self, DerivativeLockDocument, Failure, LockEntry, Steps, exit_code};

pub(super) async fn run(names: &[DerivativeName], upgrade: bool, json: bool) -> Result<(), Failure> {
    let (_, settings) = open()?;
    let names = chosen(&settings, names)?;
    if names.is_empty() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "the project has no derivative",
            "`mdo derivative create NAME PACKAGE…` makes one",
        ));
    }
    let mut several = Several::default();
    let mut entries = Vec::new();
    for name in names {
        if settings.derivatives[&name].zip.is_some() {
            output::message(&format!("derivative {name} is a prebuilt zip: there is nothing to lock"));
            continue;
        }
        let locking = async { lock(&settings, &name, oldest_runtime(&settings, &name)?, upgrade).await };
        let locked = match locking.await {
            Ok(locked) => locked,
            Err(failure) => {
                several.note(failure)?;
                continue;
            }
        };
        if json {
            entries.push(LockEntry::of(&name, &locked, &settings.root));
        } else {
            say(&settings, &name, &locked);
        }
    }
    let is_told = json && (several.failure().is_none() || !entries.is_empty());
    if is_told {
        output::json(&DerivativeLockDocument::new(&settings.project, entries, several.failure()));
    }
    if several.failure().is_none() {
        remove_unused_builds(&settings).await;
    }
    several.end(is_told)
}

fn say(settings: &Settings, name: &DerivativeName, locked: &Locked) {
    let path = locked.path.strip_prefix(&settings.root).unwrap_or(&locked.path).display();
    if let Some(reason) = locked.distrusted {
        output::message(&format!("warning: {path} {reason}"));
    }
    let packages = output::count(locked.packages.len(), "package");
    output::data(&match locked.changes.as_slice() {
        [] => format!("{name}  {packages}, as before  {path}\n"),
        changes => {
            let changes: Vec<_> = changes.iter().map(|change| format!("  {change}\n")).collect();
            format!("{name}  {packages}  {path}\n{}", changes.concat())
        }
    });
}

/// Locks the derivatives of the chosen functions that were never locked. One that is locked, however long ago, stays as it is.
pub(in super::super) async fn lock_first(settings: &Settings, selection: &Selection) -> Result<(), Failure> {
    let chosen = settings.functions.iter().filter(|(name, _)| selection.contains(name));
    let names: BTreeSet<_> = chosen.flat_map(|(_, function)| function.derivatives.iter().cloned()).collect();
    for name in names {
        let is_prebuilt = settings.derivatives.get(&name).is_some_and(|own| own.zip.is_some());
        let folder = settings.root.join(DERIVATIVES).join(name.as_str());
        if is_prebuilt || !derivative::is_lockable(name.as_str(), &folder) {
            continue;
        }
        let runtime = oldest_runtime(settings, &name)?;
        let locked = lock(settings, &name, runtime, false).await?;
        let path = locked.path.strip_prefix(&settings.root).unwrap_or(&locked.path).display();
        output::message(&format!(
            "locked {name}: {}, {path}",
            output::count(locked.packages.len(), "package")
        ));
    }
    Ok(())
}

/// Locks one derivative.
pub(super) async fn lock(
    settings: &Settings,
    name: &DerivativeName,
    runtime: PythonRuntime,
    upgrade: bool,
) -> Result<Locked, Failure> {
    let waiting = Waiting::default();
    let abandoned = waiting.abandoned();
    let (root, name) = (settings.root.clone(), name.to_string());
    let locking = move || {
        let needed = Needed::find(runtime, &root)?;
        let steps = Steps::begin(format!("derivative {name}"));
        let options = LockOptions { runtime, upgrade };
        let folder = root.join(DERIVATIVES).join(&name);
        let mut observe = |event: derivative::Event<'_>| tell(&steps, event);
        let locked = derivative::lock(&name, &folder, &options, &needed.tools(&abandoned), &mut observe);
        Ok(locked.map_err(|error| error.relative_to(&root))?)
    };
    tokio::task::spawn_blocking(locking).await.map_err(anyhow::Error::from)?
}
