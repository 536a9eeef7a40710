//! Files that hold secrets and survive a crash: private modes, atomic replacement, locks between processes.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use mdo_engine::{Cause, Error};

/// What tells one content of an atomically replaced file from the next, at the price of one `stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The stamp of the file at `path`; `None` when there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { inode: metadata.ino(), length: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// Creates a folder and its parents, each readable by its owner alone.
pub(super) fn create_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed("create", path, &error))
}

/// Replaces a file's content at once and for good, mode 0600.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| failed("write", path, &error))
}

/// Reads a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Waits for the lock that the file at `path` stands for; it is held until the answer is dropped.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    let open = || -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|error| failed("lock", path, &error))
}

/// Takes the lock that the file at `path` stands for; `None` while another process holds it.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let open = || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open().map_err(|error| failed("lock", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed("lock", path, &error)),
    }
}

/// The error of a file operation.
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let message = format!("could not {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::new(Cause::Denied, message)
            .with_help("make the folder writable for you; state of local stacks lives in .mdo"),
        _ => Error::new(Cause::Other, message),
    }
}
