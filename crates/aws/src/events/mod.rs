//! Warm rules: one scheduled rule per function and stage, with as many equal targets as sandboxes are to stay warm.

mod observe;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_cloudwatchevents::types::{RuleState, Tag, Target};
use mdo_engine::{Applied, Cause, Error, Redactor, Run};
use mdo_model::project::{FunctionName, Names, Tags};
use mdo_model::stack::{Action, Change, Resource, WarmRule};

use self::observe::targets;
use crate::client::Aws;
use crate::ownership::{Retagging, STAGE_TAG, retagging, tag_map};

pub(crate) use observe::{live, observe, own_tags, states};

/// What changes must know of the rules beyond the model.
#[derive(Debug, Default)]
pub(crate) struct EventsState(Mutex<BTreeMap<FunctionName, LiveRule>>);

#[derive(Clone, Debug, Default)]
struct LiveRule {
    targets: BTreeSet<String>,
    is_tagged: bool,
    /// The rule under the name that earlier versions gave it, with its targets. It goes once the present one is there.
    former: Option<(String, BTreeSet<String>)>,
}

impl EventsState {
    fn rules(&self) -> MutexGuard<'_, BTreeMap<FunctionName, LiveRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(&self, function: &FunctionName) -> LiveRule {
        self.rules().get(function).cloned().unwrap_or_default()
    }
}

/// Writes a warm rule with its targets over what is there.
pub(crate) async fn put(
    aws: &Aws,
    names: &Names,
    state: &EventsState,
    function: &FunctionName,
    rule: &WarmRule,
) -> Result<(), Error> {
    let there = targets(aws, &names.warm_rule(function)).await?;
    state.rules().entry(function.clone()).or_default().targets =
        there.into_iter().map(|target| target.id).collect();
    put_rule(aws, names, function, rule, false).await?;
    put_targets(aws, names, state, function, rule).await
}

fn alias(aws: &Aws, names: &Names, function: &FunctionName) -> Result<String, Error> {
    aws.arn("lambda", format_args!("function:{}:{}", names.function(function), names.stage))
}

pub(crate) fn description(names: &Names, function: &FunctionName) -> String {
    format!("mdo keeps {function} of {} warm at stage {}", names.project, names.stage)
}

pub(crate) fn target_id(index: u8) -> String {
    format!("warm-{index}")
}

/// Makes one change of a warm rule real.
///
/// The rule itself waits for nothing; its targets wait for the function.
///
/// # Errors
/// When AWS refuses it, a target included, or the function did not come about.
pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &EventsState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let unexpected = || Error::new(Cause::Other, format!("{} is not a warm rule", change.id));
    let function: FunctionName = change.id.name.parse().map_err(|_| unexpected())?;
    match (change.action, &change.after) {
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            delete(aws, names, state, &function).await?;
        }
        (action, Some(Resource::WarmRule(rule))) => {
            // Under another name it is another rule.
            let is_new = action == Action::Create || change.touches("name");
            if is_new || change.touches("rate") || change.touches("enabled") {
                put_rule(aws, names, &function, rule, is_new).await?;
            }
            if !is_new && !state.rule(&function).is_tagged {
                tag(aws, names, &function, tags(names, &Tags::default())?).await?;
            }
            if let Some(Resource::WarmRule(before)) = change.before.as_ref().filter(|_| !is_new) {
                retag(aws, names, &function, &before.tags, &rule.tags).await?;
            }
            run.all_usable(change).await?;
            if is_new || change.touches("input") || change.touches("concurrency") {
                put_targets(aws, names, state, &function, rule).await?;
            }
            delete_former(aws, state, &function).await?;
        }
        _ => return Err(unexpected()),
    }
    Ok(Applied::default())
}

/// The tags of a rule: whose it is, and the project's own.
fn tags(names: &Names, own: &Tags) -> Result<Vec<Tag>, Error> {
    cloud_tags(tag_map(names, own).into_iter().chain([(STAGE_TAG.to_owned(), names.stage.to_string())]))
}

fn cloud_tags(tags: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    tags.into_iter().map(tag).collect::<Result<_, _>>().map_err(incomplete)
}

fn incomplete(error: impl std::fmt::Display) -> Error {
    Error::new(Cause::Other, error.to_string())
}

/// Writes the whole rule: what such a call leaves out is lost. Tags are taken on creation only.
async fn put_rule(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    rule: &WarmRule,
    is_new: bool,
) -> Result<(), Error> {
    let name = names.warm_rule(function);
    let rate = rule.rate.ok_or_else(|| Error::new(Cause::Invalid, format!("{name} has no rate")))?;
    let state = if rule.enabled { RuleState::Enabled } else { RuleState::Disabled };
    let tags = if is_new { Some(tags(names, &rule.tags)?) } else { None };
    aws.call("events:PutRule", &name, || {
        aws.events
            .put_rule()
            .name(&name)
            .description(description(names, function))
            .schedule_expression(rate.schedule_expression())
            .state(state.clone())
            .set_tags(tags.clone())
            .send()
    })
    .await
    .map(drop)
}

async fn tag(aws: &Aws, names: &Names, function: &FunctionName, tags: Vec<Tag>) -> Result<(), Error> {
    let name = names.warm_rule(function);
    let arn = aws.arn("events", format_args!("rule/{name}"))?;
    aws.call("events:TagResource", &name, || {
        aws.events.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send()
    })
    .await
    .map(drop)
}

/// Makes a rule have these tags of the project's own in place of those.
async fn retag(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    live: &Tags,
    wanted: &Tags,
) -> Result<(), Error> {
    let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
    if !on.is_empty() {
        tag(aws, names, function, cloud_tags(on)?).await?;
    }
    if off.is_empty() {
        return Ok(());
    }
    let name = names.warm_rule(function);
    let arn = aws.arn("events", format_args!("rule/{name}"))?;
    aws.call("events:UntagResource", &name, || {
        aws.events.untag_resource().resource_arn(&arn).set_tag_keys(Some(off.clone())).send()
    })
    .await
    .map(drop)
}

/// Writes the targets that are wanted, then removes the others.
async fn put_targets(
    aws: &Aws,
    names: &Names,
    state: &EventsState,
    function: &FunctionName,
    rule: &WarmRule,
) -> Result<(), Error> {
    let name = names.warm_rule(function);
    let alias = alias(aws, names, function)?;
    let input = rule.input.to_string();
    let ids: BTreeSet<_> = (1..=rule.concurrency).map(target_id).collect();
    let surplus: Vec<_> = state.rule(function).targets.difference(&ids).cloned().collect();
    let targets: Vec<_> = ids
        .iter()
        .map(|id| Target::builder().id(id).arn(&alias).input(&input).build())
        .collect::<Result<_, _>>()
        .map_err(incomplete)?;
    // A rule has at most five targets, so that foreign ones may have to make room first.
    let crowded = ids.len() + surplus.len() > 5;
    if crowded {
        remove_targets(aws, &name, &surplus).await?;
    }
    let answer = aws
        .call("events:PutTargets", &name, || {
            aws.events.put_targets().rule(&name).set_targets(Some(targets.clone())).send()
        })
        .await?;
    let refused = answer
        .failed_entries()
        .iter()
        .map(|entry| (entry.target_id().unwrap_or_default(), entry.error_code(), entry.error_message()));
    check_entries(&aws.redactor, "put the targets of", &name, answer.failed_entry_count(), refused)?;
    if !crowded {
        remove_targets(aws, &name, &surplus).await?;
    }
    let mut rules = state.rules();
    let known = rules.entry(function.clone()).or_default();
    (known.targets, known.is_tagged) = (ids, true);
    Ok(())
}

async fn remove_targets(aws: &Aws, rule: &str, ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let answer = aws
        .call("events:RemoveTargets", rule, || {
            aws.events.remove_targets().rule(rule).set_ids(Some(ids.to_vec())).send()
        })
        .await?;
    let refused = answer
        .failed_entries()
        .iter()
        .map(|entry| (entry.target_id().unwrap_or_default(), entry.error_code(), entry.error_message()));
    check_entries(&aws.redactor, "remove the targets of", rule, answer.failed_entry_count(), refused)
}

/// Turns the failures inside an answer that says 200 into an error.
fn check_entries<'a>(
    redactor: &Redactor,
    doing: &str,
    rule: &str,
    count: i32,
    refused: impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)>,
) -> Result<(), Error> {
    if count == 0 {
        return Ok(());
    }
    let why: Vec<_> = refused
        .map(|(id, code, message)| format!("{id}: {}", redactor.clean(message.or(code).unwrap_or("refused"))))
        .collect();
    Err(Error::new(Cause::Other, format!("{doing} {rule}: {}", why.join("; "))))
}

async fn delete(aws: &Aws, names: &Names, state: &EventsState, function: &FunctionName) -> Result<(), Error> {
    let targets = state.rule(function).targets;
    delete_one(aws, &names.warm_rule(function), &targets).await?;
    delete_former(aws, state, function).await?;
    state.rules().remove(function);
    Ok(())
}

/// Deletes the rule under the name that earlier versions gave it.
async fn delete_former(aws: &Aws, state: &EventsState, function: &FunctionName) -> Result<(), Error> {
    let Some((name, targets)) = state.rule(function).former else { return Ok(()) };
    delete_one(aws, &name, &targets).await?;
    if let Some(rule) = state.rules().get_mut(function) {
        rule.former = None;
    }
    Ok(())
}

/// Deletes a rule, its targets first. One that is not there is no error.
async fn delete_one(aws: &Aws, name: &str, targets: &BTreeSet<String>) -> Result<(), Error> {
    let targets: Vec<_> = targets.iter().cloned().collect();
    let deleted = match remove_targets(aws, name, &targets).await {
        Ok(()) => {
            aws.call("events:DeleteRule", name, || aws.events.delete_rule().name(name).send()).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match deleted {
        Err(error) if error.cause != Cause::Gone => Err(error),
        _ => Ok(()),
    }
}
