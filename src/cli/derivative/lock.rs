//! `mdo derivative lock`.

use std::collections::BTreeSet;

use mdo_model::project::{DERIVATIVES, DerivativeName, Settings};
use mdo_model::stack::Selection;
use mdo_package::derivative::{self, LockOptions, Locked, PythonRuntime};

use super::super::abandoned::Waiting;
use super::super::derivatives::{Needed, tell};
use super::{chosen, oldest_runtime, open};
use crate::output::{self, Failure, Steps, exit_code};

pub(super) async fn run(names: &[DerivativeName], upgrade: bool) -> Result<(), Failure> {
    let (_, settings) = open()?;
    let names = chosen(&settings, names)?;
    if names.is_empty() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "the project has no derivative",
            "`mdo derivative create NAME PACKAGE…` makes one",
        ));
    }
    for name in names {
        if settings.derivatives[&name].zip.is_some() {
            output::message(&format!("derivative {name} is a prebuilt zip: there is nothing to lock"));
            continue;
        }
        let runtime = oldest_runtime(&settings, &name)?;
        let locked = lock(&settings, &name, runtime, upgrade).await?;
        let path = locked.path.strip_prefix(&settings.root).unwrap_or(&locked.path).display();
        if let Some(reason) = locked.distrusted {
            output::message(&format!("warning: {path} {reason}"));
        }
        output::data(&match locked.changes.as_slice() {
            [] => format!("{name}  {}, as before  {path}\n", output::count(locked.packages.len(), "package")),
            changes => {
                let changes: Vec<_> = changes.iter().map(|change| format!("  {change}\n")).collect();
                format!(
                    "{name}  {}  {path}\n{}",
                    output::count(locked.packages.len(), "package"),
                    changes.concat()
                )
            }
        });
    }
    Ok(())
}

/// Locks the derivatives of the chosen functions that were never locked. One that is locked, however long ago, stays as it is.
pub(in super::super) async fn lock_first(settings: &Settings, selection: &Selection) -> Result<(), Failure> {
    let chosen = settings.functions.iter().filter(|(name, _)| selection.contains(name));
    let names: BTreeSet<_> = chosen.flat_map(|(_, function)| function.derivatives.iter().cloned()).collect();
    for name in names {
        let is_prebuilt = settings.derivatives.get(&name).is_some_and(|own| own.zip.is_some());
        if is_prebuilt || !derivative::is_lockable(&settings.root.join(DERIVATIVES).join(name.as_str())) {
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
