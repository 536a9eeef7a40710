//! Where servers are: what of a network no load balancer can be in is said before anything is made.

use mdo_engine::{Cause, Error, Scope};

use super::harness::fault::Fault;
use super::harness::{At, Hosted, PLAIN};

fn within(subnets: &[&str]) -> String {
    format!("{PLAIN}subnets = {subnets:?}\n")
}

fn between(text: &str, start: &str, end: &str) -> String {
    let rest = text.split_once(start).expect("a beginning").1;
    rest.split_once(end).expect("an end").0.to_owned()
}

async fn refused(at: &At<'_>) -> Error {
    let error = at.plan_in(Scope::default()).await.expect_err("a refusal");
    assert_eq!(error.cause, Cause::Invalid, "{error}");
    assert!(at.writes().is_empty());
    error
}

#[tokio::test]
async fn subnets_of_one_zone_are_refused() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let form = vec![
        ("VpcId".into(), "vpc-00000001".to_owned()),
        ("CidrBlock".into(), "172.31.48.0/20".to_owned()),
        ("AvailabilityZone".into(), "eu-west-1a".to_owned()),
    ];
    let read = |text: &str| Ok(between(text, "<subnetId>", "</subnetId>"));
    let second = at.provider.aws.ec2.0.send("CreateSubnet", form, read).await.expect("a subnet");
    let at = hosted.at("prod", &within(&["subnet-00000001", &second])).await;
    at.writes();
    let error = refused(&at).await;
    let wanted = format!(
        "the subnets subnet-00000001, {second} are all in eu-west-1a; a load balancer needs two availability zones"
    );
    assert_eq!(error.message, wanted);
}

#[tokio::test]
async fn a_subnet_that_is_not_there_is_named() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", &within(&["subnet-0000000a", "subnet-00000001"])).await;
    let error = refused(&at).await;
    assert!(error.message.contains("subnet-0000000a"), "{error}");
    assert!(error.help.expect("help").starts_with("name subnets of this region in `subnets` of [server]"));
}

#[tokio::test]
async fn named_subnets_are_compared_by_name_and_changed_in_place() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", &within(&["subnet-00000001", "subnet-00000002"])).await;
    at.bring().await;
    assert!(at.plan().await.is_empty());
    let at = hosted.at("prod", PLAIN).await;
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ load balancer ml_api: subnets"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["SetSubnets"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn a_default_vpc_without_subnets_is_no_place() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    for number in 1..=2 {
        let form = vec![("SubnetId".into(), format!("subnet-0000000{number}"))];
        at.provider.aws.ec2.0.send("DeleteSubnet", form, |_| Ok(())).await.expect("a change");
    }
    at.writes();
    let error = refused(&at).await;
    let wanted = "the default VPC of eu-west-1 has no public subnets in two availability zones";
    assert_eq!(error.message, wanted);
    assert!(error.help.expect("help").starts_with("name subnets in `subnets` of [server]"));
}

#[tokio::test]
async fn a_call_to_ec2_that_is_throttled_is_made_again() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let throttled = Fault::error(503, "RequestLimitExceeded", "Request limit exceeded.");
    hosted.proxy.fail_next("DescribeSubnets", 1, throttled);
    assert_eq!(at.plan().await.changes.len(), 2);
    let calls = at.calls();
    assert_eq!(calls.iter().filter(|call| *call == "ec2:DescribeSubnets").count(), 2);
}

#[tokio::test]
async fn a_permission_that_ec2_misses_is_named() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let words = "You are not authorized to perform this operation. User: arn:aws:iam::1:user/ada is not authorized to \
                 perform: ec2:DescribeSubnets because no identity-based policy allows the ec2:DescribeSubnets action";
    let denied = Fault::error(403, "UnauthorizedOperation", words);
    hosted.proxy.fail_next("DescribeSubnets", 1, denied);
    let error = at.plan_in(Scope::default()).await.expect_err("a refusal");
    assert_eq!(error.cause, Cause::Denied);
    assert_eq!(error.message, "describe subnets: `ec2:DescribeSubnets` is not allowed");
}

#[tokio::test]
async fn a_certificate_or_a_secret_of_another_region_is_refused() {
    let Some(hosted) = Hosted::fresh() else { return };
    let arn = "arn:aws:acm:us-east-1:123456789012:certificate/1";
    let error = refused(&hosted.at("prod", &format!("[server]\ncertificate = \"{arn}\"\n")).await).await;
    assert_eq!(error.message, format!("{arn} is in us-east-1, and the servers are in eu-west-1"));
    assert_eq!(error.help.as_deref(), Some("name one of eu-west-1 in `certificate` of [server]"));
    let arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/db";
    let error = refused(&hosted.at("prod", &format!("{PLAIN}secrets = {{ DB = \"{arn}\" }}\n")).await).await;
    assert_eq!(error.help.as_deref(), Some("name one of eu-west-1 in `secrets` of [server]"));
    let named = hosted.at("prod", &format!("{PLAIN}secrets = {{ DB = \"ssm:{arn}\" }}\n")).await;
    assert_eq!(
        refused(&named).await.message,
        format!("ssm:{arn} is in eu-central-1, and the servers are in eu-west-1")
    );
}
