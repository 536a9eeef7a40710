//! `mdo destroy`: everything that the project owns, and nothing else.

use serde_json::json;

use crate::live::Live;
use crate::stages::nothing;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

#[test]
fn destroy_removes_all_that_is_ours_and_nothing_else() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    // Somebody else's things, with names that begin like ours.
    live.call("apigateway", "create_rest_api", json!({"name": "shop2"}));
    live.call("apigateway", "create_usage_plan", json!({"name": "shop-dev2"}));
    live.call("apigateway", "create_api_key", json!({"name": "other-dev-default", "enabled": true}));
    live.call(
        "events",
        "put_rule",
        json!({"Name": "shop_echo-dev", "ScheduleExpression": "rate(5 minutes)"}),
    );
    live.call("logs", "create_log_group", json!({"logGroupName": "/aws/lambda/shop2_echo"}));
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    live.call("iam", "create_role", json!({"RoleName": "shop_lambda", "AssumeRolePolicyDocument": trust}));
    let theirs = live.counts();

    project.deploys("");
    project.mdo("key create alice").succeeds();
    project
        .mdo("destroy")
        .exits(2)
        .says("this would delete stage dev, ")
        .says("pass --yes where there is no terminal to ask at");
    let output = project.mdo("destroy --yes").succeeds();
    output.says("  - key        shop-dev-alice");
    output.says("8 to delete, nothing to create or update");
    output.says("Destroyed in ");
    assert_eq!(live.counts(), theirs);
    project.mdo("destroy --yes").succeeds().says("nothing to destroy");
    assert_eq!(live.counts(), theirs);
    project.deploys("");
}

#[test]
fn destroy_reads_as_one_json_document() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let document = project.mdo("destroy --yes --json").json();
    assert_eq!(document["summary"], json!({"create": 0, "update": 0, "delete": 7}));
    let outcomes = document["changes"].as_array().unwrap().iter().map(|change| &change["outcome"]);
    assert!(outcomes.into_iter().all(|outcome| outcome == "done"), "{document:#}");
    assert_eq!(Live::of(&project, "dev").counts(), nothing());
}

#[test]
fn a_function_that_is_no_longer_in_the_files_is_destroyed_too() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.add_function("gone", json!({"routes": [], "warm": {"rate": "5m"}}));
    project.deploys("");
    project.remove("functions/gone");
    project.mdo("destroy --yes").succeeds();
    assert_eq!(Live::of(&project, "dev").counts(), nothing());
}
