//! The revisions of a hosted stage's task definition: which there are, what one of them froze, and which have had their time.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionStatus};
use mdo_engine::{Cause, Error, LiveRevisions};
use mdo_model::hosted::FrozenStage;
use mdo_model::project::Names;
use mdo_model::stack::Server;

use super::task::{self, LiveTask};
use super::{HostedState, server};
use crate::api_gateway::ApiGatewayState;
use crate::client::Aws;
use crate::pages;

/// How many revisions are kept beside those that deployments name.
const KEPT: usize = 10;

/// A revision that was read.
pub(super) struct KnownRevision {
    arn: String,
    task: LiveTask,
    /// What of a server it says.
    frozen: Server,
}

impl KnownRevision {
    /// Its ARN, where it says exactly what is wanted.
    pub(super) fn serves(&self, wanted: &Server, stage: &FrozenStage) -> Option<&str> {
        self.task.is(wanted, stage).then_some(&self.arn)
    }

    /// Its number, where what is wanted is what it froze, whatever may have changed of keys and tasks since.
    pub(super) fn stands_for(&self, wanted: &Server) -> Option<u32> {
        number(&self.arn).filter(|_| wanted.freezes_as(&self.frozen))
    }
}

/// The stage's revisions, and the one that its service runs.
pub(crate) async fn revisions(aws: &Aws, names: &Names, state: &HostedState) -> Result<LiveRevisions, Error> {
    let (live, mark) = {
        let known = state.known();
        let service = known.service.as_ref();
        (
            service.and_then(|service| number(&service.task_definition)),
            service.and_then(|service| service.mark),
        )
    };
    let all = list(aws, names).await?;
    let stands_for = mark.map(|mark| mark.to).or(live);
    Ok(LiveRevisions { numbers: all.iter().filter_map(|arn| number(arn)).collect(), live, stands_for })
}

/// What a revision froze.
pub(crate) async fn revision(
    aws: &Aws,
    names: &Names,
    (state, gateway): (&HostedState, &ApiGatewayState),
    number: u32,
) -> Result<Server, Error> {
    let name = format!("{}:{number}", names.service());
    let gone = || Error::new(Cause::Gone, format!("there is no revision {number} of {}", names.service()));
    let found = task::observe(aws, names, &name).await?;
    // One that was deregistered can still be read, and its image may be gone.
    let found = found.filter(|found| found.status() != Some(&TaskDefinitionStatus::Inactive));
    let found = found.ok_or_else(gone)?;
    let place = server::place(aws, names, state)?;
    let made = task::read(&place, &found).filter(|task| task.is_whole && task.stage.is_some());
    let task = made.ok_or_else(|| {
        Error::new(Cause::Invalid, format!("revision {number} of {} was not made by mdo", names.service()))
    })?;
    let frozen = server::frozen(&task, names, &gateway.digests());
    let arn = found.task_definition_arn().unwrap_or_default().to_owned();
    state.known().revision = Some(KnownRevision { arn, task, frozen: frozen.clone() });
    Ok(frozen)
}

/// Deregisters what is older than the revisions that are kept. None that a deployment names is ever touched.
pub(super) async fn forget_old(aws: &Aws, names: &Names, named: &BTreeSet<String>) -> Result<(), Error> {
    let all = list(aws, names).await?;
    let old = all.into_iter().skip(KEPT).filter(|revision| !named.contains(revision));
    for revision in old.collect::<Vec<_>>() {
        deregister(aws, names, &revision).await?;
    }
    Ok(())
}

/// Deregisters every revision.
pub(super) async fn forget_all(aws: &Aws, names: &Names) -> Result<(), Error> {
    for revision in list(aws, names).await? {
        deregister(aws, names, &revision).await?;
    }
    Ok(())
}

/// The ARNs of the stage's revisions, newest first.
pub(super) async fn list(aws: &Aws, names: &Names) -> Result<Vec<String>, Error> {
    let family = names.service();
    let found = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("ecs:ListTaskDefinitions", &family, || {
                aws.ecs
                    .list_task_definitions()
                    .family_prefix(&family)
                    .status(TaskDefinitionStatus::Active)
                    .sort(SortOrder::Desc)
                    .set_next_token(position.clone())
                    .send()
            })
            .await?;
        Ok((answer.task_definition_arns, answer.next_token))
    })
    .await?;
    let of_family = |arn: &String| {
        let name = arn.rsplit('/').next().and_then(|name| name.rsplit_once(':'));
        name.is_some_and(|(name, _)| name == family)
    };
    Ok(found.into_iter().filter(of_family).collect())
}

pub(super) async fn deregister(aws: &Aws, names: &Names, revision: &str) -> Result<(), Error> {
    aws.call("ecs:DeregisterTaskDefinition", &names.service(), || {
        aws.ecs.deregister_task_definition().task_definition(revision).send()
    })
    .await
    .map(drop)
}

/// The number of a revision, from its ARN.
pub(super) fn number(arn: &str) -> Option<u32> {
    arn.rsplit_once(':')?.1.parse().ok()
}
