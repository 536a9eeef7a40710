//! The last look of a deploy: whether another one has gone over some of what this one did, and what to do about it.

use std::time::Duration;

use mdo_engine::{Cause, Error, Run};
use mdo_model::project::FunctionName;
use mdo_model::stack::{Action, ApiStage, Change, Kind, Resource, WarmRule};

use crate::lambda::{self, Lookup};
use crate::pace::jitter;
use crate::{AwsProvider, api_gateway, events};

/// How often two deploys may go over each other before it is called a failure.
const TRIES: u32 = 6;

/// A part of the stage that this run has put in place, and that another deploy may put something else in place of.
#[derive(Clone)]
enum Part {
    Version(FunctionName, String),
    Definition(Box<ApiStage>),
    Limits(api_gateway::Limits),
    WarmRule(FunctionName, Box<WarmRule>),
}

impl AwsProvider {
    /// Notes that another deploy has brought the stage up first. One function stands for the stage: which of two deploys
    /// gives way must be the same for both.
    pub(crate) fn note_rival(&self, name: &FunctionName, run: &Run<'_>) {
        let is_new_function =
            |change: &&Change| (change.id.kind, change.action) == (Kind::Function, Action::Create);
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
        let parts = self.parts(run);
        let is_update =
            parts.iter().any(|part| matches!(part, Part::Version(name, _) if self.was_live(name)))
                || run.plan().changes.iter().all(|change| change.action != Action::Create);
        if parts.len() < 2 || !(is_update || has_rival) {
            return Ok(Vec::new());
        }
        for attempt in 1..=TRIES {
            let lost = self.lost(&parts).await?;
            if lost.is_empty() {
                return Ok(Vec::new());
            }
            if lost.len() == parts.len() {
                let message = "another deploy of this stage ended later: what it has put there is live";
                return Ok(vec![message.to_owned()]);
            }
            for part in lost {
                self.put_again(part).await?;
            }
            self.aws.pause(jitter(Duration::from_millis(200) * attempt)).await?;
        }
        let message = format!("another deploy keeps changing stage {}", self.names.stage);
        Err(Error::new(Cause::Concurrent, message).with_help("run the command again when it is done"))
    }

    /// What this run has put in place.
    fn parts(&self, run: &Run<'_>) -> Vec<Part> {
        let versions = self.state().versions.clone();
        let mut parts: Vec<_> =
            versions.into_iter().map(|(name, version)| Part::Version(name, version)).collect();
        for change in &run.plan().changes {
            match &change.after {
                Some(Resource::Stage(stage)) => {
                    if change.touches_definition() {
                        parts.push(Part::Definition(Box::new(stage.clone())));
                    }
                    if change.touches("throttle") || change.touches("quota") {
                        parts.push(Part::Limits((stage.throttle, stage.quota)));
                    }
                }
                Some(Resource::WarmRule(rule)) => {
                    let name = change.id.name.parse().ok();
                    parts.extend(name.map(|name| Part::WarmRule(name, Box::new(rule.clone()))));
                }
                _ => {}
            }
        }
        parts
    }

    /// The parts that are not as this run has put them.
    async fn lost(&self, parts: &[Part]) -> Result<Vec<Part>, Error> {
        let (aws, names, gateway) = (&self.aws, &self.names, &self.gateway);
        let qualifier = Some(names.stage.as_str());
        let looks = parts.iter().map(async |part| {
            let is_live = match part {
                Part::Version(name, version) => {
                    let live = lambda::look_up(aws, names, name, qualifier).await?;
                    matches!(live, Lookup::Found(live) if live.version == *version)
                }
                Part::Definition(stage) => {
                    api_gateway::serves(aws, names, gateway, &stage.definition).await?
                }
                Part::Limits(limits) => api_gateway::limits(aws, names, gateway).await? == Some(*limits),
                Part::WarmRule(name, rule) => events::live(aws, names, name).await?.as_ref() == Some(&**rule),
            };
            Ok::<_, Error>((!is_live).then(|| part.clone()))
        });
        Ok(futures::future::try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// Puts a part in place again, over what another deploy has put there.
    async fn put_again(&self, part: Part) -> Result<(), Error> {
        let (aws, names, gateway) = (&self.aws, &self.names, &self.gateway);
        match part {
            Part::Version(name, version) => self.point_alias(&name, &version, true).await.map(drop),
            Part::Definition(stage) => api_gateway::redeploy(aws, names, gateway, &stage).await,
            Part::Limits(limits) => api_gateway::limit(aws, names, gateway, limits).await,
            Part::WarmRule(name, rule) => events::put(aws, names, &self.rules, &name, &rule).await,
        }
    }

    fn was_live(&self, name: &FunctionName) -> bool {
        self.known(name).version.is_some()
    }
}
