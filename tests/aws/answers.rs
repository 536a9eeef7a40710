//! What AWS answers besides the usual: words that quote secrets, credentials that ran out, limits, and an old role.

use std::time::Duration;

use serde_json::json;

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::{Fault, Proxy};

const FILED: &str = "filed-7c1e55\"quoted";
const LIVE: &str = "live-44be9a";

/// Refusals of AWS that quote what was sent.
fn quoting() -> Vec<Fault> {
    let quoted = serde_json::to_string(FILED).unwrap();
    vec![
        Fault::error(
            400,
            "InvalidParameterValueException",
            &format!(
                "environment variables exceeded the 4KB limit. String measured: {{\"GREETING\":{quoted}}}"
            ),
        ),
        Fault::error(
            400,
            "SerializationException",
            &format!("cannot read {{FILED={FILED}, GREETING={LIVE}}}"),
        ),
        Fault::error(403, "AccessDeniedException", &format!("KMS cannot decrypt '{LIVE}' for {FILED}")),
        Fault::error(
            403,
            "InvalidSignatureException",
            &format!("The canonical string was 'x{quoted}{LIVE}'"),
        ),
        Fault::error(500, FILED, &format!("{LIVE} broke")),
    ]
}

#[test]
fn no_verb_repeats_a_secret_that_aws_quotes() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "environment", json!({"FILED": FILED}));
    project.deploys(&format!("-s GREETING={LIVE}"));
    for (arguments, operation) in [
        ("plan", "GetPolicy"),
        ("deploy -s OTHER=1", "UpdateFunctionConfiguration"),
        ("deploy -s OTHER=2", "PublishVersion"),
        ("invoke echo", "Invoke"),
        ("warm", "ListTargetsByRule"),
        ("warm echo --rate 7m", "PutRule"),
        ("key create bob", "CreateApiKey"),
        ("key list", "GetApiKeys"),
        ("list", "GetPolicy"),
        ("destroy --yes", "DeleteAlias"),
    ] {
        for json in ["", " --json"] {
            if arguments.starts_with("invoke") && !json.is_empty() {
                continue;
            }
            for fault in quoting() {
                let proxy = Proxy::start(emulator.address(), Duration::ZERO);
                proxy.fail_next(operation, 99, fault.clone());
                // A new function has the value in the call itself.
                let greeting = if arguments.starts_with("deploy") {
                    format!(" -s GREETING={LIVE}")
                } else {
                    String::new()
                };
                let output = project.mdo(&format!("{arguments}{greeting}{json}")).through(&proxy).runs();
                let said = output.transcript().replace(&format!(" -s GREETING={LIVE}"), "");
                assert_ne!(output.status, 0, "{operation} {fault:?}: {said}");
                // `invoke` and `warm` do not read what is live, so that they know what files set.
                let knows_live = !arguments.starts_with("invoke");
                assert!(!said.contains("filed-7c1e55"), "{operation} {fault:?}: {said}");
                assert!(!knows_live || !said.contains(LIVE), "{operation} {fault:?}: {said}");
            }
        }
    }
}

#[test]
fn credentials_that_ran_out_are_told_before_a_build() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "hooks", json!({"build": "touch built"}));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let expired =
        Fault::error(403, "ExpiredTokenException", "The security token included in the request is expired");
    for operation in ["GetFunction", "GetRolePolicy", "ListFunctions", "GetCallerIdentity"] {
        proxy.fail_next(operation, 99, expired.clone());
    }
    for verb in ["plan", "deploy", "deploy --json"] {
        project.mdo(verb).through(&proxy).exits(4).says("the AWS credentials have expired");
        assert!(!project.path("functions/echo/built").exists(), "{verb}");
    }
    project.mdo("deploy").succeeds();
    assert!(project.path("functions/echo/built").exists());
}

#[test]
fn a_function_whose_concurrency_is_zero_is_said_to_be_switched_off() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "concurrency", json!(0));
    project.deploys("");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let output = project.mdo("invoke echo").through(&proxy).exits(1);
    output.says("function echo is switched off: its `concurrency` is 0").says("help: raise `concurrency`");
    assert_eq!(proxy.recording().count("Invoke"), 1);
}

#[test]
fn an_interrupt_is_heard_while_aws_throttles() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let mut throttled = Fault::throttled();
    if let Fault::Error { headers, .. } = &mut throttled {
        headers.push(("Retry-After".to_owned(), "30".to_owned()));
    }
    proxy.fail_next("CreateRole", 99, throttled);
    let mut deploy = project.mdo("deploy").through(&proxy).begins();
    deploy.until_it_says("  AWS throttles CreateRole; trying again in 30 s");
    deploy.signal("INT");
    let (status, _, said) = deploy.ends();
    assert!(said.lines().any(|line| line == "  AWS throttles CreateRole; trying again in 30 s"), "{said}");
    assert_eq!(status, 130, "{said}");
    assert_eq!(proxy.recording().count("CreateRole"), 1);
    project.deploys("");
}

#[test]
fn a_role_of_an_earlier_mdo_that_lists_regions_is_migrated_by_a_line_of_the_plan() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let (live, id) = (Live::of(&project, "dev"), project.account().id().to_owned());
    let policy = |regions: &[&str]| {
        let group = |region: &&str| format!("arn:aws:logs:{region}:{id}:log-group:/aws/lambda/shop_*:*");
        let groups: Vec<String> = regions.iter().map(group).collect();
        let resource = if let [one] = groups.as_slice() { json!(one) } else { json!(groups) };
        let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
        let statement = json!({"Sid": "Logs", "Effect": "Allow", "Action": actions, "Resource": resource});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    for (regions, shown) in
        [(&["eu-west-1"][..], "eu-west-1"), (&["eu-west-1", "us-east-1"], "eu-west-1, us-east-1")]
    {
        let role = json!({"RoleName": "shop_lambda_function", "PolicyName": "mdo", "PolicyDocument": policy(regions)});
        live.call("iam", "put_role_policy", role);
        project.mdo("plan").succeeds().says("~ role").says(&format!("/aws/lambda/shop_* in {shown} alone"));
        project.deploys("");
    }
}

#[test]
fn a_profile_gives_way_to_the_environment_when_the_project_says_so() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project
        .write("credentials", "[work]\naws_access_key_id = 200000000002\naws_secret_access_key = secret\n");
    let file = project.path("credentials").display().to_string();
    let plan = |flags: &str| project.mdo(&format!("plan {flags}")).env("AWS_SHARED_CREDENTIALS_FILE", &file);
    project.write("project.toml", &format!("profile = \"work\"\n{MANIFEST}"));
    plan("").exits(0).says("200000000002");
    project
        .mdo_with(&["plan", "--profile", ""])
        .env("AWS_SHARED_CREDENTIALS_FILE", &file)
        .exits(0)
        .says(project.account().id());
    project.write("project.toml", &format!("profile = \"work\"\nprofile_unless_env = true\n{MANIFEST}"));
    plan("").exits(0).says(project.account().id());
    plan("").without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY").exits(0).says("200000000002");
    plan("--profile work").exits(0).says("200000000002");
}

#[test]
fn what_is_wrong_with_the_aws_configuration_is_named() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let with = |config: &str, profile: &str| {
        project.write("aws-config", config);
        let file = project.path("aws-config").display().to_string();
        let plan = project.mdo("plan").without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
        plan.env("AWS_CONFIG_FILE", &file).env("AWS_PROFILE", profile).exits(4)
    };
    let assumed = "[profile deploy]\nrole_arn = arn:aws:iam::000000000000:role/x\nsource_profile = base\n";
    with(assumed, "deploy")
        .says("there is no AWS profile named `base`, which profile `deploy` names as its source_profile");
    with("[profile other]\n", "nobody").says("there is no AWS profile named `nobody`");
    with("[profile p]\ncredential_process = sh -c 'echo vault is sealed >&2; exit 3'\n", "p")
        .says("the credential_process of profile `p` failed with exit status 3; it said: vault is sealed");
    with("[default]\nregion = eu-west-1\n[profile p\nx = 1\n", "p").says("aws-config:3:");
    project.write("aws-config", "[profile p\n");
    let file = project.path("aws-config").display().to_string();
    let plan = project.mdo("plan").without("AWS_REGION").env("AWS_CONFIG_FILE", &file);
    plan.exits(4).says("cannot read the AWS configuration").says("aws-config:1:");
}
