//! The ECS service of a hosted stage and the cluster it is in: one call for each function, and what their answers mean.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, Deployment, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, DeploymentStrategy, LoadBalancer, NetworkConfiguration,
    PropagateTags, Service, ServiceField, ThresholdConfiguration, ThresholdType,
};
use aws_smithy_types::error::operation::BuildError;
use mdo_engine::{Cause, Error, Run, Scope};
use mdo_model::project::{Names, StageName, Tags};
use mdo_model::stack::{ResourceId, Server};
use tokio::time::Instant;

use super::cluster::{self, ON_DEMAND, SPOT, owner};
use super::marks::{self, Mark};
use super::network::Network;
use super::revisions;
use super::settling::once_settled;
use super::target::{PORT, Target};
use super::task::CONTAINER;
use super::{cloud_tags, stage_tags};
use crate::client::Aws;
use crate::ownership::{self, Owner};
use crate::pages;

/// How many tasks of a new version may fail before ECS goes back to the former one.
pub(crate) const FAILURES: i32 = 2;

/// A service as it is live.
#[derive(Clone, Debug)]
pub(super) struct LiveService {
    pub arn: String,
    pub task_definition: String,
    /// The task definitions that its deployments name.
    pub named: BTreeSet<String>,
    pub desired: u16,
    pub running: u32,
    /// Whether a deployment is under way.
    pub rolling: bool,
    pub subnets: BTreeSet<String>,
    pub groups: BTreeSet<String>,
    pub is_public: bool,
    /// The target groups that its tasks are registered in, as mdo would have them.
    pub target: Option<String>,
    pub spot: bool,
    pub rolls_back: bool,
    pub owner: Owner,
    /// Its tags of the project's own.
    pub tags: Tags,
    /// Where a rollback has led, if one has and nothing was deployed since.
    pub mark: Option<Mark>,
    /// The revision that its tag says was gone back from, whether that still means anything or not.
    pub noted: Option<u32>,
}

/// Looks for the stage's service. One that goes, or is gone, is none.
pub(super) async fn observe(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<LiveService>, Error> {
    let name = names.service();
    let service = match describe(aws, names, true).await {
        // There is not even a cluster.
        Err(error) if error.is(&Cause::Gone) => return Ok(None),
        service => service?,
    };
    let Some(service) = service.filter(|service| service.status() == Some("ACTIVE")) else {
        return cluster::check(aws, names, scope).await.map(|()| None);
    };
    let live = read(names, &service);
    let checked = live.owner.check("service", &name, scope.adopt).map(|()| Some(live));
    ownership::found(checked, scope)
}

/// The stages that there are services for in the project's cluster.
pub(super) async fn stages(aws: &Aws, names: &Names) -> Result<Vec<StageName>, Error> {
    let cluster = names.cluster();
    let listed = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("ecs:ListServices", &cluster, || {
                aws.ecs
                    .list_services()
                    .cluster(&cluster)
                    .max_results(PAGE)
                    .set_next_token(position.clone())
                    .send()
            })
            .await;
        match answer {
            // There is not even a cluster.
            Err(error) if error.is(&Cause::Gone) => Ok((None, None)),
            answer => answer.map(|answer| (answer.service_arns, answer.next_token)),
        }
    })
    .await?;
    let stage_of = |arn: &String| names.stage_of_service(arn.rsplit('/').next()?);
    Ok(listed.iter().filter_map(stage_of).collect())
}

/// How many services ECS lists at once, at most.
const PAGE: i32 = 100;

/// The stage's service as ECS tells it.
///
/// # Errors
/// [`Cause::Gone`] where there is no cluster.
pub(super) async fn describe(aws: &Aws, names: &Names, with_tags: bool) -> Result<Option<Service>, Error> {
    let (cluster, name) = (names.cluster(), names.service());
    let answer = aws
        .call("ecs:DescribeServices", &name, || {
            let include = with_tags.then(|| vec![ServiceField::Tags]);
            aws.ecs.describe_services().cluster(&cluster).services(&name).set_include(include).send()
        })
        .await?;
    Ok(answer.services.unwrap_or_default().into_iter().next())
}

/// The task definitions that the deployments of the stage's service name; none where there is no service.
pub(super) async fn named(aws: &Aws, names: &Names) -> Result<BTreeSet<String>, Error> {
    let service = match describe(aws, names, false).await {
        Err(error) if error.is(&Cause::Gone) => None,
        service => service?,
    };
    Ok(service.iter().flat_map(task_definitions).collect())
}

fn task_definitions(service: &Service) -> impl Iterator<Item = String> {
    let named = service.deployments().iter().filter_map(Deployment::task_definition);
    named.chain(service.task_definition()).map(str::to_owned)
}

fn read(names: &Names, service: &Service) -> LiveService {
    let network = service.network_configuration().and_then(|network| network.awsvpc_configuration());
    let listed = |items: &[String]| items.iter().cloned().collect();
    let target = match service.load_balancers() {
        [one] if one.container_name() == Some(CONTAINER) && one.container_port() == Some(PORT.into()) => {
            one.target_group_arn().map(str::to_owned)
        }
        _ => None,
    };
    let capacity = service.capacity_provider_strategy();
    let named = service.deployments().iter().filter_map(Deployment::task_definition);
    LiveService {
        arn: service.service_arn().unwrap_or_default().to_owned(),
        task_definition: service.task_definition().unwrap_or_default().to_owned(),
        named: named.map(str::to_owned).collect(),
        desired: u16::try_from(service.desired_count()).unwrap_or_default(),
        running: u32::try_from(service.running_count()).unwrap_or_default(),
        rolling: service.deployments().iter().any(is_rolling),
        subnets: network.map(|network| listed(network.subnets())).unwrap_or_default(),
        groups: network.map(|network| listed(network.security_groups())).unwrap_or_default(),
        is_public: network.and_then(AwsVpcConfiguration::assign_public_ip) == Some(&AssignPublicIp::Enabled),
        target,
        spot: capacity.iter().any(|item| item.capacity_provider() == SPOT),
        rolls_back: service.deployment_configuration().is_some_and(rolls_back),
        owner: owner(service.tags(), names),
        mark: Mark::of_service(service.tags(), service.task_definition().and_then(revisions::number)),
        noted: marks::noted(service.tags()),
        tags: Tags::recorded(
            service.tags().iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())),
        ),
    }
}

fn is_rolling(deployment: &Deployment) -> bool {
    deployment.rollout_state() == Some(&DeploymentRolloutState::InProgress)
}

/// Whether a version that does not come up is rolled back, and no task goes before its successor serves.
fn rolls_back(configuration: &DeploymentConfiguration) -> bool {
    let breaker = configuration.deployment_circuit_breaker();
    breaker.is_some_and(|breaker| breaker.enable() && breaker.rollback())
        && configuration.minimum_healthy_percent() == Some(100)
        && configuration.maximum_percent() == Some(200)
        && matches!(configuration.strategy(), None | Some(DeploymentStrategy::Rolling))
}

/// Where the tasks of a service are.
pub(super) struct Where<'a> {
    pub network: &'a Network,
    pub target: &'a Target,
}

/// Creates the service, and answers its first deployment.
pub(super) async fn create(
    aws: &Aws,
    names: &Names,
    wanted: &Server,
    task_definition: &str,
    place: &Where<'_>,
    (run, id): (&Run<'_>, &ResourceId),
) -> Result<Service, Error> {
    let (cluster, name) = (names.cluster(), names.service());
    let network = network(wanted, place).map_err(unfinished)?;
    let capacity = capacity(wanted).map_err(unfinished)?;
    let deployment = deployment().map_err(unfinished)?;
    let tags = cloud_tags(stage_tags(names, &wanted.tags));
    let waiting = |what: String| run.waiting(id, what);
    let answer = once_settled(aws, &waiting, "for ECS to be done with the former service", || {
        aws.call("ecs:CreateService", &name, || {
            aws.ecs
                .create_service()
                .cluster(&cluster)
                .service_name(&name)
                .task_definition(task_definition)
                .desired_count(wanted.tasks.min.into())
                .capacity_provider_strategy(capacity.clone())
                .network_configuration(network.clone())
                .load_balancers(leads(&place.target.arn))
                .deployment_configuration(deployment.clone())
                .health_check_grace_period_seconds(GRACE)
                .propagate_tags(PropagateTags::Service)
                .set_tags(Some(tags.clone()))
                .send()
        })
    })
    .await?;
    answer.service.ok_or_else(|| Error::new(Cause::Other, format!("AWS does not tell of service {name}")))
}

/// How long a task may take to answer before its health counts, in seconds.
pub(crate) const GRACE: i32 = 60;

/// What of a service is to change.
#[derive(Debug, Default)]
pub(super) struct Update<'a> {
    pub task_definition: Option<&'a str>,
    pub count: Option<u16>,
    /// Whether tasks get into other networks, or behind another target group.
    pub moves: bool,
    pub capacity: bool,
    pub deployment: bool,
}

impl Update<'_> {
    pub(super) fn is_empty(&self) -> bool {
        let Self { task_definition, count, moves, capacity, deployment } = self;
        task_definition.is_none() && count.is_none() && !moves && !capacity && !deployment
    }
}

/// Whether the tasks of a service are not where they should be, or behind another target group.
pub(super) fn moves(live: &LiveService, wanted: &Server, place: &Where<'_>) -> bool {
    let groups: BTreeSet<String> = groups(wanted, place).cloned().collect();
    live.target.as_deref() != Some(&place.target.arn)
        || live.groups != groups
        || live.subnets != place.network.subnets
        || live.is_public != place.network.is_public
}

fn groups<'a>(wanted: &'a Server, place: &Where<'a>) -> impl Iterator<Item = &'a String> {
    std::iter::once(&place.target.group).chain(&wanted.security_groups)
}

/// Changes the service, and answers it with its deployments.
pub(super) async fn update(
    aws: &Aws,
    names: &Names,
    wanted: &Server,
    update: &Update<'_>,
    place: &Where<'_>,
) -> Result<Service, Error> {
    let (cluster, name) = (names.cluster(), names.service());
    let network = if update.moves { Some(network(wanted, place).map_err(unfinished)?) } else { None };
    let capacity = if update.capacity { Some(vec![capacity(wanted).map_err(unfinished)?]) } else { None };
    let deployment = if update.deployment { Some(deployment().map_err(unfinished)?) } else { None };
    let answer = aws
        .call("ecs:UpdateService", &name, || {
            aws.ecs
                .update_service()
                .cluster(&cluster)
                .service(&name)
                .set_task_definition(update.task_definition.map(str::to_owned))
                .set_desired_count(update.count.map(i32::from))
                .set_network_configuration(network.clone())
                .set_load_balancers(update.moves.then(|| vec![leads(&place.target.arn)]))
                .set_force_new_deployment(capacity.is_some().then_some(true))
                .set_capacity_provider_strategy(capacity.clone())
                .set_deployment_configuration(deployment.clone())
                .send()
        })
        .await?;
    answer.service.ok_or_else(|| Error::new(Cause::Other, format!("AWS does not tell of service {name}")))
}

/// Makes the service run another revision, whatever else it is set to.
pub(super) async fn point(aws: &Aws, names: &Names, task_definition: &str) -> Result<(), Error> {
    let (cluster, name) = (names.cluster(), names.service());
    aws.call("ecs:UpdateService", &name, || {
        aws.ecs.update_service().cluster(&cluster).service(&name).task_definition(task_definition).send()
    })
    .await
    .map(drop)
}

/// Takes the service over.
pub(super) async fn tag(aws: &Aws, names: &Names, arn: &str) -> Result<(), Error> {
    let tags = cloud_tags(stage_tags(names, &Tags::default()));
    aws.call("ecs:TagResource", &names.service(), || {
        aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send()
    })
    .await
    .map(drop)
}

/// Deletes the service, and waits until its tasks are gone. One that is not there is no error.
pub(super) async fn delete(aws: &Aws, names: &Names, run: &Run<'_>, id: &ResourceId) -> Result<(), Error> {
    let (cluster, name) = (names.cluster(), names.service());
    let answer = aws
        .call("ecs:DeleteService", &name, || {
            aws.ecs.delete_service().cluster(&cluster).service(&name).force(true).send()
        })
        .await;
    let mut left = match answer {
        Err(error) if error.is(&Cause::Gone) => return Ok(()),
        answer => answer?.service,
    };
    let (began, mut pause) = (Instant::now(), Duration::from_millis(500));
    while let Some(service) = left.filter(|service| service.status() == Some("DRAINING")) {
        let tasks = service.running_count() + service.pending_count();
        if began.elapsed() > GOES_WITHIN {
            let message = format!("service {name} is deleted, and {tasks} of its tasks do not end");
            return Err(Error::new(Cause::Busy, message).with_help("run the command again in a few minutes"));
        }
        run.waiting(id, format!("for {tasks} tasks of {name} to end"));
        aws.pause(pause).await?;
        pause = (pause * 2).min(Duration::from_secs(5));
        left = describe(aws, names, false).await?;
    }
    Ok(())
}

/// How long the tasks of a deleted service may take to end: draining, and the longest that Fargate gives a task to stop.
const GOES_WITHIN: Duration = Duration::from_secs(600);

fn network(wanted: &Server, place: &Where<'_>) -> Result<NetworkConfiguration, BuildError> {
    let address = if place.network.is_public { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(place.network.subnets.iter().cloned().collect()))
        .set_security_groups(Some(groups(wanted, place).cloned().collect()))
        .assign_public_ip(address)
        .build()?;
    Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
}

fn capacity(wanted: &Server) -> Result<CapacityProviderStrategyItem, BuildError> {
    let provider = if wanted.spot { SPOT } else { ON_DEMAND };
    CapacityProviderStrategyItem::builder().capacity_provider(provider).weight(1).build()
}

fn deployment() -> Result<DeploymentConfiguration, BuildError> {
    let threshold = ThresholdConfiguration::builder().r#type(ThresholdType::Count).value(FAILURES).build()?;
    let breaker = DeploymentCircuitBreaker::builder()
        .enable(true)
        .rollback(true)
        .threshold_configuration(threshold)
        .build();
    Ok(DeploymentConfiguration::builder()
        .deployment_circuit_breaker(breaker)
        .minimum_healthy_percent(100)
        .maximum_percent(200)
        .strategy(DeploymentStrategy::Rolling)
        .build())
}

fn leads(target: &str) -> LoadBalancer {
    LoadBalancer::builder()
        .target_group_arn(target)
        .container_name(CONTAINER)
        .container_port(PORT.into())
        .build()
}

fn unfinished(error: BuildError) -> Error {
    Error::new(Cause::Other, format!("the service is not whole: {error}"))
}
