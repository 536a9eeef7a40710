//! What servers answer a stage with: server role, repository, load balancer and server, observed together and changed kind by
//! kind.

pub(crate) mod cluster;
mod entrance;
mod evidence;
pub(crate) mod listeners;
pub(crate) mod load_balancer;
mod log_group;
mod marks;
mod network;
mod pruning;
mod push;
pub(crate) mod repository;
mod revisions;
pub(crate) mod role;
mod rollout;
pub(crate) mod rules;
pub(crate) mod scaling;
mod security_group;
mod server;
pub(crate) mod service;
mod settling;
mod tagging;
pub(crate) mod target;
pub(crate) mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mdo_engine::{Applied, Cause, Error, Observed, Run, Scope};
use mdo_model::project::{Entry, Names, ServerSecret, Settings, StageName, Tags};
use mdo_model::stack::{Action, Change, Kind, LoadBalancer, Repository, Resource, ResourceId};

use self::load_balancer::LiveBalancer;
use self::network::Network;
pub(crate) use self::pruning::{delete_image, delete_revision, live as live_versions};
use self::repository::LiveRepository;
use self::revisions::KnownRevision;
pub(crate) use self::revisions::{revision, revisions};
use self::role::RoleFound;
use self::server::{ServerFound, Work};
use self::service::LiveService;
use self::target::LiveTarget;
use crate::api_gateway::ApiGatewayState;
use crate::client::Aws;
use crate::ec2::SecurityGroup;
use crate::ownership::{self, Owner, STAGE_TAG, tag_map};
use crate::unexpected;

/// What is known of the hosted stage beyond the model.
pub(crate) struct HostedState {
    /// Whether the project has to do with servers at all.
    looks: bool,
    /// What the files say of where servers are; `None` where servers do not host the stage.
    wanted: Option<Wanted>,
    /// The project's own tags of the cluster, which no change is about by itself.
    tags: Tags,
    /// Whether the project's file has tags for the stage, so that those of everything have to be known.
    has_tags: bool,
    known: Mutex<Known>,
}

/// What the files say of where servers are.
struct Wanted {
    /// `None` stands for the public ones of the default VPC.
    subnets: Option<BTreeSet<String>>,
    entry: Entry,
    domain: Option<String>,
    /// The secrets that tasks are given.
    secrets: Vec<ServerSecret>,
}

impl Wanted {
    /// Refuses what is in another region than the servers, which no service takes from there.
    fn check_region(&self, region: &str) -> Result<(), Error> {
        let certificate = match &self.entry {
            Entry::Https(arn) => Some(("certificate", arn.clone(), arn.split(':').nth(3))),
            Entry::Http => None,
        };
        let secrets = self.secrets.iter().map(|secret| ("secrets", secret.to_string(), secret.region()));
        for (key, named, other) in certificate.into_iter().chain(secrets) {
            if let Some(other) = other.filter(|other| *other != region) {
                let message = format!("{named} is in {other}, and the servers are in {region}");
                let help = format!("name one of {region} in `{key}` of [server]");
                return Err(Error::new(Cause::Invalid, message).with_help(help));
            }
        }
        Ok(())
    }
}

/// What `observe` has seen, or a change has made, that changes need.
#[derive(Default)]
struct Known {
    adopts: bool,
    /// Where load balancer and tasks are.
    network: Option<Network>,
    /// The security groups of our names, in whatever VPC.
    groups: Vec<SecurityGroup>,
    repository: Option<LiveRepository>,
    balancer: Option<LiveBalancer>,
    target: LiveTarget,
    service: Option<LiveService>,
    /// The last revision that was asked for.
    revision: Option<KnownRevision>,
}

/// What is live of what hosts a stage.
#[derive(Default)]
pub(crate) struct Found {
    role: Option<RoleFound>,
    repository: Option<Repository>,
    load_balancer: Option<LoadBalancer>,
    server: Option<ServerFound>,
    /// Whether the load balancer has rules of other stages.
    has_others: bool,
}

impl HostedState {
    pub(crate) fn new(settings: &Settings) -> Self {
        let wanted = settings.server.as_ref().map(|server| Wanted {
            subnets: server.subnets.clone(),
            entry: server.entry.clone(),
            domain: server.domain.clone(),
            secrets: server.secrets.values().cloned().collect(),
        });
        Self {
            looks: settings.knows_hosting,
            wanted,
            tags: settings.tags.clone(),
            has_tags: !settings.stage_tags.is_empty(),
            known: Mutex::default(),
        }
    }

    /// Whether servers host the stage, as the files say.
    pub(crate) fn hosts(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether servers are looked for.
    pub(crate) fn looks(&self) -> bool {
        self.looks
    }

    /// The URL below which the stage's routes are, where servers host it and the load balancer is there.
    pub(crate) fn endpoint(&self, names: &Names) -> Option<String> {
        let wanted = self.wanted.as_ref()?;
        let scheme = if wanted.entry == Entry::Http { "http" } else { "https" };
        let own = self.dns_name()?;
        let host = wanted.domain.clone().unwrap_or(own);
        Some(format!("{scheme}://{host}/{}", names.stage))
    }

    /// The name of the load balancer in the DNS, where servers host the stage and it is there.
    pub(crate) fn dns_name(&self) -> Option<String> {
        self.wanted.as_ref()?;
        Some(self.known().balancer.as_ref()?.dns_name.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the files name subnets.
    fn names_subnets(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.subnets.is_some())
    }

    /// Where load balancer and tasks are.
    fn network(&self) -> Result<Network, Error> {
        let unknown =
            || Error::new(Cause::Other, "the network of the servers is not known before it is observed");
        self.known().network.clone().ok_or_else(unknown)
    }

    /// The load balancer, once there is one.
    fn balancer(&self, names: &Names) -> Result<LiveBalancer, Error> {
        let gone =
            || Error::new(Cause::Gone, format!("load balancer {} is not there", names.load_balancer()));
        self.known().balancer.clone().ok_or_else(gone)
    }
}

impl Known {
    /// The security group of this name in a VPC.
    fn group_in(&self, name: &str, vpc: &str) -> Option<SecurityGroup> {
        self.groups.iter().find(|group| group.name == name && group.vpc == vpc).cloned()
    }

    /// The security group of this name where load balancer and tasks are.
    fn group(&self, name: &str) -> Option<SecurityGroup> {
        let balancer = self.balancer.as_ref().map(|balancer| balancer.vpc.as_str());
        let vpc = balancer.or(self.network.as_ref().map(|network| network.vpc.as_str()))?;
        self.group_in(name, vpc)
    }
}

impl Found {
    /// Says in the model's terms what was found, once account and keys are known.
    pub(crate) fn put_into(
        self,
        observed: &mut Observed,
        (aws, names): (&Aws, &Names),
        state: &HostedState,
        gateway: &ApiGatewayState,
        scope: &Scope,
    ) -> Result<(), Error> {
        let project_wide = [Kind::ServerRole, Kind::Repository, Kind::LoadBalancer];
        if self.has_others {
            observed.shared.extend(project_wide.map(|kind| ResourceId::new(kind, &names.project)));
        }
        let stack = &mut observed.stack;
        stack.server_role = self.role.map(|found| role::read(aws, names, &found)).transpose()?;
        stack.repository = self.repository;
        stack.load_balancer = self.load_balancer;
        if let Some(found) = self.server {
            observed.server = found.live();
            observed.stack.server = server::read(aws, names, state, &gateway.digests(), found, scope)?;
        }
        Ok(())
    }
}

/// Reads what hosts the stage, in three rounds of calls.
pub(crate) async fn observe(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    scope: &Scope,
) -> Result<Found, Error> {
    state.wanted.iter().try_for_each(|wanted| wanted.check_region(&aws.region))?;
    state.known().adopts = scope.adopt;
    // A stage that is not hosted has nothing to do with what is not ours.
    let scope = &Scope { thorough: scope.thorough || state.wanted.is_none(), ..scope.clone() };
    let (entrance, mut repository, role, server) = futures::try_join!(
        Box::pin(entrance::observe(aws, names, state, scope)),
        Box::pin(repository::observe(aws, names, scope, state.has_tags)),
        Box::pin(role::observe(aws, names, scope)),
        Box::pin(server::observe(aws, names, scope)),
    )?;
    // Tags that have left the files: nothing that is read before tells of them.
    let bears_tags = role.as_ref().is_some_and(RoleFound::bears_tags);
    if let Some((repository, _)) = repository.as_mut().filter(|_| bears_tags && !state.has_tags) {
        repository.tags = repository::read_own_tags(aws, names).await?;
    }
    let (repository, live) = repository.unzip();
    state.known().repository = live;
    if state.wanted.is_none() && !entrance.has_traces {
        // What is there is other stages', and not this one's to take away.
        return Ok(Found::default());
    }
    Ok(Found {
        role,
        repository,
        load_balancer: entrance.load_balancer,
        server: Some(server),
        has_others: entrance.has_others,
    })
}

/// The stages of the project that servers answer.
pub(crate) async fn stages(aws: &Aws, names: &Names, state: &HostedState) -> Result<Vec<StageName>, Error> {
    if state.looks { service::stages(aws, names).await } else { Ok(Vec::new()) }
}

/// Makes one change real.
pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    (state, gateway): (&HostedState, &ApiGatewayState),
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    // Boxed, because together they are more than a thread's stack may hold.
    match change.id.kind {
        Kind::ServerRole => Box::pin(role::apply(aws, names, change, run)).await,
        Kind::Server => {
            let digests = || gateway.digests();
            Box::pin(Work { aws, names, state, change, run, digests: &digests }.apply()).await
        }
        Kind::Repository => Box::pin(repository::apply(aws, names, state, change, run)).await,
        Kind::LoadBalancer => match (change.action, &change.after) {
            (Action::Create, Some(Resource::LoadBalancer(wanted))) => {
                Box::pin(load_balancer::create(aws, names, state, wanted, change, run)).await
            }
            (Action::Update, Some(Resource::LoadBalancer(wanted))) => {
                Box::pin(load_balancer::update(aws, names, state, wanted, change)).await
            }
            (Action::Delete, _) => {
                run.all_usable(change).await?;
                Box::pin(load_balancer::delete(aws, names, state, change, run)).await
            }
            _ => Err(unexpected(change)),
        },
        _ => Err(unexpected(change)),
    }
}

/// Whose a load balancer or a target group is.
async fn owner_of(aws: &Aws, names: &Names, on: &str, arn: &str) -> Result<Owner, Error> {
    let owner = owners(aws, names, on, &[arn.to_owned()]).await?.pop();
    Ok(owner.map_or(Owner::Nobody, |(owner, _)| owner))
}

/// Whose load balancers and target groups are, and their tags of the project's own, in their order.
async fn owners(aws: &Aws, names: &Names, on: &str, arns: &[String]) -> Result<Vec<(Owner, Tags)>, Error> {
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let answer = aws
        .call("elasticloadbalancing:DescribeTags", on, || {
            aws.elb.describe_tags().set_resource_arns(Some(arns.to_vec())).send()
        })
        .await?;
    let of = |arn: &String| {
        let found = answer.tag_descriptions().iter().find(|found| found.resource_arn() == Some(arn));
        let tags = found.map(|found| found.tags()).unwrap_or_default();
        let tags = || tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        (ownership::of(tags(), &names.project), Tags::recorded(tags()))
    };
    Ok(arns.iter().map(of).collect())
}

/// The tags of what belongs to the stage, with the project's own.
fn stage_tags(names: &Names, own: &Tags) -> HashMap<String, String> {
    let mut tags = tag_map(names, own);
    tags.insert(STAGE_TAG.to_owned(), names.stage.to_string());
    tags
}

/// Tags as ECS takes them.
fn cloud_tags(tags: HashMap<String, String>) -> Vec<aws_sdk_ecs::types::Tag> {
    let tag = |(key, value)| aws_sdk_ecs::types::Tag::builder().key(key).value(value).build();
    tags.into_iter().map(tag).collect()
}
