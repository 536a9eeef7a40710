//! What answers a hosted stage: made by which calls, left alone while nothing differs, changed by two writes, watched while it
//! comes up, and taken away.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use mdo_engine::apply::apply;
use mdo_engine::{Cause, Error, Observed, Outcome, Packages, RunEvent, Scope};
use mdo_model::project::{Secret, Tasks, Throttle};
use mdo_model::stack::{self, Plan, Selection, Server};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::harness::{At, Hosted, PLAIN};

/// A function with a route that asks for a key.
const KEYED: &str = r#"{"routes": ["GET /hello"], "environment": {"GREETING": "hush-hush"}}"#;

/// The reads of what hosts a stage.
const OF_HOSTING: [&str; 17] = [
    "application-autoscaling:DescribeScalableTargets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "logs:DescribeLogGroups",
];

/// The reads that see whether the stage has anything serverless left, and its keys.
const OF_SERVERLESS: [&str; 8] = [
    "apigateway:GetApiKeys",
    "apigateway:GetRestApis",
    "apigateway:GetUsagePlans",
    "events:ListRules",
    "iam:GetRolePolicy",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "sts:GetCallerIdentity",
];

fn hosted() -> Option<Hosted> {
    let mut hosted = Hosted::fresh()?;
    hosted.function = KEYED;
    Some(hosted)
}

async fn live(at: &At<'_>) -> Observed {
    at.observe(Scope::default()).await.expect("what is live")
}

/// The plan to all that is wanted, serverless leftovers apart.
async fn plan(at: &At<'_>) -> Plan {
    let observed = live(at).await;
    let (nothing, shared) = (BTreeSet::new(), BTreeSet::new());
    stack::plan(&at.provider.names, at.wanted.clone(), &observed.stack, &Selection::All, &nothing, &shared)
}

/// Brings the stage up to what is wanted, and answers by which writes.
async fn deploy(at: &At<'_>) -> Vec<String> {
    let plan = plan(at).await;
    at.writes();
    let (done, _) = at.apply(&plan).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    at.writes()
}

fn server<'a>(at: &'a mut At<'_>) -> &'a mut Server {
    at.wanted.server.as_mut().expect("a server")
}

#[tokio::test]
async fn a_first_deploy_makes_the_server_by_these_writes() {
    let Some(hosted) = hosted() else { return };
    let at = hosted.at("prod", PLAIN).await;
    let mut writes = deploy(&at).await;
    assert_eq!(writes.pop().as_deref(), Some("CreateService"));
    writes.sort();
    assert_eq!(
        writes,
        [
            "AuthorizeSecurityGroupIngress",
            "AuthorizeSecurityGroupIngress",
            "CreateApiKey",
            "CreateCluster",
            "CreateListener",
            "CreateLoadBalancer",
            "CreateLogGroup",
            "CreateRepository",
            "CreateRole",
            "CreateRule",
            "CreateSecurityGroup",
            "CreateSecurityGroup",
            "CreateTargetGroup",
            "ModifyLoadBalancerAttributes",
            "ModifyTargetGroupAttributes",
            "PutLifecyclePolicy",
            "PutRetentionPolicy",
            "PutRolePolicy",
            "RegisterTaskDefinition",
        ]
    );
}

#[tokio::test]
async fn what_is_as_it_should_be_is_left_alone() {
    let Some(hosted) = hosted() else { return };
    deploy(&hosted.at("prod", PLAIN).await).await;
    let hosted = hosted.in_rounds();
    let at = hosted.at("prod", PLAIN).await;
    let plan = plan(&at).await;
    assert_eq!(At::changes(&plan), [""; 0]);
    let recording = hosted.proxy.recording();
    assert!(recording.writes().is_empty());
    assert!(recording.depth() <= 3, "{:?}", recording.timeline());
    let mut wanted = OF_HOSTING.to_vec();
    wanted.extend(OF_SERVERLESS);
    wanted.sort_unstable();
    let mut names = recording.names();
    names.sort();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn another_image_another_setting_and_another_key_are_two_writes_each() {
    let Some(hosted) = hosted() else { return };
    deploy(&hosted.at("prod", PLAIN).await).await;

    let mut at = hosted.at("prod", PLAIN).await;
    server(&mut at).image = "sha256:2".to_owned();
    assert_eq!(At::changes(&plan(&at).await), ["~ server prod: image"]);
    assert_eq!(deploy(&at).await, ["RegisterTaskDefinition", "UpdateService"]);

    let function = "hello".parse().expect("a function");
    let variables = server(&mut at).functions.get_mut(&function).expect("the function");
    variables.environment.insert("GREETING".to_owned(), Secret::new("whisper"));
    server(&mut at).throttle = Some(Throttle { rate: 20.0, burst: 40 });
    let changed = At::changes(&plan(&at).await);
    assert_eq!(
        changed,
        ["~ server prod: functions.hello.environment.GREETING, throttle.burst, throttle.rate"]
    );
    assert_eq!(deploy(&at).await, ["RegisterTaskDefinition", "UpdateService"]);

    // Somebody has put another key in the place of the first.
    let aws = &at.provider.aws;
    let keys = aws.apigateway.get_api_keys().send().await.expect("keys");
    let old = keys.items().first().and_then(|key| key.id()).expect("a key");
    aws.apigateway.delete_api_key().api_key(old).send().await.expect("a deletion");
    let tags = [("mdo:project", "ml_api"), ("mdo:stage", "prod")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let made = aws.apigateway.create_api_key().name("ml_api-prod-default").enabled(true).set_tags(Some(tags));
    made.send().await.expect("a key");
    assert_eq!(At::changes(&plan(&at).await), ["~ server prod: keys"]);
    assert_eq!(deploy(&at).await, ["RegisterTaskDefinition", "UpdateService"]);
    assert_eq!(At::changes(&plan(&at).await), [""; 0]);
}

#[tokio::test]
async fn more_tasks_alone_are_one_write_and_no_new_revision() {
    let Some(hosted) = hosted() else { return };
    let mut at = hosted.at("prod", PLAIN).await;
    server(&mut at).throttle = None;
    deploy(&at).await;
    server(&mut at).tasks = Tasks { min: 3, max: 3, cpu: None };
    assert_eq!(At::changes(&plan(&at).await), ["~ server prod: tasks.max, tasks.min"]);
    let writes = deploy(&at).await;
    assert_eq!(writes.last().map(String::as_str), Some("UpdateService"));
    assert!(!writes.contains(&"RegisterTaskDefinition".to_owned()), "{writes:?}");
    assert_eq!(live(&at).await.stack.server.expect("a server").tasks.min, 3);
}

#[tokio::test]
async fn tasks_follow_their_load_between_bounds_until_they_are_not_to() {
    let Some(hosted) = hosted() else { return };
    let mut at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    server(&mut at).tasks = Tasks { min: 2, max: 10, cpu: Some(60) };
    assert_eq!(At::changes(&plan(&at).await), ["~ server prod: tasks.cpu, tasks.max"]);
    assert_eq!(deploy(&at).await, ["RegisterScalableTarget", "PutScalingPolicy"]);
    assert_eq!(At::changes(&plan(&at).await), [""; 0]);
    server(&mut at).tasks = Tasks { min: 2, max: 2, cpu: None };
    assert_eq!(deploy(&at).await, ["DeregisterScalableTarget", "UpdateService"]);
    assert_eq!(At::changes(&plan(&at).await), [""; 0]);
}

#[tokio::test]
async fn what_somebody_has_changed_by_hand_is_put_back() {
    let Some(hosted) = hosted() else { return };
    let at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    let aws = &at.provider.aws;
    aws.ecs
        .update_service()
        .cluster("ml_api")
        .service("ml_api-prod")
        .desired_count(5)
        .deployment_configuration(
            aws_sdk_ecs::types::DeploymentConfiguration::builder().minimum_healthy_percent(0).build(),
        )
        .send()
        .await
        .expect("an edit");
    aws.logs.delete_retention_policy().log_group_name("/mdo/ml_api/prod").send().await.expect("an edit");
    let policy =
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;
    let edit =
        aws.iam.put_role_policy().role_name("ml_api_server").policy_name("mdo").policy_document(policy);
    edit.send().await.expect("an edit");
    assert_eq!(
        At::changes(&plan(&at).await),
        [
            "~ server role ml_api: trusted_service",
            "~ server prod: log_retention_days, rolls_back, tasks.max, tasks.min"
        ]
    );
    deploy(&at).await;
    assert_eq!(At::changes(&plan(&at).await), [""; 0]);
}

#[tokio::test]
async fn a_version_that_does_not_come_up_is_told_with_what_aws_knows_of_it() {
    let Some(hosted) = hosted() else { return };
    let mut at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    server(&mut at).image = "sha256:2".to_owned();
    let plan = plan(&at).await;

    // ECS as it is when the new tasks end at once: the breaker goes back to the first revision.
    let own = Arc::new(Mutex::new(String::new()));
    let begun = Arc::clone(&own);
    hosted.proxy.edit("UpdateService", move |_, answer| {
        let deployment = &mut answer["service"]["deployments"][0];
        deployment["rolloutState"] = "IN_PROGRESS".into();
        *begun.lock().expect("the id") = deployment["id"].as_str().unwrap_or_default().to_owned();
    });
    let failed = Arc::clone(&own);
    hosted.proxy.edit("DescribeServices", move |_, answer| {
        let id = failed.lock().expect("the id").clone();
        let service = &mut answer["services"][0];
        let Some(deployments) = service["deployments"].as_array_mut() else { return };
        for deployment in deployments.iter_mut().filter(|one| one["id"] == *id) {
            deployment["rolloutState"] = "FAILED".into();
            deployment["rolloutStateReason"] =
                "ECS deployment circuit breaker: tasks failed to start.".into();
        }
        service["events"] = json!([{"id": "1", "message": "(service ml_api-prod) rolled back"}]);
    });
    let arn = "arn:aws:ecs:eu-west-1:1:task/ml_api/0a1b2c";
    hosted.proxy.edit("ListTasks", move |_, answer| *answer = json!({"taskArns": [arn]}));
    hosted.proxy.edit("DescribeTasks", move |_, answer| {
        let container = json!({"name": "Main", "exitCode": 1});
        *answer = json!({"tasks": [{
            "taskArn": arn, "startedBy": *own.lock().expect("the id"), "containers": [container],
            "stoppedReason": "Essential container in task exited",
        }]});
    });
    let logs = &at.provider.aws.logs;
    let (group, stream) = ("/mdo/ml_api/prod", "task/Main/0a1b2c");
    logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.expect("a stream");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    let line = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
        .message("cannot read MDO_STAGE: hush-hush")
        .timestamp(i64::try_from(now.as_millis()).expect("a time"))
        .build()
        .expect("a line");
    let put = logs.put_log_events().log_group_name(group).log_stream_name(stream).log_events(line);
    put.send().await.expect("a line");

    let (done, waits) = at.apply(&plan).await;
    let error = failure(&done, "server prod");
    assert_eq!(error.cause, Cause::Other);
    assert_eq!(
        error.message,
        "the new version of ml_api-prod did not come up: ECS deployment circuit breaker: tasks failed to start.\n  \
         task 0a1b2c stopped: Essential container in task exited (exit code 1)\n  \
         log: cannot read MDO_STAGE: ***\n  \
         event: (service ml_api-prod) rolled back"
    );
    assert_eq!(error.help.as_deref(), Some("revision 1 serves on; correct what failed and deploy again"));
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!(waits[0].starts_with("server prod: for 2 new tasks: "), "{waits:?}");
}

fn failure<'a>(done: &'a std::collections::BTreeMap<String, Result<(), Error>>, id: &str) -> &'a Error {
    done[id].as_ref().expect_err("a failure")
}

#[tokio::test]
async fn who_interrupts_a_rollout_gets_the_former_version_back() {
    let Some(hosted) = hosted() else { return };
    let mut at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    let former = at.provider.hosted.known().service.clone().map(|service| service.task_definition);
    assert_eq!(former, None, "the first deploy found none");
    server(&mut at).image = "sha256:2".to_owned();
    let plan = plan(&at).await;
    hosted.proxy.edit("UpdateService", |_, answer| {
        answer["service"]["deployments"][0]["rolloutState"] = "IN_PROGRESS".into();
    });
    at.writes();
    let (interrupt, said) = (CancellationToken::new(), Mutex::new(Vec::new()));
    let observer = |event: RunEvent<'_>| {
        if let RunEvent::Waiting(_, what) = event {
            said.lock().expect("words").push(what);
            interrupt.cancel();
        }
    };
    let packages = Packages::default();
    let report = apply(&at.provider, &plan, &packages, 8, interrupt.clone(), &observer).await;
    assert!(matches!(report.finished[0].outcome, Outcome::Interrupted), "{:?}", report.finished);
    assert!(!report.finished[0].begun, "nothing of it is left");
    assert_eq!(at.writes(), ["RegisterTaskDefinition", "UpdateService", "UpdateService"]);
    assert_eq!(
        said.lock().expect("words").last().map(String::as_str),
        Some("told ECS to go back to revision 1")
    );
    let image = live(&at).await.stack.server.expect("a server").image;
    assert_eq!(image, "sha256:1");
}

#[tokio::test]
async fn who_does_not_wait_leaves_the_rollout_to_ecs() {
    let Some(hosted) = hosted() else { return };
    let mut at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    server(&mut at).image = "sha256:2".to_owned();
    let plan = plan(&at).await;
    hosted.proxy.edit("UpdateService", |_, answer| {
        answer["service"]["deployments"][0]["rolloutState"] = "IN_PROGRESS".into();
    });
    hosted.proxy.forget();
    let packages = Packages { leaves_rollouts: true, ..Packages::default() };
    let report = apply(&at.provider, &plan, &packages, 8, CancellationToken::new(), &|_| {}).await;
    assert!(report.is_complete(), "{:?}", report.finished);
    assert_eq!(hosted.proxy.recording().count("ecs:DescribeServices"), 0);
}

#[tokio::test]
async fn a_service_of_somebody_else_is_refused_unless_it_is_to_be_taken_over() {
    let Some(hosted) = hosted() else { return };
    let at = hosted.at("prod", PLAIN).await;
    deploy(&at).await;
    let ecs = &at.provider.aws.ecs;
    let services = ecs.describe_services().cluster("ml_api").services("ml_api-prod").send().await;
    let arn = services.expect("a service").services()[0].service_arn().expect("an ARN").to_owned();
    ecs.untag_resource().resource_arn(arn).tag_keys("mdo:project").send().await.expect("an edit");
    let error = at.observe(Scope::default()).await.expect_err("a refusal");
    assert_eq!(error.cause, Cause::NotOurs);
    assert_eq!(
        error.message,
        "service ml_api-prod exists already and was not made by mdo (it has no tag mdo:project)"
    );
    let adopted = at.observe(Scope { adopt: true, ..Scope::default() }).await.expect("what is live");
    assert!(!adopted.stack.server.expect("a server").owned);
}

#[tokio::test]
async fn a_stage_that_is_destroyed_leaves_nothing_and_another_one_stays() {
    let Some(hosted) = hosted() else { return };
    let dev = hosted.at("dev", PLAIN).await;
    deploy(&dev).await;
    let prod = hosted.at("prod", PLAIN).await;
    deploy(&prod).await;
    let prod = hosted.at("prod", PLAIN).await;
    let destruction = prod.destruction().await;
    assert_eq!(At::changes(&destruction), ["- server prod", "- key default"]);
    let (done, _) = prod.apply(&destruction).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    let dev = hosted.at("dev", PLAIN).await;
    assert_eq!(At::changes(&plan(&dev).await), [""; 0]);
    let dev = hosted.at("dev", PLAIN).await;
    let (done, _) = dev.apply(&dev.destruction().await).await;
    assert!(done.values().all(Result::is_ok), "{done:?}");
    let left = live(&hosted.at("dev", PLAIN).await).await.stack;
    assert_eq!(left, stack::Stack::default());
}
