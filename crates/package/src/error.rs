//! The errors of packaging and unpacking.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::archive::ArchiveError;
use super::{Hook, Problem};

/// Why a function could not be packaged. Each variant names the function and the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The preflight found the package unable to run; everything it found, in one go.
    #[error("function {function}: {}", list(.problems))]
    Preflight {
        /// The function's name.
        function: String,
        /// The function's folder, which the problems' files are relative to.
        folder: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// A hook ran and failed.
    #[error("function {function}: the {hook} hook `{command}` failed with {}{}", outcome(*.status), tail(.output))]
    Hook {
        /// The function's name.
        function: String,
        /// Which hook.
        hook: Hook,
        /// The command as declared.
        command: String,
        /// The folder that it ran in.
        folder: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it printed, at most 20.
        output: Vec<String>,
    },
    /// A hook could not be started.
    #[error("function {function}: cannot start the {hook} hook `{command}` in {}", .folder.display())]
    HookStart {
        /// The function's name.
        function: String,
        /// Which hook.
        hook: Hook,
        /// The command as declared.
        command: String,
        /// The folder that it should have run in.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder of the function could not be read.
    #[error("function {function}: cannot read {}", .path.display())]
    Read {
        /// The function's name.
        function: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The zip could not be written.
    #[error("function {function}: cannot write {}", .path.display())]
    Write {
        /// The function's name.
        function: String,
        /// The file or folder that was being written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The files cannot be put in a zip.
    #[error("function {function}: cannot put {name} in the zip: {reason}")]
    Zip {
        /// The function's name.
        function: String,
        /// The file's name in the package.
        name: String,
        /// What the zip writer says.
        reason: String,
    },
}

impl PackageError {
    pub(super) fn of_archive(function: &str, error: ArchiveError) -> Self {
        let function = function.to_owned();
        match error {
            ArchiveError::Read { path, source } => Self::Read { function, path, source },
            ArchiveError::Write { path, source } => Self::Write { function, path, source },
            ArchiveError::Zip { name, reason } => Self::Zip { function, name, reason },
        }
    }

    /// What to do about it; of several problems, one line each.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Preflight { problems, .. } => {
                let help: Vec<_> = problems.iter().filter_map(Problem::help).collect();
                (!help.is_empty()).then(|| help.join("\n"))
            }
            Self::Hook { status, folder, .. } if status.code() == Some(127) => {
                Some(format!("a command was not found; hooks run with `sh -c` in {}", folder.display()))
            }
            Self::Hook { folder, .. } => Some(format!("run it by hand in {}", folder.display())),
            Self::HookStart { .. } => Some("hooks need a POSIX `sh` on the PATH".into()),
            Self::Write { source, .. } => write_help(source),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("a file that vanishes while it is packaged is usually still being built".into())
            }
            Self::Read { .. } | Self::Zip { .. } => None,
        }
    }

    /// The name of the function that failed.
    pub fn function(&self) -> &str {
        match self {
            Self::Preflight { function, .. }
            | Self::Hook { function, .. }
            | Self::HookStart { function, .. }
            | Self::Read { function, .. }
            | Self::Write { function, .. }
            | Self::Zip { function, .. } => function,
        }
    }

    /// What the preflight found; empty for every other error.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Preflight { problems, .. } => problems,
            _ => &[],
        }
    }
}

/// Why a zip could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The zip could not be opened or read.
    #[error("cannot read {}", .zip.display())]
    Read {
        /// The zip.
        zip: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a zip that can be unpacked.
    #[error("{} is not a readable zip: {reason}", .zip.display())]
    NotAZip {
        /// The file.
        zip: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// An entry that must not be unpacked: it would leave the folder, is a link, or appears twice.
    #[error("{} holds `{entry}`, which {reason}", .zip.display())]
    UnsafeEntry {
        /// The zip.
        zip: PathBuf,
        /// The entry's name.
        entry: String,
        /// What is unsafe about it.
        reason: &'static str,
    },
    /// Two entries have the same name, so that it depends on the reader which one counts.
    #[error("{} holds two files of the same name", .zip.display())]
    Duplicate {
        /// The zip.
        zip: PathBuf,
    },
    /// More entries than any set of packages has.
    #[error("{} holds {entries} entries, and mdo unpacks at most {most}", .zip.display())]
    TooManyEntries {
        /// The zip.
        zip: PathBuf,
        /// How many it holds.
        entries: usize,
        /// How many it may hold.
        most: usize,
    },
    /// A file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl UnpackError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Write { source, .. } => write_help(source),
            Self::NotAZip { .. } => Some("package the function again".into()),
            Self::Read { .. }
            | Self::UnsafeEntry { .. }
            | Self::Duplicate { .. }
            | Self::TooManyEntries { .. } => None,
        }
    }
}

pub(super) fn write_help(source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space on that disk".into())
        }
        io::ErrorKind::PermissionDenied => Some("make the folder writable".into()),
        _ => None,
    }
}

fn list(problems: &[Problem]) -> String {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}

fn tail(output: &[String]) -> String {
    output.iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(unix)]
pub(super) fn outcome(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(not(unix))]
pub(super) fn outcome(status: ExitStatus) -> String {
    status.to_string()
}
