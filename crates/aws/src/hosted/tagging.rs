//! Tags of the project's own that change on what is there already: load balancing, security groups, ECS.

use aws_sdk_elasticloadbalancingv2::types::Tag;
use mdo_engine::{Cause, Error};
use mdo_model::project::{Names, Tags};

use super::cloud_tags;
use crate::client::Aws;
use crate::ownership::{Retagging, retagging};

/// Makes load balancers, listeners, rules or target groups have these tags in place of those. AWS takes 20 of them at once.
pub(super) async fn of_balancing(
    aws: &Aws,
    on: &str,
    arns: Vec<String>,
    (live, wanted): (&Tags, &Tags),
) -> Result<(), Error> {
    let Some(Retagging { on: tags, off }) = retagging(live, wanted) else { return Ok(()) };
    let tags: Vec<Tag> =
        tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    if !tags.is_empty() {
        aws.call("elasticloadbalancing:AddTags", on, || {
            aws.elb.add_tags().set_resource_arns(Some(arns.clone())).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if !off.is_empty() {
        aws.call("elasticloadbalancing:RemoveTags", on, || {
            aws.elb.remove_tags().set_resource_arns(Some(arns.clone())).set_tag_keys(Some(off.clone())).send()
        })
        .await?;
    }
    Ok(())
}

/// Makes a security group have these tags in place of those.
pub(super) async fn of_group(
    aws: &Aws,
    on: &str,
    id: &str,
    (live, wanted): (&Tags, &Tags),
) -> Result<(), Error> {
    let Some(Retagging { on: tags, off }) = retagging(live, wanted) else { return Ok(()) };
    let tags: Vec<(String, String)> = tags.into_iter().collect();
    if !tags.is_empty() {
        aws.call("ec2:CreateTags", on, || aws.ec2.tag(id, &tags)).await?;
    }
    if !off.is_empty() {
        aws.call("ec2:DeleteTags", on, || aws.ec2.untag(id, &off)).await?;
    }
    Ok(())
}

/// Makes the stage's service have these tags in place of those.
pub(super) async fn of_service(
    aws: &Aws,
    names: &Names,
    arn: &str,
    tags: (&Tags, &Tags),
) -> Result<(), Error> {
    of_ecs(aws, &names.service(), arn, tags).await
}

/// Makes the cluster have these tags in place of those. One that is not there gets them when it is made.
pub(super) async fn of_cluster(aws: &Aws, names: &Names, tags: (&Tags, &Tags)) -> Result<(), Error> {
    let arn = aws.arn("ecs", format_args!("cluster/{}", names.cluster()))?;
    match of_ecs(aws, &names.cluster(), &arn, tags).await {
        Err(error) if error.is(&Cause::Gone) => Ok(()),
        done => done,
    }
}

async fn of_ecs(aws: &Aws, on: &str, arn: &str, (live, wanted): (&Tags, &Tags)) -> Result<(), Error> {
    let Some(Retagging { on: tags, off }) = retagging(live, wanted) else { return Ok(()) };
    let tags = cloud_tags(tags);
    if !tags.is_empty() {
        aws.call("ecs:TagResource", on, || {
            aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if !off.is_empty() {
        aws.call("ecs:UntagResource", on, || {
            aws.ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(off.clone())).send()
        })
        .await?;
    }
    Ok(())
}
