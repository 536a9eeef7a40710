//! Log groups: the retention of each function's, what is in them, and the last runs that one tells of.

pub(crate) mod group;
mod pages;
mod runs;
mod server_line;

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::types::LogGroup as CloudLogGroup;
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{FunctionName, Names, Tags};
use mdo_model::stack::{Action, Change, LogGroup, Resource};

use crate::client::Aws;
use crate::ownership::{Owner, tag_map};
use crate::pages::all;

pub(crate) use pages::KnownVersions;
pub(crate) use runs::runs;

/// The log groups of the project's functions, those of functions that are gone included.
pub(crate) async fn observe(aws: &Aws, names: &Names) -> Result<BTreeMap<FunctionName, LogGroup>, Error> {
    let prefix = format!("/aws/lambda/{}_", names.project);
    let found = all(async |position: Option<String>| {
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
        Some((function, LogGroup { retention_days, tags: Tags::default() }))
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
    let group = names.log_group(&function);
    match (change.action, &change.after) {
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            let kept = || vec!["kept, because mdo did not make it".to_owned()];
            let is_gone = group::remove(aws, names, &group).await?;
            let warnings = if is_gone { Vec::new() } else { kept() };
            Ok(Applied { warnings, ..Applied::default() })
        }
        (action, Some(Resource::LogGroup(wanted))) => {
            let tags = tag_map(names, &wanted.tags);
            let is_new = action == Action::Create && group::create(aws, &group, &tags).await?;
            let warnings = if is_new { Vec::new() } else { claim(aws, names, &group, adopts).await? };
            // A new one keeps logs for ever by itself.
            let retains = action == Action::Create || change.touches("retention_days");
            if retains && (!is_new || wanted.retention_days.is_some()) {
                group::retain(aws, &group, wanted.retention_days).await?;
            }
            if !is_new {
                let live = match &change.before {
                    Some(Resource::LogGroup(before)) => before.tags.clone(),
                    _ => Tags::default(),
                };
                group::retag(aws, &group, &live, &wanted.tags).await?;
            }
            Ok(Applied { warnings, ..Applied::default() })
        }
        _ => Err(unexpected()),
    }
}

/// Takes a log group over that does not say whose it is. Answers what people should know.
async fn claim(aws: &Aws, names: &Names, group: &str, adopts: bool) -> Result<Vec<String>, Error> {
    match group::owner(aws, names, group).await? {
        Owner::Us => return Ok(Vec::new()),
        Owner::Nobody => {}
        other => other.check("log group", group, adopts)?,
    }
    group::tag(aws, group, &tag_map(names, &Tags::default())).await?;
    Ok(vec!["took it over with the logs in it: it was there before, without a tag".to_owned()])
}

/// Whether a log group says that it is ours.
pub(crate) async fn is_ours(aws: &Aws, names: &Names, function: &FunctionName) -> Result<bool, Error> {
    match group::owner(aws, names, &names.log_group(function)).await {
        Err(error) if error.cause == Cause::Gone => Ok(false),
        owner => Ok(owner? == Owner::Us),
    }
}
