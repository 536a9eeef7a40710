//! Where load balancer and tasks are: a VPC, and subnets in at least two of its zones.

use std::collections::BTreeSet;

use mdo_engine::{Cause, Error};

use super::HostedState;
use crate::client::Aws;
use crate::ec2::Subnet;

/// Availability zones that have no Fargate, by what they are called in every account. A default VPC may have subnets there.
/// (Amazon ECS's developer guide, "Supported Regions for Amazon ECS on AWS Fargate".)
const WITHOUT_FARGATE: [&str; 3] = ["usw1-az2", "apne1-az3", "cnn1-az3"];

/// Where load balancer and tasks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    /// The VPC.
    pub vpc: String,
    /// Its subnets that are used.
    pub subnets: BTreeSet<String>,
    /// Whether tasks need an address of their own to reach the world.
    pub is_public: bool,
}

/// Where the files want the stage's servers; `None` where they want none, and the region has no default VPC.
///
/// # Errors
/// [`Cause::Invalid`] when that is no place for a load balancer.
pub(super) async fn observe(aws: &Aws, state: &HostedState) -> Result<Option<Network>, Error> {
    let named = state.wanted.as_ref().and_then(|wanted| wanted.subnets.as_ref());
    let on = named.map(listed).unwrap_or_default();
    let ids = named.into_iter().flatten();
    let found = aws.call("ec2:DescribeSubnets", &on, || aws.ec2.subnets(ids.clone())).await;
    match (found, named) {
        (Err(error), Some(_)) if error.is(&Cause::Gone) => Err(absent(error, &aws.region)),
        (found, Some(_)) => among_named(&found?).map(Some),
        (found, None) => match of_default_vpc(found?) {
            Some(network) => Ok(Some(network)),
            None if state.wanted.is_none() => Ok(None),
            None => {
                let has = aws.call("ec2:DescribeVpcs", "", || aws.ec2.has_default_vpc()).await?;
                Err(no_default(has, &aws.region))
            }
        },
    }
}

/// The network of subnets that the files name.
fn among_named(found: &[Subnet]) -> Result<Network, Error> {
    let vpcs: BTreeSet<&str> = found.iter().map(|subnet| subnet.vpc.as_str()).collect();
    let zones: BTreeSet<&str> = found.iter().map(|subnet| subnet.zone.as_str()).collect();
    let subnets: BTreeSet<String> = found.iter().map(|subnet| subnet.id.clone()).collect();
    let invalid = |what: String, help: &str| Err(Error::new(Cause::Invalid, what).with_help(help));
    let named = listed(&subnets);
    if vpcs.len() > 1 {
        let vpcs: Vec<&str> = vpcs.into_iter().collect();
        return invalid(
            format!("the subnets {named} are in different VPCs ({})", vpcs.join(", ")),
            "name subnets of one VPC in `subnets` of [server]",
        );
    }
    if zones.len() < 2 {
        let zone = zones.first().copied().unwrap_or("no zone");
        return invalid(
            format!("the subnets {named} are all in {zone}; a load balancer needs two availability zones"),
            "name subnets in at least two zones in `subnets` of [server]",
        );
    }
    if zones.len() < found.len() {
        return invalid(
            format!(
                "of the subnets {named} some share an availability zone; a load balancer takes one of each"
            ),
            "name one subnet of each zone in `subnets` of [server]",
        );
    }
    let vpc = vpcs.first().map(|vpc| (*vpc).to_owned()).unwrap_or_default();
    Ok(Network { vpc, subnets, is_public: found.iter().all(|subnet| subnet.is_public) })
}

/// The network of the default VPC's public subnets, as far as there is one.
fn of_default_vpc(found: Vec<Subnet>) -> Option<Network> {
    let is_fit = |subnet: &Subnet| subnet.is_public && !WITHOUT_FARGATE.contains(&subnet.zone_id.as_str());
    let fit: Vec<Subnet> = found.into_iter().filter(is_fit).collect();
    let vpc = fit.first()?.vpc.clone();
    let subnets: BTreeSet<String> = fit.into_iter().map(|subnet| subnet.id).collect();
    (subnets.len() > 1).then_some(Network { vpc, subnets, is_public: true })
}

fn absent(error: Error, region: &str) -> Error {
    let message = format!("{} (region {region})", error.message);
    Error { cause: Cause::Invalid, message, ..error }.with_help(
        "name subnets of this region in `subnets` of [server], or leave it out for the default VPC's",
    )
}

fn no_default(has_vpc: bool, region: &str) -> Error {
    let message = match has_vpc {
        true => format!("the default VPC of {region} has no public subnets in two availability zones"),
        false => format!("{region} has no default VPC for the servers"),
    };
    Error::new(Cause::Invalid, message).with_help(
        "name subnets in `subnets` of [server], in at least two zones of one VPC, or make a default VPC: `aws ec2 \
         create-default-vpc`",
    )
}

fn listed(ids: &BTreeSet<String>) -> String {
    ids.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, vpc: &str, zone: &str) -> Subnet {
        Subnet {
            id: id.to_owned(),
            vpc: vpc.to_owned(),
            zone: zone.to_owned(),
            zone_id: format!("id-{zone}"),
            is_public: true,
        }
    }

    #[test]
    fn named_subnets_are_of_one_vpc_and_several_zones() {
        let network = among_named(&[subnet("s-1", "v", "a"), subnet("s-2", "v", "b")]).expect("a network");
        assert_eq!((network.vpc.as_str(), network.subnets.len()), ("v", 2));
        let refused = |subnets: &[Subnet]| {
            let error = among_named(subnets).expect_err("a refusal");
            assert_eq!(error.cause, Cause::Invalid);
            error.message
        };
        assert_eq!(
            refused(&[subnet("s-1", "v", "a"), subnet("s-2", "w", "b")]),
            "the subnets s-1, s-2 are in different VPCs (v, w)"
        );
        assert_eq!(
            refused(&[subnet("s-1", "v", "a"), subnet("s-2", "v", "a")]),
            "the subnets s-1, s-2 are all in a; a load balancer needs two availability zones"
        );
        assert_eq!(
            refused(&[subnet("s-1", "v", "a"), subnet("s-2", "v", "a"), subnet("s-3", "v", "b")]),
            "of the subnets s-1, s-2, s-3 some share an availability zone; a load balancer takes one of each"
        );
    }

    #[test]
    fn of_the_default_vpc_only_public_subnets_that_have_fargate_are_taken() {
        let hidden = Subnet { is_public: false, ..subnet("s-3", "v", "c") };
        let old = Subnet { zone_id: "apne1-az3".to_owned(), ..subnet("s-4", "v", "e") };
        let mut all = vec![subnet("s-1", "v", "a"), hidden, old];
        assert_eq!(of_default_vpc(all.clone()), None);
        all.push(subnet("s-2", "v", "b"));
        let network = of_default_vpc(all).expect("a network");
        assert_eq!(network.subnets.into_iter().collect::<Vec<_>>(), ["s-1", "s-2"]);
    }

    #[test]
    fn who_has_no_default_vpc_learns_what_to_write() {
        let error = no_default(false, "eu-west-1");
        assert_eq!(error.message, "eu-west-1 has no default VPC for the servers");
        assert!(error.help.expect("help").starts_with("name subnets in `subnets` of [server]"));
    }
}
