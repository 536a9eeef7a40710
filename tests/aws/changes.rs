//! Changes of the files: each reaches the stage, and nothing else changes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

/// Deploys through a proxy and proves that nothing is to do afterwards; answers the operations that wrote.
fn writes(project: &TestProject, flags: &str) -> Vec<String> {
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    // AWS tells the reserved concurrency of a function, not of its aliases.
    proxy.edit("GetFunction", |_, answer| drop(answer.as_object_mut().unwrap().remove("Concurrency")));
    project.mdo(&format!("deploy {flags}")).through(&proxy).succeeds();
    let recording = proxy.recording();
    project.is_settled("");
    let mut names: Vec<_> = recording.writes().iter().map(|call| call.operation.name.clone()).collect();
    names.sort();
    names
}

#[test]
fn each_change_of_a_function_is_published_by_its_own_calls_alone() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    let live = Live::of(&project, "dev");

    project.set_edition("echo", "second");
    assert_eq!(writes(&project, ""), ["PublishVersion", "UpdateAlias", "UpdateFunctionCode"]);
    assert_eq!(live.echo("echo")["edition"], "second");

    project.set("echo", "memory", json!(256));
    assert_eq!(writes(&project, ""), ["PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"]);
    assert_eq!(live.echo("echo")["memory"], "256");

    assert_eq!(
        writes(&project, "-s GREETING=two"),
        ["PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"]
    );
    assert_eq!(live.echo("echo")["greeting"], "two");
    assert_eq!(live.version("echo"), "4");

    project.set("echo", "concurrency", json!(5));
    assert_eq!(writes(&project, ""), ["PutFunctionConcurrency", "TagResource"]);
    assert_eq!(live.function("echo")["Concurrency"]["ReservedConcurrentExecutions"], 5);
    project.set("echo", "concurrency", Value::Null);
    assert_eq!(writes(&project, ""), ["DeleteFunctionConcurrency", "UntagResource"]);

    project.write("project.toml", &format!("{MANIFEST}[logs]\nretention_days = 3\n"));
    assert_eq!(writes(&project, ""), ["PutRetentionPolicy"]);
    assert_eq!(live.log_retention("echo"), 3);
    assert_eq!(live.version("echo"), "4");
}

#[test]
fn each_change_of_api_limits_and_rule_is_made_by_its_own_calls_alone() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let live = Live::of(&project, "dev");
    let key = live.key("default");
    assert_eq!(live.get("second").0, 403);

    project.set("echo", "routes", json!(["GET /echo", "GET /second"]));
    assert_eq!(writes(&project, ""), ["CreateDeployment", "PutRestApi"]);
    assert_eq!(live.echo("second")["function"], "shop_echo");
    assert_eq!(live.echo("echo")["function"], "shop_echo");

    project.set("echo", "routes", json!(["GET /second"]));
    assert_eq!(writes(&project, ""), ["CreateDeployment", "PutRestApi"]);
    assert_eq!((live.get("echo").0, live.get("second").0), (403, 200));

    let limits = "[api]\nthrottle = { rate = 50, burst = 100 }\nquota = false\n";
    project.write("project.toml", &format!("{MANIFEST}{limits}"));
    assert_eq!(writes(&project, ""), ["UpdateUsagePlan"]);
    let plan = live.usage_plan();
    assert_eq!((&plan["throttle"]["rateLimit"], &plan["quota"]), (&json!(50.0), &Value::Null));
    let limits = "[api]\nthrottle = false\nquota = { limit = 9, period = \"month\" }\n";
    project.write("project.toml", &format!("{MANIFEST}{limits}"));
    assert_eq!(writes(&project, ""), ["UpdateUsagePlan"]);
    let plan = live.usage_plan();
    assert_eq!((&plan["throttle"], &plan["quota"]["period"]), (&Value::Null, &json!("MONTH")));

    project.set("echo", "warm", json!({"rate": "1m"}));
    assert_eq!(writes(&project, ""), ["PutRule"]);
    assert_eq!(live.rule("echo")["ScheduleExpression"], "rate(1 minute)");
    project.set("echo", "warm", json!({"rate": "1m", "concurrency": 3}));
    assert_eq!(writes(&project, ""), ["PutTargets"]);
    assert_eq!(live.targets("echo").len(), 3);
    project.set("echo", "warm", json!({"rate": "1m"}));
    assert_eq!(writes(&project, ""), ["PutTargets", "RemoveTargets"]);
    project.set("echo", "warm", json!(false));
    assert_eq!(writes(&project, "--yes"), ["DeleteRule", "RemovePermission", "RemoveTargets"]);
    assert_eq!(live.rules(), Vec::<String>::new());

    assert_eq!(live.key("default")["value"], key["value"], "a key is made once and reused for ever");
    assert_eq!(live.version("echo"), "1", "nothing of this is in a version");
}

#[test]
fn many_changes_at_once_are_one_deploy() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    project.set_edition("echo", "second");
    project.set("echo", "memory", json!(512));
    project.set("echo", "timeout", json!(7));
    project.set("echo", "routes", json!(["GET /echo", "POST /echo"]));
    project.set("echo", "warm", json!({"rate": "10m", "concurrency": 2}));
    project.write("project.toml", &format!("{MANIFEST}[api]\nthrottle = {{ rate = 1, burst = 2 }}\n"));
    let output = project.mdo("deploy -s GREETING=two").succeeds();
    output.says("3 to update, nothing to create or delete");
    for line in ["environment  ~ GREETING", "memory  128 → 512", "timeout  30 → 7"] {
        output.says(line);
    }
    project.is_settled("");
    let live = Live::of(&project, "dev");
    let seen = live.echo("echo");
    assert_eq!(
        (&seen["edition"], &seen["memory"], &seen["greeting"], &seen["version"]),
        (&json!("second"), &json!("512"), &json!("two"), &json!("2"))
    );
    assert_eq!(live.usage_plan()["throttle"], json!({"rateLimit": 1.0, "burstLimit": 2}));
    assert_eq!(live.rule("echo")["ScheduleExpression"], "rate(10 minutes)");
}

#[test]
fn routes_open_their_methods_to_whom_they_say_and_answer_browsers_with_cors() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.write("project.toml", &format!("{MANIFEST}[api]\ncors = true\n"));
    project.set("echo", "routes", json!(["ANY /echo", {"route": "GET /open/{id}", "security": "open"}]));
    project.deploys("");
    let live = Live::of(&project, "dev");
    assert_eq!((live.get_without_key("echo"), live.get_without_key("open/7")), (403, 200));
    let preflight = project.account().request_api("OPTIONS", &live.api(), "dev", "echo", &[], b"");
    // 204 on AWS; the emulator does not keep the status of a mock integration.
    assert_eq!(preflight.status() / 100, 2, "{}", preflight.text());
    assert_eq!(preflight.header("Access-Control-Allow-Origin"), Some("*"));
    project.write("project.toml", MANIFEST);
    project.deploys("");
}

#[test]
fn a_description_and_a_revision_are_recorded_with_the_version() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "description", json!("says what it sees"));
    project.git("init -q");
    project.write(".gitignore", ".mdo/\n");
    project.git("add .");
    project.git("commit -qm first");
    let commit = project.git("rev-parse --short=12 HEAD");
    project.set_variable("GITHUB_ACTOR", "ada lovelace");
    project.deploys("");
    let live = Live::of(&project, "dev");
    // What ends it is the run's own.
    let is_of = |commit: &str| {
        let description = live.function("echo")["Configuration"]["Description"].as_str().unwrap().to_owned();
        description.starts_with(&format!("says what it sees [mdo dev {commit} by ada_lovelace in "))
    };
    assert!(is_of(&commit));
    project.git("commit -q --allow-empty -m second");
    project.is_settled("");

    project.set_edition("echo", "second");
    project.git("commit -qam third");
    let commit = project.git("rev-parse --short=12 HEAD");
    project.deploys("");
    assert!(is_of(&commit));
}
