//! Resources of our names that mdo did not make: refused, or taken over with `--adopt`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::account::Account;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

const ASSUME: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"Service": "lambda.amazonaws.com"}}]}"#;

fn make(account: &Account, service: &str, operation: &str, params: Value) -> Value {
    account.aws(service, operation, params).unwrap_or_else(|error| panic!("{operation}: {error}"))
}

fn make_role(account: &Account) -> Value {
    let role = json!({"RoleName": "shop_lambda_function", "AssumeRolePolicyDocument": ASSUME});
    make(account, "iam", "create_role", role)["Role"]["Arn"].clone()
}

fn make_function(account: &Account) {
    let role = format!("arn:aws:iam::{}:role/theirs", account.id());
    make(
        account,
        "lambda",
        "create_function",
        json!({
            "FunctionName": "shop_echo", "Runtime": "provided.al2023", "Handler": "h", "Role": role,
            "Environment": {"Variables": {"HAND": "made", "GREETING": "theirs"}},
            "Code": {"ZipFile": {"$zip": {"bootstrap": "#!/bin/sh\n"}}},
        }),
    );
}

/// Proves that a deploy is refused before anything is written, that plan with `--adopt` shows the way, and that a deploy
/// with `--adopt` makes the resource ours for good.
#[track_caller]
fn is_refused_then_adopted(project: &TestProject, what: &str) {
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    let output = project.mdo("deploy").through(&proxy).exits(1);
    output.says(what).says("exists already").says("--adopt");
    assert_eq!(proxy.recording().writes().len(), 0, "{:?}", proxy.recording().names());
    project.mdo("plan --adopt").through(&proxy).succeeds();
    assert_eq!(proxy.recording().writes().len(), 0, "{:?}", proxy.recording().names());
    project.mdo("deploy --adopt").succeeds();
    project.is_settled("");
    let live = Live::of(project, "dev");
    assert_eq!(live.echo("echo")["function"], "shop_echo");
    project.mdo("destroy --yes").succeeds();
    assert_eq!(live.counts(), crate::stages::nothing());
}

#[test]
fn a_foreign_role_is_refused_unless_adopted() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    make_role(project.account());
    is_refused_then_adopted(&project, "role shop_lambda_function");
}

#[test]
fn a_foreign_function_is_never_touched_unless_adopted() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    make_function(project.account());
    let read = || make(project.account(), "lambda", "get_function", json!({"FunctionName": "shop_echo"}));
    let theirs = || {
        let mut configuration = read()["Configuration"].clone();
        // These change by themselves when a function becomes active.
        for key in ["RevisionId", "State", "StateReason", "StateReasonCode", "LastUpdateStatus"] {
            configuration.as_object_mut().unwrap().remove(key);
        }
        configuration
    };
    let before = theirs();
    let output = project.mdo("deploy").exits(1);
    output.says("function shop_echo exists already and was not made by mdo").says("--adopt");
    assert_eq!(Live::of(&project, "dev").counts()["roles"], 0, "nothing was changed");
    let plan = project.mdo("plan --adopt -s GREETING=ours").exits(0);
    plan.says("  ~ function   shop_echo").says("environment  ~ GREETING").says("handler  h → bootstrap");
    plan.says("kept HAND, which no file sets");
    assert_eq!((theirs(), read()["Tags"].as_object().map_or(0, |tags| tags.len())), (before, 0));
    project.mdo("deploy --adopt -s GREETING=ours").exits(0).says("kept HAND, which no file sets");
    project.is_settled("");
    let environment = Live::of(&project, "dev").environment("echo");
    assert_eq!(environment, json!({"HAND": "made", "GREETING": "ours"}));
    assert_eq!(read()["Tags"], json!({"mdo:project": "shop"}));
    assert_eq!(Live::of(&project, "dev").echo("echo")["function"], "shop_echo");
}

#[test]
fn a_foreign_api_is_refused_unless_adopted() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    make(project.account(), "apigateway", "create_rest_api", json!({"name": "shop"}));
    is_refused_then_adopted(&project, "shop");
}

#[test]
fn a_foreign_usage_plan_and_a_foreign_key_of_our_names_are_left_alone() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let account = project.account();
    let plan = make(account, "apigateway", "create_usage_plan", json!({"name": "shop-dev"}));
    let key = json!({"name": "shop-dev-default", "enabled": true});
    let key = make(account, "apigateway", "create_api_key", key);
    let live = Live::of(&project, "dev");
    let theirs = live.counts();
    project.deploys("");
    let value = project.mdo("key show").succeeds().stdout;
    assert_ne!(value.trim(), key["value"]);
    assert_eq!(account.call_api(&live.api(), "dev", "echo", &[("x-api-key", value.trim())]).0, 200);
    project.mdo("destroy --yes").succeeds();
    assert_eq!(live.counts(), theirs);
    let found = make(account, "apigateway", "get_usage_plan", json!({"usagePlanId": plan["id"]}));
    assert_eq!(found["apiStages"].as_array().map_or(0, Vec::len), 0);
    make(account, "apigateway", "get_api_key", json!({"apiKey": key["id"]}));
}

#[test]
fn a_foreign_rule_is_refused_unless_adopted() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let rule = json!({"Name": "shop_echo.dev.warm", "ScheduleExpression": "rate(1 hour)"});
    make(project.account(), "events", "put_rule", rule);
    is_refused_then_adopted(&project, "shop_echo.dev.warm");
}

#[test]
fn a_function_that_has_lost_its_tag_alone_is_adopted_for_good() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let account = project.account();
    let arn = format!("arn:aws:lambda:eu-west-1:{}:function:shop_echo", account.id());
    make(account, "lambda", "untag_resource", json!({"Resource": arn, "TagKeys": ["mdo:project"]}));
    project.mdo("deploy").exits(1).says("--adopt");
    project.mdo("plan --adopt").exits(0).says("takes it over, with the tag mdo:project");
    project.mdo("deploy --adopt").exits(0);
    project.is_settled("");
    assert_eq!(Live::of(&project, "dev").version("echo"), "1", "nothing else has changed");
}

#[test]
fn a_log_group_that_another_tool_has_left_is_taken_over_with_a_word() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let group = "/aws/lambda/shop_echo";
    // The emulator loses the tags of a group that had none.
    let theirs = json!({"logGroupName": group, "tags": {"team": "theirs"}});
    make(project.account(), "logs", "create_log_group", theirs);
    let output = project.mdo("deploy").exits(0);
    output.says("warning: log group echo: took it over with the logs in it");
    assert_eq!(Live::of(&project, "dev").log_retention("echo"), 30);
    project.is_settled("");
    project.mdo("destroy --yes").succeeds();
    assert_eq!(Live::of(&project, "dev").counts(), crate::stages::nothing());
}

#[test]
fn a_project_whose_name_begins_anothers_leaves_that_one_alone() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    project.write("project.toml", "name = \"shop_echo\"\n");
    project.add_function("two", json!({"routes": []}));
    project.deploys("");
    project.mdo("destroy --all --yes").succeeds();

    project.write("project.toml", MANIFEST);
    project.remove("functions/two");
    project.is_settled("");
    project.write("project.toml", "name = \"shop_echo\"\n");
    project.add_function("two", json!({"routes": []}));
    project.deploys("");
    project.write("project.toml", MANIFEST);
    project.mdo("destroy --all --yes").succeeds();
    project.write("project.toml", "name = \"shop_echo\"\n");
    project.is_settled("");
}

#[test]
fn another_project_keeps_what_it_made() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    make_role(project.account());
    let tags =
        json!({"RoleName": "shop_lambda_function", "Tags": [{"Key": "mdo:project", "Value": "other"}]});
    make(project.account(), "iam", "tag_role", tags);
    project.mdo("deploy").exits(1).says("belongs to the project other");
}
