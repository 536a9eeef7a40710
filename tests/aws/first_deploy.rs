//! The first deploy of a project: what it makes, what it says, and what it costs.

use std::time::Duration;

use serde_json::json;

use crate::live::{Live, arn, text};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

#[test]
fn a_first_deploy_makes_a_keyed_warm_api_and_says_how_to_call_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let output = project.mdo("deploy -s GREETING=hello").succeeds();
    let live = Live::of(&project, "dev");
    let url = format!("https://{}.execute-api.eu-west-1.amazonaws.com/dev/echo", live.api());
    let account = project.account().id();
    let said = output.timeless();
    let times = said.lines().find(|line| line.starts_with("  role _ s")).unwrap();
    let expected = format!(
        r#"shop · dev · {account} · eu-west-1

  + role       shop_lambda_function
  + function   shop_echo              provided.al2023 x86_64, 128 MB, 30 s, 992 bytes
               environment  + GREETING
  + log group  /aws/lambda/shop_echo  30 days
  + api        shop                   GET /echo (key)
  + stage      dev                    10 requests/s, burst 20, 10,000 a day
  + key        shop-dev-default
  + warm rule  shop_echo              every 5 minutes

  7 to create, nothing to update or delete

{times}

Deployed in _ s with _ calls.
  url   {url}
  key   mdo key show default
  try   curl -H "x-api-key: $(mdo key show default)" {url}
"#,
    );
    assert_eq!(said, expected);
    let mut times: Vec<&str> = times.trim().split(" · ").collect();
    times.sort_unstable();
    assert_eq!(
        times,
        [
            "api _ s",
            "function echo _ s (version 1)",
            "key default _ s",
            "log group echo _ s",
            "role _ s",
            "stage _ s",
            "warm rule echo _ s"
        ]
    );

    assert_eq!(live.get_without_key("echo"), 403);
    let seen = live.echo("echo");
    assert_eq!((&seen["greeting"], &seen["version"]), (&json!("hello"), &json!("1")));
    project.is_settled("");
}

#[test]
fn every_resource_of_a_first_deploy_is_as_the_files_say() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    project.write(
        "project.toml",
        "name = \"shop\"\ndescription = \"Echoes\"\n[logs]\nretention_days = 7\n\
         [api]\nthrottle = { rate = 3.5, burst = 7 }\nquota = { limit = 500, period = \"week\" }\ntimeout = \"5s\"\n",
    );
    project.add_function(
        "echo",
        json!({
            "description": "says what it sees", "memory": 256, "timeout": 9, "ephemeral_storage": 1024,
            "environment": {"GREETING": "hi", "EMPTY": ""},
            "routes": ["GET /echo", {"route": "POST /open/{id}", "security": "open"}],
            "warm": {"rate": "1m", "concurrency": 2},
        }),
    );
    project.deploys("");
    let live = Live::of(&project, "dev");

    let function = live.function("echo");
    let about = &function["Configuration"];
    for (key, wanted) in [
        ("Runtime", json!("provided.al2023")),
        ("Handler", json!("bootstrap")),
        ("MemorySize", json!(256)),
        ("Timeout", json!(9)),
        ("EphemeralStorage", json!({"Size": 1024})),
        ("Architectures", json!(["x86_64"])),
        ("Role", json!(format!("arn:aws:iam::{}:role/shop_lambda_function", project.account().id()))),
        ("Environment", json!({"Variables": {"GREETING": "hi", "EMPTY": ""}})),
    ] {
        assert_eq!(about[key], wanted, "{key}");
    }
    // What ends it is the run's own.
    let description = about["Description"].as_str().unwrap();
    assert!(description.starts_with("says what it sees [mdo dev in "), "{description}");
    assert_eq!(function["Tags"], json!({"mdo:project": "shop"}));
    assert_eq!(live.version("echo"), "1");

    let api = live.api();
    assert_eq!(
        live.statements("echo"),
        [
            (
                "mdo-api-dev",
                "apigateway.amazonaws.com",
                arn(&project, "execute-api", &format!("{api}/dev/*/*"))
            ),
            ("mdo-warm-dev", "events.amazonaws.com", arn(&project, "events", "rule/shop_echo.dev.warm")),
        ]
        .map(|(id, principal, source)| (id.to_owned(), principal.to_owned(), source))
    );
    assert_eq!(
        live.routes(),
        [("GET", "/echo", true), ("POST", "/open/{id}", false)].map(|(method, path, key)| (
            method.to_owned(),
            path.to_owned(),
            key
        ))
    );
    let about = live.call("apigateway", "get_rest_api", json!({"restApiId": api}));
    assert_eq!((&about["name"], &about["description"]), (&json!("shop"), &json!("Echoes")));
    let tags = json!({"resourceArn": format!("arn:aws:apigateway:eu-west-1::/restapis/{api}")});
    assert_eq!(live.call("apigateway", "get_tags", tags)["tags"], json!({"mdo:project": "shop"}));
    let method = json!({"restApiId": api, "resourceId": live.resource("/echo"), "httpMethod": "GET"});
    let integration = live.call("apigateway", "get_integration", method);
    assert_eq!((&integration["type"], &integration["timeoutInMillis"]), (&json!("AWS_PROXY"), &json!(5000)));
    let uri = text(&integration["uri"]);
    assert!(uri.ends_with(":function:shop_echo:${stageVariables.alias}/invocations"), "{uri}");

    assert_eq!(live.api_stage()["variables"]["alias"], "dev");
    let plan = live.usage_plan();
    assert_eq!(plan["throttle"], json!({"rateLimit": 3.5, "burstLimit": 7}));
    assert_eq!((&plan["quota"]["limit"], &plan["quota"]["period"]), (&json!(500), &json!("WEEK")));
    assert_eq!(plan["apiStages"], json!([{"apiId": api, "stage": "dev"}]));
    assert_eq!(plan["tags"], json!({"mdo:project": "shop", "mdo:stage": "dev"}));
    let key = live.key("default");
    assert_eq!((&key["enabled"], text(&key["value"]).len() >= 20), (&json!(true), true));
    assert_eq!(key["tags"], json!({"mdo:project": "shop", "mdo:stage": "dev"}));
    assert_eq!(live.linked_keys(), ["shop-dev-default"]);

    let rule = live.rule("echo");
    assert_eq!((&rule["ScheduleExpression"], &rule["State"]), (&json!("rate(1 minute)"), &json!("ENABLED")));
    let target = (
        arn(&project, "lambda", "function:shop_echo:dev"),
        r#"{"mdo":{"hold_ms":75,"warm":true}}"#.to_owned(),
    );
    assert_eq!(live.targets("echo"), [target.clone(), target]);

    let policy = live.role_policy();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1, "{policy}");
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], json!(["logs:CreateLogStream", "logs:PutLogEvents"]));
    let logs = format!("arn:aws:logs:*:{}:log-group:/aws/lambda/shop_*:*", project.account().id());
    assert_eq!(statement["Resource"], logs);
    let role = live.call("iam", "get_role", json!({"RoleName": "shop_lambda_function"}));
    let trust = &role["Role"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"], json!({"Service": "lambda.amazonaws.com"}));
    let tags = json!([{"Key": "mdo:project", "Value": "shop"}, {"Key": "mdo:regions", "Value": "eu-west-1"}]);
    assert_eq!(role["Role"]["Tags"], tags);
    assert_eq!(live.log_retention("echo"), 7);
}

#[test]
fn a_deploy_costs_no_more_calls_than_its_dependencies_ask_for() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::in_rounds(emulator.address());
    // Under git every deploy has another source revision to record.
    project.git("init -q");
    project.git("add .");
    project.git("commit -qm first");

    let first = project.mdo("deploy --json").through(&proxy).json();
    let seen = proxy.recording().apart_from_waiting();
    assert!(seen.calls().len() <= 24, "{:#?}", seen.names());
    assert!(seen.depth() <= 6, "{} deep: {:#?}", seen.depth(), seen.timeline());
    assert_eq!(first["calls"], proxy.recording().calls().len());
    // The emulator makes every imported API edge-optimised, so it is the request that tells.
    let calls = proxy.recording();
    let import = calls.calls().iter().find(|call| call.operation.name == "ImportRestApi").unwrap();
    assert!(import.path.contains("endpointConfigurationTypes=REGIONAL"), "{}", import.path);

    proxy.forget();
    let output = project.mdo("deploy").through(&proxy).succeeds();
    let seen = proxy.recording();
    assert_eq!(seen.writes().len(), 0, "{:#?}", seen.names());
    assert!(seen.calls().len() <= 12, "{:#?}", seen.names());
    assert!(seen.depth() <= 3, "{} deep: {:#?}", seen.depth(), seen.timeline());
    let expected = format!(
        "shop · dev · {} · eu-west-1\n  nothing to do (checked 7 resources in _ s with _ calls)\n",
        project.account().id()
    );
    assert_eq!(output.timeless(), expected);

    proxy.forget();
    project.set_edition("echo", "second");
    project.git("commit -qam second");
    let changed = project.mdo("deploy --json").through(&proxy).json();
    let seen = proxy.recording().apart_from_waiting();
    assert!(seen.calls().len() <= 15, "{:#?}", seen.names());
    assert!(seen.depth() <= 6, "{} deep: {:#?}", seen.depth(), seen.timeline());
    assert_eq!(seen.writes().len(), 3, "{:#?}", seen.names());
    assert_eq!((&changed["summary"]["update"], &changed["changes"][0]["version"]), (&json!(1), &json!("2")));
    assert_eq!(Live::of(&project, "dev").echo("echo")["edition"], "second");
}

#[test]
fn a_plan_writes_nothing_whether_there_is_much_to_do_or_nothing() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let reads_only = |flags: &str, code| {
        let output = project.mdo(&format!("plan --exit-code {flags}")).through(&proxy).exits(code);
        let recording = proxy.recording();
        assert_eq!(recording.writes().len(), 0, "{:?}", recording.names());
        output
    };
    reads_only("", 3).says("7 to create, nothing to update or delete");
    assert_eq!(Live::of(&project, "dev").counts()["functions"], 0);
    project.mdo("deploy").succeeds();
    reads_only("", 0).says("nothing to do (checked 7 resources");
    project.set_edition("echo", "second");
    project.set("echo", "memory", json!(512));
    project.set("echo", "warm", json!(false));
    reads_only("", 3).says("1 to update, 1 to delete, nothing to create");
    reads_only("--stage prod", 3).says("to create");
}

/// More than changes are worked on at a time.
const FUNCTIONS: usize = 17;

/// What a deploy reads once, however many functions there are.
const READ_ONCE: usize = 9;

/// Several functions that are deployed through a proxy, and the recording of that.
fn functions(warm: serde_json::Value) -> Option<(TestProject, Proxy)> {
    let emulator = Emulator::shared()?;
    let project = TestProject::without_functions(emulator.account());
    for number in 0..FUNCTIONS {
        let route = format!("GET /f{number}");
        project.add_function(&format!("f{number}"), json!({"routes": [route], "warm": warm}));
    }
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds();
    Some((project, proxy))
}

/// Deploys what is deployed already, and counts the calls, which must all be reads.
fn reads_of_an_unchanged_deploy(project: &TestProject, proxy: &Proxy) -> usize {
    proxy.forget();
    project.mdo("deploy").through(proxy).succeeds().says("nothing to do");
    let unchanged = proxy.recording();
    assert_eq!(unchanged.writes().len(), 0, "{:#?}", unchanged.names());
    unchanged.calls().len()
}

#[test]
fn the_calls_that_write_an_api_do_not_grow_with_the_functions() {
    let Some((project, proxy)) = functions(json!({"rate": "5m"})) else { return };
    let first = proxy.recording();
    for operation in ["ImportRestApi", "CreateDeployment", "CreateUsagePlan", "CreateApiKey", "CreateRole"] {
        assert_eq!(first.count(operation), 1, "{operation}");
    }
    assert_eq!(first.count("PutRestApi"), 0);
    assert_eq!(reads_of_an_unchanged_deploy(&project, &proxy), 3 * FUNCTIONS + READ_ONCE);
}

#[test]
fn an_unchanged_function_costs_two_reads_and_its_warm_rule_a_third() {
    let Some((project, proxy)) = functions(json!(false)) else { return };
    assert_eq!(reads_of_an_unchanged_deploy(&project, &proxy), 2 * FUNCTIONS + READ_ONCE);
}
