//! The folder `.mdo/images`: compressed layers by what they are made from, each complete or absent, whoever else builds.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mdo_model::Sha256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};

use super::ImageError;
use crate::own_folder::{OwnFolder, OwnFolderError};

/// The folders in it: what is sent to a registry by digest, and what was made of what by key.
const BLOBS: &str = "images/blobs";
const MADE: &str = "images/made";

/// Locked by everybody who builds or uses what is in the folder.
const LOCK: &str = "images/lock";

/// How the name of an unfinished file or folder begins.
const UNFINISHED: &str = ".part-";

/// What the folder may hold before the longest unused goes, in bytes: a Python base with two or three generations of packages.
const MOST: u64 = 1024 * 1024 * 1024;

/// Where the layers of images are kept.
#[derive(Clone, Debug)]
pub struct ImageStore {
    own: OwnFolder,
    most: u64,
}

/// A blob of the store, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Of the blob.
    pub digest: Sha256,
    /// Of the blob before it was compressed.
    pub diff_id: Sha256,
    /// The blob's, in bytes.
    pub size: u64,
    /// What its files take, in bytes.
    pub unpacked: u64,
    /// What has to be in the image below it.
    pub needs: Option<String>,
}

impl ImageStore {
    /// The store in the folder `.mdo` of a project. Nothing is read or written yet.
    pub fn of(own: &OwnFolder) -> Self {
        Self { own: own.clone(), most: MOST }
    }

    /// The same, which holds at most so many bytes between two images; 1 GB unless it is said.
    #[must_use]
    pub fn bounded_to(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Makes the folders, and removes what a crash has left and what has not been used for the longest time.
    ///
    /// As long as the answer or a clone of its guard lives, nobody removes anything.
    pub(super) fn open(&self) -> Result<Open, ImageError> {
        let blobs = self.own.folder(BLOBS)?;
        let made = self.own.folder(MADE)?;
        let lock = self.own.path().join(LOCK);
        self.own.check(&lock)?;
        let failed = |source| ImageError::Write { path: lock.clone(), source };
        let guard = File::options().create(true).append(true).open(&lock).map_err(failed)?;
        match guard.try_lock() {
            Ok(()) => {
                tidy(&blobs, &made, self.most);
                guard.unlock().map_err(failed)?;
            }
            // Somebody builds: it is tidied another time.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        guard.lock_shared().map_err(failed)?;
        Ok(Open { blobs, made, guard: Arc::new(guard) })
    }
}

impl From<OwnFolderError> for ImageError {
    fn from(error: OwnFolderError) -> Self {
        Self::OwnFolder(error)
    }
}

/// The store, while it is used.
#[derive(Clone)]
pub(super) struct Open {
    blobs: PathBuf,
    made: PathBuf,
    guard: Arc<File>,
}

impl Open {
    /// Keeps everything in its place as long as it lives.
    pub(super) fn guard(&self) -> Arc<File> {
        Arc::clone(&self.guard)
    }

    /// Where the blob with this digest is, or would be.
    pub(super) fn blob(&self, digest: Sha256) -> PathBuf {
        self.blobs.join(digest.to_string())
    }

    /// Whether the blob is there in its size.
    pub(super) fn has(&self, digest: Sha256, size: u64) -> bool {
        fs::symlink_metadata(self.blob(digest)).is_ok_and(|data| data.is_file() && data.len() == size)
    }

    /// What was noted under the key.
    pub(super) fn recall<T: DeserializeOwned>(&self, key: Sha256) -> Option<T> {
        let path = self.note(key);
        if !fs::symlink_metadata(&path).is_ok_and(|data| data.is_file()) {
            return None;
        }
        let value = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        touch(&path);
        Some(value)
    }

    /// Notes something under the key.
    pub(super) fn note_down<T: Serialize>(&self, key: Sha256, value: &T) -> Result<(), ImageError> {
        let path = self.note(key);
        let write = || -> io::Result<()> {
            let file = unfinished().tempfile_in(&self.made)?;
            serde_json::to_writer(file.as_file(), value)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| ImageError::Write { path: path.clone(), source })
    }

    /// The layer that was made from what the key stands for, if its blob is there.
    pub(super) fn layer(&self, key: Sha256) -> Option<Stored> {
        let stored: Stored =
            self.recall(key).filter(|stored: &Stored| self.has(stored.digest, stored.size))?;
        touch(&self.blob(stored.digest));
        Some(stored)
    }

    /// A file beside the blobs, which goes unless it is kept.
    pub(super) fn begin(&self) -> Result<NamedTempFile, ImageError> {
        unfinished().tempfile_in(&self.blobs).map_err(|source| self.failed(source))
    }

    /// A folder beside the blobs, which goes with the answer.
    pub(super) fn workshop(&self) -> Result<TempDir, ImageError> {
        unfinished().tempdir_in(&self.blobs).map_err(|source| self.failed(source))
    }

    /// Gives a finished file its name.
    pub(super) fn keep(&self, file: NamedTempFile, digest: Sha256) -> Result<PathBuf, ImageError> {
        let path = self.blob(digest);
        match file.persist(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(ImageError::Write { path, source: error.error }),
        }
    }

    pub(super) fn failed(&self, source: io::Error) -> ImageError {
        ImageError::Write { path: self.blobs.clone(), source }
    }

    fn note(&self, key: Sha256) -> PathBuf {
        self.made.join(format!("{key}.json"))
    }
}

/// Notes that a file is in use, which decides what goes first. Where it cannot be noted, the file goes a little early.
fn touch(path: &Path) {
    let file = File::options().append(true).open(path);
    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
}

fn unfinished() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    builder
}

/// Removes what is unfinished, and then the longest unused until no more than `most` bytes are left.
///
/// What cannot be removed only takes space.
fn tidy(blobs: &Path, made: &Path, most: u64) {
    let mut kept = Vec::new();
    for child in [blobs, made].into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten()
    {
        let Ok(data) = child.metadata() else { continue };
        if child.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ =
                if data.is_dir() { fs::remove_dir_all(child.path()) } else { fs::remove_file(child.path()) };
        } else {
            kept.push((data.modified().unwrap_or(SystemTime::UNIX_EPOCH), data.len(), child.path()));
        }
    }
    kept.sort();
    let mut total: u64 = kept.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in kept {
        if total <= most {
            return;
        }
        total -= size;
        let _ = fs::remove_file(path);
    }
}
