//! What a project has versions of: every version that is live, of functions, layers, deployments, revisions, images and packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::Sha256;
use crate::project::{DerivativeId, FunctionName, Names, StageName};

/// Every version that there is of what a project has versions of, over all of its stages.
#[derive(Clone, Debug, Default)]
pub struct LiveVersions {
    /// The layer versions that mdo has published for the project; nobody else's.
    pub layers: BTreeMap<LayerVersionId, LayerVersion>,
    /// Those that a function runs with, at whichever stage.
    pub layers_in_use: BTreeSet<LayerVersionId>,
    /// The versions of the project's functions, `$LATEST` apart.
    pub functions: BTreeMap<FunctionVersionId, FunctionVersion>,
    /// Those that an alias points at, whoever has made it.
    pub functions_in_use: BTreeSet<FunctionVersionId>,
    /// The deployments that mdo has made of the project's API, newest first.
    pub deployments: Vec<(DeploymentId, Deployment)>,
    /// Those that a stage serves, whoever has made it.
    pub deployments_in_use: BTreeSet<DeploymentId>,
    /// The revisions of the project's hosted stages.
    pub revisions: BTreeMap<RevisionId, Revision>,
    /// Those that tasks run, or are about to run.
    pub revisions_in_use: BTreeSet<RevisionId>,
    /// The images of the project's repository that have a tag, newest first, by their digests.
    pub images: Vec<(String, Image)>,
    /// The packages that mdo has left in the bucket of its artifacts for the project, newest first, by their addresses.
    pub artifacts: Vec<(String, Artifact)>,
    /// The digests of what functions of the account are made of as they are configured, whosever they are.
    pub packages_in_use: BTreeSet<Sha256>,
}

impl LiveVersions {
    pub(super) fn count(&self) -> usize {
        self.layers.len()
            + self.functions.len()
            + self.deployments.len()
            + self.revisions.len()
            + self.images.len()
            + self.artifacts.len()
    }
}

/// Which version of which function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionVersionId {
    /// The function.
    pub function: FunctionName,
    /// The number of the version; the newest has the highest, and no number comes twice.
    pub number: u64,
}

impl fmt::Display for FunctionVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.function, self.number)
    }
}

/// A version of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionVersion {
    /// The stage that has published it, where that is known.
    pub stage: Option<StageName>,
    /// What its zip takes, in bytes, where that is known.
    pub zipped: Option<u64>,
    /// When it was published, as RFC 3339 in UTC.
    pub published: Option<String>,
    /// The digest of its zip, where that is known.
    #[serde(skip)]
    pub code: Option<Sha256>,
}

/// Which deployment of which API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeploymentId {
    /// The API's id.
    pub api: String,
    /// The deployment's.
    pub id: String,
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api, self.id)
    }
}

/// A deployment of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// The stage that it was made for.
    pub stage: StageName,
    /// When it was made, as RFC 3339 in UTC.
    pub created: Option<String>,
}

/// Which revision of which hosted stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionId {
    /// The stage.
    pub stage: StageName,
    /// The number of the revision; the newest has the highest, and no number comes twice.
    pub number: u32,
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stage, self.number)
    }
}

/// A revision of a hosted stage, which a rollback may go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// The digest of its image, where that is one of the project's repository.
    pub image: Option<String>,
    /// When it was registered, as RFC 3339 in UTC.
    pub registered: Option<String>,
}

/// An image in the project's repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// What it takes, in bytes, where that is known.
    pub bytes: Option<u64>,
    /// When it was pushed, as RFC 3339 in UTC.
    pub pushed: Option<String>,
}

/// A package in the bucket of the project's artifacts, which Lambda has its own copy of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// The digest of it.
    pub sha256: Sha256,
    /// What it takes, in bytes.
    pub bytes: Option<u64>,
    /// When it was uploaded, as RFC 3339 in UTC.
    pub uploaded: Option<String>,
}

/// Which version of which layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerVersionId {
    /// The derivative that the layer is a part of.
    pub derivative: DerivativeId,
    /// Which part of it, from 1.
    pub part: usize,
    /// The number of the version; the newest has the highest, and no number comes twice.
    pub number: u64,
}

impl fmt::Display for LayerVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Names::part(&self.derivative, self.part), self.number)
    }
}

/// A version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerVersion {
    /// The digest of everything that its derivative was built from.
    pub inputs: Sha256,
    /// What its zip takes, in bytes, where that is known.
    pub zipped: Option<u64>,
    /// What its files take, in bytes, where that is known.
    pub unzipped: Option<u64>,
    /// When it was published, as the provider writes it.
    pub published: Option<String>,
}
