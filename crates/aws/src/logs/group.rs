//! One log group, whatever writes to it: created, kept for so long, taken over and deleted.

use std::collections::HashMap;

use mdo_engine::{Cause, Error};
use mdo_model::project::{Names, Tags};

use crate::client::Aws;
use crate::ownership::{self, Owner, Retagging, retagging};

/// Creates a log group. False when there is one already.
pub(crate) async fn create(aws: &Aws, group: &str, tags: &HashMap<String, String>) -> Result<bool, Error> {
    let answer = aws
        .call("logs:CreateLogGroup", group, || {
            aws.logs.create_log_group().log_group_name(group).set_tags(Some(tags.clone())).send()
        })
        .await;
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is(&Cause::Exists) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whose a log group is.
pub(crate) async fn owner(aws: &Aws, names: &Names, group: &str) -> Result<Owner, Error> {
    Ok(ownership::of(read_tags(aws, group).await?, &names.project))
}

/// The tags of the project's own that a log group bears; none where there is none.
pub(crate) async fn own_tags(aws: &Aws, group: &str) -> Result<Tags, Error> {
    match read_tags(aws, group).await {
        Err(error) if error.is(&Cause::Gone) => Ok(Tags::default()),
        tags => tags.map(Tags::recorded),
    }
}

async fn read_tags(aws: &Aws, group: &str) -> Result<HashMap<String, String>, Error> {
    let arn = aws.arn("logs", format_args!("log-group:{group}"))?;
    let answer = aws
        .call("logs:ListTagsForResource", group, || {
            aws.logs.list_tags_for_resource().resource_arn(&arn).send()
        })
        .await?;
    Ok(answer.tags.unwrap_or_default())
}

/// Makes a log group have these tags of the project's own in place of those.
pub(crate) async fn retag(aws: &Aws, group: &str, live: &Tags, wanted: &Tags) -> Result<(), Error> {
    let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
    if !on.is_empty() {
        tag(aws, group, &on).await?;
    }
    if off.is_empty() {
        return Ok(());
    }
    let arn = aws.arn("logs", format_args!("log-group:{group}"))?;
    aws.call("logs:UntagResource", group, || {
        aws.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(off.clone())).send()
    })
    .await
    .map(drop)
}

/// Takes a log group over.
pub(crate) async fn tag(aws: &Aws, group: &str, tags: &HashMap<String, String>) -> Result<(), Error> {
    let arn = aws.arn("logs", format_args!("log-group:{group}"))?;
    aws.call("logs:TagResource", group, || {
        aws.logs.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send()
    })
    .await
    .map(drop)
}

/// Makes a log group keep logs for so many days, or for ever.
pub(crate) async fn retain(aws: &Aws, group: &str, days: Option<u16>) -> Result<(), Error> {
    match days {
        Some(days) => aws
            .call("logs:PutRetentionPolicy", group, || {
                aws.logs.put_retention_policy().log_group_name(group).retention_in_days(days.into()).send()
            })
            .await
            .map(drop),
        None => aws
            .call("logs:DeleteRetentionPolicy", group, || {
                aws.logs.delete_retention_policy().log_group_name(group).send()
            })
            .await
            .map(drop),
    }
}

/// Deletes a log group of ours. One that is not there is no error; one that is not ours stays, and the answer is false.
pub(crate) async fn remove(aws: &Aws, names: &Names, group: &str) -> Result<bool, Error> {
    match owner(aws, names, group).await {
        Ok(Owner::Us) => delete(aws, group).await.map(|()| true),
        Ok(_) => Ok(false),
        Err(error) if error.cause == Cause::Gone => Ok(true),
        Err(error) => Err(error),
    }
}

async fn delete(aws: &Aws, group: &str) -> Result<(), Error> {
    let answer = aws
        .call("logs:DeleteLogGroup", group, || aws.logs.delete_log_group().log_group_name(group).send())
        .await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
