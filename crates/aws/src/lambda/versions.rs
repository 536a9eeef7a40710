//! The versions of a function: whose they are, by what mdo records with each and by the aliases that point at them.

use std::collections::BTreeSet;

use aws_sdk_lambda::types::FunctionConfiguration as LiveConfiguration;
use mdo_engine::{Cause, Error};
use mdo_model::project::FunctionName;

use super::description;
use crate::{AwsProvider, pages};

/// Whose the versions of a function are.
#[derive(Clone, Debug, Default)]
pub(crate) struct StageVersions {
    /// Those that the stage has published, and those that its alias points at.
    pub(crate) own: BTreeSet<String>,
    /// All that there are.
    pub(crate) all: BTreeSet<String>,
}

impl AwsProvider {
    /// Whose the versions of a function are; `None` where there is no such function.
    pub(crate) async fn stage_versions(&self, name: &FunctionName) -> Result<Option<StageVersions>, Error> {
        let (versions, aliases) = futures::try_join!(self.list_versions(name), self.list_aliases(name))?;
        let (Some(versions), Some(aliases)) = (versions, aliases) else { return Ok(None) };
        let stage = &self.names.stage;
        let is_published_here = |version: &&LiveConfiguration| {
            let record = version.description().and_then(description::record);
            record.is_some_and(|record| record.stage == stage.as_str())
        };
        let number = |version: &LiveConfiguration| version.version().map(str::to_owned);
        let mut own: BTreeSet<String> =
            versions.iter().filter(is_published_here).filter_map(number).collect();
        // `$LATEST` is every stage's, and bears the record of the last one.
        own.remove("$LATEST");
        for alias in aliases.into_iter().filter(|alias| alias.name() == Some(stage.as_str())) {
            let weighted = alias.routing_config.and_then(|routing| routing.additional_version_weights);
            own.extend(weighted.into_iter().flatten().map(|(version, _)| version));
            own.extend(alias.function_version);
        }
        let all = versions.iter().filter_map(number).chain(["$LATEST".to_owned()]);
        Ok(Some(StageVersions { all: all.collect(), own }))
    }

    /// Every version of a function, `$LATEST` first; `None` where there is no such function.
    pub(super) async fn list_versions(
        &self,
        name: &FunctionName,
    ) -> Result<Option<Vec<LiveConfiguration>>, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let listed = pages::all(async |position: Option<String>| {
            let answer = aws
                .call("lambda:ListVersionsByFunction", &full, || {
                    let list = aws.lambda.list_versions_by_function().function_name(&full);
                    list.set_marker(position.clone()).send()
                })
                .await?;
            Ok((answer.versions, answer.next_marker))
        });
        match listed.await {
            Err(error) if error.is(&Cause::Gone) => Ok(None),
            listed => listed.map(Some),
        }
    }
}
