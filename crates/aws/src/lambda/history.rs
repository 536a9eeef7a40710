//! What was deployed before: versions with what mdo has recorded of each, and what a version froze.

use async_trait::async_trait;
use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration as LiveConfiguration};
use mdo_engine::{AliasShare, ApiDeployment, Cause, Error, FunctionHistory, History, PublishedVersion};
use mdo_model::Sha256;
use mdo_model::project::FunctionName;
use mdo_model::stack::Function;

use super::description;
use super::read::{self, Lookup};
use crate::{AwsProvider, api_gateway};

#[async_trait]
impl History for AwsProvider {
    async fn versions(&self, function: &FunctionName) -> Result<Option<FunctionHistory>, Error> {
        self.identify_if_bound().await?;
        let (versions, aliases) =
            futures::try_join!(self.list_versions(function), self.list_aliases(function))?;
        let (Some(versions), Some(aliases)) = (versions, aliases) else { return Ok(None) };
        let mut versions: Vec<PublishedVersion> = versions.iter().filter_map(published).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        let live = aliases.into_iter().filter_map(|alias| Some((alias.name.clone()?, share(&alias)?)));
        Ok(Some(FunctionHistory { versions, live: live.collect() }))
    }

    async fn frozen(&self, function: &FunctionName, version: u64) -> Result<Function, Error> {
        let number = version.to_string();
        let found = read::look_up(&self.aws, &self.names, function, Some(&number)).await?;
        let Lookup::Found(live) = found else {
            let message = format!("there is no version {version} of {}", self.names.function(function));
            return Err(Error::new(Cause::Gone, message));
        };
        let mut frozen = live.function;
        // Not held meanwhile: to tell its layers may take calls.
        let mut layers = self.state().layers.clone();
        self.split_layers(&mut frozen, &mut layers).await?;
        let mut state = self.state();
        state.layers = layers;
        state.frozen.entry(function.clone()).or_default().insert(version, frozen.clone());
        Ok(frozen)
    }

    async fn deployments(&self) -> Result<Vec<ApiDeployment>, Error> {
        api_gateway::history(&self.aws, &self.names, &self.gateway).await
    }
}

impl AwsProvider {
    /// The version that a function's alias sends a part of the requests to, and how many of a hundred.
    pub(crate) async fn tried(&self, name: &FunctionName) -> Result<Option<(u64, u8)>, Error> {
        let aliases = self.list_aliases(name).await?.unwrap_or_default();
        let own = aliases.iter().find(|alias| alias.name() == Some(self.names.stage.as_str()));
        Ok(own.and_then(share).and_then(|share| share.canary))
    }

    /// The version that was read and froze exactly this.
    pub(super) fn frozen_as(&self, name: &FunctionName, wanted: &Function) -> Option<u64> {
        let state = self.state();
        let versions = state.frozen.get(name)?;
        versions.iter().rev().find(|(_, frozen)| frozen.freezes_as(wanted)).map(|(version, _)| *version)
    }
}

/// A version; `None` for `$LATEST`.
fn published(version: &LiveConfiguration) -> Option<PublishedVersion> {
    let number = version.version()?.parse().ok()?;
    let record = version.description().and_then(description::record).unwrap_or_default();
    let word = |word: Option<&str>| word.map(str::to_owned);
    Some(PublishedVersion {
        number,
        published: version.last_modified().map(read::in_utc),
        stage: record.stage.parse().ok(),
        source: word(record.source),
        deployer: word(record.deployer),
        run: word(record.run),
        code: version.code_sha256().and_then(|text| Sha256::from_base64(text).ok()),
        size: u64::try_from(version.code_size()).ok().filter(|size| *size > 0),
    })
}

/// What an alias serves; `None` where that is `$LATEST`.
fn share(alias: &AliasConfiguration) -> Option<AliasShare> {
    let weights = alias.routing_config().and_then(|routing| routing.additional_version_weights());
    let canary = weights.into_iter().flatten().find_map(|(version, weight)| {
        // Between 0 and 1.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 100"
        )]
        let percent = (weight * 100.0).round() as u8;
        Some((version.parse().ok()?, percent))
    });
    Some(AliasShare { version: alias.function_version()?.parse().ok()?, canary })
}
