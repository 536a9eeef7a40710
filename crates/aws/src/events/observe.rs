//! Reads warm rules, in terms of the model.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatchevents::types::{Rule, RuleState, Tag, Target};
use futures::future::try_join_all;
use mdo_engine::metrics::WarmState;
use mdo_engine::{Cause, Error, Scope};
use mdo_model::project::{FunctionName, Names, Rate, Tags};
use mdo_model::stack::WarmRule;
use serde_json::Value;

use super::{EventsState, LiveRule, alias, description, target_id};
use crate::client::Aws;
use crate::errors;
use crate::ownership::{PROJECT_TAG, STAGE_TAG};
use crate::pages;

/// Reads the warm rules of the stage: one call for all of them, one more for each, and one for the tags of each where they count.
///
/// # Errors
/// When a call fails, and when a rule that `scope` needs is not ours and `scope.adopt` is not set.
pub(crate) async fn observe(
    aws: &Aws,
    names: &Names,
    state: &EventsState,
    scope: &Scope,
    reads_tags: bool,
) -> Result<BTreeMap<FunctionName, WarmRule>, Error> {
    let rules = list(aws, names).await?;
    let reads = rules.iter().filter_map(|rule| Some((names.warm_rule_of(rule.name()?)?, rule))).map(
        async |(function, rule)| {
            let Some(is_tagged) = is_ours(aws, names, scope, &function, rule).await? else {
                return Ok(None);
            };
            let name = rule.name().unwrap_or_default();
            let tags = async { if reads_tags { own_tags(aws, name).await } else { Ok(Tags::default()) } };
            let (targets, tags) = futures::try_join!(targets(aws, name), tags)?;
            let model = WarmRule { tags, ..read(rule, &targets, &alias(aws, names, &function)?) };
            let targets = targets.into_iter().map(|target| target.id).collect();
            Ok::<_, Error>(Some((function, model, LiveRule { targets, is_tagged, former: None })))
        },
    );
    let mut found = BTreeMap::new();
    let mut live: BTreeMap<FunctionName, LiveRule> = BTreeMap::new();
    for (function, model, rule) in try_join_all(reads).await?.into_iter().flatten() {
        if model.name == names.warm_rule(&function) {
            let known = live.entry(function.clone()).or_default();
            (known.targets, known.is_tagged) = (rule.targets, rule.is_tagged);
            found.insert(function, model);
        } else {
            live.entry(function.clone()).or_default().former = Some((model.name.clone(), rule.targets));
            found.entry(function).or_insert(model);
        }
    }
    *state.rules() = live;
    Ok(found)
}

/// Whether a rule of our name is ours, and then whether its tags say so or need not.
///
/// The description that only mdo writes names project, stage and function, of which the rule's name alone could be
/// composed in several ways. Only without it the tags are asked for.
async fn is_ours(
    aws: &Aws,
    names: &Names,
    scope: &Scope,
    function: &FunctionName,
    rule: &Rule,
) -> Result<Option<bool>, Error> {
    if rule.description() == Some(&description(names, function)) {
        return Ok(Some(true));
    }
    let name = rule.name().unwrap_or_default();
    let tags = read_tags(aws, name).await?;
    let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str());
    let owner = (tag(PROJECT_TAG), tag(STAGE_TAG));
    match owner {
        owner if owner == (Some(names.project.as_str()), Some(names.stage.as_str())) => Ok(Some(true)),
        // The name of somebody else's rule reads like one of ours, and we need none.
        _ if scope.thorough || !scope.functions.contains(function) => Ok(None),
        _ if scope.adopt => Ok(Some(false)),
        (owner, _) => Err(errors::not_ours("the rule", name, owner)),
    }
}

async fn read_tags(aws: &Aws, rule: &str) -> Result<Vec<Tag>, Error> {
    let arn = aws.arn("events", format_args!("rule/{rule}"))?;
    let answer = aws
        .call("events:ListTagsForResource", rule, || {
            aws.events.list_tags_for_resource().resource_arn(&arn).send()
        })
        .await?;
    Ok(answer.tags.unwrap_or_default())
}

/// The tags of the project's own that a rule bears.
pub(crate) async fn own_tags(aws: &Aws, rule: &str) -> Result<Tags, Error> {
    Ok(Tags::recorded(read_tags(aws, rule).await?.iter().map(|tag| (&tag.key, &tag.value))))
}

async fn list(aws: &Aws, names: &Names) -> Result<Vec<Rule>, Error> {
    let prefix = format!("{}_", names.project);
    pages::all(async |position: Option<String>| {
        let answer = aws
            .call("events:ListRules", &prefix, || {
                aws.events.list_rules().name_prefix(&prefix).set_next_token(position.clone()).send()
            })
            .await?;
        Ok((answer.rules, answer.next_token))
    })
    .await
}

/// How the warm rules of the stage fire, in one call: whom they call is not looked at.
pub(crate) async fn states(aws: &Aws, names: &Names) -> Result<BTreeMap<FunctionName, WarmState>, Error> {
    let rules = list(aws, names).await?;
    let own = rules.iter().filter_map(|rule| {
        let function = names.warm_rule_of(rule.name()?)?;
        let is_ours = rule.description() == Some(&description(names, &function));
        let schedule = rule.schedule_expression().and_then(Rate::from_schedule_expression);
        let state = WarmState { rate: schedule, enabled: rule.state() == Some(&RuleState::Enabled) };
        is_ours.then_some((function, state))
    });
    Ok(own.collect())
}

/// A function's warm rule as it is now.
pub(crate) async fn live(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
) -> Result<Option<WarmRule>, Error> {
    let name = names.warm_rule(function);
    let rule = aws.call("events:DescribeRule", &name, || aws.events.describe_rule().name(&name).send()).await;
    let rule = match rule {
        Err(error) if error.is(&Cause::Gone) => return Ok(None),
        rule => rule?,
    };
    let rule = Rule::builder()
        .set_name(rule.name)
        .set_schedule_expression(rule.schedule_expression)
        .set_event_pattern(rule.event_pattern)
        .set_state(rule.state)
        .build();
    Ok(Some(read(&rule, &targets(aws, &name).await?, &alias(aws, names, function)?)))
}

pub(super) async fn targets(aws: &Aws, rule: &str) -> Result<Vec<Target>, Error> {
    let answer = aws
        .call("events:ListTargetsByRule", rule, || {
            aws.events.list_targets_by_rule().rule(rule).limit(100).send()
        })
        .await?;
    Ok(answer.targets.unwrap_or_default())
}

/// The rule in terms of the model. Targets that mdo would not write stand in place of the input.
pub(super) fn read(rule: &Rule, targets: &[Target], alias: &str) -> WarmRule {
    let schedule = rule.schedule_expression().filter(|_| rule.event_pattern().is_none());
    let count = u8::try_from(targets.len()).unwrap_or(u8::MAX);
    let wanted_ids: BTreeSet<_> = (1..=count).map(target_id).collect();
    let inputs: Vec<Option<Value>> = targets
        .iter()
        .map(|target| input(target, alias).filter(|_| wanted_ids.contains(&target.id)))
        .collect();
    let input = match inputs.first() {
        None => Value::Null,
        Some(Some(first)) if inputs.iter().all(|input| input.as_ref() == Some(first)) => first.clone(),
        Some(_) => {
            let strange = targets.iter().map(|target| format!("{} → {}", target.id, target.arn));
            Value::String(format!("unexpected targets: {}", strange.collect::<Vec<_>>().join(", ")))
        }
    };
    WarmRule {
        name: rule.name().unwrap_or_default().to_owned(),
        rate: schedule.and_then(Rate::from_schedule_expression),
        concurrency: count,
        enabled: rule.state() == Some(&RuleState::Enabled),
        input,
        tags: Tags::default(),
    }
}

/// The event that a target sends to the alias, if it does that and nothing else.
fn input(target: &Target, alias: &str) -> Option<Value> {
    let is_plain = target.arn == alias
        && target.role_arn().is_none()
        && target.input_path().is_none()
        && target.input_transformer().is_none();
    serde_json::from_str(target.input().filter(|_| is_plain)?).ok()
}
