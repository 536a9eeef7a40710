//! The load balancer: what is repaired in place, who else may have it, and how it goes.

use std::collections::HashMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, HostHeaderConditionConfig, LoadBalancerAttribute,
    LoadBalancerSchemeEnum, RuleCondition,
};
use mdo_engine::{Cause, Scope};

use super::harness::fault::Fault;
use super::harness::{At, Hosted, PLAIN};
use crate::hosted::rules;

const CERTIFICATE: &str =
    "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";

fn secure() -> String {
    format!("[server]\ncertificate = \"{CERTIFICATE}\"\n")
}

/// The ARN of the load balancer, and of its listener on a port.
async fn arns(at: &At<'_>, port: i32) -> (String, Option<String>) {
    let balancer = at.provider.hosted.balancer(&at.provider.names).expect("a load balancer");
    let listeners = at.provider.aws.elb.describe_listeners().load_balancer_arn(&balancer.arn).send().await;
    let listeners = listeners.expect("listeners").listeners.unwrap_or_default();
    (balancer.arn, crate::hosted::listeners::arn_on(&listeners, port))
}

#[tokio::test]
async fn attributes_that_somebody_changed_are_put_back() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let (arn, _) = arns(&at, 80).await;
    let attribute = |key: &str, value: &str| LoadBalancerAttribute::builder().key(key).value(value).build();
    at.provider
        .aws
        .elb
        .modify_load_balancer_attributes()
        .load_balancer_arn(arn)
        .attributes(attribute("idle_timeout.timeout_seconds", "10"))
        .attributes(attribute("routing.http.drop_invalid_header_fields.enabled", "false"))
        .send()
        .await
        .expect("a change");
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ load balancer ml_api: drops_invalid_headers, idle_timeout"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["ModifyLoadBalancerAttributes"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn an_answer_that_somebody_changed_is_put_back() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let (_, listener) = arns(&at, 80).await;
    let answer = FixedResponseActionConfig::builder().status_code("200").content_type("text/plain").build();
    let action =
        Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(answer).build();
    let listener = listener.expect("a listener");
    let elb = &at.provider.aws.elb;
    elb.modify_listener().listener_arn(listener).default_actions(action).send().await.expect("a change");
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ load balancer ml_api: entry"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["ModifyListener"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn a_door_that_somebody_opened_is_closed_and_a_closed_one_opened() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let group = at.provider.hosted.balancer(&at.provider.names).expect("a balancer").group.expect("a group");
    let open = |port| crate::ec2::Door::tcp(port, crate::ec2::Visitor::Block("0.0.0.0/0".to_owned()));
    at.provider.aws.ec2.authorize_ingress(&group, &[open(22)]).await.expect("a change");
    at.provider.aws.ec2.revoke_ingress(&group, &[open(443)]).await.expect("a change");
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ load balancer ml_api: entry"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn plain_http_becomes_https_in_place_and_back() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let names = &at.provider.names;
    let (_, listener) = arns(&at, 80).await;
    let target = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t/1";
    let (paths, listener) = (rules::paths(&names.stage), listener.expect("a listener"));
    rules::create(&at.provider.aws, "x", &listener, &[], (&paths, target), HashMap::new())
        .await
        .expect("a rule");

    let at = hosted.at("prod", &secure()).await;
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ load balancer ml_api: entry"]);
    at.writes();
    let (done, _) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    // The stage answers at 443 before 80 sends everybody there.
    assert_eq!(at.writes(), ["CreateListener", "CreateRule", "ModifyListener", "DeleteRule"]);
    assert!(at.plan().await.is_empty());
    let moved = at.provider.hosted.balancer(&at.provider.names).expect("a balancer").rules;
    assert_eq!(moved.len(), 1);
    assert_eq!((&moved[0].paths, moved[0].target.as_deref()), (&paths, Some(target)));

    let at = hosted.at("prod", PLAIN).await;
    let plan = at.plan().await;
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["ModifyListener", "CreateRule", "DeleteListener"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn https_is_made_with_a_redirect_from_http() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", &secure()).await;
    at.bring().await;
    assert_eq!(at.calls().iter().filter(|call| call.ends_with("CreateListener")).count(), 2);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn a_load_balancer_of_somebody_else_is_refused_unless_adopted() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.plan().await;
    let subnets = at.provider.hosted.network().expect("a network").subnets.into_iter().collect();
    let elb = &at.provider.aws.elb;
    elb.create_load_balancer()
        .name("ml-api")
        .scheme(LoadBalancerSchemeEnum::InternetFacing)
        .set_subnets(Some(subnets))
        .send()
        .await
        .expect("a load balancer");
    let error = at.plan_in(Scope::default()).await.expect_err("a refusal");
    assert_eq!(error.cause, Cause::NotOurs);
    let wanted = "load balancer ml-api exists already and was not made by mdo (it has no tag mdo:project)";
    assert_eq!(error.message, wanted);

    let plan = at.plan_in(Scope { adopt: true, ..Scope::default() }).await.expect("a plan");
    at.writes();
    let (done, _) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    let writes = at.writes();
    for one in ["AddTags", "CreateSecurityGroup", "SetSecurityGroups", "CreateListener"] {
        assert!(writes.iter().any(|write| write == one), "{one}: {writes:?}");
    }
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn an_internal_load_balancer_is_not_taken_for_one_that_the_internet_reaches() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.plan().await;
    let subnets = at.provider.hosted.network().expect("a network").subnets.into_iter().collect();
    let elb = &at.provider.aws.elb;
    elb.create_load_balancer()
        .name("ml-api")
        .scheme(LoadBalancerSchemeEnum::Internal)
        .set_subnets(Some(subnets))
        .send()
        .await
        .expect("a load balancer");
    let plan = at.plan_in(Scope { adopt: true, ..Scope::default() }).await.expect("a plan");
    let (mut done, _) = at.apply(&plan).await;
    let error = done.remove("load balancer ml_api").expect("an outcome").expect_err("a refusal");
    assert_eq!(error.cause, Cause::Invalid);
    let wanted = "load balancer ml-api is internal, and AWS cannot make it reachable from the internet";
    assert_eq!(error.message, wanted);
}

#[tokio::test]
async fn the_security_group_goes_when_the_interfaces_in_it_are_gone() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let plan = at.destruction().await;
    let busy = Fault::error(400, "DependencyViolation", "resource sg-1 has a dependent object");
    hosted.proxy.fail_next("DeleteSecurityGroup", 2, busy);
    let (done, waits) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    let wait = "load balancer ml_api: for network interfaces in security group ml_api-lb to go";
    assert_eq!(waits, [wait, wait]);
    assert!(at.destruction().await.is_empty());
}

#[tokio::test]
async fn what_a_destruction_that_was_cut_short_has_left_goes_with_the_next() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let plan = at.destruction().await;
    hosted.proxy.fail_next("DeleteSecurityGroup", 1, Fault::denied("ec2:DeleteSecurityGroup"));
    let (mut done, _) = at.apply(&plan).await;
    done.remove("load balancer ml_api").expect("an outcome").expect_err("a refusal");
    let plan = at.destruction().await;
    assert_eq!(At::changes(&plan), ["- load balancer ml_api"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["DeleteSecurityGroup"]);
}

#[tokio::test]
async fn a_stage_that_is_not_hosted_leaves_those_that_are_alone() {
    let Some(hosted) = Hosted::fresh() else { return };
    hosted.at("prod", PLAIN).await.bring().await;
    let dev = hosted.serverless("dev").await;
    assert!(dev.plan().await.is_empty());
    assert!(dev.destruction().await.is_empty());
}

#[tokio::test]
async fn a_listener_keeps_the_rules_that_people_made() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let (_, listener) = arns(&at, 80).await;
    let host = RuleCondition::builder()
        .field("host-header")
        .host_header_config(HostHeaderConditionConfig::builder().values("example.com").build())
        .build();
    let answer = FixedResponseActionConfig::builder().status_code("204").build();
    let action =
        Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(answer).build();
    let elb = &at.provider.aws.elb;
    let rule = elb.create_rule().set_listener_arn(listener).priority(9).conditions(host).actions(action);
    rule.send().await.expect("a rule");
    let at = hosted.at("prod", &secure()).await;
    let plan = at.plan().await;
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["CreateListener", "ModifyListener"]);
}

#[tokio::test]
async fn another_stage_keeps_what_the_project_shares() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let (_, listener) = arns(&at, 80).await;
    let paths = rules::paths(&"dev".parse().expect("a stage"));
    let listener = listener.expect("a listener");
    rules::create(&at.provider.aws, "x", &listener, &[], (&paths, "arn:t"), HashMap::new())
        .await
        .expect("a rule");
    assert!(at.destruction().await.is_empty());
}
