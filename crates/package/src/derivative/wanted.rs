//! What a derivative wants, as its folder says it: `requirements.in`, or `pyproject.toml` with the `uv.lock` beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mdo_model::Sha256;
use mdo_model::project::{PYPROJECT, REQUIREMENTS};
use sha2::Digest as _;

use super::error::DerivativeError;
use super::requirements;

/// What uv locks a `pyproject.toml` in.
pub(super) const UV_LOCK: &str = "uv.lock";

/// The file that says what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `requirements.in`.
    Requirements,
    /// `pyproject.toml`, of which `uv.lock` may hold the versions.
    Pyproject,
}

impl Wanted {
    /// What the folder of a derivative holds, if anything.
    ///
    /// # Errors
    /// When it holds both.
    pub fn of(name: &str, folder: &Path) -> Result<Option<Self>, DerivativeError> {
        // A link that leads nowhere is there, and cannot be read.
        let has = |file: &str| folder.join(file).symlink_metadata().is_ok();
        match (has(REQUIREMENTS), has(PYPROJECT)) {
            (true, true) => {
                Err(DerivativeError::WantedTwice { name: name.to_owned(), folder: folder.to_owned() })
            }
            (true, false) => Ok(Some(Self::Requirements)),
            (false, true) => Ok(Some(Self::Pyproject)),
            (false, false) => Ok(None),
        }
    }

    /// The file's name.
    pub fn file(self) -> &'static str {
        match self {
            Self::Requirements => REQUIREMENTS,
            Self::Pyproject => PYPROJECT,
        }
    }

    /// The digest of the file with those that it includes. Comments, blank lines and line ends change nothing.
    pub(super) fn digest(self, name: &str, folder: &Path) -> Result<Sha256, DerivativeError> {
        match self {
            Self::Requirements => digest_with_included(name, folder),
            Self::Pyproject => digest_of_toml(name, &folder.join(PYPROJECT)),
        }
    }

    /// The digest of what holds the versions besides the lock; none where nothing does.
    pub(super) fn digest_of_versions(
        self,
        name: &str,
        folder: &Path,
    ) -> Result<Option<Sha256>, DerivativeError> {
        let path = folder.join(UV_LOCK);
        let is_there = self == Self::Pyproject && path.exists();
        is_there.then(|| digest_of_toml(name, &path)).transpose()
    }
}

fn read(name: &str, path: &Path) -> Result<String, DerivativeError> {
    fs::read_to_string(path).map_err(|source| DerivativeError::read(name, path, source))
}

fn digest_of_toml(name: &str, path: &Path) -> Result<Sha256, DerivativeError> {
    let text = read(name, path)?;
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim_start().starts_with('#'));
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    Ok(Sha256::of(lines.join("\n").as_bytes()))
}

fn digest_with_included(name: &str, folder: &Path) -> Result<Sha256, DerivativeError> {
    let mut hash = sha2::Sha256::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![folder.join(REQUIREMENTS)];
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = read(name, &path)?;
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
