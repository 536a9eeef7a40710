//! What was deployed before: the versions of functions with who made them, and the deployments of the API.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mdo_model::Sha256;
use mdo_model::project::{FunctionName, StageName};
use mdo_model::stack::Function;

use crate::Error;

/// What knows what a stage has served before.
#[async_trait]
pub trait History: Send + Sync {
    /// The versions of a function; `None` where there is no such function. Never writes.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn versions(&self, function: &FunctionName) -> Result<Option<FunctionHistory>, Error>;

    /// What a version froze, code and environment together. The stack has been observed before. A run that is to bring a function to
    /// exactly this points the stage at that version, and makes nothing anew.
    ///
    /// # Errors
    /// When there is no such version, or it cannot be read.
    async fn frozen(&self, function: &FunctionName, version: u64) -> Result<Function, Error>;

    /// The deployments of the project's API, newest first; none where there is none, or where the provider keeps none.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn deployments(&self) -> Result<Vec<ApiDeployment>, Error>;
}

/// The versions of a function, and what each stage serves of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionHistory {
    /// Newest first.
    pub versions: Vec<PublishedVersion>,
    /// What is live where, by the name of the alias, whoever has made it.
    pub live: BTreeMap<String, Share>,
}

impl FunctionHistory {
    /// The versions that are a stage's, newest first: those that it has published, and those that it serves.
    pub fn own<'a>(&'a self, stage: &'a str) -> impl Iterator<Item = &'a PublishedVersion> {
        let live = self.live.get(stage);
        let serves = move |number: u64| {
            live.is_some_and(|share| {
                share.version == number || share.canary.is_some_and(|(tried, _)| tried == number)
            })
        };
        let made = move |version: &PublishedVersion| {
            version.stage.as_ref().is_some_and(|made| made.as_str() == stage)
        };
        self.versions.iter().filter(move |version| serves(version.number) || made(version))
    }
}

/// What an alias serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The version that answers.
    pub version: u64,
    /// The version that answers so many of a hundred requests instead.
    pub canary: Option<(u64, u8)>,
}

/// A version of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Its number.
    pub number: u64,
    /// When it was made, as RFC 3339 in UTC.
    pub published: Option<String>,
    /// The stage that made it.
    pub stage: Option<StageName>,
    /// The source revision that it was made from.
    pub source: Option<String>,
    /// Who made it.
    pub deployer: Option<String>,
    /// What the versions of one deploy have in common.
    pub run: Option<String>,
    /// The digest of its zip.
    pub code: Option<Sha256>,
    /// The size of its zip, in bytes.
    pub size: Option<u64>,
}

/// A deployment of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiDeployment {
    /// Its id.
    pub id: String,
    /// When it was made, as RFC 3339 in UTC.
    pub created: Option<String>,
    /// The stage that it was made for; `None` where mdo did not make it.
    pub stage: Option<StageName>,
    /// The digest of the definition that it holds.
    pub digest: Option<String>,
    /// The stages that serve it.
    pub serving: Vec<String>,
}
