//! The end of the project's role: what keeps it, and its deletion.

use mdo_engine::{Applied, Cause, Error, ForeignPolicy};
use mdo_model::project::Names;

use super::elsewhere::{self, REGIONS_TAG};
use super::policies::{self, Attached};
use super::{POLICY, Regions, get, ignore_absent, stage_policy};
use crate::client::Aws;

/// The policies of the role, told apart by who gave it them.
#[derive(Default)]
struct Policies {
    /// The inline ones that mdo writes.
    own: Vec<String>,
    /// The ARNs of the managed ones that are attached for stages.
    attached_for_stages: Vec<String>,
    foreign: Vec<ForeignPolicy>,
}

/// The policies of the project's role that somebody else gave it; none where the role is kept anyway.
pub(crate) async fn foreign(aws: &Aws, names: &Names, regions: Regions) -> Result<Vec<ForeignPolicy>, Error> {
    let foreign = given_by_hand(aws, names).await?;
    if foreign.is_empty() {
        return Ok(foreign);
    }
    let Some(live) = get(aws, names).await? else { return Ok(Vec::new()) };
    Ok(if keeper(aws, names, &live, regions).await.is_some() { Vec::new() } else { foreign })
}

/// The policies of the role of functions that mdo has not written.
pub(crate) async fn given_by_hand(aws: &Aws, names: &Names) -> Result<Vec<ForeignPolicy>, Error> {
    Ok(policies_of(aws, names).await?.foreign)
}

/// The policies of a role that has a single one of mdo's, by this name; none where there is no such role.
pub(crate) async fn foreign_to(aws: &Aws, role: &str, own: &str) -> Result<Vec<ForeignPolicy>, Error> {
    let (attached, inline) = listed(aws, role).await?;
    let inline = inline.into_iter().filter(|policy| policy != own);
    Ok(attached.into_iter().map(managed).chain(inline.map(embedded)).collect())
}

/// Deletes the role, unless somebody has added policies to it, or functions in other regions use it.
///
/// Looked at are the regions that `regions` names, those that the role's tag and an earlier mdo's policy name, and the one
/// that it was used in last; a region that none of them tells of is not known.
pub(crate) async fn delete(aws: &Aws, names: &Names, regions: Regions) -> Result<Applied, Error> {
    let role = names.role();
    let Some(live) = get(aws, names).await? else { return Ok(Applied::default()) };
    if let Some(why) = keeper(aws, names, &live, regions).await {
        return Ok(Applied { warnings: vec![why], ..Applied::default() });
    }
    let policies = policies_of(aws, names).await?;
    if !policies.foreign.is_empty() {
        let foreign: Vec<&str> = policies.foreign.iter().map(|policy| policy.name.as_str()).collect();
        let message = format!("role {role} has policies that mdo did not write: {}", foreign.join(", "));
        return Err(Error::new(Cause::NotOurs, message)
            .with_help("remove them from the role, or delete the role yourself"));
    }
    // Those of stages that are gone too, should any have been left. What they attached goes before the note of it.
    for arn in &policies.attached_for_stages {
        stage_policy::detach(aws, &role, arn).await?;
    }
    let stages = policies.own.iter().map(String::as_str).filter(|policy| *policy != POLICY);
    for policy in stages.chain([POLICY]) {
        ignore_absent(
            aws.call("iam:DeleteRolePolicy", &role, || {
                aws.iam.delete_role_policy().role_name(&role).policy_name(policy).send()
            })
            .await,
        )?;
    }
    let deleted = aws.call("iam:DeleteRole", &role, || aws.iam.delete_role().role_name(&role).send()).await;
    match ignore_absent(deleted) {
        Err(error) if error.is(&Cause::Busy) => Err(error.with_help(
            "somebody has added policies to the role meanwhile: run the command again, which names them",
        )),
        done => done.map(|()| Applied::default()),
    }
}

/// Why the role stays, if it does.
async fn keeper(
    aws: &Aws,
    names: &Names,
    live: &aws_sdk_iam::types::Role,
    mut regions: Regions,
) -> Option<String> {
    regions.extend(live.role_last_used().and_then(|used| used.region()).map(str::to_owned));
    let recorded =
        live.tags().iter().filter(|tag| tag.key() == REGIONS_TAG).flat_map(|tag| tag.value().split(' '));
    regions.extend(recorded.filter(|region| !region.is_empty()).map(str::to_owned));
    match elsewhere::user(aws, names, live.arn(), &regions).await {
        Ok(user) => user.map(|user| format!("kept, because {user} uses it")),
        // Who cannot look must not cut off what may live there.
        Err(error) => {
            Some(format!("kept, because mdo cannot determine whether other regions use it: {error}"))
        }
    }
}

async fn policies_of(aws: &Aws, names: &Names) -> Result<Policies, Error> {
    let (attached, inline) = listed(aws, &names.role()).await?;
    let (own, others): (Vec<String>, Vec<String>) = inline.into_iter().partition(|policy| is_own(policy));
    let wanted = match attached.is_empty() {
        true => Default::default(),
        false => stage_policy::attached_for(aws, names, own.iter()).await?,
    };
    let (for_stages, by_hand): (Vec<_>, Vec<_>) =
        attached.into_iter().partition(|policy| wanted.contains(&policy.arn));
    Ok(Policies {
        own,
        attached_for_stages: for_stages.into_iter().map(|policy| policy.arn).collect(),
        foreign: by_hand.into_iter().map(managed).chain(others.into_iter().map(embedded)).collect(),
    })
}

/// The managed and the inline policies of a role; none where there is no such role.
async fn listed(aws: &Aws, role: &str) -> Result<(Vec<Attached>, Vec<String>), Error> {
    let both = futures::future::try_join(policies::attached(aws, role), policies::inline(aws, role)).await;
    match both {
        Err(error) if error.is(&Cause::Gone) => Ok(Default::default()),
        both => both,
    }
}

fn managed(policy: Attached) -> ForeignPolicy {
    ForeignPolicy { name: policy.name, arn: Some(policy.arn) }
}

fn embedded(name: String) -> ForeignPolicy {
    ForeignPolicy { name, arn: None }
}

/// Whether an inline policy of the role is one that mdo writes.
fn is_own(policy: &str) -> bool {
    policy == POLICY || policy.starts_with(stage_policy::PREFIX)
}
