//! `mdo policy` without an account: what it prints, what it says, and what it is narrowed to.

use serde_json::{Value, json};

use crate::support::project::{MANIFEST, TestProject};

fn statement<'a>(policy: &'a Value, sid: &str) -> &'a Value {
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    statements.find(|one| one["Sid"] == sid).unwrap_or(&Value::Null)
}

fn sids(policy: &Value) -> Vec<&str> {
    policy["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].as_str().unwrap()).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn a_policy_needs_neither_network_nor_credentials_and_says_what_it_does_not_know() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("policy").succeeds();
    output.says("note: no account is named, and the policy is for any; give it with --account\n");
    output.says("note: no region is named, and the policy is for any; give it with --region\n");
    output.says(" of the 6,144 characters that a managed policy may have\n");
    let policy = output.document();
    assert_eq!(
        statement(&policy, "DeployPassRole"),
        &json!({
            "Sid": "DeployPassRole", "Effect": "Allow", "Action": ["iam:PassRole"],
            "Resource": ["arn:aws:iam::*:role/shop_lambda_function"],
            "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        })
    );
    assert_eq!(
        statement(&policy, "OperateInvoke")["Resource"],
        json!(["arn:aws:lambda:*:*:function:shop_*:*"])
    );

    let manifest = format!("{MANIFEST}account = \"123456789012\"\nregion = \"cn-north-1\"\n");
    project.write("project.toml", &manifest);
    let output = project.mdo("policy --operator --stage dev --stage prod").succeeds();
    let invoke = ["dev", "prod"]
        .map(|stage| format!("arn:aws-cn:lambda:cn-north-1:123456789012:function:shop_*:{stage}"));
    assert_eq!(statement(&output.document(), "OperateInvoke")["Resource"], json!(invoke));
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    let elsewhere = project.mdo("policy --account 210987654321 --region eu-west-1").succeeds();
    assert!(elsewhere.stdout.contains("arn:aws:lambda:eu-west-1:210987654321:function:shop_*\""));
}

#[test]
fn each_part_stands_for_itself_and_json_has_them_all() {
    let project = TestProject::local_with_echo();
    let of = |flags: &str| project.mdo(&format!("policy {flags}")).succeeds().document();
    for (flags, own, others) in [
        ("--deployer", "Deploy", ["Operate", "Destroy"]),
        ("--operator", "Operate", ["Deploy", "Destroy"]),
        ("--destroyer", "Destroy", ["Deploy", "Operate"]),
    ] {
        let policy = of(flags);
        let has = |start: &str| sids(&policy).iter().any(|sid| sid.starts_with(start));
        assert!(has("Look") && has(own) && !others.iter().any(|other| has(other)), "{:?}", sids(&policy));
    }
    let both = of("--deployer --destroyer");
    assert!(sids(&both).contains(&"DeployFunctions") && sids(&both).contains(&"DestroyFunctions"));
    let all = project.mdo("policy --json --ci github:ada/shop --account 123456789012").json();
    let parts: Vec<&str> =
        all["policies"].as_array().unwrap().iter().map(|one| one["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["deploy", "operate", "destroy"]);
    assert_eq!((&all["version"], &all["project"], &all["stages"]), (&json!(1), &json!("shop"), &Value::Null));
    let deploy = &all["policies"][0];
    assert_eq!(deploy["characters"], deploy["document"].to_string().len());
    assert_eq!(all["trust"]["Statement"][0]["Action"], "sts:AssumeRoleWithWebIdentity");
}

#[test]
fn what_the_files_ask_for_in_so_many_words_comes_with_it_alone() {
    let project = TestProject::local_with_echo();
    let of = || project.mdo("policy").exits(0).document();
    let plain = of();
    let mentions = |policy: &Value, text: &str| policy.to_string().contains(text);
    for absent in ["ecs:", "s3:", "kms:", "ec2:", "GetLayerVersion", "PublishLayerVersion"] {
        assert!(!mentions(&plain, absent), "{absent}");
    }
    // Another function, route, warm rule or limit needs no other policy.
    project
        .add_function("other", json!({"routes": ["POST /other"], "warm": {"rate": "1m"}, "concurrency": 2}));
    assert_eq!(of(), plain);

    let kms = "arn:aws:kms:eu-west-1:123456789012:key/1234";
    let layer = "arn:aws:lambda:eu-west-1:999999999999:layer:theirs";
    let role = "arn:aws:iam::123456789012:role/theirs";
    project.set("echo", "kms_arn", json!(kms));
    project.set("echo", "layers", json!([format!("{layer}:7")]));
    project.set("echo", "vpc", json!({"subnets": ["subnet-1"], "security_groups": ["sg-1"]}));
    project.set("echo", "role", json!(role));
    project.write("project.toml", &format!("{MANIFEST}\n[artifacts]\nbucket = \"ours\"\nprefix = \"mdo\"\n"));
    let rich = of();
    assert_eq!(statement(&rich, "DeployKeys")["Resource"], json!([kms]));
    assert_eq!(statement(&rich, "DeployReadLayers")["Resource"], json!([format!("{layer}:*")]));
    assert_eq!(statement(&rich, "DeployArtifacts")["Resource"], json!(["arn:aws:s3:::ours/mdo/*"]));
    assert_eq!(
        statement(&rich, "DeployPassRole")["Resource"],
        json!(["arn:aws:iam::*:role/shop_lambda_function", role])
    );
    assert!(!statement(&rich, "DeployVpc").is_null());

    // A project whose functions have roles of the user's makes none.
    project.write("project.toml", &format!("{MANIFEST}role = \"{role}\"\n"));
    let given = of();
    assert!(!mentions(&given, "iam:CreateRole") && !mentions(&given, "iam:DeleteRole"));
    assert_eq!(statement(&given, "DeployPassRole")["Resource"], json!([role]));
}

#[test]
fn servers_need_their_services_where_a_stage_has_them() {
    let project = TestProject::local_with_echo();
    let hosted = "\n[server]\nhttp = true\n\n[stages.prod]\nhosting = \"server\"\n";
    project.write("project.toml", &format!("{MANIFEST}{hosted}"));
    let of = |flags: &str| project.mdo(&format!("policy {flags}")).exits(0);
    let dev = of("--deployer --stage dev").document();
    assert!(
        dev.to_string().contains("ecs:DescribeServices") && !dev.to_string().contains("ecs:CreateService")
    );
    let prod = of("--deployer --stage prod").document();
    assert!(
        prod.to_string().contains("ecs:CreateService") && !prod.to_string().contains("lambda:CreateFunction")
    );
    assert_eq!(
        statement(&prod, "DeployServices")["Resource"],
        json!(["arn:aws:ecs:*:*:service/shop/shop-prod"])
    );
    // All of it is too large for one managed policy.
    of("").says("warning: the policy has ").says("--json splits what is still too large");
    let account = "--account 123456789012 --region ap-southeast-2";
    let split = project.mdo(&format!("policy --json {account}")).json();
    let policies = split["policies"].as_array().unwrap();
    let parts: Vec<&str> = policies.iter().map(|one| one["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["deploy", "deploy", "operate", "destroy"]);
    assert!(policies.iter().all(|policy| policy["characters"].as_u64().unwrap() <= 6144));
    let whole = project.mdo(&format!("policy --deployer {account}")).exits(0).document();
    let both: Vec<&Value> =
        policies[..2].iter().flat_map(|one| items(&one["document"]["Statement"])).collect();
    assert_eq!(both, items(&whole["Statement"]).iter().collect::<Vec<_>>());
}

#[test]
fn the_trust_policy_lets_the_runs_of_one_repository_in_and_no_other() {
    let project = TestProject::local_with_echo();
    let unnamed = project.mdo("policy --ci github:ada/shop").exits(2);
    unnamed.complains(
        "error: the trust policy names the account, and project.toml does not\n  \
         help: give it with --account, or set `account` in project.toml\n",
    );
    project.write("project.toml", &format!("{MANIFEST}account = \"123456789012\"\n"));
    let output = project.mdo("policy --ci github:ada/shop").succeeds();
    output.says("aws iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com");
    let provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    assert_eq!(
        output.document(),
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "GitHub", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": provider},
                "Condition": {"StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": ["repo:ada/shop:ref:refs/heads/main"],
                }},
            }],
        })
    );
    output.says(
        "note: then what it may do: mdo policy --deployer | aws iam put-role-policy --role-name shop_deploy ",
    );
    // The hints are about the very role that the flags ask for, and one for pull requests is to look.
    let looking =
        project.mdo("policy --account 210987654321 --ci github:ada/shop --pull-requests").succeeds();
    looking.says(
        "note: then the role: mdo policy --account 210987654321 --ci github:ada/shop --pull-requests | aws iam create-role --role-name shop_plan ",
    );
    looking.says(
        "mdo policy --operator --account 210987654321 | aws iam put-role-policy --role-name shop_plan ",
    );
    let flags = "--branch release/* --environment production --pull-requests";
    let wide = project.mdo(&format!("policy --ci github:ada/shop {flags}")).succeeds().document();
    assert_eq!(
        wide["Statement"][0]["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"],
        json!([
            "repo:ada/shop:ref:refs/heads/release/*",
            "repo:ada/shop:environment:production",
            "repo:ada/shop:pull_request"
        ])
    );
    for (arguments, why) in [
        ("--ci ada/shop", "`ada/shop` is not a repository: write github:OWNER/REPO"),
        ("--ci github:ada/*", "`github:ada/*` is not a repository"),
        ("--ci github:ada/shop --branch refs/heads/main", "name the branch alone, `main`"),
        ("--ci github:ada/shop --environment a*", "`a*` is not a name of an environment"),
        ("--ci github:ada/shop --deployer", "cannot be used with"),
        ("--branch main", "--ci"),
        ("--account 12", "12 digits"),
        ("--stage No!", "No!"),
        ("--region nowhere", "nowhere"),
    ] {
        project.mdo(&format!("policy {arguments}")).exits(2).says(why);
    }
}
