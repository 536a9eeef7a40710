//! What functions may do on AWS: a policy of the role for each stage, managed policies, and a boundary.

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};

const ROLE: &str = "shop_lambda_function";

/// The names of the role's inline policies, and the ARNs of the managed ones.
fn policies(live: &Live) -> (Value, Vec<Value>) {
    let role = json!({"RoleName": ROLE});
    let attached = live.call("iam", "list_attached_role_policies", role.clone());
    let attached = attached["AttachedPolicies"].as_array().unwrap();
    let mut attached: Vec<Value> = attached.iter().map(|policy| policy["PolicyArn"].clone()).collect();
    attached.sort_by_key(Value::to_string);
    (live.call("iam", "list_role_policies", role)["PolicyNames"].clone(), attached)
}

fn statements(live: &Live, stage: &str) -> Value {
    let policy = json!({"RoleName": ROLE, "PolicyName": format!("mdo-{stage}")});
    live.call("iam", "get_role_policy", policy)["PolicyDocument"]["Statement"].clone()
}

#[test]
fn each_stage_has_the_permissions_of_its_own_files() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let (queues, mail) =
        ("arn:aws:iam::aws:policy/AmazonSQSFullAccess", "arn:aws:iam::aws:policy/AmazonSESFullAccess");
    let reading = json!({"allow": ["s3:GetObject", "s3:PutObject"], "on": ["arn:aws:s3:::bucket/*"]});
    project.set("echo", "permissions", json!([reading, queues, mail]));
    let first = project.mdo("deploy").succeeds();
    first.says(
        "  + permissions  shop_lambda_function/mdo-dev
                 + s3:GetObject  arn:aws:s3:::bucket/*
                 + s3:PutObject  arn:aws:s3:::bucket/*
                 + arn:aws:iam::aws:policy/AmazonSESFullAccess
                 + arn:aws:iam::aws:policy/AmazonSQSFullAccess
",
    );
    project.is_settled("");
    project.deploys("--stage prod");
    assert_eq!(policies(&dev).0, json!(["mdo", "mdo-dev", "mdo-prod"]));

    // What leaves dev's files stays prod's.
    project.set(
        "echo",
        "permissions",
        json!([{"allow": ["s3:GetObject"], "on": ["arn:aws:s3:::bucket/*"]}, mail]),
    );
    project.mdo("deploy").succeeds().says(
        "  ~ permissions  shop_lambda_function/mdo-dev
                 - s3:PutObject  arn:aws:s3:::bucket/*
                 - arn:aws:iam::aws:policy/AmazonSQSFullAccess
",
    );
    assert_eq!(
        statements(&dev, "dev"),
        json!([
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bucket/*"]},
            {"Sid": "Attached", "Effect": "Allow", "Action": "iam:GetPolicy", "Resource": [mail]},
        ])
    );
    assert_eq!(statements(&prod, "prod")[0]["Action"], json!(["s3:GetObject", "s3:PutObject"]));
    assert_eq!(policies(&dev).1, [json!(mail), json!(queues)]);

    // Somebody who edits by hand shows in the plan, and is set right.
    dev.call("iam", "detach_role_policy", json!({"RoleName": ROLE, "PolicyArn": mail}));
    project.mdo("plan").succeeds().says(&format!("                 + {mail}\n"));
    project.deploys("");
    assert_eq!(policies(&dev).1.len(), 2);

    project.set("echo", "permissions", Value::Null);
    project
        .mdo("deploy")
        .exits(2)
        .says("this would delete permissions shop_lambda_function/mdo-dev at stage dev");
    project.mdo("deploy --yes").succeeds().says("  - permissions  shop_lambda_function/mdo-dev");
    project.is_settled("");
    assert_eq!(policies(&dev).0, json!(["mdo", "mdo-prod"]));
    project.mdo("destroy --stage prod --yes").succeeds();
    assert_eq!(policies(&dev), (json!(["mdo"]), vec![]));
    project.mdo("destroy --yes").succeeds();
    assert_eq!(dev.call("iam", "list_roles", json!({}))["Roles"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_boundary_bounds_the_role_and_stays_where_the_files_no_longer_name_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    let boundary = |live: &Live| {
        let role = live.call("iam", "get_role", json!({"RoleName": ROLE}));
        role["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"].clone()
    };
    project.deploys("");
    assert_eq!(boundary(&live), Value::Null);
    let arn = "arn:aws:iam::aws:policy/PowerUserAccess";
    project.write("project.toml", &format!("permissions_boundary = \"{arn}\"\n{MANIFEST}"));
    project.mdo("deploy").succeeds().says(&format!("boundary  none → {arn}"));
    project.is_settled("");
    assert_eq!(boundary(&live), json!(arn));
    project.write("project.toml", MANIFEST);
    project.is_settled("");
    project.mdo("destroy --yes").succeeds();
    project.write("project.toml", &format!("permissions_boundary = \"{arn}\"\n{MANIFEST}"));
    project.deploys("");
    assert_eq!(boundary(&live), json!(arn));
}
