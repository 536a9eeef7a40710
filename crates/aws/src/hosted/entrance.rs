//! How requests come in to the stage, as it is live: network, load balancer and the way to the tasks, read together because they
//! explain each other.

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer as CloudBalancer, TargetGroup};
use mdo_engine::{Error, Scope};
use mdo_model::project::{Names, Tags};
use mdo_model::stack::LoadBalancer;

use super::{HostedState, load_balancer, network, owners, rules, security_group, target};
use crate::client::Aws;
use crate::ec2::SecurityGroup;
use crate::ownership::{self, Owner};

/// What was found of it in the model's terms; the rest is in [`HostedState`].
pub(super) struct Entrance {
    pub load_balancer: Option<LoadBalancer>,
    /// Whether the load balancer has rules of other stages.
    pub has_others: bool,
    /// Whether anything of it is this stage's own.
    pub has_traces: bool,
}

/// Reads how requests come in, in three rounds of calls.
pub(super) async fn observe(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    scope: &Scope,
) -> Result<Entrance, Error> {
    let group_names = [names.load_balancer_group(), names.service()];
    let (network, balancer, target, groups) = futures::try_join!(
        network::observe(aws, state),
        load_balancer::find(aws, names),
        target::find(aws, names),
        security_group::find(aws, &group_names),
    )?;
    let (balancer_arn, target_arn) = (arn_of(balancer.as_ref()), arn_of_target(target.as_ref()));
    let arns: Vec<String> = balancer_arn.iter().chain(&target_arn).cloned().collect();
    let details = async {
        match &balancer_arn {
            Some(arn) => load_balancer::read_details(aws, names, arn).await.map(Some),
            None => Ok(None),
        }
    };
    let drain = async {
        match &target_arn {
            Some(arn) => target::read_drain(aws, names, arn).await,
            None => Ok(0),
        }
    };
    let on = names.load_balancer();
    let (details, drain, mut owners) = futures::try_join!(details, drain, owners(aws, names, &on, &arns))?;
    let nobody = || (Owner::Nobody, Tags::default());
    let target_owner = target_arn.and_then(|_| owners.pop()).unwrap_or_else(nobody);
    let (balancer_owner, tags) = balancer_arn.and_then(|_| owners.pop()).unwrap_or_else(nobody);

    // What removes things passes by what is not ours, as if it were not there.
    let checks = Checks { names, scope };
    let balancer = checks.owned("load balancer", &names.load_balancer(), &balancer_owner, balancer)?;
    let target = checks.owned("target group", &names.target_group(), &target_owner.0, target)?;

    let vpc = balancer.as_ref().and_then(|found| found.vpc_id().map(str::to_owned));
    let vpc = vpc.or_else(|| network.as_ref().map(|network| network.vpc.clone()));
    let groups =
        checks.groups(groups.into_iter().filter(|group| Some(&group.vpc) == vpc.as_ref()).collect())?;
    let group = |name: &str| groups.iter().find(|group| group.name == name);
    let own_group = group(&names.load_balancer_group());
    let names_subnets = state.wanted.as_ref().is_some_and(|wanted| wanted.subnets.is_some());
    let (mut model, mut live) = (None, None);
    if let (Some(found), Some(details)) = (&balancer, details) {
        let is_ours = load_balancer::is_ours(&balancer_owner, own_group, names);
        let read = load_balancer::read(found, details, own_group, is_ours, network.as_ref(), names_subnets);
        let tags = Tags::together(own_group.map(security_group::own_tags).into_iter().chain([tags]));
        (model, live) = (Some(LoadBalancer { tags, ..read.0 }), Some(read.1));
    }
    if let (Some(live), Some(network), Some(_)) = (&live, &network, &state.wanted) {
        load_balancer::check_vpc(names, live, network)?;
    }
    let found = target.as_ref().map(|target| (target, drain, target_owner));
    let way = target::read(names, found, group(&names.service()), live.as_ref())?;
    if scope.thorough && model.is_none() && own_group.is_some() {
        model = Some(load_balancer::remains());
    }
    let own_paths = rules::paths(&names.stage);
    let rules = || live.iter().flat_map(|live| &live.rules);
    let has_others = rules().any(|rule| rule.paths != own_paths);
    let has_traces =
        rules().any(|rule| rule.paths == own_paths) || target.is_some() || group(&names.service()).is_some();
    let mut known = state.known();
    known.network = network;
    known.groups = groups;
    known.balancer = live;
    known.target = way;
    Ok(Entrance { load_balancer: model, has_others, has_traces })
}

fn arn_of(balancer: Option<&CloudBalancer>) -> Option<String> {
    balancer?.load_balancer_arn().map(str::to_owned)
}

fn arn_of_target(target: Option<&TargetGroup>) -> Option<String> {
    target?.target_group_arn().map(str::to_owned)
}

/// Refuses what is not ours, or passes it by, as the scope says.
struct Checks<'a> {
    names: &'a Names,
    scope: &'a Scope,
}

impl Checks<'_> {
    fn owned<T>(&self, what: &str, name: &str, owner: &Owner, found: Option<T>) -> Result<Option<T>, Error> {
        let Some(found) = found else { return Ok(None) };
        let checked = owner.check(what, name, self.scope.adopt).map(|()| Some(found));
        ownership::found(checked, self.scope)
    }

    fn groups(&self, found: Vec<SecurityGroup>) -> Result<Vec<SecurityGroup>, Error> {
        let each = found.into_iter().map(|group| {
            let (owner, name) = (security_group::owner(&group, &self.names.project), group.name.clone());
            self.owned("security group", &name, &owner, Some(group))
        });
        Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}
