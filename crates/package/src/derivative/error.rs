//! Why there is no derivative.

use std::io;
use std::path::{Path, PathBuf};

use super::problem::DerivativeProblem;
use super::runtime::PythonRuntime;
use super::uv::{Doing, UvFailure};
use crate::UnpackError;
use crate::archive::ArchiveError;
use crate::error::write_help;

/// What needs the runtime's own Python, unless the user does without it.
pub(super) const BYTECODE: &str = "its bytecode";

/// Why a derivative could not be locked, built or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DerivativeError {
    /// This machine has no uv.
    #[error(
        "mdo builds derivatives with uv, and this machine has none on PATH, in ~/.local/bin or in ~/.cargo/bin"
    )]
    NoUv,
    /// `MDO_UV` names something else.
    #[error("MDO_UV names {}, which is not a program", .path.display())]
    UvNotThere {
        /// What it names.
        path: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot start {}: {source}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The derivative has no lock.
    #[error("derivative {name}: {} has no requirements.txt", .folder.display())]
    LockMissing {
        /// The derivative's name.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// The lock no longer belongs to the requirements.
    #[error("derivative {name}: {} {reason}", .path.display())]
    LockStale {
        /// The derivative's name.
        name: String,
        /// The lock.
        path: PathBuf,
        /// What is wrong with it, as it reads after its path.
        reason: String,
    },
    /// The folder says in two files what is wanted.
    #[error("derivative {name}: {} has both a requirements.in and a pyproject.toml", .folder.display())]
    WantedTwice {
        /// The derivative's name.
        name: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// `pyproject.toml` does not allow the Python of the runtime.
    #[error(
        "derivative {name}: {} wants Python {range}, and the runtime is {runtime}",
        .folder.join("pyproject.toml").display()
    )]
    OtherPython {
        /// The derivative's name.
        name: String,
        /// Its folder.
        folder: PathBuf,
        /// The runtime.
        runtime: PythonRuntime,
        /// The range that it allows, such as `>=3.12`.
        range: String,
    },
    /// A package comes from where uv knows no hash of it.
    #[error(
        "derivative {name}: {} has no hash of `{package}`: it comes from a folder or a repository, not from an index",
        .folder.join("uv.lock").display()
    )]
    NoHash {
        /// The derivative's name.
        name: String,
        /// Its folder.
        folder: PathBuf,
        /// The package.
        package: String,
    },
    /// A package may be built from source, and is not among those that are locked.
    #[error("derivative {name}: `source` names `{package}`, which its requirements.txt does not pin")]
    UnknownSource {
        /// The derivative's name.
        name: String,
        /// The package, as it was written.
        package: String,
        /// The locked package that was most likely meant.
        near: Option<String>,
    },
    /// uv failed.
    #[error("derivative {name}: uv cannot {doing}{}", lines(.said))]
    Uv {
        /// The derivative's name.
        name: String,
        /// What it should have done.
        doing: Doing,
        /// Why, as far as its text tells.
        failure: UvFailure,
        /// The last lines that it printed, at most 20.
        said: Vec<String>,
    },
    /// This machine has no Python of the runtime's version, which the build needs.
    #[error("derivative {name}: {needs} needs Python {}{}", .runtime.version(), given(.found.as_deref()))]
    NoRuntimePython {
        /// The derivative's name.
        name: String,
        /// What needs it.
        needs: &'static str,
        /// The runtime.
        runtime: PythonRuntime,
        /// The version of the Python that was given instead.
        found: Option<String>,
    },
    /// Python could not compile the modules.
    #[error("derivative {name}: {} cannot compile the modules{}", .python.display(), lines(.said))]
    Compile {
        /// The derivative's name.
        name: String,
        /// The interpreter.
        python: PathBuf,
        /// The last lines that it printed, at most 20.
        said: Vec<String>,
    },
    /// It would not work on Lambda; everything that was found, in one go.
    #[error("derivative {name}: {}", list(.problems))]
    Preflight {
        /// The derivative's name.
        name: String,
        /// At least one.
        problems: Vec<DerivativeProblem>,
    },
    /// A file or folder could not be read.
    #[error("derivative {name}: cannot read {}: {source}", .path.display())]
    Read {
        /// The derivative's name.
        name: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("derivative {name}: cannot write {}: {source}", .path.display())]
    Write {
        /// The derivative's name.
        name: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be put in a zip.
    #[error("derivative {name}: cannot put {file} in the zip: {reason}")]
    Zip {
        /// The derivative's name.
        name: String,
        /// The file's name in the zip.
        file: String,
        /// What the zip writer says.
        reason: String,
    },
    /// A prebuilt zip cannot be unpacked.
    #[error("derivative {name}: {}", with_reason(.source))]
    Unpack {
        /// The derivative's name.
        name: String,
        /// Why.
        source: UnpackError,
    },
    /// A prebuilt zip is not there, or cannot be read.
    #[error("derivative {name}: cannot read {}: {source}", .zip.display())]
    ZipUnreadable {
        /// The derivative's name.
        name: String,
        /// The zip.
        zip: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A prebuilt zip is not the one that was pinned.
    #[error("derivative {name}: the sha256 of {} is {found}, project.toml says {pinned}", .zip.display())]
    OtherZip {
        /// The derivative's name.
        name: String,
        /// The zip.
        zip: PathBuf,
        /// Its digest.
        found: mdo_model::Sha256,
        /// The digest that was pinned.
        pinned: mdo_model::Sha256,
    },
    /// A prebuilt zip from elsewhere is larger than anything that Lambda takes.
    #[error("derivative {name}: {address} is larger than 250 MB, the most that Lambda takes unzipped")]
    TooLargeZip {
        /// The derivative's name.
        name: String,
        /// Where it is.
        address: String,
    },
    /// Nobody waits for it any more.
    #[error("derivative {name}: interrupted")]
    Abandoned {
        /// The derivative's name.
        name: String,
    },
}

impl DerivativeError {
    pub(super) fn read(name: &str, path: &Path, source: io::Error) -> Self {
        Self::Read { name: name.to_owned(), path: path.to_owned(), source }
    }

    pub(super) fn write(name: &str, path: &Path, source: io::Error) -> Self {
        Self::Write { name: name.to_owned(), path: path.to_owned(), source }
    }

    pub(super) fn of_archive(name: &str, error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read { path, source } => Self::read(name, &path, source),
            ArchiveError::Write { path, source } => Self::write(name, &path, source),
            ArchiveError::Zip { name: file, reason } => Self::Zip { name: name.to_owned(), file, reason },
        }
    }

    /// The same with the paths below a folder as they read from there.
    #[must_use]
    pub fn relative_to(mut self, root: &Path) -> Self {
        let (Self::LockMissing { folder: path, .. }
        | Self::WantedTwice { folder: path, .. }
        | Self::OtherPython { folder: path, .. }
        | Self::NoHash { folder: path, .. }
        | Self::LockStale { path, .. }
        | Self::Read { path, .. }
        | Self::Write { path, .. }
        | Self::ZipUnreadable { zip: path, .. }
        | Self::OtherZip { zip: path, .. }) = &mut self
        else {
            return self;
        };
        if let Ok(below) = path.strip_prefix(root) {
            *path = below.to_owned();
        }
        self
    }

    /// What to do about it; of several problems, one line each.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoUv => "pip install uv".into(),
            Self::UvNotThere { .. } => "unset MDO_UV, or let it name the uv program".into(),
            Self::LockMissing { name, .. } | Self::LockStale { name, .. } => {
                format!("mdo derivative lock {name}")
            }
            Self::WantedTwice { folder, .. } => {
                let folder = folder.display();
                format!(
                    "keep one: rm '{folder}/requirements.in' to lock its pyproject.toml, or rm '{folder}/pyproject.toml' to \
                     lock its requirements.in"
                )
            }
            Self::OtherPython { runtime, .. } => format!(
                "set `requires-python` there to a range with {}, such as \">={}\", or take another runtime",
                runtime.version(),
                runtime.version()
            ),
            Self::NoHash { package, .. } => {
                format!(
                    "name an index that has `{package}`, as [[tool.uv.index]] in pyproject.toml or in UV_INDEX_URL"
                )
            }
            Self::UnknownSource { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownSource { name, .. } => {
                format!("take it out of `source` under `[derivatives.{name}]` in project.toml")
            }
            Self::Uv { name, doing, failure, .. } => return failure.help(name, *doing),
            Self::NoRuntimePython { runtime, name, needs, .. } => {
                let install = format!("uv python install {}", runtime.version());
                if *needs == BYTECODE {
                    format!(
                        "{install}, or set `bytecode = false` under `[derivatives.{name}]` in project.toml"
                    )
                } else {
                    install
                }
            }
            Self::Preflight { problems, .. } => {
                let mut help: Vec<_> = problems.iter().map(DerivativeProblem::help).collect();
                help.dedup();
                help.join("\n")
            }
            Self::Write { source, .. } => return write_help(source),
            Self::ZipUnreadable { name, .. } => {
                format!("correct `zip` under `[derivatives.{name}]` in project.toml")
            }
            Self::OtherZip { name, .. } => {
                format!("if you trust the new one: mdo derivative pin {name}")
            }
            Self::TooLargeZip { .. } => "leave out what no function needs, and put it there again".into(),
            Self::Unpack { source: UnpackError::NotAZip { .. }, .. } => {
                "make the zip again, or fetch it again".into()
            }
            Self::Unpack { source, .. } => return source.help(),
            Self::Start { .. }
            | Self::Compile { .. }
            | Self::Read { .. }
            | Self::Zip { .. }
            | Self::Abandoned { .. } => return None,
        })
    }

    /// Whether uv's complaint is about a file.
    pub(super) fn names(&self, file: &Path) -> bool {
        let Some(file) = file.file_name().map(|file| file.to_string_lossy()) else { return false };
        matches!(self, Self::Uv { said, .. } if said.iter().any(|line| line.contains(&*file)))
    }

    /// What the preflight found; empty for every other error.
    pub fn problems(&self) -> &[DerivativeProblem] {
        match self {
            Self::Preflight { problems, .. } => problems,
            _ => &[],
        }
    }
}

fn lines(said: &[String]) -> String {
    said.iter().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("\n  {line}") }).collect()
}

/// An error with what the system says of it.
fn with_reason(error: &UnpackError) -> String {
    match std::error::Error::source(error) {
        Some(reason) => format!("{error}: {reason}"),
        None => error.to_string(),
    }
}

fn given(version: Option<&str>) -> String {
    match version {
        Some(version) => format!(", and was given {version}"),
        None => ", and this machine has none".to_owned(),
    }
}

fn list(problems: &[DerivativeProblem]) -> String {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}
