//! Lets uv install what a recipe locks into an empty folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::error::DerivativeError;
use super::recipe::Recipe;
use super::uv::{self, Doing};
use super::{Event, Observe, Tools, lock};

/// Installs the packages into `folder/python`, for the platform as uv names it; without one, for this machine.
pub(super) fn install(
    recipe: &Recipe,
    platform: Option<&str>,
    folder: &Path,
    tools: &Tools,
    observe: Observe,
) -> Result<(), DerivativeError> {
    let lock = folder.join(lock::LOCK);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DerivativeError::write(&recipe.name, &path, source)
    };
    fs::write(&lock, &recipe.lock).map_err(failed(&lock))?;
    let tree = folder.join("python");
    fs::create_dir(&tree).map_err(failed(&tree))?;
    observe(Event::Installing { packages: recipe.packages().len() });

    let mut arguments: Vec<OsString> = ["pip", "install", "--target", "python"].map(OsString::from).into();
    arguments.extend(["--python-version".into(), recipe.runtime.version().into()]);
    if let Some(platform) = platform {
        arguments.extend(["--python-platform".into(), platform.into()]);
    }
    // Without it uv builds source distributions for this machine, whatever platform is asked for.
    arguments.extend(["--only-binary".into(), ":all:".into()]);
    for name in &recipe.source {
        arguments.extend(["--no-binary".into(), name.into()]);
    }
    arguments.extend(["--link-mode", "copy", "--require-hashes", "-r", lock::LOCK].map(OsString::from));
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    uv::run(&recipe.name, Doing::Install, folder, &arguments, tools, observe)?;
    fs::remove_file(&lock).map_err(failed(&lock))
}
