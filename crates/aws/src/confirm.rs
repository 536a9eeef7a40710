//! The last look of a deploy: whether another one has gone over some of what this one did, and what to do about it.

use std::time::Duration;

use mdo_engine::{Cause, Error, Run};
use mdo_model::project::FunctionName;
use mdo_model::stack::{Action, ApiStage, Kind, Resource};

use crate::lambda::{self, Lookup};
use crate::pace::jitter;
use crate::{AwsProvider, api_gateway};

/// How often two deploys may go over each other before it is called a failure.
const TRIES: u32 = 6;

/// A part of the stage that this run has put in place, and another deploy has put something else there since.
enum Lost {
    Function(FunctionName, String),
    Stage(Box<ApiStage>),
}

impl AwsProvider {
    /// Notes that another deploy has brought the stage up first. One function stands for the stage: which of two deploys
    /// gives way must be the same for both.
    pub(crate) fn note_rival(&self, name: &FunctionName, run: &Run<'_>) {
        let is_new_function = |change: &&mdo_model::stack::Change| {
            (change.id.kind, change.action) == (Kind::Function, Action::Create)
        };
        let first = run.plan().changes.iter().filter(is_new_function).map(|change| &change.id.name).min();
        if first.is_some_and(|first| first == name.as_str()) {
            self.state().has_rival = true;
        }
    }

    /// Gives way to a deploy that was quicker to bring the stage up, and makes a mixture of two deploys one of them.
    ///
    /// A deploy that puts one thing in place cannot be mixed with another.
    pub(crate) async fn confirm_run(&self, run: &Run<'_>) -> Result<Vec<String>, Error> {
        let has_rival = self.state().has_rival;
        if has_rival {
            api_gateway::give_way(&self.aws, &self.names, &self.gateway).await?;
        }
        let versions = self.state().versions.clone();
        let stage = self.deployed_stage(run);
        let is_update = versions.keys().any(|name| self.known(name).version.is_some());
        let parts = versions.len() + usize::from(stage.is_some());
        if parts < 2 || !(is_update || has_rival) {
            return Ok(Vec::new());
        }
        for attempt in 1..=TRIES {
            let lost = self.lost(&versions, stage.as_ref()).await?;
            if lost.is_empty() {
                return Ok(Vec::new());
            }
            if lost.len() == parts {
                let message = "another deploy of this stage ended later: what it has put there is live";
                return Ok(vec![message.to_owned()]);
            }
            for part in lost {
                match part {
                    Lost::Function(name, version) => drop(self.point_alias(&name, &version, true).await?),
                    Lost::Stage(stage) => {
                        api_gateway::redeploy(&self.aws, &self.names, &self.gateway, &stage).await?;
                    }
                }
            }
            tokio::time::sleep(jitter(Duration::from_millis(200) * attempt)).await;
        }
        let message = format!("another deploy of stage {} goes on changing it", self.names.stage);
        Err(Error::new(Cause::Concurrent, message).with_help("run the command again when it is done"))
    }

    /// The stage as this run has deployed it, if it did.
    fn deployed_stage(&self, run: &Run<'_>) -> Option<ApiStage> {
        let change = run.plan().changes.iter().find(|change| change.id.kind == Kind::Stage)?;
        match &change.after {
            Some(Resource::Stage(stage)) if change.touches_definition() => Some(stage.clone()),
            _ => None,
        }
    }

    async fn lost(
        &self,
        versions: &std::collections::BTreeMap<FunctionName, String>,
        stage: Option<&ApiStage>,
    ) -> Result<Vec<Lost>, Error> {
        let qualifier = self.names.stage.as_str();
        let functions = versions.iter().map(async |(name, version)| {
            let live = lambda::look_up(&self.aws, &self.names, name, Some(qualifier)).await?;
            let is_ours = matches!(live, Lookup::Found(live) if live.version == *version);
            Ok::<_, Error>((!is_ours).then(|| Lost::Function(name.clone(), version.clone())))
        });
        let stage = async {
            let Some(stage) = stage else { return Ok(None) };
            let definition = &stage.definition;
            let is_ours = api_gateway::serves(&self.aws, &self.names, &self.gateway, definition).await?;
            Ok::<_, Error>((!is_ours).then(|| Lost::Stage(Box::new(stage.clone()))))
        };
        let (functions, stage) =
            futures::future::try_join(futures::future::try_join_all(functions), stage).await?;
        Ok(functions.into_iter().chain([stage]).flatten().collect())
    }
}
