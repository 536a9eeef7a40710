//! The versions of a function as Lambda lists them, and whose they are.

use std::collections::BTreeSet;

use aws_sdk_lambda::types::FunctionConfiguration as LiveConfiguration;
use mdo_engine::{Cause, Error, History};
use mdo_model::project::FunctionName;

use crate::{AwsProvider, pages};

/// Whose the versions of a function are, by the names that its log streams have them under.
#[derive(Clone, Debug, Default)]
pub(crate) struct StageVersions {
    /// Those of the stage.
    pub(crate) own: BTreeSet<String>,
    /// All that there are.
    pub(crate) all: BTreeSet<String>,
}

impl AwsProvider {
    /// Whose the versions of a function are; `None` where there is no such function.
    pub(crate) async fn stage_versions(&self, name: &FunctionName) -> Result<Option<StageVersions>, Error> {
        let history = self.versions(name).await?;
        Ok(history.map(|history| {
            let own = history.own(self.names.stage.as_str()).map(|version| version.number.to_string());
            let all = history.versions.iter().map(|version| version.number.to_string());
            // `$LATEST` is no stage's.
            StageVersions { own: own.collect(), all: all.chain(["$LATEST".to_owned()]).collect() }
        }))
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
