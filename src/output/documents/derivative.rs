//! The derivatives of a project: what was built, and what there is.

use std::collections::BTreeMap;

use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, ProjectName};
use mdo_package::derivative::{Built, Imported};
use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;

/// What was built: `derivative build`, `derivative create`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DerivativeBuildDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    built: Vec<DerivativeEntry>,
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

impl DerivativeBuildDocument {
    /// What was built.
    pub(crate) fn new(project: &ProjectName, built: Vec<DerivativeEntry>) -> Self {
        Self { version: VERSION, project: project.to_string(), built }
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
