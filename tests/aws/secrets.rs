//! Values that are kept in Parameter Store and Secrets Manager: looked up by a deploy, or left to the function.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::account::REGION;
use crate::support::emulator::Emulator;
use crate::support::fault::Fault;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

/// What is kept; none of it may ever be said.
const PASSWORD: &str = "hush-hush-password";
const CHANGED: &str = "hush-hush-changed";
const DOCUMENT: &str = r#"{"user": "hush-hush-user", "port": 5432, "more": []}"#;

fn keep(project: &TestProject, name: &str, value: &str) {
    let parameter = json!({"Name": name, "Value": value, "Type": "SecureString", "Overwrite": true});
    project.account().aws("ssm", "put_parameter", parameter).unwrap();
}

fn project_with(environment: Value) -> Option<TestProject> {
    let project = TestProject::with_echo(Emulator::shared()?.account());
    keep(&project, "/shop/password", PASSWORD);
    let secret = json!({"Name": "shop/db", "SecretString": DOCUMENT});
    project.account().aws("secretsmanager", "create_secret", secret).unwrap();
    project.set("echo", "environment", environment);
    Some(project)
}

#[test]
fn a_deploy_looks_values_up_and_says_where_they_are_and_never_what() {
    let environment = json!({
        "PASSWORD": "ssm:/shop/password",
        "USER": "secretsmanager:shop/db#user",
        "PORT": "secretsmanager:shop/db#port",
        "WHOLE": {"secret": "secretsmanager:shop/db"},
        "PLAIN": "literal:ssm:/shop/password",
    });
    let Some(project) = project_with(environment) else { return };
    let live = Live::of(&project, "dev");
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    let first = project.mdo("deploy").through(&proxy).succeeds();
    first.says("environment  + PASSWORD  from ssm:/shop/password\n");
    first.says("environment  + PORT  from secretsmanager:shop/db#port\n");
    first.says("environment  + PLAIN\n");
    // One call for the parameters, and one for each secret.
    let calls = proxy.recording();
    assert_eq!((calls.count("GetParameters"), calls.count("GetSecretValue")), (1, 1), "{:#?}", calls.names());
    assert_eq!(
        live.environment("echo"),
        json!({
            "PASSWORD": PASSWORD, "USER": "hush-hush-user", "PORT": "5432", "WHOLE": DOCUMENT,
            "PLAIN": "ssm:/shop/password",
        })
    );
    project.is_settled("");

    // Another value is a change, a reviewed plan holds none, and is refused once there is yet another.
    keep(&project, "/shop/password", CHANGED);
    project.mdo("plan --out it.plan").succeeds().says("environment  ~ PASSWORD  from ssm:/shop/password\n");
    let plan = project.mdo("plan --json").json();
    let field = json!({
        "path": "environment.PASSWORD", "before": "(hidden)", "after": "(hidden)", "from": "ssm:/shop/password",
    });
    assert_eq!(plan["changes"][0]["fields"], json!([field]));
    let saved = project.read("it.plan");
    assert!(!saved.contains("hush"), "{saved}");
    keep(&project, "/shop/password", "hush-hush-again");
    project.mdo("deploy --plan it.plan").exits(1);
    keep(&project, "/shop/password", CHANGED);
    project.mdo("deploy --plan it.plan").succeeds();
    assert_eq!(live.environment("echo")["PASSWORD"], CHANGED);

    // What is set by a flag is not looked up, nor is what no command needs.
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    for arguments in [
        "plan -s PASSWORD=a -s USER=b -s PORT=c -s WHOLE=d",
        "list",
        "key list",
        "check",
        "export cloudformation",
        "policy",
    ] {
        project.mdo(arguments).through(&proxy).succeeds();
    }
    let calls = proxy.recording();
    assert_eq!((calls.count("GetParameters"), calls.count("GetSecretValue")), (0, 0));

    // This machine gets them from there too.
    project.mdo("deploy --local").succeeds();
    project.mdo("plan --local --exit-code").succeeds();
    let said = project.said();
    assert!(!said.contains("hush-hush"), "a value was said: {said}");
}

#[test]
fn what_cannot_be_looked_up_is_told_with_its_place_before_anything_changes() {
    let elsewhere = "arn:aws:ssm:us-east-2:123456789012:parameter/x";
    let environment = json!({
        "BOTH": "ssm:/shop/password",
        "ELSEWHERE": format!("ssm:{elsewhere}"),
        "KEYLESS": "secretsmanager:shop/db#pasword",
        "LIST": "secretsmanager:shop/db#more",
        "MISSING": "ssm:/shop/pasword",
        "NOWHERE": "secretsmanager:shop/bd",
        "TEXT": "secretsmanager:shop/text#key",
    });
    let Some(project) = project_with(environment) else { return };
    let secret = json!({"Name": "shop/text", "SecretString": "hush-hush"});
    project.account().aws("secretsmanager", "create_secret", secret).unwrap();
    let refused = project.mdo("deploy").exits(2);
    for (variable, reference, why) in [
        ("ELSEWHERE", format!("ssm:{elsewhere}"), format!("it is in us-east-2, and the stage in {REGION}")),
        (
            "KEYLESS",
            "secretsmanager:shop/db#pasword".to_owned(),
            "the secret has no key `pasword`".to_owned(),
        ),
        (
            "LIST",
            "secretsmanager:shop/db#more".to_owned(),
            "the value of its key `more` is no text".to_owned(),
        ),
        ("MISSING", "ssm:/shop/pasword".to_owned(), "there is no such parameter".to_owned()),
        ("NOWHERE", "secretsmanager:shop/bd".to_owned(), "there is no such secret".to_owned()),
        (
            "TEXT",
            "secretsmanager:shop/text#key".to_owned(),
            "the secret is no JSON object, which could have a key `key`".to_owned(),
        ),
    ] {
        let at = project.read("functions/echo/function.json");
        let line = at.lines().position(|line| line.contains(&format!("\"{variable}\""))).unwrap() + 1;
        refused.says(&format!(
            "error: cannot look up {variable} of function echo, which is {reference}: {why}\n  \
             --> functions/echo/function.json:{line}:5\n  help: "
        ));
    }
    assert!(!refused.transcript().contains("BOTH"), "{}", refused.transcript());
    assert!(Live::of(&project, "dev").apis().is_empty());

    // Who may not read one of them is told which.
    project.set(
        "echo",
        "environment",
        json!({"BOTH": "ssm:/shop/password", "KEY": "secretsmanager:shop/text"}),
    );
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.fail_next("GetParameters", 1, Fault::denied("ssm:GetParameters"));
    let why = "The ciphertext refers to a customer master key that you may not use; kms:Decrypt";
    proxy.fail_next("GetSecretValue", 1, Fault::error(400, "AccessDeniedException", why));
    let refused = project.mdo("plan").through(&proxy).exits(4);
    refused.says("cannot look up BOTH of function echo, which is ssm:/shop/password: ");
    refused.says(
        "cannot look up KEY of function echo, which is secretsmanager:shop/text: get secret value shop/text: the key that encrypts it \
         may not be used",
    );
    refused.says("allow `kms:Decrypt` on that key for the identity that you deploy with, in the key's own policy too\n");
}

#[test]
fn a_function_that_looks_a_value_up_itself_may_read_just_that() {
    let environment = json!({"PASSWORD": {"secret": "ssm:/shop/password", "resolve": "function"}});
    let Some(project) = project_with(environment) else { return };
    let live = Live::of(&project, "dev");
    project.write("project.toml", &format!("region = \"{REGION}\"\n{MANIFEST}"));
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds();
    assert_eq!(proxy.recording().count("GetParameters"), 0);
    assert_eq!(live.environment("echo"), json!({"PASSWORD": "ssm:/shop/password"}));
    let policy = json!({"RoleName": "shop_lambda_function", "PolicyName": "mdo-dev"});
    assert_eq!(
        live.call("iam", "get_role_policy", policy)["PolicyDocument"]["Statement"],
        json!([{
            "Effect": "Allow", "Action": ["ssm:GetParameter"],
            "Resource": [format!("arn:aws:ssm:{REGION}:*:parameter/shop/password")],
        }])
    );
    project.is_settled("");
}
