//! The rules of a listener: which paths go to which stage.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, PathPatternConditionConfig, Rule, RuleCondition, Tag,
};
use mdo_engine::{Cause, Error};
use mdo_model::project::StageName;

use crate::client::Aws;
use crate::pages;

/// How often a priority that another deploy has just taken is chosen anew.
const TRIES: u32 = 5;

/// A rule as far as mdo makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StageRule {
    pub arn: String,
    pub priority: i32,
    /// The paths that it is for; empty where it goes by anything else.
    pub paths: BTreeSet<String>,
    /// The target group that it leads to; `None` where it does anything else.
    pub target: Option<String>,
}

/// The paths of a stage.
pub(crate) fn paths(stage: &StageName) -> BTreeSet<String> {
    BTreeSet::from([format!("/{stage}"), format!("/{stage}/*")])
}

/// The rules of a listener, without its default.
pub(super) async fn observe(aws: &Aws, on: &str, listener: &str) -> Result<Vec<StageRule>, Error> {
    let found = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("elasticloadbalancing:DescribeRules", on, || {
                aws.elb.describe_rules().listener_arn(listener).set_marker(position.clone()).send()
            })
            .await?;
        Ok((answer.rules, answer.next_marker))
    })
    .await?;
    Ok(found.iter().filter_map(read).collect())
}

fn read(rule: &Rule) -> Option<StageRule> {
    let priority = rule.priority()?.parse().ok()?;
    let paths = match rule.conditions() {
        [condition] if condition.field() == Some("path-pattern") => {
            let config = condition.path_pattern_config().map(PathPatternConditionConfig::values);
            let values = config.filter(|values| !values.is_empty()).unwrap_or_else(|| condition.values());
            values.iter().cloned().collect()
        }
        _ => BTreeSet::new(),
    };
    let target = match rule.actions() {
        [action] if action.r#type() == Some(&ActionTypeEnum::Forward) => target(action),
        _ => None,
    };
    Some(StageRule { arn: rule.rule_arn()?.to_owned(), priority, paths, target })
}

/// The only target group that an action leads to.
fn target(action: &Action) -> Option<String> {
    let several = action.forward_config().map(|config| config.target_groups()).unwrap_or_default();
    match several {
        [] => action.target_group_arn().map(str::to_owned),
        [one] => one.target_group_arn().map(str::to_owned),
        _ => None,
    }
}

/// Leads paths to a target group, behind every rule that is there already.
pub(super) async fn create(
    aws: &Aws,
    on: &str,
    listener: &str,
    known: &[StageRule],
    wanted: (&BTreeSet<String>, &str),
    tags: HashMap<String, String>,
) -> Result<(), Error> {
    let (paths, target) = wanted;
    let tags: Vec<Tag> =
        tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let mut taken: BTreeSet<i32> = known.iter().map(|rule| rule.priority).collect();
    for _ in 0..TRIES {
        let priority = (1..).find(|priority| !taken.contains(priority)).unwrap_or(1);
        let answer = aws
            .call("elasticloadbalancing:CreateRule", on, || {
                aws.elb
                    .create_rule()
                    .listener_arn(listener)
                    .priority(priority)
                    .conditions(condition(paths))
                    .actions(forward(target))
                    .set_tags(Some(tags.clone()).filter(|tags| !tags.is_empty()))
                    .send()
            })
            .await;
        match answer {
            // Another stage's deploy has been quicker.
            Err(error) if error.is(&Cause::Exists) => {
                let found = observe(aws, on, listener).await?;
                if found.iter().any(|rule| rule.paths == *paths && rule.target.as_deref() == Some(target)) {
                    return Ok(());
                }
                taken = found.iter().map(|rule| rule.priority).collect();
                taken.insert(priority);
            }
            answer => return answer.map(drop),
        }
    }
    Err(Error::new(Cause::Concurrent, format!("other deploys keep taking the place of the rule of {on}"))
        .with_help("run the command again when they are done"))
}

/// Makes a rule lead to a target group.
pub(super) async fn modify(
    aws: &Aws,
    on: &str,
    rule: &str,
    paths: &BTreeSet<String>,
    target: &str,
) -> Result<(), Error> {
    aws.call("elasticloadbalancing:ModifyRule", on, || {
        aws.elb.modify_rule().rule_arn(rule).conditions(condition(paths)).actions(forward(target)).send()
    })
    .await
    .map(drop)
}

/// Deletes a rule. One that is not there is no error.
pub(super) async fn delete(aws: &Aws, on: &str, rule: &str) -> Result<(), Error> {
    let answer =
        aws.call("elasticloadbalancing:DeleteRule", on, || aws.elb.delete_rule().rule_arn(rule).send()).await;
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}

/// Copies the stages' rules of one listener to another, and answers the ARNs of those that may go now. Rules of any other kind
/// are nobody's but who made them.
pub(super) async fn copy(aws: &Aws, on: &str, from: &str, to: &str) -> Result<Vec<String>, Error> {
    let (old, mut new) = futures::future::try_join(observe(aws, on, from), observe(aws, on, to)).await?;
    let mut copied = Vec::new();
    for rule in old.into_iter().filter(|rule| !rule.paths.is_empty()) {
        let Some(target) = &rule.target else { continue };
        if !new.iter().any(|other| other.paths == rule.paths) {
            create(aws, on, to, &new, (&rule.paths, target), HashMap::new()).await?;
            new = observe(aws, on, to).await?;
        }
        copied.push(rule.arn);
    }
    Ok(copied)
}

fn condition(paths: &BTreeSet<String>) -> RuleCondition {
    let values = Some(paths.iter().cloned().collect());
    RuleCondition::builder()
        .field("path-pattern")
        .path_pattern_config(PathPatternConditionConfig::builder().set_values(values).build())
        .build()
}

fn forward(target: &str) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        let stage: StageName = "prod".parse().expect("a stage");
        Rule::builder()
            .rule_arn("arn:rule")
            .priority("3")
            .conditions(condition(&paths(&stage)))
            .actions(forward("arn:target"))
            .build()
    }

    #[test]
    fn what_mdo_makes_is_known_again() {
        let known = read(&rule()).expect("a rule");
        assert_eq!(known.paths.into_iter().collect::<Vec<_>>(), ["/prod", "/prod/*"]);
        assert_eq!((known.priority, known.target.as_deref()), (3, Some("arn:target")));
    }

    #[test]
    fn the_default_is_no_rule_and_a_rule_by_host_is_no_stages() {
        let mut default = rule();
        default.priority = Some("default".to_owned());
        assert_eq!(read(&default), None);
        let host = RuleCondition::builder().field("host-header").build();
        let mut both = rule();
        both.conditions = Some(vec![condition(&BTreeSet::from(["/x".to_owned()])), host]);
        assert!(read(&both).expect("a rule").paths.is_empty());
    }
}
