//! A role that somebody has given policies by hand: nothing goes before they are taken off.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::stages::nothing;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

const ROLE: &str = "shop_lambda_function";
const READING: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const QUEUES: &str = "arn:aws:iam::aws:policy/AmazonSQSFullAccess";

const REFUSAL: &str = "\
error: this would delete role shop_lambda_function, to which somebody has given managed policy AmazonS3ReadOnlyAccess, inline policy extra
  help: nothing was changed; give the role back what mdo wrote, then run the command again:
        aws iam detach-role-policy --role-name shop_lambda_function --policy-arn arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess
        aws iam get-role-policy --role-name shop_lambda_function --policy-name extra && \\
          aws iam delete-role-policy --role-name shop_lambda_function --policy-name extra
";

/// Gives the role a managed and an inline policy, as in the console.
fn give(live: &Live) {
    live.call("iam", "attach_role_policy", json!({"RoleName": ROLE, "PolicyArn": READING}));
    let allowed = json!({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [allowed]}).to_string();
    let policy = json!({"RoleName": ROLE, "PolicyName": "extra", "PolicyDocument": document});
    live.call("iam", "put_role_policy", policy);
}

/// Does what the refusal says.
fn take_off(live: &Live) {
    live.call("iam", "detach_role_policy", json!({"RoleName": ROLE, "PolicyArn": READING}));
    live.call("iam", "delete_role_policy", json!({"RoleName": ROLE, "PolicyName": "extra"}));
}

fn role_policies(live: &Live) -> [Value; 2] {
    let role = json!({"RoleName": ROLE});
    let attached = live.call("iam", "list_attached_role_policies", role.clone());
    [
        live.call("iam", "list_role_policies", role)["PolicyNames"].clone(),
        attached["AttachedPolicies"].clone(),
    ]
}

#[test]
fn a_destroy_names_policies_of_somebody_else_before_anything_goes() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    project.set("echo", "permissions", json!([QUEUES]));
    project.deploys("");
    project.deploys("--stage prod");
    give(&dev);
    let (before, policies) = (dev.counts(), role_policies(&dev));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);

    let listed = project.mdo("list").exits(0);
    listed.says(
        "note: role shop_lambda_function has managed policy AmazonS3ReadOnlyAccess, inline policy extra, which mdo did not write\n",
    );
    let listed = project.mdo("list --json").json();
    let [first, second] = [0, 1].map(|number| listed["foreign_policies"][number].clone());
    assert_eq!(first, json!({"role": ROLE, "name": "AmazonS3ReadOnlyAccess", "arn": READING}));
    assert_eq!(second, json!({"role": ROLE, "name": "extra", "arn": null}));

    // The role goes with the last stage only, and with all of them at once.
    let output = project.mdo("destroy --all --yes").through(&proxy).exits(2);
    assert_eq!(output.stderr, REFUSAL);
    assert_eq!(proxy.recording().writes().len(), 0);
    assert_eq!((dev.counts(), role_policies(&dev)), (before, policies));
    project.mdo("destroy --stage prod --yes").succeeds();
    assert_eq!(dev.version("echo"), "1");
    let policies = role_policies(&dev);
    assert_eq!(policies[0], json!(["extra", "mdo", "mdo-dev"]));

    let before = dev.counts();
    proxy.forget();
    // What mdo attached for the stage itself is nobody else's.
    let output = project.mdo("destroy --yes").through(&proxy).exits(2);
    assert_eq!(output.stderr, REFUSAL);
    let names = proxy.recording().names();
    let of_policies = names.iter().filter(|name| name.contains("RolePolic")).map(String::as_str);
    let mut of_policies: Vec<&str> = of_policies.collect();
    of_policies.sort_unstable();
    assert_eq!(
        of_policies,
        [
            "iam:GetRolePolicy",
            "iam:GetRolePolicy",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies"
        ]
    );
    assert_eq!(proxy.recording().writes().len(), 0);
    let document = project.mdo("destroy --yes --json").exits(2).document();
    assert_eq!(document["errors"][0]["code"], "not_ours");
    assert_eq!(document["errors"][0]["resource"], "role shop_lambda_function");
    assert_eq!((dev.counts(), role_policies(&dev)), (before, policies));

    project.write("project.toml", &format!("{MANIFEST}[stages.dev]\nprotect = true\n"));
    take_off(&dev);
    project.mdo("destroy --yes").exits(2).says("at stage dev, which is protected");
    project.write("project.toml", MANIFEST);
    project.mdo("destroy --yes").succeeds();
    assert_eq!([dev.counts(), prod.counts()], [nothing(), nothing()]);
}

#[test]
fn what_a_lost_stage_attached_goes_with_the_role() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    project.deploys("");
    live.call("iam", "attach_role_policy", json!({"RoleName": ROLE, "PolicyArn": QUEUES}));
    let note = json!({"Sid": "Attached", "Effect": "Allow", "Action": "iam:GetPolicy", "Resource": [QUEUES]});
    let document = json!({"Version": "2012-10-17", "Statement": [note]}).to_string();
    let policy = json!({"RoleName": ROLE, "PolicyName": "mdo-lost", "PolicyDocument": document});
    live.call("iam", "put_role_policy", policy);
    project.mdo("destroy --yes").succeeds();
    assert_eq!(live.counts(), nothing());
}

#[test]
fn a_plan_and_a_deploy_that_leave_the_role_behind_say_so() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    project.deploys("");
    give(&live);
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let made =
        live.call("iam", "create_role", json!({"RoleName": "other", "AssumeRolePolicyDocument": trust}));
    let arn = made["Role"]["Arn"].as_str().unwrap();
    project.write("project.toml", &format!("role = \"{arn}\"\n{MANIFEST}"));
    project.mdo("plan").succeeds().says(
        "note: role shop_lambda_function has managed policy AmazonS3ReadOnlyAccess, inline policy extra, which mdo did not \
         write: a deploy would refuse to delete it until they are taken off\n",
    );
    let output = project.mdo("deploy --yes").exits(2);
    assert_eq!(output.stderr, REFUSAL);
    take_off(&live);
    project.mdo("deploy --yes").succeeds();
    project.is_settled("");
}
