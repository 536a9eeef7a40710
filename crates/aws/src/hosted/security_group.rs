//! Security groups: found by name, opened for whom they are there for and nobody else, deleted once nothing is in them.

use std::collections::BTreeSet;

use mdo_engine::{Cause, Error};
use mdo_model::project::{ProjectName, Tags};

use super::settling::once_settled;
use crate::client::Aws;
use crate::ec2::{Door, SecurityGroup};
use crate::ownership::{self, Owner};

/// A security group as it should be.
pub(super) struct Wanted<'a> {
    pub name: &'a str,
    pub description: String,
    pub vpc: &'a str,
    /// Whom it lets in.
    pub doors: BTreeSet<Door>,
    pub tags: Vec<(String, String)>,
}

/// The security groups with these names.
pub(super) async fn find(aws: &Aws, names: &[String]) -> Result<Vec<SecurityGroup>, Error> {
    let on = names.join(", ");
    aws.call("ec2:DescribeSecurityGroups", &on, || aws.ec2.security_groups(names)).await
}

/// Whose a security group is.
pub(super) fn owner(group: &SecurityGroup, project: &ProjectName) -> Owner {
    ownership::of(group.tags.iter().map(|(key, value)| (key, value)), project)
}

/// The tags of the project's own that a security group bears.
pub(super) fn own_tags(group: &SecurityGroup) -> Tags {
    Tags::recorded(group.tags.iter().map(|(key, value)| (key, value)))
}

/// Whether a security group lets in these and nobody else.
pub(super) fn opens(group: &SecurityGroup, doors: &BTreeSet<Door>) -> bool {
    group.doors.iter().cloned().collect::<BTreeSet<_>>() == *doors
}

/// Makes a security group what it should be, and answers its id.
pub(super) async fn put(
    aws: &Aws,
    project: &ProjectName,
    live: Option<&SecurityGroup>,
    wanted: &Wanted<'_>,
    adopts: bool,
) -> Result<String, Error> {
    let Some(live) = live else {
        let made = aws
            .call("ec2:CreateSecurityGroup", wanted.name, || {
                aws.ec2.create_security_group(wanted.vpc, wanted.name, &wanted.description, &wanted.tags)
            })
            .await;
        return match made {
            Ok(id) => {
                authorize(aws, wanted.name, &id, wanted.doors.iter().cloned().collect()).await?;
                Ok(id)
            }
            // Another deploy of the project has been quicker.
            Err(error) if error.is(&Cause::Exists) => {
                let found = find(aws, &[wanted.name.to_owned()]).await?;
                let found = found.into_iter().find(|group| group.vpc == wanted.vpc).ok_or(error)?;
                Box::pin(put(aws, project, Some(&found), wanted, adopts)).await
            }
            Err(error) => Err(error),
        };
    };
    let owner = owner(live, project);
    owner.check("security group", wanted.name, adopts)?;
    if owner != Owner::Us {
        aws.call("ec2:CreateTags", wanted.name, || aws.ec2.tag(&live.id, &wanted.tags)).await?;
    }
    let missing = wanted.doors.iter().filter(|door| !live.doors.contains(door)).cloned().collect();
    authorize(aws, wanted.name, &live.id, missing).await?;
    let surplus: Vec<Door> = live.doors.iter().filter(|door| !wanted.doors.contains(door)).cloned().collect();
    if !surplus.is_empty() {
        aws.call("ec2:RevokeSecurityGroupIngress", wanted.name, || {
            aws.ec2.revoke_ingress(&live.id, &surplus)
        })
        .await?;
    }
    Ok(live.id.clone())
}

async fn authorize(aws: &Aws, name: &str, id: &str, doors: Vec<Door>) -> Result<(), Error> {
    if doors.is_empty() {
        return Ok(());
    }
    let answer =
        aws.call("ec2:AuthorizeSecurityGroupIngress", name, || aws.ec2.authorize_ingress(id, &doors)).await;
    match answer {
        Err(error) if !error.is(&Cause::Exists) => Err(error),
        _ => Ok(()),
    }
}

/// Deletes a security group as soon as the network interfaces in it are gone; `waiting` is told what is waited for. One that is
/// not there is no error.
pub(super) async fn delete(
    aws: &Aws,
    group: &SecurityGroup,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<(), Error> {
    let busy = format!("for network interfaces in security group {} to go", group.name);
    let deleted = once_settled(aws, waiting, &busy, || {
        aws.call("ec2:DeleteSecurityGroup", &group.name, || aws.ec2.delete_security_group(&group.id))
    });
    match deleted.await {
        Err(error) if error.is(&Cause::Busy) => Err(error.with_help(format!(
            "something is still in security group {} ({}): take it out of there and run the command again",
            group.name, group.id
        ))),
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
