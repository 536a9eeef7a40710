//! What the preflight can find wrong with one function, each with what to do about it.

use mdo_model::project::Architecture;
use mdo_model::quotas::{DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT};

use super::derivative::DerivativeProblem;
use super::size::{self, Bytes};

/// One reason why a function cannot be packaged or would not start. Several are reported together.
///
/// Displayed as a lower-case fragment that reads after `function sample_producer: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is no file to package.
    #[error("nothing to package: the folder holds no file that belongs in the zip")]
    Empty,
    /// A `provided.*` function has no `bootstrap` at its root.
    #[error("{}", missing_bootstrap(.hook.as_deref(), *.ignored))]
    BootstrapMissing {
        /// The build hook that ran and did not make it.
        hook: Option<String>,
        /// Files that look like it, by their name in the package.
        near: Vec<String>,
        /// It is in the folder, but an ignore rule keeps it out of the package.
        ignored: bool,
    },
    /// `bootstrap` is for another processor than the function.
    #[error("bootstrap is built for {found}, function.json says {declared}")]
    WrongArchitecture {
        /// What the ELF header says, as toolchains write it (`aarch64`).
        found: String,
        /// What the function declares.
        declared: Architecture,
        /// The key in `function.json` that declares it.
        key: &'static str,
    },
    /// `bootstrap` is neither an ELF executable nor a script.
    #[error("bootstrap is not a Linux executable: {found}")]
    NotAnExecutable {
        /// What it is instead.
        found: String,
    },
    /// `bootstrap` lacks its executable bit.
    #[error("bootstrap is not executable")]
    NotExecutable,
    /// A script whose first line Linux cannot run.
    #[error("the first line of bootstrap ends in CR LF, which Linux takes as part of the interpreter's name")]
    CarriageReturn,
    /// A loader that the runtime does not have.
    #[error("bootstrap asks for the loader {loader}, which {runtime} does not have")]
    WrongLoader {
        /// The interpreter named in the ELF file.
        loader: String,
        /// The function's runtime.
        runtime: String,
        /// The function's architecture.
        architecture: Architecture,
    },
    /// A symbol version newer than the runtime's library.
    #[error("{file} needs {needs}, {runtime} has {has}")]
    TooNew {
        /// The file in the package that needs it.
        file: String,
        /// The newest version it needs (`GLIBC_2.38`).
        needs: String,
        /// The newest version the runtime has (`GLIBC_2.34`).
        has: String,
        /// The function's runtime.
        runtime: String,
        /// The function's architecture.
        architecture: Architecture,
    },
    /// A shared library that is neither in the runtime nor in the package.
    #[error("{file} needs {library}, which neither {runtime} nor the package has")]
    LibraryMissing {
        /// The file in the package that needs it.
        file: String,
        /// The library, by the name it is linked by.
        library: String,
        /// The function's runtime.
        runtime: String,
    },
    /// An ELF file that cannot be read as one.
    #[error("{file} is a damaged ELF file: {reason}")]
    DamagedElf {
        /// The file in the package.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// The file that a managed runtime's handler names is not in the package.
    #[error("handler `{handler}` needs {}, which the package does not have", .expected.join(" or "))]
    HandlerMissing {
        /// The handler as declared.
        handler: String,
        /// The usual files, any of which would do.
        expected: Vec<String>,
        /// Files at the root of the same kind.
        near: Vec<String>,
        /// The key in `function.json` that declares it.
        key: &'static str,
    },
    /// A handler that is not written as the runtime reads it.
    #[error("handler `{handler}` is not of the form {form}")]
    HandlerMalformed {
        /// The handler as declared.
        handler: String,
        /// The form that the runtime reads.
        form: &'static str,
        /// The key in `function.json` that declares it.
        key: &'static str,
    },
    /// A native file that the Python of the function cannot load.
    #[error("{0}")]
    Native(DerivativeProblem),
    /// The unzipped package is over Lambda's limit.
    #[error("the package is {} unzipped, over Lambda's {}; largest: {}", Bytes(*.unzipped), Bytes(UNZIPPED_LIMIT), size::describe(.largest))]
    TooLarge {
        /// Unzipped size in bytes.
        unzipped: u64,
        /// The largest folders with their bytes, heaviest first.
        largest: Vec<(String, u64)>,
    },
    /// The zip is over Lambda's limit for direct uploads, and there is no bucket for it.
    #[error("the zip is {}, over the {} that Lambda takes directly; largest: {}", Bytes(*.size), Bytes(DIRECT_UPLOAD_LIMIT), size::describe(.largest))]
    NeedsBucket {
        /// The zip's size in bytes.
        size: u64,
        /// The largest folders with their unzipped bytes, heaviest first.
        largest: Vec<(String, u64)>,
    },
    /// A symbolic link that leads nowhere.
    #[error("{file} is a link to {target}, which does not exist")]
    LinkDangling {
        /// The link, by its name in the package.
        file: String,
        /// What it points at, as written.
        target: String,
    },
    /// A symbolic link that leads out of the function's folder.
    #[error("{file} is a link to {target}, outside the function's folder")]
    LinkLeaves {
        /// The link, by its name in the package.
        file: String,
        /// What it points at, as written.
        target: String,
    },
    /// A symbolic link that leads back to a folder that holds it.
    #[error("{file} is a link to {target}, which leads back to itself")]
    LinkCycle {
        /// The link, by its name in the package.
        file: String,
        /// What it points at, as written.
        target: String,
    },
    /// A file name that is not UTF-8.
    #[error("the name of {file} is not UTF-8")]
    NameNotUtf8 {
        /// The name with replacement characters.
        file: String,
    },
    /// A file name with a character that a zip entry cannot carry.
    #[error("the name of {file} has a backslash, which zip readers take for a folder")]
    NameWithBackslash {
        /// The name in the package.
        file: String,
    },
    /// A socket, a device, a pipe.
    #[error("{file} is neither a file nor a folder")]
    NotAFile {
        /// The name in the package.
        file: String,
    },
}

impl Problem {
    /// The key of `function.json` that the problem is about, so that the caller can name its line and column.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::WrongArchitecture { key, .. }
            | Self::HandlerMissing { key, .. }
            | Self::HandlerMalformed { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether it is about something that the function needs and that a layer may bring.
    pub(super) fn may_come_from_a_layer(&self) -> bool {
        matches!(
            self,
            Self::BootstrapMissing { .. } | Self::HandlerMissing { .. } | Self::LibraryMissing { .. }
        )
    }

    /// The file in the package that the problem is about, by its name relative to the function's folder.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::TooNew { file, .. }
            | Self::LibraryMissing { file, .. }
            | Self::DamagedElf { file, .. }
            | Self::LinkDangling { file, .. }
            | Self::LinkLeaves { file, .. }
            | Self::LinkCycle { file, .. }
            | Self::NameNotUtf8 { file }
            | Self::NameWithBackslash { file }
            | Self::NotAFile { file } => Some(file),
            Self::BootstrapMissing { .. }
            | Self::WrongArchitecture { .. }
            | Self::NotAnExecutable { .. }
            | Self::NotExecutable
            | Self::CarriageReturn
            | Self::WrongLoader { .. } => Some("bootstrap"),
            Self::Native(problem) => problem.file(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Empty => "put the function's code in the folder, or set a build hook that makes it".into(),
            Self::BootstrapMissing { ignored: true, .. } => "take it out of .mdoignore".into(),
            Self::BootstrapMissing { hook, near, .. } => bootstrap_help(hook.is_some(), near),
            Self::WrongArchitecture { found, declared, .. } => architecture_help(found, *declared),
            Self::NotAnExecutable { .. } => {
                "build bootstrap for Linux, or start it with a line such as #!/bin/sh".into()
            }
            Self::NotExecutable => "chmod +x bootstrap".into(),
            Self::CarriageReturn => "save bootstrap with LF line ends".into(),
            Self::WrongLoader { architecture, .. } => format!(
                "link it statically ({}-unknown-linux-musl with crt-static), or build it against glibc",
                architecture.machine()
            ),
            Self::TooNew { architecture, has, .. } => too_new_help(*architecture, has),
            Self::LibraryMissing { .. } => {
                "link it statically, or put the library in lib/, where Lambda looks".into()
            }
            Self::DamagedElf { .. } => "build it again".into(),
            Self::HandlerMissing { near, .. } if !near.is_empty() => {
                format!("there is {}: name it in \"handler\"", near.join(", "))
            }
            Self::HandlerMissing { .. } => "add the file, or change \"handler\"".into(),
            Self::HandlerMalformed { .. } => "change \"handler\"".into(),
            Self::Native(_) => "let mdo build the package for Lambda: mdo derivative create NAME PACKAGE, and remove it from \
                                the folder"
                .into(),
            Self::TooLarge { .. } => "name what the function does not need at run time in .mdoignore".into(),
            Self::NeedsBucket { .. } => {
                "name what the function does not need in .mdoignore, or add `[artifacts]` with `bucket = \"…\"` to \
                 project.toml: larger packages go through that bucket"
                    .into()
            }
            Self::LinkDangling { .. } | Self::NotAFile { .. } => "remove it, or name it in .mdoignore".into(),
            Self::LinkLeaves { .. } => {
                "copy what it points at into the folder, for instance in the build hook".into()
            }
            Self::LinkCycle { .. } => "remove the link, or name it in .mdoignore".into(),
            Self::NameNotUtf8 { .. } | Self::NameWithBackslash { .. } => {
                "rename it, or name it in .mdoignore".into()
            }
        };
        Some(help)
    }
}

fn missing_bootstrap(hook: Option<&str>, ignored: bool) -> String {
    match (hook, ignored) {
        (_, true) => "bootstrap is in the folder, but an ignore rule keeps it out of the package".into(),
        (Some(hook), _) => {
            format!("the build hook `{hook}` made no bootstrap at the root of the folder")
        }
        (None, _) => "there is no bootstrap at the root of the folder".into(),
    }
}

fn bootstrap_help(hooked: bool, near: &[String]) -> String {
    match (near, hooked) {
        ([], true) => "let the hook's last step copy the executable to ./bootstrap".into(),
        ([], false) => "copy the executable to ./bootstrap, or set a build hook that does".into(),
        (near, _) => format!("there is {}: copy it to ./bootstrap", near.join(", ")),
    }
}

fn architecture_help(found: &str, declared: Architecture) -> String {
    match Architecture::ALL.into_iter().find(|a| a.machine() == found) {
        Some(built) => format!("build it for {declared}, or set \"architecture\": \"{built}\""),
        None => format!("build it for {declared}"),
    }
}

fn too_new_help(architecture: Architecture, has: &str) -> String {
    let machine = architecture.machine();
    match has.strip_prefix("GLIBC_") {
        Some(version) => format!(
            "build for {machine}-unknown-linux-musl, or for this glibc: \
             cargo zigbuild --target {machine}-unknown-linux-gnu.{version}"
        ),
        None => "link libstdc++ statically (-static-libstdc++), or build on the runtime's base image".into(),
    }
}
