//! The log group of a hosted stage: its retention, and the end of what a task wrote there.

use mdo_engine::{Cause, Error};
use mdo_model::project::Names;

use super::stage_tags;
use crate::client::Aws;
use crate::pages;

/// How many lines of a task's log are told.
const LINES: i32 = 20;

/// How long the stage's log group keeps logs, `Some(None)` for ever; `None` where there is none.
pub(super) async fn observe(aws: &Aws, names: &Names) -> Result<Option<Option<u16>>, Error> {
    let group = names.server_log_group();
    let found = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("logs:DescribeLogGroups", &group, || {
                aws.logs
                    .describe_log_groups()
                    .log_group_name_prefix(&group)
                    .set_next_token(position.clone())
                    .send()
            })
            .await?;
        Ok((answer.log_groups, answer.next_token))
    })
    .await?;
    let ours = found.into_iter().find(|found| found.log_group_name() == Some(&group));
    Ok(ours.map(|found| found.retention_in_days().and_then(|days| u16::try_from(days).ok())))
}

/// Makes the stage's log group, as long as there is none, and what it keeps logs for.
pub(super) async fn put(aws: &Aws, names: &Names, days: Option<u16>) -> Result<(), Error> {
    let group = names.server_log_group();
    let tags = stage_tags(names);
    let created = aws
        .call("logs:CreateLogGroup", &group, || {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            aws.logs.create_log_group().log_group_name(&group).set_tags(Some(tags)).send()
        })
        .await;
    match created {
        Err(error) if !error.is(&Cause::Exists) => return Err(error),
        _ => {}
    }
    retain(aws, names, days).await
}

/// Makes the stage's log group keep logs for so many days, or for ever.
pub(super) async fn retain(aws: &Aws, names: &Names, days: Option<u16>) -> Result<(), Error> {
    let group = names.server_log_group();
    match days {
        Some(days) => aws
            .call("logs:PutRetentionPolicy", &group, || {
                aws.logs.put_retention_policy().log_group_name(&group).retention_in_days(days.into()).send()
            })
            .await
            .map(drop),
        None => aws
            .call("logs:DeleteRetentionPolicy", &group, || {
                aws.logs.delete_retention_policy().log_group_name(&group).send()
            })
            .await
            .map(drop),
    }
}

/// Deletes the stage's log group. One that is not there is no error.
pub(super) async fn delete(aws: &Aws, names: &Names) -> Result<(), Error> {
    let group = names.server_log_group();
    let answer = aws
        .call("logs:DeleteLogGroup", &group, || aws.logs.delete_log_group().log_group_name(&group).send())
        .await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}

/// The last lines of what a task wrote.
pub(super) async fn tail(aws: &Aws, names: &Names, stream: &str) -> Result<Vec<String>, Error> {
    let group = names.server_log_group();
    let answer = aws
        .call("logs:GetLogEvents", &group, || {
            aws.logs
                .get_log_events()
                .log_group_name(&group)
                .log_stream_name(stream)
                .start_from_head(false)
                .limit(LINES)
                .send()
        })
        .await?;
    Ok(answer
        .events()
        .iter()
        .filter_map(|event| event.message())
        .map(|line| line.trim_end().to_owned())
        .collect())
}
