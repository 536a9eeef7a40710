//! Runs that something goes wrong in: throttled, refused, cut off, killed. The next run heals what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};

/// The calls of a first deploy that write.
const WRITES: [&str; 15] = [
    "CreateRole",
    "PutRolePolicy",
    "CreateFunction",
    "CreateAlias",
    "AddPermission",
    "CreateLogGroup",
    "PutRetentionPolicy",
    "ImportRestApi",
    "CreateDeployment",
    "CreateUsagePlan",
    "CreateApiKey",
    "CreateUsagePlanKey",
    "PutRule",
    "PutTargets",
    "TagResource",
];

/// Proves that another deploy leaves one stack that works, and nothing twice.
#[track_caller]
fn heals(project: &TestProject, after: &str) {
    let output = project.mdo("deploy").runs();
    assert_eq!(output.status, 0, "after {after}: {}", output.transcript());
    let plan = project.mdo("plan").runs();
    assert!(plan.stdout.contains("nothing to do"), "after {after}: {}", plan.transcript());
    let live = Live::of(project, "dev");
    let once = json!({
        "functions": 1, "apis": 1, "usage_plans": 1, "keys": 1, "rules": 1, "roles": 1, "log_groups": 1,
    });
    assert_eq!(live.counts(), once, "after {after}");
    assert_eq!(live.echo("echo")["function"], "shop_echo", "after {after}");
}

#[test]
fn the_first_deploy_makes_the_calls_that_these_tests_disturb() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds();
    let mut seen: Vec<_> =
        proxy.recording().writes().iter().map(|call| call.operation.name.clone()).collect();
    seen.sort();
    seen.dedup();
    let mut known = WRITES.to_vec();
    known.sort_unstable();
    assert_eq!(seen, known);
}

#[test]
fn a_throttled_call_is_made_again() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("plan").through(&proxy).succeeds();
    let reads: Vec<String> =
        proxy.recording().calls().iter().map(|call| call.operation.name.clone()).collect();
    proxy.forget();
    for operation in reads.iter().map(String::as_str).chain(WRITES) {
        proxy.fail_next(operation, 1, Fault::throttled());
    }
    project.mdo("deploy").through(&proxy).exits(0);
    assert!(proxy.recording().calls().iter().filter(|call| call.status == 429).count() > WRITES.len());
    heals(&project, "429s");
}

#[test]
fn a_call_that_is_refused_leaves_a_table_and_the_next_run_heals() {
    let Some(emulator) = Emulator::shared() else { return };
    for operation in WRITES {
        let project = TestProject::with_echo(emulator.account());
        let proxy = Proxy::start(emulator.address(), Duration::ZERO);
        proxy.fail_next(operation, 9, Fault::error(400, "InvalidRequestContentException", "told to fail"));
        let output = project.mdo("deploy").through(&proxy).runs();
        assert_eq!(output.status, 5, "{operation}: {}", output.transcript());
        output.says("told to fail").says("failed").says("done in");
        heals(&project, operation);
    }
}

#[test]
fn a_deploy_that_is_killed_is_finished_by_the_next() {
    let Some(emulator) = Emulator::shared() else { return };
    for operation in WRITES {
        let project = TestProject::with_echo(emulator.account());
        let proxy = Proxy::start(emulator.address(), Duration::ZERO);
        proxy.hold(operation);
        let mut deploy = project.mdo("deploy").through(&proxy).begins();
        proxy.until_held_or(|| deploy.has_ended());
        deploy.signal("KILL");
        let (status, _, said) = deploy.ends();
        assert_eq!(status, -1, "it ended before {operation}:\n{said}");
        proxy.release();
        heals(&project, operation);
    }
}

#[test]
fn an_interrupted_deploy_finishes_what_it_began_and_the_next_does_the_rest() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.hold("CreateRole");
    let mut deploy = project.mdo("deploy").through(&proxy).begins();
    proxy.until_held_or(|| deploy.has_ended());
    deploy.signal("INT");
    deploy.until_it_says("interrupted: finishing what was begun");
    proxy.release();
    let (status, _, said) = deploy.ends();
    assert!(said.lines().any(|line| line.starts_with("interrupted: finishing what was begun")), "{said}");
    assert_eq!(status, 130, "{said}");
    let is_told = |line: &str| line.starts_with("  function ") && line.ends_with("interrupted");
    assert!(said.lines().any(is_told), "{said}");
    assert_eq!(proxy.recording().count("CreateRole"), 1);
    assert_eq!(proxy.recording().count("CreateFunction"), 0);
    heals(&project, "an interruption");
}

#[test]
fn a_connection_that_is_cut_is_no_end() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    for operation in ["GetFunction", "CreateRole", "CreateAlias", "PutRule", "CreateUsagePlanKey"] {
        proxy.fail_next(operation, 1, Fault::Reset);
    }
    project.mdo("deploy").through(&proxy).exits(0);
    heals(&project, "resets");
}

#[test]
fn a_role_that_cannot_be_assumed_yet_is_waited_for() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let message = "The role defined for the function cannot be assumed by Lambda.";
    proxy.fail_next("CreateFunction", 2, Fault::error(400, "InvalidParameterValueException", message));
    let output = project.mdo("deploy").through(&proxy).exits(0);
    output.says("waiting, role shop_lambda_function to be assumable by Lambda");
    assert_eq!(proxy.recording().count("CreateFunction"), 3);
    project.is_settled("");
}

#[test]
fn an_update_in_progress_is_waited_for() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.be_strict(Duration::from_millis(400));
    project.mdo("deploy -s GREETING=one").through(&proxy).exits(0);
    for (edition, greeting) in [("second", "two"), ("third", "three")] {
        project.set_edition("echo", edition);
        project.mdo(&format!("deploy -s GREETING={greeting}")).through(&proxy).exits(0);
        let seen = Live::of(&project, "dev").echo("echo");
        assert_eq!((&seen["edition"], &seen["greeting"]), (&json!(edition), &json!(greeting)));
    }
    let message = "The operation cannot be performed at this time. An update is in progress for resource: x";
    proxy.fail_next("UpdateFunctionCode", 1, Fault::error(409, "ResourceConflictException", message));
    project.set_edition("echo", "fourth");
    project.mdo("deploy").through(&proxy).exits(0);
    assert_eq!(Live::of(&project, "dev").echo("echo")["edition"], "fourth");
}

#[test]
fn somebody_elses_change_in_between_is_never_published() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    let live = Live::of(&project, "dev");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.set("echo", "memory", json!(256));
    proxy.hold("PublishVersion");
    std::thread::scope(|scope| {
        let deploy = scope.spawn(|| project.mdo("deploy").through(&proxy).runs());
        proxy.until_held();
        let other =
            json!({"FunctionName": "shop_echo", "Environment": {"Variables": {"GREETING": "theirs"}}});
        live.call("lambda", "update_function_configuration", other);
        proxy.release();
        let output = deploy.join().unwrap();
        assert_eq!(output.status, 0, "{}", output.transcript());
    });
    // The deploy has begun again: the one version that it made is all its own.
    let seen = live.echo("echo");
    assert_eq!((&seen["greeting"], &seen["memory"]), (&json!("one"), &json!("256")));
    assert_eq!(live.version("echo"), "2");
    project.is_settled("");
}

#[test]
fn a_function_that_has_failed_is_repaired() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    // It could not start, at the stage and in $LATEST, until its configuration is corrected.
    let has_failed = Arc::new(AtomicBool::new(true));
    let corrected = Arc::clone(&has_failed);
    proxy.edit("GetFunction", move |_, answer| {
        if has_failed.load(Ordering::Relaxed) {
            answer["Configuration"]["State"] = json!("Failed");
            answer["Configuration"]["LastUpdateStatus"] = json!("Failed");
        }
    });
    proxy.edit("UpdateFunctionConfiguration", move |_, _| corrected.store(false, Ordering::Relaxed));
    let output = project.mdo("plan").through(&proxy).exits(0);
    output.says("  ~ function   shop_echo").says("code  none → ");
    project.set("echo", "memory", json!(256));
    project.mdo("deploy").through(&proxy).exits(0);
    project.is_settled("");
    assert_eq!(Live::of(&project, "dev").echo("echo")["memory"], "256");
}

#[test]
fn an_environment_that_cannot_be_read_is_not_taken_for_empty() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=hello");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.edit("GetFunction", |_, answer| {
        let error = json!({"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt is not allowed"});
        answer["Configuration"]["Environment"] = json!({ "Error": error });
    });
    project.set_edition("echo", "second");
    let output = project.mdo("deploy").through(&proxy).exits(4);
    output
        .says(": kms:Decrypt is not allowed")
        .says("cannot read the environment of")
        .says("allow `kms:Decrypt`");
    assert_eq!(proxy.recording().writes().len(), 0);
}

#[test]
fn a_role_that_another_deploy_made_meanwhile_is_used_and_a_strangers_is_not() {
    let Some(emulator) = Emulator::shared() else { return };
    for (tags, code) in [(json!([{"Key": "mdo:project", "Value": "shop"}]), 0), (json!([]), 5)] {
        let project = TestProject::with_echo(emulator.account());
        let live = Live::of(&project, "dev");
        let proxy = Proxy::start(emulator.address(), Duration::ZERO);
        proxy.hold("CreateRole");
        std::thread::scope(|scope| {
            let deploy = scope.spawn(|| project.mdo("deploy").through(&proxy).runs());
            proxy.until_held();
            let trust = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"},
            }]});
            let name = "shop_lambda_function";
            let role = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string(), "Tags": tags});
            live.call("iam", "create_role", role);
            proxy.release();
            let output = deploy.join().unwrap();
            assert_eq!(output.status, code, "{}", output.transcript());
            if code != 0 {
                output.says("role shop_lambda_function exists already and was not made by mdo");
            }
        });
    }
}

#[test]
fn a_destroy_that_fails_midway_is_finished_by_the_next() {
    let Some(emulator) = Emulator::shared() else { return };
    for operation in
        ["DeleteUsagePlan", "DeleteApiKey", "DeleteFunction", "RemoveTargets", "DeleteRestApi", "DeleteRole"]
    {
        let project = TestProject::with_echo(emulator.account());
        project.mdo("deploy").succeeds();
        let proxy = Proxy::start(emulator.address(), Duration::ZERO);
        proxy.fail_next(operation, 9, Fault::error(400, "BadRequestException", "told to fail"));
        let output = project.mdo("destroy --yes").through(&proxy).runs();
        assert_eq!(output.status, 5, "{operation}: {}", output.transcript());
        project.mdo("destroy --yes").succeeds();
        let counts = Live::of(&project, "dev").counts();
        assert_eq!(counts, crate::stages::nothing(), "after {operation}");
    }
}

#[test]
fn a_publication_that_another_deploy_goes_over_begins_again_and_gives_up_in_the_end() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    project.deploys("");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let text = "The RevisionId provided does not match the latest one";
    let lost = Fault::error(412, "PreconditionFailedException", text);
    let publishing = || {
        let calls = proxy.recording().names();
        let of_lambda = |name: &String| {
            ["UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion", "UpdateAlias"]
                .contains(&name.trim_start_matches("lambda:"))
        };
        calls.into_iter().filter(of_lambda).collect::<Vec<_>>()
    };

    project.set("echo", "memory", json!(256));
    project.set_edition("echo", "second");
    proxy.fail_next("PublishVersion", 2, lost.clone());
    project.mdo("deploy").through(&proxy).succeeds();
    // What the first attempt has written is found by the next ones.
    assert_eq!(
        publishing(),
        [
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "lambda:PublishVersion",
            "lambda:PublishVersion",
            "lambda:PublishVersion",
            "lambda:UpdateAlias"
        ]
    );
    assert_eq!(live.version("echo"), "2");
    project.is_settled("");

    project.set("echo", "memory", json!(512));
    proxy.forget();
    proxy.fail_next("PublishVersion", 5, lost);
    let output = project.mdo("deploy").through(&proxy).exits(1);
    output.says("somebody else changed it at the same time; run the command again");
    assert_eq!(publishing()[1..], ["lambda:PublishVersion"; 5]);
    assert_eq!(live.version("echo"), "2");
    project.mdo("deploy").succeeds();
    assert_eq!(live.version("echo"), "3");
}
