//! A stage that servers answer, from the command line to the calls: deployed, changed, moved back, switched and taken away.

mod export;
mod movement;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;

use crate::live::Live;
use crate::support::command::Output;
use crate::support::fault::Fault;
use crate::support::hosted::{HostedProject, PLAIN};
use crate::support::podman::{Podman, static_server};

/// What comes of a first deploy, the registry's part aside: twenty writes.
const FIRST: [&str; 20] = [
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
    "CreateService",
    "CreateTargetGroup",
    "ModifyLoadBalancerAttributes",
    "ModifyTargetGroupAttributes",
    "PutLifecyclePolicy",
    "PutRetentionPolicy",
    "PutRolePolicy",
    "RegisterTaskDefinition",
];

/// The writes in an order that does not depend on luck.
fn sorted(mut writes: Vec<String>) -> Vec<String> {
    writes.sort();
    writes
}

/// The load balancer's name in the output.
fn balancer(output: &Output) -> String {
    let url = output.stdout.lines().find_map(|line| line.strip_prefix("  url   http://")).unwrap();
    url.split('/').next().unwrap().to_owned()
}

#[test]
fn a_first_deploy_pushes_the_image_and_says_what_it_costs() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let output = hosted.mdo("deploy -s GREETING=hello").succeeds();
    let (host, account) = (balancer(&output), hosted.project.account().id());
    let said = output.timeless();
    let times = said.lines().find(|line| line.contains(" _ s · ")).unwrap();
    let expected = format!(
        r#"shop · prod · {account} · eu-west-1

  + key            shop-prod-default
  + server role    shop_server
  + repository     shop
  + load balancer  shop               plain HTTP: keys and answers travel in clear
  + server         shop-prod          2 tasks of 0.25 vCPU, 512 MB, x86_64; GET /echo (key); 10 requests/s, burst 20; image 2 KB
                   environment of echo  + GREETING

  5 to create, nothing to update or delete
  costs about $49 a month: $24 for the load balancer, $25 for 2 tasks; traffic and logs aside, at prices of us-east-1 in November 2026

{times}

Deployed in _ s with _ calls.
  url   http://{host}/prod/echo
  key   mdo key show default --stage prod
  try   curl -H "x-api-key: $(mdo key show default --stage prod)" http://{host}/prod/echo
"#
    );
    assert_eq!(said, expected);
    assert_eq!(sorted(hosted.writes()), FIRST);
    let to_registry = hosted.pushed();
    let count = |name| to_registry.iter().filter(|one| *one == name).count();
    assert_eq!((count("BeginUpload"), count("PutBlob"), count("PutManifest")), (4, 4, 1));
    assert_eq!(to_registry.last().map(String::as_str), Some("PutManifest"));
    assert!(!hosted.project.said().contains("hello"), "the value of a variable is a secret");
}

#[test]
fn what_has_not_changed_is_neither_sent_nor_written() {
    let Some(mut hosted) = HostedProject::with_echo() else { return };
    let secrets = "secrets = { DB = \"ssm:/shop/db\", TOKEN = \"secretsmanager:shop/tokens#api\" }";
    let servers = PLAIN.replace("tasks = 2", &format!("tasks = 2\n{secrets}"));
    hosted.project.write("project.toml", &format!("name = \"shop\"\n\n{servers}"));
    hosted.mdo("deploy").succeeds();
    let live = Live::of(&hosted.project, "prod");
    let account = hosted.project.account().id();
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:eu-west-1:{account}:{rest}");
    let parameter = arn("ssm", "parameter/shop/db");
    let secret = arn("secretsmanager", "secret:shop/tokens");
    let task = live.call("ecs", "describe_task_definition", json!({"taskDefinition": "shop-prod"}));
    assert_eq!(
        task["taskDefinition"]["containerDefinitions"][0]["secrets"],
        json!([
            {"name": "DB", "valueFrom": parameter},
            {"name": "TOKEN", "valueFrom": format!("{secret}:api::")},
        ])
    );
    let role = json!({"RoleName": "shop_server", "PolicyName": "mdo"});
    let policy = &live.call("iam", "get_role_policy", role)["PolicyDocument"];
    let allowed = |sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        let found = statements.iter().find(|statement| statement["Sid"] == sid).unwrap();
        (found["Action"].clone(), found["Resource"].clone())
    };
    assert_eq!(allowed("Parameters"), (json!(["ssm:GetParameters"]), json!([parameter])));
    let secrets = json!([format!("{secret}-??????")]);
    assert_eq!(allowed("Secrets"), (json!(["secretsmanager:GetSecretValue"]), secrets));
    hosted.in_rounds();
    hosted.mdo("deploy").succeeds().says("nothing to do (checked 5 resources");
    let recording = hosted.proxy.recording();
    assert!(recording.writes().is_empty());
    assert!(recording.depth() <= 3, "{:?}", recording.timeline());
    assert_eq!(recording.calls().len(), 25, "{:?}", recording.names());
}

#[test]
fn other_code_sends_what_is_missing_and_costs_two_writes() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.add_function("other", json!({"routes": ["GET /other"]}));
    hosted.mdo("deploy -s GREETING=hello").succeeds();
    hosted.pushed();
    hosted.set_edition("echo", "second");
    let plan = hosted.mdo("plan").succeeds();
    plan.says("  ~ server     shop-prod\n               image  ").says("kept GREETING, which no file sets");
    hosted.writes();
    hosted.mdo("deploy").succeeds();
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService"]);
    // The function's layer, stack.json with its digest, and the configuration; neither the other function nor the server.
    assert_eq!(hosted.pushed().iter().filter(|name| *name == "PutBlob").count(), 3);
    hosted.mdo("deploy -s GREETING=bye").succeeds();
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService"]);
}

#[test]
fn a_key_reaches_the_tasks_with_two_writes_more() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    hosted.writes();
    hosted.mdo("key create alice").succeeds().says("  show  mdo key show alice --stage prod\n");
    assert_eq!(hosted.writes(), ["CreateApiKey", "RegisterTaskDefinition", "UpdateService"]);
    hosted.mdo("key disable alice").succeeds();
    assert_eq!(hosted.writes(), ["UpdateApiKey", "RegisterTaskDefinition", "UpdateService"]);
    let listed = hosted.mdo("key list").succeeds();
    assert_eq!(
        listed.stdout,
        "  alice    shop-prod-alice    disabled\n  default  shop-prod-default  enabled\n"
    );
    hosted.mdo("plan").succeeds().says("nothing to do");
    hosted.mdo("key enable alice").succeeds();
    let opens = hosted.mdo("key list --json").json();
    assert_eq!(opens["keys"][0]["opens"], true, "{opens:#}");
    hosted.writes();
    // The tasks know it no more before it is gone.
    hosted.mdo("key delete alice --yes").succeeds();
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService", "DeleteApiKey"]);
    hosted.mdo("plan").succeeds().says("nothing to do");
}

#[test]
fn a_serverless_and_a_hosted_stage_live_side_by_side_and_go_one_by_one() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    hosted.project.mdo("deploy --stage dev").succeeds().says("note: stage dev is new; the project has prod");
    hosted.mdo("plan").succeeds().says("nothing to do");
    hosted.project.mdo("plan --stage dev").succeeds().says("nothing to do");
    // What somebody has given the role by hand is said before anything goes.
    let live = Live::of(&hosted.project, "prod");
    let managed =
        json!({"RoleName": "shop_server", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"});
    live.call("iam", "attach_role_policy", managed.clone());
    hosted.mdo("destroy --yes").exits(2).says(
        "this would delete role shop_server, to which somebody has given managed policy AmazonS3ReadOnlyAccess",
    );
    live.call("iam", "detach_role_policy", managed);
    let output = hosted.mdo("destroy --yes").succeeds();
    output.says("  - server         shop-prod\n").says("  5 to delete");
    hosted.project.mdo("plan --stage dev").succeeds().says("nothing to do");
    hosted.mdo("deploy").succeeds();
    hosted.project.mdo("destroy --stage dev --yes").succeeds().says("  - function   shop_echo\n");
    hosted.mdo("plan").succeeds().says("nothing to do");
    hosted.project.mdo("deploy --stage dev").succeeds();
    let all = hosted.project.mdo("destroy --all --yes").succeeds();
    all.says("shop · dev ·").says("shop · prod ·");
    hosted.mdo("destroy --yes").succeeds().says("nothing to destroy");
}

#[test]
fn a_stage_moves_to_servers_and_back_new_before_old() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let serverless =
        format!("name = \"shop\"\n\n{}", PLAIN.replace("hosting = \"server\"", "hosting = \"serverless\""));
    let servers = format!("name = \"shop\"\n\n{PLAIN}");
    hosted.project.write("project.toml", &serverless);
    hosted.project.mdo("deploy --stage prod").succeeds();
    hosted.project.write("project.toml", &servers);
    let plan = hosted.mdo("plan").succeeds();
    plan.says("  + server         shop-prod ").says("  - stage          prod\n");
    plan.says("note: stage prod gets the address of the load balancer;");
    hosted.writes();
    hosted.mdo("deploy --yes").succeeds();
    let writes = hosted.writes();
    let at = |name: &str| {
        writes.iter().position(|write| write == name).unwrap_or_else(|| panic!("{name}: {writes:?}"))
    };
    assert!(at("CreateService") < at("DeleteStage"), "{writes:?}");
    // The key is the same one: who has it need not be told.
    assert!(!writes.iter().any(|write| write == "CreateApiKey" || write == "DeleteApiKey"), "{writes:?}");
    hosted.mdo("plan").succeeds().says("nothing to do");

    hosted.project.write("project.toml", &serverless);
    hosted.project.mdo("deploy --stage prod --yes").succeeds();
    let writes = hosted.writes();
    let at = |name: &str| {
        writes.iter().position(|write| write == name).unwrap_or_else(|| panic!("{name}: {writes:?}"))
    };
    assert!(at("CreateDeployment") < at("DeleteService"), "{writes:?}");
    hosted.project.mdo("plan --stage prod").succeeds().says("nothing to do");
}

#[test]
fn a_version_that_does_not_come_up_is_exit_5_and_the_former_one_serves_on() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    hosted.set_edition("echo", "second");
    hosted.proxy.edit("UpdateService", |_, answer| {
        let deployment = &mut answer["service"]["deployments"][0];
        deployment["rolloutState"] = "FAILED".into();
        deployment["rolloutStateReason"] = "ECS deployment circuit breaker: tasks failed to start.".into();
    });
    let output = hosted.mdo("deploy").exits(5);
    output.says("server prod: the new version of shop-prod did not come up: ECS deployment circuit breaker");
    output.says("help: revision 1 serves on; correct what failed and deploy again");
}

#[test]
fn a_rollout_is_followed_until_its_last_look() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    hosted.set_edition("echo", "second");
    let looks = Rolling::begins(&hosted);
    let counted = looks.clone();
    hosted.proxy.edit("DescribeServices", move |_, answer| {
        let deployment = &mut answer["services"][0]["deployments"][0];
        match counted.next() {
            Some(look @ 1..=2) => {
                deployment["rolloutState"] = "IN_PROGRESS".into();
                deployment["runningCount"] = (look - 1).into();
                deployment["pendingCount"] = (3 - look).into();
            }
            Some(_) => deployment["rolloutState"] = "COMPLETED".into(),
            None => {}
        }
    });
    let output = hosted.mdo("deploy").succeeds();
    output.says("waiting, for 2 new tasks: 0 running, 2 starting");
    output.says("waiting, for 2 new tasks: 1 running, 1 starting");
    assert_eq!(looks.next(), Some(4), "three looks of the deploy");
}

#[test]
fn a_deploy_whose_place_another_one_takes_is_exit_5() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    hosted.set_edition("echo", "second");
    let looks = Rolling::begins(&hosted);
    hosted.proxy.edit("DescribeServices", move |_, answer| {
        if looks.next().is_some() {
            let deployment = &mut answer["services"][0]["deployments"][0];
            deployment["id"] = "ecs-svc/another".into();
            deployment["taskDefinition"] = "arn:aws:ecs:eu-west-1:1:task-definition/shop-prod:77".into();
        }
    });
    let output = hosted.mdo("deploy").exits(5);
    output.says("server prod: another deploy of shop-prod took the place of this one");
    output.says("help: run the command again when it is done");
}

/// A rollout that ECS has begun and not ended, and how often somebody has looked at it.
#[derive(Clone, Default)]
struct Rolling(Arc<(AtomicBool, AtomicU32)>);

impl Rolling {
    /// The next update of the service begins one.
    fn begins(hosted: &HostedProject) -> Rolling {
        let rolling = Rolling::default();
        let begun = rolling.clone();
        hosted.proxy.edit("UpdateService", move |_, answer| {
            answer["service"]["deployments"][0]["rolloutState"] = "IN_PROGRESS".into();
            begun.0.0.store(true, Ordering::Relaxed);
        });
        rolling
    }

    /// The number of this look; nothing before it has begun.
    fn next(&self) -> Option<u32> {
        let (begun, looks) = &*self.0;
        begun.load(Ordering::Relaxed).then(|| looks.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[test]
fn a_key_that_was_cut_short_is_finished_by_the_same_command() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy").succeeds();
    let denied = Fault::denied("ecs:UpdateService");
    hosted.proxy.fail_next("UpdateService", 1, denied);
    hosted.mdo("key create alice").exits(5);
    let value = hosted.mdo("key show alice").succeeds().stdout;
    hosted.writes();
    hosted.mdo("key create alice").succeeds();
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService"]);
    assert_eq!(hosted.mdo("key show alice").succeeds().stdout, value, "who was given it has it");
    hosted.mdo("plan").succeeds().says("nothing to do");
    hosted.mdo("key create alice").exits(1).says("there is a key `alice` at stage prod already");
    // One that its owner has switched off stays off.
    hosted.mdo("key disable alice").succeeds();
    hosted.mdo("key create alice").exits(1).says("there is a key `alice` at stage prod already");
}

#[test]
fn a_registry_that_refuses_is_told_with_its_words() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.registry.fail_next("BeginUpload", 100, Fault::error(403, "DENIED", "not authorised to push"));
    let output = hosted.mdo("deploy").runs();
    assert_eq!(output.status, 5, "{}", output.stderr);
    output.says("push the image: ");
}

#[test]
fn what_a_hosted_stage_cannot_be_is_refused_before_any_change() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy echo").exits(2).says("its functions are in one image and go together");
    hosted.mdo("invoke echo").exits(2).says("which take requests and no events");
    hosted.mdo("warm --rate 5m").exits(2).says("which do not go cold");
    hosted
        .project
        .mdo("plan --stage prod --server-program /nowhere")
        .exits(2)
        .says("there is no server program");
    let large = format!("{}=", "X".repeat(10)) + &"y".repeat(70_000);
    hosted.project.write("large.env", &large);
    let output = hosted.mdo("deploy -E large.env").runs();
    assert_eq!(output.status, 2);
    assert!(hosted.writes().is_empty());
}

#[test]
fn what_a_deploy_pushes_answers_what_dev_answers_to_the_key_that_it_made() {
    let (Some(hosted), Some(podman)) = (HostedProject::empty(), Podman::here()) else { return };
    hosted.use_server(&static_server());
    let project = &hosted.project;
    project.mdo("init").succeeds();
    let manifest = project.read("project.toml");
    project.write("project.toml", &format!("{manifest}\n{PLAIN}\n[stages.prod.api]\nquota = false\n"));
    let serving = project.mdo("dev -s N_CLASSES=2 --port 0").serves();
    let here = serving.get("/sample_producer", Some(&project.key("default")));
    serving.signal("INT");
    serving.exits(0);
    assert_eq!(here.status(), 200, "{}", here.text());

    hosted.mdo("deploy -s N_CLASSES=2").exits(0);
    let asked = json!({"taskDefinition": "shop-prod"});
    let found = project.account().aws("ecs", "describe_task_definition", asked).unwrap();
    let container = &found["taskDefinition"]["containerDefinitions"][0];
    let image = container["image"].as_str().unwrap();
    let environment = container["environment"].as_array().unwrap();
    let stage =
        environment.iter().find(|pair| pair["name"] == "MDO_STAGE").unwrap()["value"].as_str().unwrap();
    let archive = project.home().join("pulled.tar");
    let pulled = Command::new("skopeo")
        .args(["copy", "--quiet", "--src-tls-verify=false", &format!("docker://{image}")])
        .arg(format!("docker-archive:{}:localhost/pulled:now", archive.display()))
        .output()
        .unwrap();
    assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    podman.load(&archive);
    let container = podman.run("localhost/pulled:now", stage);
    let key = hosted.mdo("key show default").succeeds().stdout.trim().to_owned();
    let there = container.get("/prod/sample_producer", Some(&key));
    assert_eq!((there.status(), &there.body), (200, &here.body), "{}", there.text());
    assert_eq!(
        container.get("/prod/sample_producer", Some("another-key-of-twenty-characters")).status(),
        403
    );
    assert_eq!(container.stops().0, Some(0));
    assert!(!stage.contains(&key), "tasks hold the digest of a key alone");
}

/// For trying a hosted stage by hand, as the shell that it prints the environment for. It ends with its standard input:
/// `cargo test --workspace --test aws -- hosting::by_hand --ignored --nocapture`.
#[test]
#[ignore = "it waits for a person"]
#[expect(clippy::print_stdout, reason = "a person reads it")]
fn by_hand() {
    let Some(hosted) = HostedProject::empty() else { return };
    for (name, value) in hosted.project.account().environment_through(&hosted.proxy.url()) {
        println!("export {name}={value}");
    }
    println!("# mdo-server: {}", static_server().display());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}
