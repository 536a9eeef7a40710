//! What stands in the way before anything is written: credentials, account, permission, network, and the files.

use std::time::Duration;

use serde_json::json;

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::{Fault, Proxy};

#[test]
fn another_account_than_the_projects_is_refused_before_any_write() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.write("project.toml", &format!("{MANIFEST}account = \"999999999999\"\n"));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    for arguments in
        ["deploy", "plan", "destroy --yes", "key create alice", "key show", "invoke echo", "list", "warm"]
    {
        let output = project.mdo(arguments).through(&proxy).exits(4);
        let id = project.account().id();
        output.says(&format!("for account {id}, but project.toml binds the project to account 999999999999"));
    }
    assert_eq!(proxy.recording().writes().len(), 0, "{:?}", proxy.recording().names());
    project.write("project.toml", &format!("{MANIFEST}account = \"{}\"\n", project.account().id()));
    project.deploys("");
}

#[test]
fn missing_and_refused_credentials_each_say_the_way_out() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let nobody = || project.mdo("deploy").without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    let output = nobody().exits(4);
    assert_eq!(output.stdout, "");
    output.says("error: no AWS credentials were found").says("aws sso login");
    let output = nobody().env("AWS_PROFILE", "work").exits(4);
    output.says("no AWS credentials were found").says("aws sso login --profile work");
    project.write("aws-config", "[profile other]\nregion = eu-west-1\n");
    let config = project.path("aws-config").display().to_string();
    let output = nobody().env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", "work").exits(4);
    output.says("there is no AWS profile named `work`");
    project.mdo("deploy").without("AWS_REGION").exits(4).says("no AWS region is configured").says("--region");
    project.mdo("deploy --region eu-west-1").without("AWS_REGION").exits(0);

    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let expired =
        Fault::error(403, "ExpiredTokenException", "The security token included in the request is expired");
    for operation in
        ["GetFunction", "GetRole", "ListRules", "GetRestApi", "GetCallerIdentity", "GetUsagePlans"]
    {
        proxy.fail_next(operation, 9, expired.clone());
    }
    project.mdo("deploy").through(&proxy).exits(4).says("the AWS credentials have expired");
    assert_eq!(proxy.recording().writes().len(), 0);
}

#[test]
fn an_endpoint_that_is_not_there_is_a_problem_of_the_network() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let output = project.mdo("deploy").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").exits(4);
    output.says("cannot reach").says("AWS_ENDPOINT_URL");
}

#[test]
fn a_profile_that_is_asked_for_weighs_more_than_keys_in_the_environment() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project
        .write("credentials", "[work]\naws_access_key_id = 200000000002\naws_secret_access_key = secret\n");
    let file = project.path("credentials").display().to_string();
    let plan = |flags: &str| project.mdo(&format!("plan {flags}")).env("AWS_SHARED_CREDENTIALS_FILE", &file);
    plan("").exits(0).says(project.account().id());
    plan("--profile work").exits(0).says("200000000002");
    plan("--profile nobody").exits(4).says("there is no AWS profile named `nobody`");
    project.write("project.toml", &format!("{MANIFEST}profile = \"work\"\n"));
    plan("").exits(0).says("200000000002");
}

#[test]
fn an_endpoint_that_is_no_url_is_said_to_be_none() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    for endpoint in ["", "localhost"] {
        let output = project.mdo("plan").env("AWS_ENDPOINT_URL", endpoint).exits(2);
        output.says(&format!("AWS_ENDPOINT_URL is `{endpoint}`, which is not a URL")).says("unset it");
    }
    project.mdo("plan").env("AWS_REGION", "").exits(4).says("no AWS region is configured");
}

#[test]
fn calls_go_through_the_proxy_that_the_environment_names() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let address = "http://aws.invalid:4566";
    project.mdo("plan").env("AWS_ENDPOINT_URL", address).env("HTTP_PROXY", &proxy.url()).exits(0);
    assert!(!proxy.recording().calls().is_empty());
}

#[test]
fn a_denied_call_names_the_missing_action() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.fail_next("GetFunction", 9, Fault::denied("lambda:GetFunction"));
    let output = project.mdo("deploy").through(&proxy).exits(4);
    output.says("`lambda:GetFunction`").says("help: allow `lambda:GetFunction`");
    assert_eq!(proxy.recording().writes().len(), 0);
    let document = {
        proxy.fail_next("GetFunction", 9, Fault::denied("lambda:GetFunction"));
        project.mdo("plan --json").through(&proxy).exits(4).document()
    };
    assert_eq!(document["error"]["exit_code"], 4);

    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.fail_next("CreateRole", 9, Fault::denied("iam:CreateRole"));
    let output = project.mdo("deploy").through(&proxy).exits(5);
    output
        .says("allow `iam:CreateRole`")
        .says("function   shop_echo              skipped, it needs role shop");
    project.deploys("");
}

#[test]
fn a_blocked_runtime_is_refused_before_any_call() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "runtime", json!("python2.7"));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let output = project.mdo("deploy").through(&proxy).exits(2);
    output.says("Lambda has blocked the runtime `python2.7`").says("--> functions/echo/function.json");
    assert_eq!(proxy.recording().calls().len(), 0);
    assert_eq!(Live::of(&project, "dev").counts(), crate::stages::nothing());
}

#[test]
fn a_runtime_that_is_closed_to_new_functions_is_refused_for_those_alone() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "runtime", json!("provided"));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let output = project.mdo("deploy").through(&proxy).exits(2);
    output
        .says("error: function echo: Lambda creates no function on the runtime `provided` any more")
        .says("  --> functions/echo/function.json")
        .says("  help: use `provided.al2023`");
    assert_eq!(proxy.recording().writes().len(), 0);

    project.set("echo", "runtime", json!("provided.al2023"));
    project.mdo("deploy").through(&proxy).exits(0);
    project.set("echo", "runtime", json!("provided"));
    for stage in ["dev", "prod"] {
        let output = project.mdo(&format!("plan --stage {stage}")).through(&proxy).exits(0);
        output.says("warning: Lambda refuses new functions on the runtime `provided` already");
    }
}

#[test]
fn a_package_that_cannot_run_is_refused_before_any_write() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    std::fs::remove_file(project.path("functions/echo/bootstrap")).unwrap();
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).exits(2).says("function echo").says("bootstrap");
    assert_eq!(proxy.recording().writes().len(), 0);
}
