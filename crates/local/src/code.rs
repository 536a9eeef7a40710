//! The unpacked code of functions, one folder per content below `.mdo/code/`, shared by all stages.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mdo_engine::{Cause, Error};
use mdo_model::Sha256;

use super::files;
use super::store::{Store, prepare};

/// The folders of unpacked code of a project.
#[derive(Clone, Debug)]
pub(super) struct Code {
    base: PathBuf,
    folder: PathBuf,
}

/// While it lives, no other process adds or removes code.
pub(super) struct Guard {
    _lock: File,
}

impl Code {
    /// The code below the folder that all local stacks of a project share.
    pub(super) fn new(base: &Path) -> Self {
        Self { base: base.to_owned(), folder: base.join("code") }
    }

    /// The folder of the code with a SHA-256.
    pub(super) fn folder(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    /// Waits until no other process adds or removes code.
    pub(super) fn guard(&self) -> Result<Guard, Error> {
        prepare(&self.base)?;
        files::create_folder(&self.folder)?;
        Ok(Guard { _lock: files::lock(&self.folder.join("lock"))? })
    }

    /// Unpacks a zip unless its code is there already.
    pub(super) fn install(
        &self,
        _guard: &Guard,
        zip: Option<&Path>,
        sha256: Option<Sha256>,
    ) -> Result<(), Error> {
        let folder = sha256.map(|sha256| self.folder(sha256));
        if folder.as_ref().is_some_and(|folder| folder.is_dir()) {
            return Ok(());
        }
        let (zip, folder) = zip.zip(folder).ok_or_else(|| {
            Error::new(Cause::Gone, "its code is not on this machine and was not packaged")
                .with_help("deploy it again with --local")
        })?;
        mdo_package::unpack(zip, &folder).map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Error::new(Cause::Other, format!("{error}{}", source.unwrap_or_default()))
        })?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))
            .map_err(|error| files::failed("close to others", &folder, &error))
    }

    /// Removes code that no stage refers to. Answers what could not be done, for people.
    pub(super) fn sweep(&self, _guard: &Guard, store: &Store) -> Vec<String> {
        let stages = match store.stages() {
            Ok(stages) => stages,
            Err(error) => return vec![format!("old code was not removed: {error}")],
        };
        let used: BTreeSet<String> =
            stages.iter().flat_map(|(_, state)| state.code()).map(|code| code.to_string()).collect();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.path().is_dir())
            .filter(|entry| !entry.file_name().to_str().is_some_and(|name| used.contains(name)))
            .filter_map(|entry| {
                let path = entry.path();
                let error = fs::remove_dir_all(&path).err()?;
                Some(format!("old code was not removed: {}: {error}", path.display()))
            })
            .collect()
    }
}
