//! The log group of a hosted stage: its retention, and the end of what a task wrote there.

use mdo_engine::Error;
use mdo_model::project::{Names, Tags};

use super::stage_tags;
use crate::client::Aws;
use crate::logs::group;
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
pub(super) async fn put(aws: &Aws, names: &Names, days: Option<u16>, own: &Tags) -> Result<(), Error> {
    let group = names.server_log_group();
    group::create(aws, &group, &stage_tags(names, own)).await?;
    group::retain(aws, &group, days).await
}

/// Makes the stage's log group keep logs for so many days, or for ever.
pub(super) async fn retain(aws: &Aws, names: &Names, days: Option<u16>) -> Result<(), Error> {
    group::retain(aws, &names.server_log_group(), days).await
}

/// Deletes the stage's log group, and answers what people should know.
pub(super) async fn delete(aws: &Aws, names: &Names) -> Result<Vec<String>, Error> {
    let group = names.server_log_group();
    let kept = || vec![format!("log group {group} is kept, because mdo did not make it")];
    Ok(if group::remove(aws, names, &group).await? { Vec::new() } else { kept() })
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
