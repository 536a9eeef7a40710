//! What the preflight can find wrong with a derivative, each with what to do about it.

use std::fmt;

use mdo_model::project::Architecture;
use mdo_model::quotas::{DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT};

use super::build::Built;
use super::parts::{MOST_PARTS, PART_LIMIT};
use super::runtime::PythonRuntime;
use crate::size::{self, Bytes};

/// How many of the largest a message names.
pub(super) const NAMED: usize = 5;

/// Below this many MB of memory, large derivatives import slowly. At 128 MB, scikit-learn took 11.1 s with its bytecode and
/// 31.6 s without.
const ENOUGH_MEMORY: u32 = 256;

/// From this size on derivatives count as large, in bytes.
const LARGE: u64 = 100 * 1024 * 1024;

/// Files of one kind of trouble; displayed as the first of them and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(pub Vec<String>);

impl Files {
    fn verb(&self, one: &'static str, many: &'static str) -> &'static str {
        if self.0.len() == 1 { one } else { many }
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.first().map_or("", String::as_str);
        match self.0.len() {
            0 | 1 => f.write_str(first),
            2 => write!(f, "{first} and 1 other file"),
            many => write!(f, "{first} and {} other files", many - 1),
        }
    }
}

/// One reason why a derivative would not work. Displayed as a lower-case fragment that reads after `derivative sklearn: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerivativeProblem {
    /// Its packages hold nothing, or `exclude` leaves nothing of them.
    #[error("holds no file")]
    Empty,
    /// A prebuilt zip holds nothing, or nothing but what systems and archivers leave.
    #[error("the zip holds no file of a package")]
    EmptyZip,
    /// Native files for another processor.
    #[error("{files} {} built for {found}, the function runs on {declared}", .files.verb("is", "are"))]
    WrongArchitecture {
        /// The files.
        files: Files,
        /// What their headers say, as toolchains write it (`aarch64`).
        found: String,
        /// What the function declares.
        declared: Architecture,
    },
    /// Native files that are no Linux libraries.
    #[error("{files} {} not for Linux: {found}", .files.verb("is", "are"))]
    NotForLinux {
        /// The files.
        files: Files,
        /// What they are instead.
        found: &'static str,
    },
    /// Extension modules that another Python loads.
    #[error("{files} {} built for {tag}, the runtime is {runtime}", .files.verb("is", "are"))]
    WrongPython {
        /// The files.
        files: Files,
        /// The tag in their names.
        tag: String,
        /// The function's runtime.
        runtime: PythonRuntime,
    },
    /// A symbol version newer than the runtime's library.
    #[error("{files} {} {needs}, {runtime} has {has}", .files.verb("needs", "need"))]
    TooNew {
        /// The files.
        files: Files,
        /// The newest version they need (`GLIBC_2.38`).
        needs: String,
        /// The newest version the runtime has (`GLIBC_2.34`).
        has: String,
        /// The function's runtime.
        runtime: PythonRuntime,
    },
    /// A shared library that is neither in the runtime nor in the derivative. Only who imports the file needs it.
    #[error("{files} {} {library}, which neither {runtime} nor the {holder} has", .files.verb("needs", "need"))]
    LibraryMissing {
        /// The files.
        files: Files,
        /// The library, by the name it is linked by.
        library: String,
        /// The function's runtime.
        runtime: PythonRuntime,
        /// What does not have it: `derivative` or `package`.
        holder: &'static str,
    },
    /// An ELF file that cannot be read as one.
    #[error("{file} is a damaged ELF file: {reason}")]
    DamagedElf {
        /// The file.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// What is unzipped is over Lambda's limit.
    #[error("{} unzipped, over Lambda's {}; largest: {}", Bytes(*.unzipped), Bytes(UNZIPPED_LIMIT), size::describe(.largest))]
    TooLarge {
        /// Unzipped size in bytes.
        unzipped: u64,
        /// The largest with their bytes, heaviest first.
        largest: Vec<(String, u64)>,
    },
    /// The zip is too large to upload directly, and cannot be split into layers.
    #[error(
        "the zip is {}, over the {} that Lambda takes directly, and does not split into {MOST_PARTS} layers of at most {}; \
         largest zipped: {}",
        Bytes(*.size), Bytes(DIRECT_UPLOAD_LIMIT), Bytes(PART_LIMIT), size::describe(.largest)
    )]
    NotSplittable {
        /// The zip's size in bytes.
        size: u64,
        /// The largest of what has to stay together, with its zipped bytes, heaviest first.
        largest: Vec<(String, u64)>,
    },
    /// A module of the function that is found before the derivative's of the same name.
    #[error("{file} hides the derivative's {module}: Python finds the function's own first")]
    ModuleHidden {
        /// The function's file or folder.
        file: String,
        /// The module's name.
        module: String,
    },
    /// A path file, which Python reads among its own packages alone.
    #[error("{file}{} is not read: Python reads .pth files among its own packages alone, not in a layer", of(.distribution.as_deref()))]
    UnreadPathFile {
        /// The file.
        file: String,
        /// The distribution that brings it, if its records tell.
        distribution: Option<String>,
    },
    /// Little memory is little of a processor: the imports may take longer than a start may.
    #[error("{} of derivatives at {memory} MB of memory: importing them may take longer than the 10 s of a start", Bytes(*.unzipped))]
    SlowImports {
        /// What the derivatives take unzipped, in bytes.
        unzipped: u64,
        /// The function's memory in MB.
        memory: u32,
    },
    /// A prebuilt zip with the packages of another Python.
    #[error("the zip holds {folder}, where {runtime} does not look")]
    OtherPython {
        /// The folder.
        folder: String,
        /// The function's runtime.
        runtime: PythonRuntime,
    },
    /// A prebuilt zip with something beside the folder of its packages.
    #[error("the zip holds {file} beside {folder}, which functions would not find")]
    Beside {
        /// The first such file.
        file: String,
        /// The folder of the packages, with a slash at its end.
        folder: String,
    },
}

impl DerivativeProblem {
    /// The first file that the problem is about, if it is about files.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::WrongArchitecture { files, .. }
            | Self::NotForLinux { files, .. }
            | Self::WrongPython { files, .. }
            | Self::TooNew { files, .. }
            | Self::LibraryMissing { files, .. } => files.0.first().map(String::as_str),
            Self::DamagedElf { file, .. }
            | Self::ModuleHidden { file, .. }
            | Self::UnreadPathFile { file, .. }
            | Self::Beside { file, .. } => Some(file),
            Self::OtherPython { folder, .. } => Some(folder),
            Self::Empty
            | Self::EmptyZip
            | Self::TooLarge { .. }
            | Self::NotSplittable { .. }
            | Self::SlowImports { .. } => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Empty => "name a package in requirements.in, or leave less out with `exclude`".into(),
            Self::EmptyZip => "make the zip again, or leave less out with `exclude`".into(),
            Self::WrongArchitecture { declared, .. } => format!(
                "take a package that was built on this machine out of `source`, use a prebuilt zip that was made for \
                 {declared}, or name files that nobody loads in `exclude`"
            ),
            Self::NotForLinux { .. } => {
                "name them in `exclude` if nobody imports them, or use a zip that was made for Linux".into()
            }
            Self::WrongPython { runtime, .. } | Self::OtherPython { runtime, .. } => {
                format!("use a zip that was made for {runtime}, or change the function's \"runtime\"")
            }
            Self::TooNew { .. } => {
                "take a package that was built on this machine out of `source`, or pin an older version that has a wheel"
                    .into()
            }
            Self::LibraryMissing { .. } => {
                "if importing it fails on Lambda, add a package that brings the library".into()
            }
            Self::DamagedElf { .. } => "remove the derivative's folder in .mdo/derivatives and build it again".into(),
            Self::TooLarge { .. } => {
                "want fewer packages, or leave files out with `exclude` in project.toml".into()
            }
            Self::NotSplittable { .. } => {
                "add `[artifacts]` with `bucket = \"…\"` to project.toml: one larger zip goes through that bucket".into()
            }
            Self::ModuleHidden { file, .. } => format!("rename {file}"),
            Self::UnreadPathFile { .. } => {
                "import what it would import in the function, or name it in `exclude` if nobody needs it".into()
            }
            Self::SlowImports { .. } => format!("set \"memory\": {ENOUGH_MEMORY} or more"),
            Self::Beside { folder, .. } => {
                format!("put the packages into {folder}, or all of them at the root of the zip")
            }
        }
    }
}

/// The distribution that a file belongs to, as a part of a sentence.
fn of(distribution: Option<&str>) -> String {
    distribution.map(|name| format!(" of {name}")).unwrap_or_default()
}

/// Who takes how much of what Lambda unzips for one function.
#[derive(Clone, Copy, Debug)]
pub struct MostUnzipped<'a> {
    /// The function's name.
    pub function: &'a str,
    /// What its own package takes unzipped, in bytes.
    pub unzipped: u64,
    /// Those of its derivatives that are on this machine.
    pub derivatives: &'a [&'a Built],
    /// The others: the name of each, and what it takes unzipped, in bytes.
    pub elsewhere: &'a [(&'a str, u64)],
}

/// Checks that a function and its derivatives together stay within what Lambda unzips.
///
/// # Errors
/// [`DerivativeProblem::TooLarge`], with the five largest of function, distributions, and derivatives that are elsewhere.
pub fn check_total(total: &MostUnzipped) -> Result<(), DerivativeProblem> {
    let here = total.derivatives.iter().map(|built| built.raw_size);
    let elsewhere = total.elsewhere.iter().map(|(_, bytes)| *bytes);
    let unzipped = total.unzipped + here.chain(elsewhere).sum::<u64>();
    if unzipped <= UNZIPPED_LIMIT {
        return Ok(());
    }
    let own = (format!("function {}", total.function), total.unzipped);
    let distributions = total.derivatives.iter().flat_map(|built| &built.distributions);
    let distributions = distributions.map(|one| (one.name.clone(), one.raw_size));
    let elsewhere = total.elsewhere.iter().map(|(name, bytes)| (format!("derivative {name}"), *bytes));
    let sizes = std::iter::once(own).chain(distributions).chain(elsewhere);
    Err(DerivativeProblem::TooLarge { unzipped, largest: largest(sizes) })
}

/// What is to be said of a function with so many MB of memory and these derivatives.
pub fn slow_imports(memory: u32, derivatives: &[&Built]) -> Option<DerivativeProblem> {
    let unzipped = derivatives.iter().map(|built| built.raw_size).sum();
    (memory < ENOUGH_MEMORY && unzipped > LARGE)
        .then_some(DerivativeProblem::SlowImports { unzipped, memory })
}

/// The five largest, heaviest first.
pub(super) fn largest(sizes: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sizes.truncate(NAMED);
    sizes
}

/// The modules of a derivative that files of the function hide, by the names of its package's files.
pub fn hidden_modules<'a>(
    package: impl IntoIterator<Item = &'a str>,
    derivative: &Built,
) -> Vec<DerivativeProblem> {
    let mut hidden = Vec::new();
    for name in package {
        let (file, module) = match name.split_once('/') {
            // A folder without `__init__.py` hides nothing: a package elsewhere is found before it.
            Some((folder, "__init__.py")) => (format!("{folder}/"), folder),
            None => match name.strip_suffix(".py") {
                Some(module) => (name.to_owned(), module),
                None => continue,
            },
            Some(_) => continue,
        };
        if derivative.modules.iter().any(|known| known == module) {
            hidden.push(DerivativeProblem::ModuleHidden { file, module: module.to_owned() });
        }
    }
    hidden
}
