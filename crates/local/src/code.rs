//! The unpacked code of functions, one folder per content below `.mdo/code/`, shared by all stages.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mdo_engine::{Cause, Error};
use mdo_model::Sha256;
use mdo_package::{OwnFolder, UNPACKING};

use super::files;
use super::store::Store;

/// Where the code is, below the project's own folder.
const CODE: &str = "code";

/// The folders of unpacked code of a project.
#[derive(Clone, Debug)]
pub(super) struct Code {
    own: OwnFolder,
    folder: PathBuf,
}

/// While it lives, no other process adds or removes code.
pub(super) struct Guard {
    _lock: File,
}

impl Code {
    /// The code below the folder that all local stacks of a project share.
    pub(super) fn new(own: &OwnFolder) -> Self {
        Self { own: own.clone(), folder: own.path().join(CODE) }
    }

    /// The folder of the code with a SHA-256.
    pub(super) fn folder(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    /// Waits until no other process adds or removes code.
    pub(super) fn guard(&self) -> Result<Guard, Error> {
        let folder = self.own.folder(CODE).map_err(files::refused)?;
        Ok(Guard { _lock: files::lock(&self.own, &folder.join("lock"))? })
    }

    /// Unpacks a zip unless its code is there already.
    pub(super) fn install(
        &self,
        _guard: &Guard,
        zip: Option<&Path>,
        sha256: Option<Sha256>,
    ) -> Result<(), Error> {
        let folder = sha256.map(|sha256| self.folder(sha256));
        if let Some(folder) = &folder {
            self.own.check(folder).map_err(files::refused)?;
            if folder.is_dir() {
                return Ok(());
            }
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

    /// Whether code is there: as a folder, not as a link to one.
    pub(super) fn is_there(&self, sha256: Sha256) -> bool {
        let folder = self.folder(sha256);
        self.own.check(&folder).is_ok() && folder.is_dir()
    }

    /// Removes code that no stage refers to. What is no code, a link among it, stays. Answers what could not be done, for people.
    pub(super) fn sweep(&self, _guard: &Guard, store: &Store) -> Vec<String> {
        let stages = match store.stages() {
            Ok(stages) => stages,
            Err(error) => return vec![format!("cannot remove old code: {error}")],
        };
        let used: BTreeSet<Sha256> = stages.iter().flat_map(|(_, state)| state.code()).collect();
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter(|entry| {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { return false };
                // Nobody unpacks while we have the guard: such a folder is what a crash has left.
                name.starts_with(UNPACKING) || name.parse().is_ok_and(|code: Sha256| !used.contains(&code))
            })
            .filter_map(|entry| {
                let path = entry.path();
                let error = fs::remove_dir_all(&path).err()?;
                Some(format!("cannot remove old code: {}: {error}", path.display()))
            })
            .collect()
    }
}
