//! What was deployed before.

use std::collections::BTreeMap;

use mdo_engine::{ApiDeployment, FunctionHistory, LiveRevisions, Provider, PublishedVersion};
use mdo_model::project::{FunctionName, Names};
use schemars::JsonSchema;
use serde::Serialize;

use super::Head;

/// What was deployed before: `history`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryDocument {
    #[serde(flatten)]
    head: Head,
    /// The functions by name; of a hosted stage none.
    functions: BTreeMap<String, VersionsEntry>,
    /// The deployments of the API that all stages share, newest first.
    deployments: Vec<DeploymentEntry>,
    /// The revisions of a hosted stage, newest first.
    revisions: Vec<RevisionEntry>,
}

/// The versions of a function.
#[derive(Debug, Serialize, JsonSchema)]
struct VersionsEntry {
    /// Newest first.
    versions: Vec<VersionEntry>,
    /// What each alias serves, those of all stages.
    live: BTreeMap<String, ShareEntry>,
}

/// A version of a function.
#[derive(Debug, Serialize, JsonSchema)]
struct VersionEntry {
    version: u64,
    /// When it was made, as RFC 3339 in UTC.
    published: Option<String>,
    /// The stage that made it; null where mdo has not recorded it.
    stage: Option<String>,
    /// The source revision that it was made from.
    source: Option<String>,
    /// Who made it.
    deployer: Option<String>,
    /// What the versions of one deploy have in common.
    deploy: Option<String>,
    /// The SHA-256 of its zip, in hexadecimal.
    code: Option<String>,
    /// The size of its zip, in bytes.
    size: Option<u64>,
}

/// What an alias serves.
#[derive(Debug, Serialize, JsonSchema)]
struct ShareEntry {
    version: u64,
    /// The version that answers a part of the requests instead.
    canary: Option<u64>,
    /// How many of a hundred requests that is.
    percent: Option<u8>,
}

/// A deployment of the API.
#[derive(Debug, Serialize, JsonSchema)]
struct DeploymentEntry {
    id: String,
    /// When it was made, as RFC 3339 in UTC.
    created: Option<String>,
    /// The stage that it was made for; null where mdo did not make it.
    stage: Option<String>,
    /// The stages that serve it.
    serving: Vec<String>,
}

/// A revision of a hosted stage.
#[derive(Debug, Serialize, JsonSchema)]
struct RevisionEntry {
    revision: u32,
    live: bool,
}

impl HistoryDocument {
    /// The document of a stage that Lambda serves.
    pub(crate) fn new(
        names: &Names,
        provider: &dyn Provider,
        functions: &BTreeMap<FunctionName, FunctionHistory>,
        deployments: &[ApiDeployment],
    ) -> Self {
        let entry = |(name, found): (&FunctionName, &FunctionHistory)| (name.to_string(), versions(found));
        Self {
            head: Head::new(names, provider),
            functions: functions.iter().map(entry).collect(),
            deployments: deployments.iter().map(deployment).collect(),
            revisions: Vec::new(),
        }
    }

    /// The document of a hosted stage.
    pub(crate) fn of_revisions(names: &Names, provider: &dyn Provider, known: &LiveRevisions) -> Self {
        let entry = |number: &u32| RevisionEntry { revision: *number, live: known.live == Some(*number) };
        Self {
            head: Head::new(names, provider),
            functions: BTreeMap::new(),
            deployments: Vec::new(),
            revisions: known.numbers.iter().map(entry).collect(),
        }
    }
}

fn versions(found: &FunctionHistory) -> VersionsEntry {
    let live = found.live.iter().map(|(alias, share)| {
        let (canary, percent) = share.canary.unzip();
        (alias.clone(), ShareEntry { version: share.version, canary, percent })
    });
    VersionsEntry { versions: found.versions.iter().map(version).collect(), live: live.collect() }
}

fn version(version: &PublishedVersion) -> VersionEntry {
    VersionEntry {
        version: version.number,
        published: version.published.clone(),
        stage: version.stage.as_ref().map(ToString::to_string),
        source: version.source.clone(),
        deployer: version.deployer.clone(),
        deploy: version.run.clone(),
        code: version.code.map(|code| code.to_string()),
        size: version.size,
    }
}

fn deployment(deployment: &ApiDeployment) -> DeploymentEntry {
    DeploymentEntry {
        id: deployment.id.clone(),
        created: deployment.created.clone(),
        stage: deployment.stage.as_ref().map(ToString::to_string),
        serving: deployment.serving.clone(),
    }
}
