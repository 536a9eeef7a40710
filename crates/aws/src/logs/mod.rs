//! Log groups: the retention of each function's, and the last runs that one tells of.

mod runs;

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::types::LogGroup as CloudLogGroup;
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{FunctionName, Names};
use mdo_model::stack::{Action, Change, LogGroup, Resource};

use crate::client::Aws;
use crate::ownership::{self, Owner, tag_map};
use crate::pages;

pub(crate) use runs::runs;

/// The log groups of the project's functions, those of functions that are gone included.
pub(crate) async fn observe(aws: &Aws, names: &Names) -> Result<BTreeMap<FunctionName, LogGroup>, Error> {
    let prefix = format!("/aws/lambda/{}_", names.project);
    let found = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("logs:DescribeLogGroups", &prefix, || {
                aws.logs
                    .describe_log_groups()
                    .log_group_name_prefix(&prefix)
                    .limit(50)
                    .set_next_token(position.clone())
                    .send()
            })
            .await?;
        Ok((answer.log_groups, answer.next_token))
    })
    .await?;
    let of_a_function = |group: CloudLogGroup| {
        let function = names.function_of(group.log_group_name()?.strip_prefix("/aws/lambda/")?)?;
        let retention_days = group.retention_in_days().and_then(|days| u16::try_from(days).ok());
        Some((function, LogGroup { retention_days }))
    };
    Ok(found.into_iter().filter_map(of_a_function).collect())
}

/// Makes one change of a log group real. One that is there without our tag is taken over: every earlier tool leaves one.
///
/// # Errors
/// When AWS refuses it, or the log group is another project's and `adopts` is not set.
pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    change: &Change,
    run: &Run<'_>,
    adopts: bool,
) -> Result<Applied, Error> {
    let unexpected = || Error::new(Cause::Other, format!("{} is not a log group", change.id));
    let function: FunctionName = change.id.name.parse().map_err(|_| unexpected())?;
    match (change.action, &change.after) {
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            remove(aws, names, &function).await
        }
        (action, Some(Resource::LogGroup(wanted))) => {
            let is_new = action == Action::Create && create(aws, names, &function).await?;
            let warnings = if is_new { Vec::new() } else { claim(aws, names, &function, adopts).await? };
            retain(aws, names, &function, !is_new, wanted.retention_days).await?;
            Ok(Applied { warnings, ..Applied::default() })
        }
        _ => Err(unexpected()),
    }
}

/// Takes a log group over that does not say whose it is. Answers what people should know.
async fn claim(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    adopts: bool,
) -> Result<Vec<String>, Error> {
    let group = names.log_group(function);
    match owner(aws, names, function).await? {
        Owner::Us => return Ok(Vec::new()),
        Owner::Nobody => {}
        other => other.check("log group", &group, adopts)?,
    }
    tag(aws, names, function).await?;
    Ok(vec!["took it over with the logs in it: it was there before, without a tag".to_owned()])
}

/// Deletes a log group of ours. One that is not there is no error, and one that is not ours stays.
async fn remove(aws: &Aws, names: &Names, function: &FunctionName) -> Result<Applied, Error> {
    match owner(aws, names, function).await {
        Ok(Owner::Us) => delete(aws, names, function).await.map(|()| Applied::default()),
        Ok(_) => {
            let warnings = vec!["kept, because mdo did not make it".to_owned()];
            Ok(Applied { warnings, ..Applied::default() })
        }
        Err(error) if error.cause == Cause::Gone => Ok(Applied::default()),
        Err(error) => Err(error),
    }
}

/// Creates a function's log group. False when there is one already.
async fn create(aws: &Aws, names: &Names, function: &FunctionName) -> Result<bool, Error> {
    let (group, tags) = (names.log_group(function), tag_map(names));
    let answer = aws
        .call("logs:CreateLogGroup", &group, || {
            aws.logs.create_log_group().log_group_name(&group).set_tags(Some(tags.clone())).send()
        })
        .await;
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is(&Cause::Exists) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a log group says that it is ours.
pub(crate) async fn is_ours(aws: &Aws, names: &Names, function: &FunctionName) -> Result<bool, Error> {
    match owner(aws, names, function).await {
        Err(error) if error.cause == Cause::Gone => Ok(false),
        owner => Ok(owner? == Owner::Us),
    }
}

/// Whose a function's log group is.
pub(crate) async fn owner(aws: &Aws, names: &Names, function: &FunctionName) -> Result<Owner, Error> {
    let group = names.log_group(function);
    let arn = aws.arn("logs", format_args!("log-group:{group}"))?;
    let answer = aws
        .call("logs:ListTagsForResource", &group, || {
            aws.logs.list_tags_for_resource().resource_arn(&arn).send()
        })
        .await?;
    Ok(ownership::of(answer.tags().into_iter().flatten(), &names.project))
}

/// Takes over a function's log group.
async fn tag(aws: &Aws, names: &Names, function: &FunctionName) -> Result<(), Error> {
    let group = names.log_group(function);
    let (arn, tags) = (aws.arn("logs", format_args!("log-group:{group}"))?, tag_map(names));
    aws.call("logs:TagResource", &group, || {
        aws.logs.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send()
    })
    .await
    .map(drop)
}

/// Makes a log group keep logs for so many days, or for ever. `may_forget` says that it may have had another retention.
async fn retain(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    may_forget: bool,
    days: Option<u16>,
) -> Result<(), Error> {
    let group = names.log_group(function);
    match days {
        Some(days) => aws
            .call("logs:PutRetentionPolicy", &group, || {
                aws.logs.put_retention_policy().log_group_name(&group).retention_in_days(days.into()).send()
            })
            .await
            .map(drop),
        None if may_forget => aws
            .call("logs:DeleteRetentionPolicy", &group, || {
                aws.logs.delete_retention_policy().log_group_name(&group).send()
            })
            .await
            .map(drop),
        None => Ok(()),
    }
}

/// Deletes a function's log group. One that is not there is no error.
async fn delete(aws: &Aws, names: &Names, function: &FunctionName) -> Result<(), Error> {
    let group = names.log_group(function);
    let answer = aws
        .call("logs:DeleteLogGroup", &group, || aws.logs.delete_log_group().log_group_name(&group).send())
        .await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
