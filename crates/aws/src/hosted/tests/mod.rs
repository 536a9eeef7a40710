//! What stands in front of a hosted stage, on an emulator: what is made and by which calls, what is left alone, what is
//! repaired, refused and taken away.

mod autoscaling;
mod balancing;
mod harness;
mod places;
mod serving;
mod targets;

use mdo_engine::{Cause, Provider, Scope};

use self::harness::{At, Hosted, PLAIN};

/// The reads that find nothing.
const READS_OF_NOTHING: [&str; 6] = [
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
];

#[tokio::test]
async fn a_first_deploy_makes_repository_and_load_balancer_by_these_calls() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["+ repository ml_api", "+ load balancer ml_api"]);
    assert_eq!(at.calls(), READS_OF_NOTHING);
    let (done, _) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    assert_eq!(
        at.calls(),
        [
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateSecurityGroup",
            "ecr:CreateRepository",
            "ecr:PutLifecyclePolicy",
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
        ]
    );
}

#[tokio::test]
async fn what_is_there_is_read_in_three_rounds_and_left_alone() {
    let Some(hosted) = Hosted::fresh() else { return };
    hosted.at("prod", PLAIN).await.bring().await;
    let hosted = hosted.in_rounds();
    let at = hosted.at("prod", PLAIN).await;
    let plan = at.plan().await;
    assert!(plan.is_empty(), "{:?}", At::changes(&plan));
    let mut wanted = READS_OF_NOTHING.to_vec();
    wanted.extend([
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTags",
    ]);
    wanted.sort_unstable();
    assert!(hosted.proxy.recording().writes().is_empty());
    let ours = hosted.proxy.recording();
    let depth = ours.depth();
    assert!(depth <= 3, "{depth}: {:?}", ours.timeline());
    assert_eq!(at.provider.calls(), ours.calls().len(), "those to EC2 count as well");
    assert_eq!(at.calls(), wanted);
}

#[tokio::test]
async fn a_project_without_servers_looks_for_none() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.without_a_word("prod").await;
    at.provider.observe(&Scope::default()).await.expect("what is live");
    assert_eq!(at.calls(), [""; 0]);
}

#[tokio::test]
async fn a_repository_is_put_back_to_what_it_should_be() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let ecr = &at.provider.aws.ecr;
    ecr.put_image_tag_mutability()
        .repository_name("ml_api")
        .image_tag_mutability(aws_sdk_ecr::types::ImageTagMutability::Mutable)
        .send()
        .await
        .expect("a change");
    ecr.delete_lifecycle_policy().repository_name("ml_api").send().await.expect("a change");
    let plan = at.plan().await;
    assert_eq!(At::changes(&plan), ["~ repository ml_api: immutable, untagged_days"]);
    at.writes();
    at.apply(&plan).await;
    assert_eq!(at.writes(), ["PutImageTagMutability", "PutLifecyclePolicy"]);
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn a_strangers_repository_is_refused_unless_adopted() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.provider.aws.ecr.create_repository().repository_name("ml_api").send().await.expect("a repository");
    let error = at.plan_in(Scope::default()).await.expect_err("a refusal");
    assert_eq!(error.cause, Cause::NotOurs);
    let wanted = "repository ml_api exists already and was not made by mdo (it has no tag mdo:project)";
    assert_eq!(error.message, wanted);

    let plan = at.plan_in(Scope { adopt: true, ..Scope::default() }).await.expect("a plan");
    let wanted = ["~ repository ml_api: immutable, owned, untagged_days", "+ load balancer ml_api"];
    assert_eq!(At::changes(&plan), wanted);
    at.apply(&plan).await;
    assert!(at.plan().await.is_empty());
}

#[tokio::test]
async fn destroying_takes_everything_away_and_passes_strangers_by() {
    let Some(hosted) = Hosted::fresh() else { return };
    let at = hosted.at("prod", PLAIN).await;
    at.bring().await;
    let plan = at.destruction().await;
    assert_eq!(At::changes(&plan), ["- repository ml_api", "- load balancer ml_api"]);
    at.writes();
    let (done, _) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    let mut writes = at.writes();
    writes.sort();
    assert_eq!(writes, ["DeleteLoadBalancer", "DeleteRepository", "DeleteSecurityGroup"]);
    assert!(at.destruction().await.is_empty());
    assert_eq!(at.plan().await.changes.len(), 2);

    at.provider.aws.ecr.create_repository().repository_name("ml_api").send().await.expect("a repository");
    assert!(at.destruction().await.is_empty());
}
