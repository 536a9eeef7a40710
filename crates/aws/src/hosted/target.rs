//! The way from the load balancer to a stage's tasks: target group, rule, and the security group of the tasks.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, Tag, TargetGroup, TargetGroupAttribute, TargetTypeEnum,
};
use mdo_engine::{Cause, Error};
use mdo_model::project::{Names, Tags};
use mdo_model::stack::{HEALTH_COUNT, HEALTH_INTERVAL, Server};

use super::load_balancer::LiveBalancer;
use super::security_group::{self, Wanted};
use super::settling::once_settled;
use super::{HostedState, rules, stage_tags, tagging};
use crate::client::Aws;
use crate::ec2::{Door, SecurityGroup, Visitor};
use crate::ownership::Owner;
use crate::written;

/// The port that containers listen on.
pub(crate) const PORT: u16 = 8080;

/// How long a task may take to say how it is, in seconds.
pub(crate) const HEALTH_TIMEOUT: i32 = 2;

/// How long a task that goes may finish what it has begun.
pub(crate) const DRAIN: &str = "deregistration_delay.timeout_seconds";

/// The way to a stage's tasks as it is live.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveTarget {
    /// The target group's ARN; `None` where only other parts are there.
    pub arn: Option<String>,
    /// The path that it asks for the health of a task.
    pub health: String,
    /// How long a task that goes may finish what it has begun, in seconds.
    pub drain: u16,
    /// Whether everything else of it is as mdo makes it: how health is asked for, the rule, and who gets to the tasks.
    pub is_whole: bool,
    /// Whether every part of it says whose it is.
    pub owned: bool,
    /// The tags of the project's own that its parts bear.
    pub tags: Tags,
    /// Whether the target group asks for health as mdo would, path aside.
    asks_well: bool,
}

/// What a service needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The target group's ARN.
    pub arn: String,
    /// The id of the security group for the tasks.
    pub group: String,
}

/// Looks for the stage's target group.
pub(super) async fn find(aws: &Aws, names: &Names) -> Result<Option<TargetGroup>, Error> {
    let name = names.target_group();
    let answer = aws
        .call("elasticloadbalancing:DescribeTargetGroups", &name, || {
            aws.elb.describe_target_groups().names(&name).send()
        })
        .await;
    match answer {
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        answer => Ok(answer?.target_groups.unwrap_or_default().into_iter().next()),
    }
}

/// How long a task that goes may finish what it has begun, in seconds.
pub(super) async fn read_drain(aws: &Aws, names: &Names, arn: &str) -> Result<u16, Error> {
    let name = names.target_group();
    let answer = aws
        .call("elasticloadbalancing:DescribeTargetGroupAttributes", &name, || {
            aws.elb.describe_target_group_attributes().target_group_arn(arn).send()
        })
        .await?;
    let attribute = answer.attributes().iter().find(|attribute| attribute.key() == Some(DRAIN));
    let seconds = attribute.and_then(TargetGroupAttribute::value).and_then(|value| value.parse().ok());
    Ok(seconds.unwrap_or_default())
}

/// What was found of the way to the tasks.
///
/// # Errors
/// [`Cause::Invalid`] where a target group of our name is one that tasks cannot be in: that cannot be changed.
pub(super) fn read(
    names: &Names,
    found: Option<(&TargetGroup, u16, (Owner, Tags))>,
    group: Option<&SecurityGroup>,
    balancer: Option<&LiveBalancer>,
) -> Result<LiveTarget, Error> {
    let is_group_ours = group.is_none_or(|group| security_group::owner(group, &names.project) == Owner::Us);
    let Some((target, drain, (owner, tags))) = found else {
        return Ok(LiveTarget { owned: is_group_ours, ..LiveTarget::default() });
    };
    check_kind(names, target, balancer)?;
    let arn = target.target_group_arn().map(str::to_owned);
    let asks_well = asks_well(target);
    let paths = rules::paths(&names.stage);
    let rule = balancer.and_then(|balancer| balancer.rules.iter().find(|rule| rule.paths == paths));
    let is_led_to = rule.is_some_and(|rule| rule.target == arn);
    let wanted_doors = balancer.and_then(|balancer| balancer.group.as_deref()).map(doors);
    let is_guarded =
        group.zip(wanted_doors).is_some_and(|(group, doors)| security_group::opens(group, &doors));
    Ok(LiveTarget {
        arn,
        health: target.health_check_path().unwrap_or_default().to_owned(),
        drain,
        is_whole: asks_well && is_led_to && is_guarded,
        owned: owner == Owner::Us && is_group_ours,
        tags: Tags::together(group.map(security_group::own_tags).into_iter().chain([tags])),
        asks_well,
    })
}

/// Refuses a target group that cannot be made into ours.
fn check_kind(names: &Names, target: &TargetGroup, balancer: Option<&LiveBalancer>) -> Result<(), Error> {
    let is_elsewhere = balancer.is_some_and(|balancer| target.vpc_id() != Some(&balancer.vpc));
    let is_fit = target.target_type() == Some(&TargetTypeEnum::Ip)
        && target.protocol() == Some(&ProtocolEnum::Http)
        && target.port() == Some(PORT.into())
        && !is_elsewhere;
    if is_fit {
        return Ok(());
    }
    let name = names.target_group();
    let why = match is_elsewhere {
        true => "it is in another VPC than the load balancer",
        false => "mdo needs type ip, HTTP and port 8080",
    };
    Err(Error::new(Cause::Invalid, format!("target group {name} cannot serve the stage: {why}"))
        .with_help("delete it at AWS, then run the command again: mdo makes it anew"))
}

/// Whether a target group asks for the health of tasks as mdo would, path aside.
fn asks_well(target: &TargetGroup) -> bool {
    target.health_check_protocol().is_none_or(|protocol| *protocol == ProtocolEnum::Http)
        && target.health_check_port().is_none_or(|port| port == "traffic-port" || port == PORT.to_string())
        && target.health_check_interval_seconds() == Some(HEALTH_INTERVAL.into())
        && target.health_check_timeout_seconds() == Some(HEALTH_TIMEOUT)
        && target.healthy_threshold_count() == Some(HEALTH_COUNT.into())
        && target.unhealthy_threshold_count() == Some(HEALTH_COUNT.into())
        && target.matcher().and_then(Matcher::http_code) == Some("200")
}

/// Makes the way to the tasks what `wanted` says, by as few writes as are needed, and answers what a service needs of it.
pub(super) async fn put(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    wanted: &Server,
) -> Result<Target, Error> {
    let balancer = state.balancer(names)?;
    let live = state.known().target.clone();
    let (arn, group) = written::both(
        put_target_group(aws, names, &balancer, &live, wanted),
        put_group(aws, names, state, &balancer, &wanted.tags),
    )
    .await?;
    let live = LiveTarget {
        arn: Some(arn.clone()),
        health: wanted.health.clone(),
        drain: wanted.drain,
        is_whole: true,
        owned: true,
        tags: wanted.tags.clone(),
        asks_well: true,
    };
    state.known().target = live;
    Ok(Target { arn, group })
}

async fn put_target_group(
    aws: &Aws,
    names: &Names,
    balancer: &LiveBalancer,
    live: &LiveTarget,
    wanted: &Server,
) -> Result<String, Error> {
    let name = names.target_group();
    let (arn, is_new) = match &live.arn {
        Some(arn) => (arn.clone(), false),
        None => (create_target_group(aws, names, balancer, wanted).await?, true),
    };
    let asking = async {
        if is_new || (live.asks_well && live.health == wanted.health) {
            return Ok(());
        }
        aws.call("elasticloadbalancing:ModifyTargetGroup", &name, || {
            aws.elb
                .modify_target_group()
                .target_group_arn(&arn)
                .health_check_protocol(ProtocolEnum::Http)
                .health_check_port("traffic-port")
                .health_check_path(&wanted.health)
                .health_check_interval_seconds(HEALTH_INTERVAL.into())
                .health_check_timeout_seconds(HEALTH_TIMEOUT)
                .healthy_threshold_count(HEALTH_COUNT.into())
                .unhealthy_threshold_count(HEALTH_COUNT.into())
                .matcher(Matcher::builder().http_code("200").build())
                .send()
        })
        .await
        .map(drop)
    };
    let draining = async {
        if !is_new && live.drain == wanted.drain {
            return Ok(());
        }
        let drain = TargetGroupAttribute::builder().key(DRAIN).value(wanted.drain.to_string()).build();
        aws.call("elasticloadbalancing:ModifyTargetGroupAttributes", &name, || {
            aws.elb.modify_target_group_attributes().target_group_arn(&arn).attributes(drain.clone()).send()
        })
        .await
        .map(drop)
    };
    let owning = async {
        if is_new || live.owned {
            return Ok(());
        }
        let tags = cloud_tags(names, &Tags::default());
        aws.call("elasticloadbalancing:AddTags", &name, || {
            aws.elb.add_tags().resource_arns(&arn).set_tags(Some(tags.clone())).send()
        })
        .await
        .map(drop)
    };
    let leading = put_rule(aws, names, balancer, &arn, &wanted.tags);
    written::both(written::both(asking, draining), written::both(owning, leading)).await?;
    Ok(arn)
}

async fn create_target_group(
    aws: &Aws,
    names: &Names,
    balancer: &LiveBalancer,
    wanted: &Server,
) -> Result<String, Error> {
    let name = names.target_group();
    let tags = cloud_tags(names, &wanted.tags);
    let created = aws
        .call("elasticloadbalancing:CreateTargetGroup", &name, || {
            aws.elb
                .create_target_group()
                .name(&name)
                .target_type(TargetTypeEnum::Ip)
                .protocol(ProtocolEnum::Http)
                .port(PORT.into())
                .vpc_id(&balancer.vpc)
                .health_check_protocol(ProtocolEnum::Http)
                .health_check_path(&wanted.health)
                .health_check_interval_seconds(HEALTH_INTERVAL.into())
                .health_check_timeout_seconds(HEALTH_TIMEOUT)
                .healthy_threshold_count(HEALTH_COUNT.into())
                .unhealthy_threshold_count(HEALTH_COUNT.into())
                .matcher(Matcher::builder().http_code("200").build())
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    let found = match created {
        Ok(answer) => answer.target_groups.unwrap_or_default().into_iter().next(),
        // Another deploy of the stage has been quicker.
        Err(error) if error.is(&Cause::Exists) => match find(aws, names).await? {
            Some(found) => {
                let arn = found.target_group_arn().unwrap_or_default();
                super::owner_of(aws, names, &name, arn).await?.check("target group", &name, false)?;
                check_kind(names, &found, Some(balancer))?;
                Some(found)
            }
            None => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let arn = found.and_then(|found| found.target_group_arn);
    arn.ok_or_else(|| Error::new(Cause::Other, format!("AWS does not say which target group {name} is")))
}

/// Leads the stage's paths to its target group.
async fn put_rule(
    aws: &Aws,
    names: &Names,
    balancer: &LiveBalancer,
    target: &str,
    own: &Tags,
) -> Result<(), Error> {
    let on = names.service();
    let paths = rules::paths(&names.stage);
    let front = balancer.front.as_deref().ok_or_else(|| {
        Error::new(Cause::Gone, format!("load balancer {} has no listener", names.load_balancer()))
            .with_help("run the command again: mdo makes it anew")
    })?;
    match balancer.rules.iter().find(|rule| rule.paths == paths) {
        Some(rule) if rule.target.as_deref() == Some(target) => Ok(()),
        Some(rule) => rules::modify(aws, &on, &rule.arn, &paths, target).await,
        None => {
            rules::create(aws, &on, front, &balancer.rules, (&paths, target), stage_tags(names, own)).await
        }
    }
}

async fn put_group(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    balancer: &LiveBalancer,
    own: &Tags,
) -> Result<String, Error> {
    let name = names.service();
    let (live, adopts) = {
        let known = state.known();
        (known.group_in(&name, &balancer.vpc), known.adopts)
    };
    let gone = || Error::new(Cause::Gone, "the load balancer has no security group of mdo's");
    let wanted = Wanted {
        name: &name,
        description: group_description(names),
        vpc: &balancer.vpc,
        doors: doors(balancer.group.as_deref().ok_or_else(gone)?),
        tags: stage_tags(names, own).into_iter().collect(),
    };
    security_group::put(aws, &names.project, live.as_ref(), &wanted, adopts).await
}

/// Makes every part of the way have these tags of the project's own in place of those.
pub(super) async fn retag(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    target: &Target,
    tags: (&Tags, &Tags),
) -> Result<(), Error> {
    let paths = rules::paths(&names.stage);
    let rules = state.balancer(names)?.rules.into_iter().filter(|rule| rule.paths == paths);
    let arns = rules.map(|rule| rule.arn).chain([target.arn.clone()]).collect();
    tagging::of_balancing(aws, &names.target_group(), arns, tags).await?;
    tagging::of_group(aws, &names.service(), &target.group, tags).await
}

/// Deletes rule, target group and security group, in this order; the service has to be gone, and its tasks to be going.
pub(super) async fn delete(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<(), Error> {
    let (balancer, target, group) = {
        let known = state.known();
        (known.balancer.clone(), known.target.arn.clone(), known.group(&names.service()))
    };
    let paths = rules::paths(&names.stage);
    let rules = balancer.into_iter().flat_map(|balancer| balancer.rules);
    for rule in rules.filter(|rule| rule.paths == paths) {
        rules::delete(aws, &names.service(), &rule.arn).await?;
    }
    if let Some(arn) = target {
        let name = names.target_group();
        let answer = once_settled(aws, waiting, "for the load balancer to let go of the tasks", || {
            aws.call("elasticloadbalancing:DeleteTargetGroup", &name, || {
                aws.elb.delete_target_group().target_group_arn(&arn).send()
            })
        })
        .await;
        if let Err(error) = answer.map(drop)
            && !error.is(&Cause::Gone)
        {
            return Err(error);
        }
    }
    match group {
        Some(group) => security_group::delete(aws, &group, waiting).await,
        None => Ok(()),
    }
}

/// What the security group of the tasks says of itself.
pub(crate) fn group_description(names: &Names) -> String {
    format!("Lets the load balancer in to the tasks of {} {}, made by mdo", names.project, names.stage)
}

/// Whom the tasks let in: the load balancer alone.
fn doors(balancer: &str) -> BTreeSet<Door> {
    BTreeSet::from([Door::tcp(PORT, Visitor::Group(balancer.to_owned()))])
}

fn cloud_tags(names: &Names, own: &Tags) -> Vec<Tag> {
    let each = stage_tags(names, own).into_iter();
    each.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
