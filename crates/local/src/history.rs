//! What a local stack has served before: the versions that are kept of each function.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mdo_engine::{AliasShare, ApiDeployment, Cause, Error, FunctionHistory, History, PublishedVersion};
use mdo_model::project::FunctionName;
use mdo_model::stack::Function;

use super::LocalProvider;
use super::state::StoredVersion;

/// What versions froze that were read.
pub(super) type Frozen = Arc<Mutex<BTreeMap<FunctionName, BTreeMap<u64, Function>>>>;

#[async_trait]
impl History for LocalProvider {
    async fn versions(&self, function: &FunctionName) -> Result<Option<FunctionHistory>, Error> {
        let mut state = self.blocking(|this| this.store.load()).await?;
        let Some(stored) = state.functions.remove(function) else { return Ok(None) };
        let stage = &self.names.stage;
        let told = |(number, version): (u64, &StoredVersion)| PublishedVersion {
            number,
            published: Some(version.published.clone()),
            stage: Some(stage.clone()),
            code: version.function.code,
            ..PublishedVersion::default()
        };
        let live = AliasShare { version: stored.alias, canary: None };
        Ok(Some(FunctionHistory {
            versions: stored.versions().map(told).collect(),
            live: BTreeMap::from([(stage.to_string(), live)]),
        }))
    }

    async fn frozen(&self, function: &FunctionName, version: u64) -> Result<Function, Error> {
        let mut state = self.blocking(|this| this.store.load()).await?;
        let stored = state.functions.remove(function);
        let kept =
            stored.as_ref().and_then(|stored| stored.versions().find(|(number, _)| *number == version));
        let frozen = kept.map(|(_, version)| version.function.clone()).ok_or_else(|| {
            let message = format!("there is no version {version} of {function} on this machine any more");
            Error::new(Cause::Gone, message)
        })?;
        let mut known = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(function.clone()).or_default().insert(version, frozen.clone());
        Ok(frozen)
    }

    async fn deployments(&self) -> Result<Vec<ApiDeployment>, Error> {
        Ok(Vec::new())
    }
}

impl LocalProvider {
    /// The version that was read and froze exactly this.
    pub(super) fn frozen_as(&self, name: &FunctionName, wanted: &Function) -> Option<u64> {
        let known = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = known.get(name)?;
        versions.iter().rev().find(|(_, frozen)| frozen.freezes_as(wanted)).map(|(version, _)| *version)
    }
}
