//! Files that hold secrets and survive a crash: private modes, no links, atomic replacement, locks between processes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use mdo_engine::{Cause, Error};
use mdo_package::{OwnFolder, OwnFolderError};

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
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self { inode: metadata.ino(), length: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// Replaces a file's content at once and for good, mode 0600.
pub(super) fn replace(own: &OwnFolder, path: &Path, content: &[u8]) -> Result<(), Error> {
    own.check(path).map_err(refused)?;
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
pub(super) fn read(own: &OwnFolder, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    own.check(path).map_err(refused)?;
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(own: &OwnFolder, path: &Path) -> Result<(), Error> {
    own.check(path).map_err(refused)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Waits for the lock that the file at `path` stands for; it is held until the answer is dropped.
pub(super) fn lock(own: &OwnFolder, path: &Path) -> Result<File, Error> {
    let file = open_lock(own, path)?;
    file.lock().map_err(|error| failed("lock", path, &error))?;
    Ok(file)
}

/// Takes the lock that the file at `path` stands for; `None` while another process holds it.
pub(super) fn try_lock(own: &OwnFolder, path: &Path) -> Result<Option<File>, Error> {
    let file = open_lock(own, path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed("lock", path, &error)),
    }
}

fn open_lock(own: &OwnFolder, path: &Path) -> Result<File, Error> {
    own.check(path).map_err(refused)?;
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    open.map_err(|error| failed("lock", path, &error))
}

/// The error of a folder that cannot be used as it is.
pub(super) fn refused(error: OwnFolderError) -> Error {
    Error::new(Cause::Other, error.to_string()).with_help(error.help())
}

/// The error of a file operation.
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let failure = Error::new(Cause::Other, format!("cannot {what} {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            failure.with_help("make the folder writable for you; state of local stacks lives in .mdo")
        }
        _ => failure,
    }
}
