//! `mdo policy` against what is called: every call that a verb makes is allowed by the policy of its part, and nothing is allowed that no
//! call needs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::derivatives::Painting;
use crate::live::Live;
use crate::support::account::REGION;
use crate::support::emulator::Emulator;
use crate::support::hosted::HostedProject;
use crate::support::iam::Policy;
use crate::support::iam::demand::demands;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;
use crate::support::recording::Recording;

/// What the calls of a project are held against.
pub(crate) struct Watch<'a> {
    project: &'a TestProject,
    /// The flags that name stages.
    stages: &'static str,
    /// The policies of the parts, by their flags.
    parts: BTreeMap<String, Policy>,
    /// The policy for everything.
    whole: Policy,
}

impl<'a> Watch<'a> {
    pub(crate) fn of(project: &'a TestProject, stages: &'static str) -> Watch<'a> {
        Watch { project, stages, parts: BTreeMap::new(), whole: policy(project, stages) }
    }

    /// Holds recorded calls against the policy that flags ask for.
    pub(crate) fn holds(&mut self, verb: &str, flags: &str, recording: &Recording) {
        let (project, account) = (self.project, self.project.account().id());
        let part = self
            .parts
            .entry(flags.to_owned())
            .or_insert_with(|| policy(project, &format!("{flags}{}", self.stages)));
        let demands = recording.calls().iter().flat_map(|call| demands(call, account, "shop"));
        let mut denied = Vec::new();
        for demand in demands {
            if !self.whole.allows(&demand) | !part.allows(&demand) {
                denied.push(demand);
            }
        }
        denied.dedup();
        assert!(denied.is_empty(), "mdo {verb}, with mdo policy {flags}: {denied:#?}");
    }
}

fn policy(project: &TestProject, flags: &str) -> Policy {
    let account = project.account().id();
    let output = project.mdo(&format!("policy {flags} --account {account}")).exits(0);
    assert!(output.stdout.contains(&format!(":{REGION}:{account}:")), "{}", output.transcript());
    Policy::new(&output.document())
}

#[test]
fn every_call_is_allowed_by_the_policy_of_its_part_and_nothing_else_is_allowed() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    Painting::join(&project);
    let (queues, mail) =
        ("arn:aws:iam::aws:policy/AmazonSQSFullAccess", "arn:aws:iam::aws:policy/AmazonSESFullAccess");
    let reading = json!({"allow": ["s3:GetObject"], "on": ["arn:aws:s3:::bucket/*"]});
    project.set("echo", "permissions", json!([reading, queues, mail]));
    let kept = json!({"Name": "/shop/token", "Value": "x", "Type": "SecureString"});
    project.account().aws("ssm", "put_parameter", kept).unwrap();
    let kept = json!({"Name": "shop/db", "SecretString": "x"});
    project.account().aws("secretsmanager", "create_secret", kept).unwrap();
    let environment = json!({"TOKEN": "ssm:/shop/token", "PASSWORD": "secretsmanager:shop/db"});
    project.set("echo", "environment", environment);
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let mut watch = Watch::of(&project, "");
    let mut run_to = |code: i32, arguments: &str, flags: &str| {
        proxy.forget();
        project.mdo(arguments).through(&proxy).exits(code);
        watch.holds(arguments, flags, &proxy.recording());
    };
    let mut run = |arguments: &str, flags: &str| run_to(0, arguments, flags);

    run("deploy -s GREETING=hello", "--deployer");
    project.set("echo", "permissions", json!([reading, mail]));
    run("deploy", "--deployer");
    project.set_edition("echo", "second");
    project.set("echo", "memory", json!(256));
    project.set("echo", "concurrency", json!(3));
    project.set("echo", "routes", json!(["GET /echo", "POST /echo"]));
    let manifest = project.read("project.toml");
    let throttle = "\n[api]\nthrottle = { rate = 3, burst = 7 }\n\n[logs]\nretention_days = 7\n";
    project.write("project.toml", &format!("{manifest}{throttle}[tags]\nteam = \"ml\"\n"));
    run("deploy -s GREETING=bye", "--deployer");
    project.set("echo", "concurrency", Value::Null);
    project.write("project.toml", &format!("{manifest}{throttle}"));
    run("deploy", "--deployer");
    run("rollback echo --keep-routes", "--deployer");
    // Somebody has been at the role, at the rule and at the stage.
    let aws = |service, operation, params| project.account().aws(service, operation, params).unwrap();
    let anything = json!({"Sid": "Logs", "Effect": "Allow", "Action": "logs:*", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [anything]}).to_string();
    let role = "shop_lambda_function";
    aws("iam", "put_role_policy", json!({"RoleName": role, "PolicyName": "mdo", "PolicyDocument": policy}));
    aws(
        "events",
        "put_rule",
        json!({"Name": "shop_echo.dev.warm", "ScheduleExpression": "rate(2 minutes)", "Description": "mine"}),
    );
    let variable = json!({"op": "replace", "path": "/variables/theirs", "value": "x"});
    let api = Live::of(&project, "dev").api();
    aws(
        "apigateway",
        "update_stage",
        json!({"restApiId": api, "stageName": "dev", "patchOperations": [variable]}),
    );
    run("deploy --yes", "--deployer");
    run("deploy --stage prod", "--deployer");
    run("promote dev prod --yes", "--deployer");
    run("warm echo --rate 1m", "--deployer");
    run("warm echo --off --yes", "--deployer");
    for verb in ["create alice", "disable alice", "delete alice --yes"] {
        run(&format!("key {verb}"), "--deployer");
    }
    for verb in ["plan", "list", "history", "warm", "key list", "key show", "invoke echo", "logs", "doctor"] {
        run(verb, "--operator");
    }
    // AWS leaves the tags out for an alias.
    proxy.edit("GetFunction", |_, answer| drop(answer.as_object_mut().unwrap().remove("Tags")));
    run("plan", "--operator");
    project.set_edition("echo", "third");
    run_to(2, "deploy --canary 10% --alarm none --for 1m", "--deployer");
    // The emulator does not count requests.
    run_to(1, "key usage", "--operator");
    run_to(1, "status", "--operator");
    let mut run = |arguments: &str, flags: &str| run_to(0, arguments, flags);
    run("prune --keep 0 --yes", "--destroyer");
    run("destroy --stage prod --yes", "--destroyer");
    run("destroy --yes", "--destroyer");

    assert_eq!(watch.whole.unused(), NEEDED_ELSEWHERE);
}

#[test]
fn every_call_of_a_hosted_stage_is_allowed_and_nothing_else_is_but_what_drift_needs() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let mut watch = Watch::of(&hosted.project, " --stage prod");
    let mut run_to = |code: i32, arguments: &str, flags: &str| {
        hosted.proxy.forget();
        hosted.registry.forget();
        hosted.mdo(arguments).exits(code);
        for proxy in [&hosted.proxy, &hosted.registry] {
            watch.holds(arguments, flags, &proxy.recording());
        }
    };
    let mut run = |arguments: &str, flags: &str| run_to(0, arguments, flags);
    run("deploy -s GREETING=hello", "--deployer");
    hosted.set_edition("echo", "second");
    let manifest = hosted.project.read("project.toml");
    hosted
        .project
        .write("project.toml", &manifest.replace("tasks = 2", "tasks = { min = 2, max = 4, cpu = 60 }"));
    run("deploy", "--deployer");
    let scaled = hosted.project.read("project.toml");
    hosted.project.write("project.toml", &format!("{scaled}\n[tags]\nteam = \"ml\"\n"));
    run("deploy", "--deployer");
    hosted.project.write("project.toml", &scaled);
    run("deploy", "--deployer");
    run("rollback", "--deployer");
    for verb in ["create alice", "disable alice", "delete alice --yes"] {
        run(&format!("key {verb}"), "--deployer");
    }
    hosted.project.write("project.toml", &manifest);
    // Keys do not take from the stage that it was rolled back.
    run("deploy --yes", "--deployer");
    for verb in ["plan", "list", "history", "key list", "logs", "status", "doctor"] {
        run(verb, "--operator");
    }
    run("prune --keep 1 --yes", "--destroyer");
    run("destroy --yes", "--destroyer");
    run("deploy", "--deployer");
    hosted.set_edition("echo", "third");
    hosted.proxy.edit("UpdateService", |_, answer| {
        answer["service"]["deployments"][0]["rolloutState"] = "FAILED".into();
    });
    run_to(5, "deploy", "--deployer");

    let account = hosted.project.account().id();
    let unused = watch.whole.unused().join("\n").replace(account, "ACCOUNT");
    assert_eq!(unused.lines().collect::<Vec<_>>(), NOT_NEEDED_HERE);
}

/// What no verb needs here: the files always say how long logs are kept.
const NEEDED_ELSEWHERE: [&str; 1] = ["DeployLogGroups logs:DeleteRetentionPolicy"];

/// What the calls of a hosted stage do not need as long as nobody but mdo has been at it.
const NOT_NEEDED_HERE: [&str; 30] = [
    // It is looked whether the stage has been a serverless one.
    "LookFunctions lambda:GetFunctionConcurrency",
    "LookFunctions lambda:GetPolicy",
    "LookFunctions lambda:ListAliases",
    "LookFunctions lambda:ListTags",
    "LookFunctions lambda:ListVersionsByFunction",
    "LookLogGroups arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod:*",
    "LookRules events:DescribeRule",
    "LookRules events:ListTagsForResource",
    "LookRules events:ListTargetsByRule",
    "LookRules arn:aws:events:eu-west-1:ACCOUNT:rule/shop_*-prod-warm",
    "LookRules arn:aws:events:eu-west-1:ACCOUNT:rule/shop_*.prod.warm",
    "LookApiGet arn:aws:apigateway:eu-west-1::/restapis/*",
    "LookApiGet arn:aws:apigateway:eu-west-1::/usageplans/*",
    // The rest is for what somebody has changed, and for failures; with `:*` some of Logs' actions are asked about.
    "DeployLogGroups logs:DeleteRetentionPolicy",
    "DeployLogGroups arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod:*",
    // The emulator does not show what a key was tagged with later.
    "DeployApiKeysDelete arn:aws:apigateway:eu-west-1::/tags/*",
    "DeployServerLogs logs:GetLogEvents",
    "DeployServerLogs arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod",
    "DeployServerLogs arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod:*",
    "DeployServerRole iam:UpdateAssumeRolePolicy",
    "DeployRepository ecr:PutImageTagMutability",
    "DeployLoadBalancing elasticloadbalancing:ModifyRule",
    "DeployLoadBalancing elasticloadbalancing:ModifyTargetGroup",
    "DeployLoadBalancing elasticloadbalancing:SetSecurityGroups",
    "DeployLoadBalancing elasticloadbalancing:SetSubnets",
    "DeployListeners elasticloadbalancing:DeleteListener",
    "DeployListeners elasticloadbalancing:ModifyListener",
    "DeploySecurityGroups ec2:RevokeSecurityGroupIngress",
    "OperateLogs arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod:*",
    "DestroyLogGroups arn:aws:logs:eu-west-1:ACCOUNT:log-group:/mdo/shop/prod:*",
];

/// A user of the project's account who may do what a policy allows, on whatever: MiniStack makes up other ARNs for most services than
/// AWS does, so that it is asked about the actions alone.
fn user(hosted: &HostedProject, name: &str, policy: &Value) -> [(&'static str, String); 2] {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Resource"] = "*".into();
        statement.as_object_mut().unwrap().remove("Condition");
    }
    let aws = |operation, params| hosted.project.account().aws("iam", operation, params).unwrap();
    aws("create_user", json!({"UserName": name}));
    let made = aws("create_policy", json!({"PolicyName": name, "PolicyDocument": policy.to_string()}));
    aws("attach_user_policy", json!({"UserName": name, "PolicyArn": made["Policy"]["Arn"]}));
    let key = aws("create_access_key", json!({"UserName": name}))["AccessKey"].clone();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    [("AWS_ACCESS_KEY_ID", text("AccessKeyId")), ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))]
}

/// The policy without an action.
fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|one| one != action);
    }
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| !statement["Action"].as_array().unwrap().is_empty());
    policy
}

#[test]
fn who_has_the_policy_and_nothing_else_deploys_and_who_lacks_an_action_of_it_is_told_which() {
    let Some(hosted) = HostedProject::guarded_with_echo() else { return };
    let account = hosted.project.account().id();
    let of =
        |flags: &str| hosted.project.mdo(&format!("policy {flags} --account {account}")).exits(0).document();
    let deployer = of("--deployer");
    let run = |arguments: &str, credentials: &[(&'static str, String); 2]| {
        let mdo = credentials.iter().fold(hosted.mdo(arguments), |mdo, (name, value)| mdo.env(name, value));
        mdo.runs()
    };
    let blind = user(&hosted, "blind", &without(&deployer, "elasticloadbalancing:DescribeLoadBalancers"));
    let refused = run("deploy -s GREETING=hello", &blind);
    assert_eq!(refused.status, 4, "{}", refused.transcript());
    refused.says("help: allow `elasticloadbalancing:DescribeLoadBalancers`");

    let bound = user(&hosted, "bound", &without(&deployer, "ecs:CreateService"));
    let partly = run("deploy -s GREETING=hello", &bound);
    assert_eq!(partly.status, 5, "{}", partly.transcript());
    partly.says("allow `ecs:CreateService`");

    let doctor = run("doctor", &bound);
    assert_eq!(doctor.status, 0, "{}", doctor.transcript());
    doctor.says("what a deploy may write cannot be known: `iam:SimulatePrincipalPolicy` is not allowed\n");
    let mut asking = without(&deployer, "ecs:CreateService");
    let ask =
        json!({"Sid": "Ask", "Effect": "Allow", "Action": ["iam:SimulatePrincipalPolicy"], "Resource": "*"});
    asking["Statement"].as_array_mut().unwrap().push(ask);
    let doctor = run("doctor", &user(&hosted, "asking", &asking));
    assert_eq!(doctor.status, 4, "{}", doctor.transcript());
    doctor.says("  failed   permissions  ").says("a deploy lacks `ecs:CreateService`\n");

    let able = user(&hosted, "able", &deployer);
    let deployed = run("deploy -s GREETING=hello", &able);
    assert_eq!(deployed.status, 0, "{}", deployed.transcript());
    let operator = user(&hosted, "operator", &of("--operator"));
    let looked = run("plan -s GREETING=hello", &operator);
    assert_eq!(looked.status, 0, "{}", looked.transcript());
    assert_ne!(run("destroy --yes", &able).status, 0);
    let destroyer = user(&hosted, "destroyer", &of("--destroyer"));
    let destroyed = run("destroy --yes", &destroyer);
    assert_eq!(destroyed.status, 0, "{}", destroyed.transcript());
}
