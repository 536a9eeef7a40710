//! Who uses a finished build: a stamp in its folder tells when, and is held as long as a process may read from there. What nobody
//! uses for two weeks and nothing names any more is removed.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use mdo_model::Sha256;

use super::store::Store;

/// The file whose time of change is the last use.
const STAMP: &str = "used";

/// How long a build is kept that nothing names.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The stamps that this process holds, until it ends: it may run what lies beside them.
static HELD: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());

/// Notes that this process uses the build in a folder, if there is one, and keeps others from removing it.
///
/// A folder that is being removed at this moment is gone afterwards: whether it is complete is to be asked after this.
pub(super) fn hold(home: &Path) {
    if !home.is_dir() {
        return;
    }
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let path = home.join(STAMP);
    let is_same = |file: &File| match (file.metadata(), fs::symlink_metadata(&path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    };
    if !held.get(&path).is_some_and(is_same) {
        // A folder that is not writable is nobody's to tidy either.
        let Ok(file) = open(&path) else { return };
        let _ = file.lock_shared();
        held.insert(path.clone(), file);
    }
    if let Some(file) = held.get(&path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes the builds below `cache` that `is_named` does not know, nobody has used for two weeks, and no process holds.
///
/// A build without a stamp, as an earlier mdo made it, gets one: its two weeks begin.
///
/// # Errors
/// The first that cannot be removed. The others are removed all the same.
pub fn remove_unused(
    cache: &Path,
    is_named: &dyn Fn(Sha256) -> bool,
    now: SystemTime,
) -> Result<(), (PathBuf, io::Error)> {
    let children = match fs::read_dir(cache) {
        Ok(children) => children,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err((cache.to_owned(), error)),
    };
    let mut result = Ok(());
    for child in children.flatten() {
        let inputs = child.file_name().to_str().and_then(|name| name.parse::<Sha256>().ok());
        let is_folder = child.file_type().is_ok_and(|kind| kind.is_dir());
        let Some(inputs) = inputs.filter(|_| is_folder) else { continue };
        if let Err(error) = remove_if_unused(cache, inputs, is_named, now) {
            result = result.and(Err((child.path(), error)));
        }
    }
    result
}

fn remove_if_unused(
    cache: &Path,
    inputs: Sha256,
    is_named: &dyn Fn(Sha256) -> bool,
    now: SystemTime,
) -> io::Result<()> {
    let store = Store::of(cache, inputs);
    let stamp = open(&store.home().join(STAMP))?;
    let is_old = || -> io::Result<bool> {
        Ok(now.duration_since(stamp.metadata()?.modified()?).is_ok_and(|age| age >= KEPT))
    };
    if !is_old()? || is_named(inputs) {
        return Ok(());
    }
    match stamp.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Somebody may have used it, and ended, between the two.
    if is_old()? { store.discard(stamp) } else { Ok(()) }
}

fn open(stamp: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW);
    options.open(stamp)
}
