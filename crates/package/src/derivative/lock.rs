//! Locks a derivative's requirements through uv, and tells a lock that no longer belongs to them without asking anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::DerivativeError;
use super::origin::{Origin, digest_of_packages};
use super::requirements::{self, Pinned};
use super::resolve::Resolving;
use super::runtime::PythonRuntime;
use super::wanted::{UV_LOCK, Wanted};
use super::{Event, Observe, Tools};

/// What a derivative gets, below its folder.
pub(super) const LOCK: &str = "requirements.txt";

/// How the names of files begin that become a lock, or nothing.
pub const UNFINISHED_LOCK: &str = ".requirements-";

/// How a lock is made.
#[derive(Clone, Copy, Debug)]
pub struct LockOptions {
    /// The oldest runtime that it has to serve.
    pub runtime: PythonRuntime,
    /// Whether versions that still fit are given up for newer ones.
    pub upgrade: bool,
}

/// A lock that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Where it is.
    pub path: PathBuf,
    /// What it was made from.
    pub wanted: Wanted,
    /// What it pins.
    pub packages: Vec<Pinned>,
    /// What is other than before, by name.
    pub changes: Vec<VersionChange>,
    /// What was wrong with the lock before, as it reads after its path.
    pub distrusted: Option<&'static str>,
}

/// A package whose version is other than before. Displayed as `scikit-learn 1.9.0 → 1.9.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// The package.
    pub name: String,
    /// The version before; none if it is new. Several that differ by platform are joined by commas.
    pub from: Option<String>,
    /// The version now; none if it is gone.
    pub to: Option<String>,
}

impl std::fmt::Display for VersionChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {from} → {to}", self.name),
            (None, Some(to)) => write!(f, "{} {to} (new)", self.name),
            (Some(from), None) => write!(f, "{} {from} (gone)", self.name),
            (None, None) => f.write_str(&self.name),
        }
    }
}

/// Whether a folder says what is wanted, and was never locked.
pub fn is_lockable(name: &str, folder: &Path) -> bool {
    // One that says it twice is complained of where its lock is read or made.
    !matches!(Wanted::of(name, folder), Ok(None)) && folder.join(LOCK).symlink_metadata().is_err()
}

/// Pins what the folder wants, with hashes and for every platform, in its `requirements.txt`.
///
/// The versions that are pinned already stay where they still fit, unless an upgrade is asked for. Their hashes stay as
/// long as nobody has edited the lock. Of a `pyproject.toml`, uv keeps the versions in the `uv.lock` beside it.
///
/// # Errors
/// When what is wanted cannot be read or is said twice, when uv cannot resolve it, or when the lock cannot be written.
pub fn lock(
    name: &str,
    folder: &Path,
    options: &LockOptions,
    tools: &Tools,
    observe: Observe,
) -> Result<Locked, DerivativeError> {
    let wanted = Wanted::of(name, folder)?.unwrap_or(Wanted::Requirements);
    let made_from = wanted.digest(name, folder)?;
    let path = folder.join(LOCK);
    let before = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(DerivativeError::read(name, &path, source)),
    };
    let unfinished = tempfile::Builder::new()
        .prefix(UNFINISHED_LOCK)
        .suffix(".txt")
        .tempfile_in(folder)
        .map_err(|source| DerivativeError::write(name, folder, source))?;
    observe(Event::Locking);
    let resolving = Resolving { name, folder, options, tools, output: unfinished.path(), before: &before };
    let resolved = resolving.resolve(wanted, observe)?;
    let line = Origin::line(
        &options.runtime.version(),
        (wanted.file(), made_from),
        wanted.digest_of_versions(name, folder)?,
        digest_of_packages(&resolved.text),
    );
    let text = format!(
        "# Written by `mdo derivative lock {name}`. Change {}, and lock again.\n{line}\n{}",
        wanted.file(),
        resolved.text
    );
    if text != before {
        replace(&path, &text).map_err(|source| DerivativeError::write(name, &path, source))?;
    }
    let packages = requirements::pinned(&text);
    let changes = changes(&requirements::pinned(&before), &packages);
    Ok(Locked { path, wanted, changes, packages, distrusted: resolved.distrusted })
}

/// Writes a file at once, readable as the committed file that it is.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED_LOCK);
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn changes(before: &[Pinned], now: &[Pinned]) -> Vec<VersionChange> {
    let (before, now) = (versions(before), versions(now));
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changes = names.into_iter().map(|name| VersionChange {
        name: name.clone(),
        from: before.get(name).cloned(),
        to: now.get(name).cloned(),
    });
    changes.filter(|change| change.from != change.to).collect()
}

fn versions(packages: &[Pinned]) -> BTreeMap<String, String> {
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for package in packages {
        let known = versions.entry(requirements::normalized(&package.name)).or_default();
        if !known.is_empty() {
            known.push_str(", ");
        }
        known.push_str(&package.version);
    }
    versions
}

/// The lock of a folder, read once for every runtime that it serves.
#[derive(Clone, Debug)]
pub struct Lock {
    name: String,
    path: PathBuf,
    text: String,
}

impl Lock {
    /// Reads the lock of a folder, if it belongs to what is wanted there.
    ///
    /// A folder that says nothing of that has a lock from elsewhere, which is taken as it is.
    ///
    /// # Errors
    /// When there is no lock, when it was made from something else or not by mdo, or when it cannot be read.
    pub fn read(name: &str, folder: &Path) -> Result<Self, DerivativeError> {
        let wanted = Wanted::of(name, folder)?;
        let path = folder.join(LOCK);
        let stale =
            |reason: String| DerivativeError::LockStale { name: name.to_owned(), path: path.clone(), reason };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DerivativeError::LockMissing {
                    name: name.to_owned(),
                    folder: folder.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(stale("is not text".to_owned()));
            }
            Err(source) => return Err(DerivativeError::read(name, &path, source)),
        };
        if let Some(wanted) = wanted
            && let Some(reason) = why_stale(name, folder, wanted, &text)?
        {
            return Err(stale(reason));
        }
        Ok(Self { name: name.to_owned(), path, text })
    }

    /// Its text, if it serves the runtime.
    ///
    /// # Errors
    /// When it was made for a newer Python.
    pub fn text(&self, runtime: PythonRuntime) -> Result<&str, DerivativeError> {
        match Origin::of(&self.text) {
            Some(Origin { python, .. }) if python > runtime.minor() => Err(DerivativeError::LockStale {
                name: self.name.clone(),
                path: self.path.clone(),
                reason: format!("was made for Python 3.{python} and later, and the runtime is {runtime}"),
            }),
            _ => Ok(&self.text),
        }
    }
}

/// What is wrong with a lock, as it reads after its path.
fn why_stale(
    name: &str,
    folder: &Path,
    wanted: Wanted,
    lock: &str,
) -> Result<Option<String>, DerivativeError> {
    let file = wanted.file();
    let Some(origin) = Origin::of(lock) else {
        return Ok(Some(format!("does not say which {file} it was made from")));
    };
    Ok(if !origin.is_of(lock) {
        Some("was edited by hand".to_owned())
    } else if origin.file != file {
        Some(format!("was made from {}, and the folder has {file} now", origin.file))
    } else if origin.wanted != wanted.digest(name, folder)?.to_string() {
        Some(format!("was made from another {file}"))
    } else {
        let versions = wanted.digest_of_versions(name, folder)?.map(|digest| digest.to_string());
        match (origin.versions, versions) {
            (before, now) if before == now.as_deref() => None,
            (Some(_), None) => Some(format!("was made from a {UV_LOCK} that is gone")),
            _ => Some(format!("was made from another {UV_LOCK}")),
        }
    })
}
