//! The way to the tasks of a stage: made with few writes, compared, repaired, and taken away in an order that works.

use std::collections::BTreeMap;

use mdo_model::stack::Server;

use super::harness::{At, Hosted, PLAIN};
use crate::hosted::target::{self, LiveTarget};

/// Puts the way there, and answers by which writes.
async fn put(at: &At<'_>, wanted: &Server) -> Vec<String> {
    at.writes();
    let provider = &at.provider;
    target::put(&provider.aws, &provider.names, &provider.hosted, wanted).await.expect("a way");
    let mut writes = at.writes();
    writes.sort();
    writes
}

async fn look(at: &At<'_>) -> LiveTarget {
    at.plan().await;
    at.provider.hosted.known().target.clone()
}

fn server(at: &At<'_>) -> Server {
    at.wanted.server.clone().expect("a server")
}

#[tokio::test]
async fn the_way_is_made_once_and_then_left_alone() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let made = put(&at, &server(&at)).await;
    assert_eq!(
        made,
        [
            "AuthorizeSecurityGroupIngress",
            "CreateRule",
            "CreateSecurityGroup",
            "CreateTargetGroup",
            "ModifyTargetGroupAttributes"
        ]
    );
    let live = look(&at).await;
    assert!(live.is_whole && live.owned, "{live:?}");
    assert_eq!((live.health.as_str(), live.drain), ("/-/health", 30));
    assert_eq!(put(&at, &server(&at)).await, [""; 0]);
}

#[tokio::test]
async fn each_part_that_differs_is_repaired_alone() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    put(&at, &server(&at)).await;
    look(&at).await;
    let other = Server { health: "/ready".to_owned(), drain: 5, ..server(&at) };
    assert_eq!(put(&at, &other).await, ["ModifyTargetGroup", "ModifyTargetGroupAttributes"]);
    assert_eq!(look(&at).await.drain, 5);

    let elb = &at.provider.aws.elb;
    let rule = at.provider.hosted.balancer(&at.provider.names).expect("a balancer").rules[0].arn.clone();
    elb.delete_rule().rule_arn(rule).send().await.expect("a change");
    assert!(!look(&at).await.is_whole);
    assert_eq!(put(&at, &other).await, ["CreateRule"]);

    let arn = look(&at).await.arn.expect("a target group");
    elb.modify_target_group()
        .target_group_arn(arn)
        .health_check_interval_seconds(30)
        .send()
        .await
        .expect("a change");
    assert!(!look(&at).await.is_whole);
    assert_eq!(put(&at, &other).await, ["ModifyTargetGroup"]);
    assert!(look(&at).await.is_whole);
}

#[tokio::test]
async fn two_stages_have_each_a_rule_of_its_own() {
    let Some(hosted) = Hosted::fresh() else { return };
    let prod = hosted.at("prod", PLAIN).await;
    prod.bring().await;
    put(&prod, &server(&prod)).await;
    let dev = hosted.at("dev", PLAIN).await;
    dev.plan().await;
    put(&dev, &server(&dev)).await;
    dev.plan().await;
    let rules = dev.provider.hosted.balancer(&dev.provider.names).expect("a balancer").rules;
    let paths: BTreeMap<i32, Vec<String>> =
        rules.into_iter().map(|rule| (rule.priority, rule.paths.into_iter().collect())).collect();
    let of = |stage: &str| vec![format!("/{stage}"), format!("/{stage}/*")];
    assert_eq!(paths, BTreeMap::from([(1, of("prod")), (2, of("dev"))]));
}

#[tokio::test]
async fn the_way_goes_from_the_rule_to_the_security_group() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    put(&at, &server(&at)).await;
    look(&at).await;
    at.writes();
    let provider = &at.provider;
    target::delete(&provider.aws, &provider.names, &provider.hosted, &|_| {}).await.expect("a deletion");
    assert_eq!(at.writes(), ["DeleteRule", "DeleteTargetGroup", "DeleteSecurityGroup"]);
    let gone = look(&at).await;
    assert_eq!((gone.arn, gone.is_whole), (None, false));
}
