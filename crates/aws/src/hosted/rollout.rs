//! Follows one deployment of a stage's service until its tasks serve, or until it is known that they never will.
//!
//! What counts is the deployment that this run has begun: a service is steady as well after ECS has gone back to the former one.

use std::time::Duration;

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service};
use mdo_engine::{Cause, Error, Run};
use mdo_model::project::Names;
use mdo_model::stack::ResourceId;
use tokio::time::Instant;

use super::{evidence, service};
use crate::client::Aws;
use crate::written;

/// How long a deployment may take. ECS itself sets no bound where tasks find no place.
const ROLLS_WITHIN: Duration = Duration::from_secs(30 * 60);

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A deployment that this run has begun.
pub(super) struct Rollout<'a> {
    pub aws: &'a Aws,
    pub names: &'a Names,
    pub run: &'a Run<'a>,
    pub id: &'a ResourceId,
    /// The revision that served before; `None` where none did.
    pub former: Option<&'a str>,
    /// The target group of the tasks.
    pub target: &'a str,
}

impl Rollout<'_> {
    /// Waits for the deployment that `answer`, of the call that has begun it, calls the primary one.
    ///
    /// # Errors
    /// When its tasks do not come up, with what is known of why; [`Cause::Interrupted`] when the user does not want it any more,
    /// once ECS was told to go back.
    pub(super) async fn finish(&self, answer: Service) -> Result<(), Error> {
        let Some(own) = primary(&answer).and_then(Deployment::id).map(str::to_owned) else {
            return Ok(());
        };
        let (began, mut pause, mut said) = (Instant::now(), PAUSES.0, String::new());
        let mut service = Some(answer);
        loop {
            let live = service.as_ref().map(Service::deployments).unwrap_or_default();
            let Some(deployment) = live.iter().find(|deployment| deployment.id() == Some(&own)) else {
                return Err(self.replaced(service.as_ref(), &own).await);
            };
            match deployment.rollout_state() {
                Some(DeploymentRolloutState::Completed) => return Ok(()),
                Some(DeploymentRolloutState::Failed) => {
                    let reason = deployment.rollout_state_reason().unwrap_or_default();
                    return Err(self.failed(service.as_ref(), &own, reason).await);
                }
                _ if began.elapsed() > ROLLS_WITHIN => {
                    let reason = format!("not done after {} minutes", ROLLS_WITHIN.as_secs() / 60);
                    return Err(self.failed(service.as_ref(), &own, &reason).await);
                }
                _ => {}
            }
            let words = progress(deployment, live);
            if words != said {
                self.run.waiting(self.id, words.as_str());
                said = words;
            }
            if let Err(interrupted) = self.run.pause(pause).await {
                self.go_back().await;
                return Err(interrupted);
            }
            pause = (pause * 2).min(PAUSES.1);
            service = service::describe(self.aws, self.names, false).await?;
        }
    }

    /// Tells ECS to run the former revision again.
    async fn go_back(&self) {
        let name = self.names.service();
        let words = match self.former {
            None => format!("{name} goes on starting: there is no former version to go back to"),
            Some(former) => match service::point(self.aws, self.names, former).await {
                Ok(()) => {
                    written::undone();
                    format!("told ECS to go back to {}", revision(former))
                }
                Err(error) => format!("cannot tell ECS to go back to {}: {error}", revision(former)),
            },
        };
        self.run.waiting(self.id, words);
    }

    /// The deployment is not there any more: ECS has gone back from it, or somebody has put another one in its place.
    async fn replaced(&self, service: Option<&Service>, own: &str) -> Error {
        let now = service.and_then(primary).and_then(Deployment::task_definition);
        if now.is_some() && now == self.former {
            return self.failed(service, own, "").await;
        }
        let message = format!("another deploy of {} took the place of this one", self.names.service());
        Error::new(Cause::Concurrent, message).with_help("run the command again when it is done")
    }

    async fn failed(&self, service: Option<&Service>, own: &str, reason: &str) -> Error {
        let found = evidence::gather(self.aws, self.names, service, own, self.target).await;
        let name = self.names.service();
        let reason = self.aws.redactor.clean(reason);
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let mut message = format!("the new version of {name} did not come up{reason}");
        for line in found {
            message.push_str("\n  ");
            message.push_str(&self.aws.redactor.clean(&line));
        }
        let help = match self.former {
            Some(former) => format!("{} serves on; correct what failed and deploy again", revision(former)),
            None => "nothing serves the stage yet; correct what failed and deploy again".to_owned(),
        };
        Error::new(Cause::Other, message).with_help(help)
    }
}

/// The deployment that a service is on its way to.
fn primary(service: &Service) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

/// `revision 3` of an ARN.
fn revision(task_definition: &str) -> String {
    format!("revision {}", task_definition.rsplit(':').next().unwrap_or(task_definition))
}

/// `for 2 new tasks: 1 runs, 1 starts, 2 failed; 2 old ones still run`.
fn progress(deployment: &Deployment, all: &[Deployment]) -> String {
    let old: i32 = all.iter().filter(|one| one.id() != deployment.id()).map(Deployment::running_count).sum();
    let wanted = deployment.desired_count();
    let tasks = if wanted == 1 { "task" } else { "tasks" };
    let mut words = format!(
        "for {wanted} new {tasks}: {} running, {} starting",
        deployment.running_count(),
        deployment.pending_count()
    );
    if deployment.failed_tasks() > 0 {
        words.push_str(&format!(", {} failed", deployment.failed_tasks()));
    }
    if old > 0 {
        words.push_str(&format!("; {old} of the former version running"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_told_in_numbers() {
        let new = Deployment::builder()
            .id("ecs-svc/2")
            .desired_count(2)
            .running_count(1)
            .pending_count(1)
            .failed_tasks(1)
            .build();
        let old = Deployment::builder().id("ecs-svc/1").running_count(2).build();
        assert_eq!(
            progress(&new, std::slice::from_ref(&new)),
            "for 2 new tasks: 1 running, 1 starting, 1 failed"
        );
        assert_eq!(
            progress(&new, &[new.clone(), old]),
            "for 2 new tasks: 1 running, 1 starting, 1 failed; 2 of the former version running"
        );
        let revision_of = revision("arn:aws:ecs:eu-west-1:123456789012:task-definition/ml_api-prod:3");
        assert_eq!(revision_of, "revision 3");
    }
}
