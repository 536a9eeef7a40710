//! The derivatives of a project: what was built, and what there is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, DerivativeName, FunctionName, ProjectName};
use mdo_package::derivative::{Built, Imported, Locked, VersionChange};
use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;
use super::failure::{FailureEntry, ProblemEntry};
use crate::output::Failure;

/// What was built: `derivative build`, `derivative create`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeBuildDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    built: Vec<DerivativeEntry>,
    #[serde(flatten)]
    failed: FailedEntries,
}

/// Why others were not done, where any was not.
#[derive(Debug, Serialize, JsonSchema)]
struct FailedEntries {
    /// The first of the errors; it decides the exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureEntry>,
    /// Everything that went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemEntry>,
}

/// What was locked: `derivative lock`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeLockDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    locked: Vec<LockEntry>,
    #[serde(flatten)]
    failed: FailedEntries,
}

/// A derivative whose versions were pinned.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LockEntry {
    name: String,
    /// The file that says what is wanted, from the project's folder.
    wanted: String,
    /// The lock, from the project's folder.
    path: String,
    /// The packages that it pins, with their versions.
    packages: BTreeMap<String, String>,
    /// What is other than before.
    changes: Vec<VersionEntry>,
    /// What was wrong with the lock before, as it reads after its path; null where nothing was.
    warning: Option<String>,
}

/// A package whose version is other than before.
#[derive(Debug, Serialize, JsonSchema)]
struct VersionEntry {
    name: String,
    /// The version before; null if it is new.
    from: Option<String>,
    /// The version now; null if it is gone.
    to: Option<String>,
}

/// What was created: `derivative create`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeCreateDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// The files that were written, from the project's folder.
    wrote: Vec<String>,
    locked: LockEntry,
    built: Vec<DerivativeEntry>,
    /// The function that runs with it now; null where none was named.
    function: Option<String>,
}

/// What was pinned: `derivative pin`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativePinDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// The derivative.
    name: String,
    /// Its zip, from the project's folder.
    zip: String,
    /// The SHA-256 that project.toml has now.
    sha256: String,
}

/// A derivative that was built for a runtime and an architecture.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeEntry {
    name: String,
    runtime: String,
    architecture: String,
    /// The digest of everything that it is built from.
    inputs: String,
    /// The folder that holds its packages.
    tree: String,
    /// Its packages with their versions.
    packages: BTreeMap<String, String>,
    /// The size of its files in bytes.
    unzipped: u64,
    /// Its zips, one for each layer.
    zips: Vec<ZipEntry>,
    /// What may go wrong at run time.
    warnings: Vec<String>,
    /// What came of importing its modules once; null where this machine cannot run them.
    imported: Option<ImportedEntry>,
}

/// One zip.
#[derive(Debug, Serialize, JsonSchema)]
struct ZipEntry {
    path: String,
    sha256: String,
    /// In bytes.
    size: u64,
}

/// What came of importing the modules.
#[derive(Debug, Serialize, JsonSchema)]
struct ImportedEntry {
    modules: Vec<String>,
    /// Those that failed, with the reason.
    failed: Vec<String>,
}

/// The derivatives of a project: `derivative list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeListDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    derivatives: Vec<DerivativeListEntry>,
}

/// A derivative of the files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeListEntry {
    /// Its name.
    pub name: String,
    /// The runtimes and architectures that it is for: `python3.13 x86_64`.
    pub platforms: Vec<String>,
    /// The packages that its lock pins, with their versions.
    pub packages: BTreeMap<String, String>,
    /// The prebuilt zip that it is; null for packages that are locked.
    pub zip: Option<ZipState>,
    /// The functions that run with it.
    pub functions: Vec<String>,
    /// The digest of everything that it is built from, by runtime and architecture.
    pub inputs: BTreeMap<String, String>,
    /// Why it cannot be built; null where it can.
    pub problem: Option<String>,
}

/// A zip that somebody else has built.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ZipState {
    /// Where it is: a path from the project's folder, or an address without its query.
    pub path: String,
    /// Whether project.toml has its SHA-256.
    pub pinned: bool,
}

impl FailedEntries {
    fn new(failure: Option<&Failure>) -> Self {
        let complaints = failure.map(|failure| failure.complaints.as_slice()).unwrap_or_default();
        Self {
            error: failure.and_then(FailureEntry::new),
            errors: complaints.iter().map(ProblemEntry::new).collect(),
        }
    }
}

impl DerivativeBuildDocument {
    /// What was built, and why others were not.
    pub(crate) fn new(project: &ProjectName, built: Vec<DerivativeEntry>, failure: Option<&Failure>) -> Self {
        Self { version: VERSION, project: project.to_string(), built, failed: FailedEntries::new(failure) }
    }
}

impl DerivativeLockDocument {
    /// What was locked, and why others were not.
    pub(crate) fn new(project: &ProjectName, locked: Vec<LockEntry>, failure: Option<&Failure>) -> Self {
        Self { version: VERSION, project: project.to_string(), locked, failed: FailedEntries::new(failure) }
    }
}

impl LockEntry {
    /// One that was locked, in a project in `root`.
    pub(crate) fn of(name: &DerivativeName, locked: &Locked, root: &Path) -> Self {
        let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let packages = locked.packages.iter();
        let changes = locked.changes.iter().cloned();
        Self {
            name: name.to_string(),
            wanted: below(&locked.path.with_file_name(locked.wanted.file())),
            path: below(&locked.path),
            packages: packages.map(|one| (one.name.clone(), one.version.clone())).collect(),
            changes: changes
                .map(|VersionChange { name, from, to }| VersionEntry { name, from, to })
                .collect(),
            warning: locked.distrusted.map(str::to_owned),
        }
    }
}

impl DerivativeCreateDocument {
    /// What was written, locked, built and given to a function.
    pub(crate) fn new(
        project: &ProjectName,
        wrote: &[PathBuf],
        locked: LockEntry,
        built: Vec<DerivativeEntry>,
        function: Option<&FunctionName>,
    ) -> Self {
        Self {
            version: VERSION,
            project: project.to_string(),
            wrote: wrote.iter().map(|path| path.display().to_string()).collect(),
            locked,
            built,
            function: function.map(ToString::to_string),
        }
    }
}

impl DerivativePinDocument {
    /// The zip that was pinned.
    pub(crate) fn new(project: &ProjectName, name: &DerivativeName, zip: &str, sha256: Sha256) -> Self {
        Self {
            version: VERSION,
            project: project.to_string(),
            name: name.to_string(),
            zip: zip.to_owned(),
            sha256: sha256.to_string(),
        }
    }
}

impl DerivativeListDocument {
    /// What there is.
    pub(crate) fn new(project: &ProjectName, derivatives: Vec<DerivativeListEntry>) -> Self {
        Self { version: VERSION, project: project.to_string(), derivatives }
    }
}

impl DerivativeEntry {
    /// One that was built.
    pub(crate) fn of(id: &DerivativeId, built: &Built, imported: &Imported) -> Self {
        let text = |sha256: Sha256| sha256.to_string();
        let distributions = built.distributions.iter();
        Self {
            name: id.name.to_string(),
            runtime: id.runtime.clone(),
            architecture: id.architecture.to_string(),
            inputs: text(built.inputs),
            tree: built.tree.display().to_string(),
            packages: distributions.map(|one| (one.name.clone(), one.version.clone())).collect(),
            unzipped: built.raw_size,
            zips: built
                .parts
                .iter()
                .map(|part| ZipEntry {
                    path: part.path.display().to_string(),
                    sha256: text(part.sha256),
                    size: part.size,
                })
                .collect(),
            warnings: built.warnings.clone(),
            imported: match imported {
                Imported::NotHere => None,
                Imported::Tried { modules, failed } => {
                    Some(ImportedEntry { modules: modules.clone(), failed: failed.clone() })
                }
            },
        }
    }
}
