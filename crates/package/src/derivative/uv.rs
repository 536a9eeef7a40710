//! Finds and runs uv, and reads what it says when it fails.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::Ordering;

use super::error::DerivativeError;
use super::wanted::Wanted;
use super::{Event, Observe, Tools};
use crate::process;

/// How many of uv's last lines an error shows.
const SHOWN_LINES: usize = 20;

/// What uv does for a derivative. Displayed as it reads after `uv cannot `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It chooses the versions of what is wanted.
    Lock(Wanted),
    /// It installs what is locked.
    Install,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lock(Wanted::Requirements) => "lock its requirements",
            Self::Lock(Wanted::Pyproject) => "lock its pyproject.toml",
            Self::Install => "install its packages",
        })
    }
}

/// Why uv failed, as far as its text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UvFailure {
    /// The index has no package of this name.
    NoSuchPackage(String),
    /// The package has wheels, and none for this platform and this Python.
    NoWheel(String),
    /// The package comes as a source distribution alone.
    SourceOnly(String),
    /// A file is not the one that was locked.
    HashMismatch(String),
    /// A package of the lock has no hash.
    HashMissing,
    /// The index could not be reached.
    Unreachable,
    /// The index shows a certificate of an authority that uv does not know.
    UnknownIssuer,
    /// `pyproject.toml` allows a range of Pythons, such as `>=3.12`, without the one that uv runs with.
    OtherPython(String),
    /// The disk is full.
    DiskFull,
    /// Anything else.
    Other,
}

impl UvFailure {
    /// What to do about it.
    pub(super) fn help(&self, name: &str, doing: Doing) -> Option<String> {
        Some(match self {
            Self::NoSuchPackage(package) => {
                let file = match doing {
                    Doing::Lock(Wanted::Pyproject) => "pyproject.toml",
                    Doing::Lock(Wanted::Requirements) | Doing::Install => "requirements.in",
                };
                format!("correct `{package}` in derivatives/{name}/{file}, or name its index in UV_INDEX_URL")
            }
            Self::NoWheel(package) => {
                format!(
                    "pin a version of {package} that has a wheel for Lambda's platform, or want another package"
                )
            }
            Self::SourceOnly(package) => format!(
                "if {package} is pure Python, let it be built: source = [\"{package}\"] under `[derivatives.{name}]` in \
             project.toml"
            ),
            Self::HashMismatch(_) => format!(
                "the file is not the one that was locked; if you expect that: mdo derivative lock {name} --upgrade"
            ),
            Self::HashMissing => format!("mdo derivative lock {name}"),
            Self::Unreachable => {
                "check the network, or name an index that can be reached in UV_INDEX_URL".into()
            }
            Self::UnknownIssuer => {
                "let uv trust the certificates of this machine: export UV_SYSTEM_CERTS=true; or name the \
                                     file of your authority's in SSL_CERT_FILE"
                    .into()
            }
            Self::DiskFull => "free some space on that disk".into(),
            Self::OtherPython(_) | Self::Other => return None,
        })
    }
}

/// Finds uv: what `MDO_UV` names, else on `PATH`, else in `~/.local/bin` and `~/.cargo/bin`.
///
/// # Errors
/// When there is none.
pub fn find_uv() -> Result<PathBuf, DerivativeError> {
    find_uv_with(&|name| env::var_os(name))
}

/// As [`find_uv`], in another environment.
///
/// # Errors
/// As [`find_uv`].
pub fn find_uv_with(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, DerivativeError> {
    if let Some(named) = variable("MDO_UV").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        let is_there = is_program(&named);
        return if is_there { Ok(named) } else { Err(DerivativeError::UvNotThere { path: named }) };
    }
    let path = variable("PATH").unwrap_or_default();
    let home = variable("HOME").map(PathBuf::from);
    let own = home.iter().flat_map(|home| [home.join(".local/bin"), home.join(".cargo/bin")]);
    env::split_paths(&path)
        .chain(own)
        .map(|folder| folder.join("uv"))
        .find(|uv| is_program(uv))
        .ok_or(DerivativeError::NoUv)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs uv in a folder, passing on what it says.
pub(super) fn run(
    name: &str,
    doing: Doing,
    folder: &Path,
    arguments: &[&OsStr],
    tools: &Tools,
    observe: Observe,
) -> Result<(), DerivativeError> {
    let mut uv = Command::new(tools.uv);
    uv.args(["--no-progress", "--color", "never", "--no-python-downloads"]).args(arguments);
    uv.arg("--python").arg(tools.python).current_dir(folder);
    let (status, said) = run_observed(uv, tools, observe)
        .map_err(|source| DerivativeError::Start { program: tools.uv.to_owned(), source })?;
    if tools.abandoned.load(Ordering::Relaxed) {
        return Err(DerivativeError::Abandoned { name: name.to_owned() });
    }
    if status.success() {
        return Ok(());
    }
    let said = without_talk(said.into());
    let failure = failure(&said.join("\n"));
    Err(DerivativeError::Uv { name: name.to_owned(), doing, failure, said })
}

/// Runs a program of the build and keeps its last lines.
pub(super) fn run_observed(
    command: Command,
    tools: &Tools,
    observe: Observe,
) -> io::Result<(ExitStatus, VecDeque<String>)> {
    let mut said = VecDeque::new();
    let status = process::run(command, tools.abandoned, &mut |line| {
        observe(Event::Said(line));
        said.push_back(line.to_owned());
        if said.len() > SHOWN_LINES {
            said.pop_front();
        }
    })?;
    Ok((status, said))
}

/// The lines from the failure on. A warning takes the lines that are indented or blank after it with it.
fn without_talk(mut said: Vec<String>) -> Vec<String> {
    let mut is_in_a_warning = false;
    let start = said.iter().position(|line| {
        let goes_on = is_in_a_warning && (line.is_empty() || line.starts_with(' '));
        is_in_a_warning = goes_on || line.starts_with("warning:");
        !goes_on && !is_talk(line)
    });
    said.split_off(start.unwrap_or(said.len()))
}

/// What uv says before it fails, and what has no part in the failure.
fn is_talk(line: &str) -> bool {
    ["Using ", "Resolved ", "Prepared ", "Installed ", "warning:"].iter().any(|start| line.starts_with(start))
}

/// Reads the kind of a failure out of uv's text, in this one place. The marks are those of uv 0.13.
fn failure(said: &str) -> UvFailure {
    let words: Vec<_> = said.split_whitespace().collect();
    let text = words.join(" ");
    // In `Because docopt==0.6.2 has no usable wheels` the package comes before what is said of it.
    let before = |mark: &str| {
        let (start, _) = text.split_once(mark)?;
        let package = start.trim_end().rsplit(' ').next()?;
        let name = package.split(['=', '<', '>', '!', '~', '[']).next()?;
        Some(name.trim_matches('`').to_owned())
    };
    let after = |mark: &str| Some(text.split_once(mark)?.1.split('`').next()?.to_owned());
    // A full disk may be the cause of any of the others.
    if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
        return UvFailure::DiskFull;
    }
    if let Some(package) = after("Hash mismatch for `") {
        return UvFailure::HashMismatch(package);
    }
    if text.contains("In `--require-hashes` mode") {
        return UvFailure::HashMissing;
    }
    if let Some(package) = before(" has no usable wheels") {
        return UvFailure::SourceOnly(package);
    }
    if let Some(package) = before(" has no wheels with a matching") {
        let has_source = text.contains("building from source is disabled");
        return if has_source { UvFailure::SourceOnly(package) } else { UvFailure::NoWheel(package) };
    }
    if text.contains("invalid peer certificate") {
        return UvFailure::UnknownIssuer;
    }
    if let Some(range) = after("incompatible with the project's Python requirement: `") {
        return UvFailure::OtherPython(range);
    }
    let unreachable = ["error sending request", "Failed to fetch", "client error (Connect)", "dns error"];
    if unreachable.iter().any(|mark| text.contains(mark)) {
        return UvFailure::Unreachable;
    }
    let unknown =
        [" was not found in the package registry", " was not found in the provided package locations"];
    match unknown.iter().find_map(|mark| before(mark)) {
        Some(package) => UvFailure::NoSuchPackage(package),
        None => UvFailure::Other,
    }
}
