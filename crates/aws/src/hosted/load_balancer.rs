//! The load balancer that the project's hosted stages share, and its security group.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    Listener, LoadBalancer as CloudBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerTypeEnum, Tag,
};
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{Entry, Names, Tags};
use mdo_model::stack::{Change, LoadBalancer, Resource};

use super::network::Network;
use super::rules::{self, StageRule};
use super::security_group::{self, Wanted};
use super::{HostedState, listeners, tagging};
use crate::client::Aws;
use crate::ec2::{Door, SecurityGroup, Visitor};
use crate::ownership::{Owner, tag_map};
use crate::written;

/// How long the load balancer keeps an idle connection.
pub(crate) const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";

/// Whether it drops headers that HTTP does not allow.
pub(crate) const DROPS_HEADERS: &str = "routing.http.drop_invalid_header_fields.enabled";

/// The load balancer as it is live.
#[derive(Clone, Debug)]
pub(super) struct LiveBalancer {
    pub arn: String,
    /// The name by which it is reached.
    pub dns_name: String,
    pub vpc: String,
    pub listeners: Vec<Listener>,
    /// The listener that has the stages' rules, and them.
    pub front: Option<String>,
    pub rules: Vec<StageRule>,
    /// The id of its security group, where it is in ours.
    pub group: Option<String>,
}

/// Looks for the load balancer.
pub(super) async fn find(aws: &Aws, names: &Names) -> Result<Option<CloudBalancer>, Error> {
    let name = names.load_balancer();
    let answer = aws
        .call("elasticloadbalancing:DescribeLoadBalancers", &name, || {
            aws.elb.describe_load_balancers().names(&name).send()
        })
        .await;
    match answer {
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        answer => Ok(answer?.load_balancers.unwrap_or_default().into_iter().next()),
    }
}

/// What is read of the load balancer once it is known that there is one.
pub(super) struct Details {
    attributes: Vec<LoadBalancerAttribute>,
    listeners: Vec<Listener>,
    rules: Vec<StageRule>,
}

/// Reads what the load balancer is set to: two rounds of calls.
pub(super) async fn read_details(aws: &Aws, names: &Names, arn: &str) -> Result<Details, Error> {
    let name = names.load_balancer();
    let attributes = async {
        let answer = aws
            .call("elasticloadbalancing:DescribeLoadBalancerAttributes", &name, || {
                aws.elb.describe_load_balancer_attributes().load_balancer_arn(arn).send()
            })
            .await?;
        Ok::<_, Error>(answer.attributes.unwrap_or_default())
    };
    let listeners = async {
        let listeners = listeners::observe(aws, &name, arn).await?;
        let rules = match front(&listeners) {
            Some(front) => rules::observe(aws, &name, &front).await?,
            None => Vec::new(),
        };
        Ok((listeners, rules))
    };
    let (attributes, (listeners, rules)) = futures::future::try_join(attributes, listeners).await?;
    Ok(Details { attributes, listeners, rules })
}

/// The listener that has the stages' rules: the one for HTTPS, where there is one.
fn front(listeners: &[Listener]) -> Option<String> {
    listeners::arn_on(listeners, 443).or_else(|| listeners::arn_on(listeners, 80))
}

/// What was found, in the model's terms and in AWS's.
///
/// `group` is the security group of the load balancer's name in its VPC; `names_subnets` says that the files name subnets, so
/// that those of the default VPC have to be named too.
pub(super) fn read(
    found: &CloudBalancer,
    details: Details,
    group: Option<&SecurityGroup>,
    is_ours: bool,
    network: Option<&Network>,
    names_subnets: bool,
) -> (LoadBalancer, LiveBalancer) {
    let attribute = |key: &str| {
        let found = details.attributes.iter().find(|attribute| attribute.key() == Some(key));
        found.and_then(LoadBalancerAttribute::value)
    };
    let is_in_group = group.is_some_and(|group| found.security_groups() == [group.id.as_str()]);
    let is_open = is_in_group && group.is_some_and(|group| security_group::opens(group, &doors()));
    let zones = found.availability_zones();
    let subnets: BTreeSet<String> =
        zones.iter().filter_map(|zone| zone.subnet_id()).map(str::to_owned).collect();
    let is_default = !names_subnets && network.is_some_and(|network| network.subnets == subnets);
    let is_application = found.r#type() == Some(&LoadBalancerTypeEnum::Application);
    let balancer = LoadBalancer {
        entry: listeners::entry(&details.listeners).filter(|_| is_open && is_application),
        subnets: (!is_default).then_some(subnets),
        internet_facing: found.scheme() == Some(&LoadBalancerSchemeEnum::InternetFacing),
        idle_timeout: attribute(IDLE_TIMEOUT).and_then(|seconds| seconds.parse().ok()).unwrap_or_default(),
        drops_invalid_headers: attribute(DROPS_HEADERS) == Some("true"),
        owned: is_ours,
        tags: Tags::default(),
    };
    let live = LiveBalancer {
        arn: found.load_balancer_arn().unwrap_or_default().to_owned(),
        dns_name: found.dns_name().unwrap_or_default().to_owned(),
        vpc: found.vpc_id().unwrap_or_default().to_owned(),
        front: front(&details.listeners),
        listeners: details.listeners,
        rules: details.rules,
        group: group.filter(|_| is_in_group).map(|group| group.id.clone()),
    };
    (balancer, live)
}

/// What is left of a load balancer whose security group alone is there, for what removes things.
pub(super) fn remains() -> LoadBalancer {
    LoadBalancer {
        entry: None,
        subnets: None,
        internet_facing: true,
        idle_timeout: 0,
        drops_invalid_headers: false,
        owned: true,
        tags: Tags::default(),
    }
}

/// Refuses to go on where the files name subnets of a VPC that the load balancer is not in: it cannot move.
pub(super) fn check_vpc(names: &Names, live: &LiveBalancer, network: &Network) -> Result<(), Error> {
    if live.vpc == network.vpc {
        return Ok(());
    }
    let (name, vpc, other) = (names.load_balancer(), &live.vpc, &network.vpc);
    Err(Error::new(
        Cause::Invalid,
        format!(
            "load balancer {name} is in {vpc}, the subnets for the servers in {other}; it cannot move there"
        ),
    )
    .with_help(format!(
        "name subnets of {vpc} in `subnets` of [server], or `mdo destroy` every hosted stage first"
    )))
}

/// Creates the load balancer with its security group and its listeners.
pub(super) async fn create(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    wanted: &LoadBalancer,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let network = state.network()?;
    let group = put_group(aws, names, state, &network.vpc, &wanted.tags).await?;
    let name = names.load_balancer();
    let tags = tags(names, &wanted.tags);
    let created = aws
        .call("elasticloadbalancing:CreateLoadBalancer", &name, || {
            aws.elb
                .create_load_balancer()
                .name(&name)
                .r#type(LoadBalancerTypeEnum::Application)
                .scheme(LoadBalancerSchemeEnum::InternetFacing)
                .set_subnets(Some(network.subnets.iter().cloned().collect()))
                .security_groups(&group)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    let found = match created {
        Ok(answer) => answer.load_balancers.unwrap_or_default().into_iter().next(),
        // Another deploy of the project has been quicker.
        Err(error) if error.is(&Cause::Exists) => match find(aws, names).await? {
            Some(found) => {
                let arn = found.load_balancer_arn().unwrap_or_default();
                super::owner_of(aws, names, &name, arn).await?.check("load balancer", &name, false)?;
                Some(found)
            }
            None => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let unnamed = || Error::new(Cause::Other, format!("AWS does not say which load balancer {name} is"));
    let found = found.ok_or_else(unnamed)?;
    let mut live = LiveBalancer {
        arn: found.load_balancer_arn().ok_or_else(unnamed)?.to_owned(),
        dns_name: found.dns_name().unwrap_or_default().to_owned(),
        vpc: network.vpc,
        listeners: Vec::new(),
        front: None,
        rules: Vec::new(),
        group: Some(group),
    };
    let attributes = put_attributes(aws, &name, &live.arn, wanted);
    let entry = wanted.entry.as_ref().unwrap_or(&Entry::Http);
    let front = listeners::put(aws, &name, &live.arn, &[], (entry, &wanted.tags));
    let ((), front) = written::both(attributes, front).await?;
    live.front = Some(front);
    state.known().balancer = Some(live);
    run.announce(&change.id);
    Ok(Applied::default())
}

/// Puts the load balancer back to what is wanted.
pub(super) async fn update(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    wanted: &LoadBalancer,
    change: &Change,
) -> Result<Applied, Error> {
    let name = names.load_balancer();
    let gone = || Error::new(Cause::Gone, format!("load balancer {name} is gone"));
    let mut live = state.known().balancer.clone().ok_or_else(gone)?;
    if change.touches("internet_facing") {
        let message =
            format!("load balancer {name} is internal, and AWS cannot make it reachable from the internet");
        return Err(Error::new(Cause::Invalid, message)
            .with_help("delete it at AWS, then run the command again: mdo makes it anew"));
    }
    if change.touches("owned") {
        let tags = tags(names, &Tags::default());
        aws.call("elasticloadbalancing:AddTags", &name, || {
            aws.elb.add_tags().resource_arns(&live.arn).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if change.touches("subnets") {
        let subnets: Vec<String> = state.network()?.subnets.into_iter().collect();
        aws.call("elasticloadbalancing:SetSubnets", &name, || {
            aws.elb.set_subnets().load_balancer_arn(&live.arn).set_subnets(Some(subnets.clone())).send()
        })
        .await?;
    }
    if change.touches("idle_timeout") || change.touches("drops_invalid_headers") {
        put_attributes(aws, &name, &live.arn, wanted).await?;
    }
    if change.touches("entry") || change.touches("owned") {
        let group = put_group(aws, names, state, &live.vpc, &Tags::default()).await?;
        if live.group.as_ref() != Some(&group) {
            aws.call("elasticloadbalancing:SetSecurityGroups", &name, || {
                aws.elb.set_security_groups().load_balancer_arn(&live.arn).security_groups(&group).send()
            })
            .await?;
            live.group = Some(group);
        }
    }
    if let Some(entry) = wanted.entry.as_ref().filter(|_| change.touches("entry")) {
        let front = listeners::put(aws, &name, &live.arn, &live.listeners, (entry, &wanted.tags)).await?;
        live.rules = rules::observe(aws, &name, &front).await?;
        live.front = Some(front);
    }
    if let Some(Resource::LoadBalancer(before)) = &change.before {
        let tags = (&before.tags, &wanted.tags);
        let listeners = live.listeners.iter().filter_map(Listener::listener_arn).map(str::to_owned);
        let arns = listeners.chain([live.arn.clone()]).collect();
        tagging::of_balancing(aws, &name, arns, tags).await?;
        if let Some(group) = &live.group {
            tagging::of_group(aws, &names.load_balancer_group(), group, tags).await?;
        }
        // Nothing else tells of the cluster, which the same stages share.
        tagging::of_cluster(aws, names, tags).await?;
    }
    state.known().balancer = Some(live);
    Ok(Applied::default())
}

/// Deletes the load balancer with its listeners, then its security group.
pub(super) async fn delete(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let name = names.load_balancer();
    let (live, group) = {
        let known = state.known();
        (known.balancer.clone(), known.group(&names.load_balancer_group()))
    };
    if let Some(live) = live {
        let answer = aws
            .call("elasticloadbalancing:DeleteLoadBalancer", &name, || {
                aws.elb.delete_load_balancer().load_balancer_arn(&live.arn).send()
            })
            .await;
        if let Err(error) = answer.map(drop)
            && !error.is(&Cause::Gone)
        {
            return Err(error);
        }
    }
    if let Some(group) = group {
        security_group::delete(aws, &group, &|what| run.waiting(&change.id, what)).await?;
    }
    Ok(Applied::default())
}

async fn put_attributes(aws: &Aws, name: &str, arn: &str, wanted: &LoadBalancer) -> Result<(), Error> {
    let attribute = |key: &str, value: String| LoadBalancerAttribute::builder().key(key).value(value).build();
    let attributes = vec![
        attribute(IDLE_TIMEOUT, wanted.idle_timeout.to_string()),
        attribute(DROPS_HEADERS, wanted.drops_invalid_headers.to_string()),
    ];
    aws.call("elasticloadbalancing:ModifyLoadBalancerAttributes", name, || {
        aws.elb
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn)
            .set_attributes(Some(attributes.clone()))
            .send()
    })
    .await
    .map(drop)
}

async fn put_group(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    vpc: &str,
    own: &Tags,
) -> Result<String, Error> {
    let name = names.load_balancer_group();
    let (live, adopts) = {
        let known = state.known();
        (known.group_in(&name, vpc), known.adopts)
    };
    let wanted = Wanted {
        name: &name,
        description: group_description(names),
        vpc,
        doors: doors(),
        tags: tag_map(names, own).into_iter().collect(),
    };
    security_group::put(aws, &names.project, live.as_ref(), &wanted, adopts).await
}

/// What the security group says of itself.
pub(crate) fn group_description(names: &Names) -> String {
    format!("Lets the world in to the load balancer of {}, made by mdo", names.project)
}

/// The ports on which the load balancer lets in everybody.
pub(crate) const PORTS: [u16; 2] = [80, 443];

/// Every address there is.
pub(crate) const EVERYBODY: &str = "0.0.0.0/0";

/// Whom the load balancer lets in: everybody, on its two ports.
fn doors() -> BTreeSet<Door> {
    PORTS.map(|port| Door::tcp(port, Visitor::Block(EVERYBODY.to_owned()))).into()
}

fn tags(names: &Names, own: &Tags) -> Vec<Tag> {
    tag_map(names, own).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Whether load balancer and security group both say that they are ours.
pub(super) fn is_ours(tags: &Owner, group: Option<&SecurityGroup>, names: &Names) -> bool {
    let is_group_ours = group.is_none_or(|group| security_group::owner(group, &names.project) == Owner::Us);
    *tags == Owner::Us && is_group_ours
}
