//! Locks a derivative's requirements through uv, and tells a lock that no longer belongs to them without asking anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use sha2::Digest as _;

use super::error::DerivativeError;
use super::requirements::{self, Pinned};
use super::runtime::PythonRuntime;
use super::{Event, Observe, Tools, uv};

/// What a derivative wants, below its folder.
pub(super) const WANTED: &str = "requirements.in";

/// What it gets.
pub(super) const LOCK: &str = "requirements.txt";

/// How the names of files begin that become a lock, or nothing.
pub const UNFINISHED_LOCK: &str = ".requirements-";

/// How the line begins that says what a lock was made from.
const MADE_FROM: &str = "# mdo: ";

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
pub fn is_lockable(folder: &Path) -> bool {
    folder.join(WANTED).is_file() && folder.join(LOCK).symlink_metadata().is_err()
}

/// Pins what `requirements.in` of the folder wants, with hashes and for every platform, in its `requirements.txt`.
///
/// The versions that are pinned already stay where they still fit, unless an upgrade is asked for. Their hashes stay as
/// long as nobody has edited the lock.
///
/// # Errors
/// When `requirements.in` cannot be read, when uv cannot resolve it, or when the lock cannot be written.
pub fn lock(
    name: &str,
    folder: &Path,
    options: &LockOptions,
    tools: &Tools,
    observe: Observe,
) -> Result<Locked, DerivativeError> {
    let made_from = made_from(name, folder)?;
    let path = folder.join(LOCK);
    let before = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(DerivativeError::read(name, &path, source)),
    };
    let known = requirements::pinned(&before);
    let origin = before.lines().find_map(origin);
    let is_edited = origin.is_some_and(|origin| !origin.is_of(&before));
    let is_trusted = !is_edited && origin.is_some_and(|origin| origin.packages.is_some());
    let mut kept = if is_trusted { before.clone() } else { requirements::versions_alone(&known) };
    // uv reads the versions to keep from the file that it writes to.
    let unfinished = tempfile::Builder::new()
        .prefix(UNFINISHED_LOCK)
        .suffix(".txt")
        .tempfile_in(folder)
        .map_err(|source| DerivativeError::write(name, folder, source))?;
    observe(Event::Locking);
    let version = options.runtime.version();
    let mut arguments: Vec<&OsStr> =
        ["pip", "compile", WANTED, "--universal", "--generate-hashes", "--no-header", "-q"]
            .map(OsStr::new)
            .to_vec();
    arguments.extend(["--python-version".as_ref(), OsStr::new(&version)]);
    arguments.extend(["--output-file".as_ref(), unfinished.path().as_os_str()]);
    if options.upgrade {
        arguments.push("--upgrade".as_ref());
    }
    let mut run = |kept: &str| {
        fs::write(unfinished.path(), kept)
            .map_err(|source| DerivativeError::write(name, unfinished.path(), source))?;
        uv::run(name, "lock its requirements", folder, &arguments, tools, observe)
    };
    match run(&kept) {
        Err(error) if !kept.is_empty() && error.names(unfinished.path()) => {
            kept.clear();
            run(&kept)?;
        }
        done => done?,
    }
    let resolved = fs::read_to_string(unfinished.path())
        .map_err(|source| DerivativeError::read(name, unfinished.path(), source))?;
    let text = format!(
        "# Written by `mdo derivative lock {name}`. Change {WANTED}, and lock again.\n\
         {MADE_FROM}python {version}, {WANTED} sha256 {made_from}, packages sha256 {}\n{resolved}",
        digest_of_packages(&resolved)
    );
    let distrusted = match kept.is_empty() && !requirements::logical_lines(&before).is_empty() {
        true => Some("cannot be read as a lock: every version is chosen anew"),
        false => {
            is_edited.then_some("was edited by hand: its versions stay where they fit, its hashes are new")
        }
    };
    if text != before {
        replace(&path, &text).map_err(|source| DerivativeError::write(name, &path, source))?;
    }
    let packages = requirements::pinned(&text);
    Ok(Locked { path, changes: changes(&known, &packages), packages, distrusted })
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

/// The text of the lock of a folder, if it belongs to its `requirements.in` and serves the runtime.
///
/// A folder without `requirements.in` has a lock from elsewhere, which is taken as it is.
///
/// # Errors
/// When there is no lock, when it was made from something else, for a newer Python, or not by mdo, or cannot be read.
pub fn read_lock(name: &str, folder: &Path, runtime: PythonRuntime) -> Result<String, DerivativeError> {
    let path = folder.join(LOCK);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DerivativeError::LockMissing { name: name.to_owned(), folder: folder.to_owned() });
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let (name, reason) = (name.to_owned(), "is not text".to_owned());
            return Err(DerivativeError::LockStale { name, path, reason });
        }
        Err(source) => return Err(DerivativeError::read(name, &path, source)),
    };
    if !folder.join(WANTED).exists() {
        return Ok(text);
    }
    let stale = |reason: String| {
        Err(DerivativeError::LockStale { name: name.to_owned(), path: path.clone(), reason })
    };
    let Some(origin) = text.lines().find_map(origin) else {
        return stale("does not say which requirements.in it was made from".to_owned());
    };
    if !origin.is_of(&text) {
        return stale("was edited by hand".to_owned());
    }
    if origin.wanted != made_from(name, folder)?.to_string() {
        return stale(format!("was made from another {WANTED}"));
    }
    let python = origin.python;
    if python > runtime.minor() {
        return stale(format!("was made for Python 3.{python} and later, and the runtime is {runtime}"));
    }
    Ok(text)
}

/// What the line in a lock says that tells what it was made from.
#[derive(Clone, Copy)]
struct Origin<'a> {
    /// The minor version of the oldest Python.
    python: u8,
    /// The digest of what was wanted.
    wanted: &'a str,
    /// The digest of what was locked. Locks of early versions have none.
    packages: Option<&'a str>,
}

impl Origin<'_> {
    /// Whether a lock holds what mdo wrote.
    fn is_of(&self, lock: &str) -> bool {
        self.packages.is_none_or(|digest| digest == digest_of_packages(lock).to_string())
    }
}

fn origin(line: &str) -> Option<Origin<'_>> {
    let mut fields = line.strip_prefix(MADE_FROM)?.trim_end().split(", ");
    let python = fields.next()?.strip_prefix("python 3.")?.parse().ok()?;
    let mut digest = || fields.next()?.rsplit(' ').next();
    Some(Origin { python, wanted: digest()?, packages: digest() })
}

/// The digest of what a lock pins, whatever its comments and line ends.
fn digest_of_packages(lock: &str) -> Sha256 {
    Sha256::of(requirements::logical_lines(lock).join("\n").as_bytes())
}

/// The digest of what decides a lock: `requirements.in` with the files that it includes, whatever their line ends.
fn made_from(name: &str, folder: &Path) -> Result<Sha256, DerivativeError> {
    let mut hash = sha2::Sha256::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![folder.join(WANTED)];
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|source| DerivativeError::read(name, &path, source))?;
        // A comment or a blank line changes nothing.
        for line in requirements::logical_lines(&text) {
            hash.update(format!("{line}\n"));
            if let Some(file) = included(&line) {
                waiting.push(path.parent().unwrap_or(folder).join(file));
            }
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    Ok(digest.into())
}

/// The file that a line such as `-r more.in` includes, unless it is fetched from somewhere.
fn included(line: &str) -> Option<&str> {
    let options = ["-r", "-c", "--requirement", "--constraint"];
    let rest = options.iter().find_map(|option| {
        let rest = line.strip_prefix(option)?;
        // `-rmore.in` is read as well, `--requirements` is not this option.
        (!option.starts_with("--") || rest.starts_with([' ', '='])).then_some(rest)
    })?;
    let file = rest.trim_start_matches([' ', '=']);
    (!file.contains("://")).then_some(file)
}
