//! The verbs beside deploy, on a live stage: warm, invoke, key, list.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::{Live, items};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

fn deployed() -> Option<TestProject> {
    let project = TestProject::with_echo(Emulator::shared()?.account());
    project.mdo("deploy -s GREETING=hello").succeeds();
    Some(project)
}

#[test]
fn warm_shows_changes_and_removes_the_rule_and_writes_the_file() {
    let Some(project) = deployed() else { return };
    let live = Live::of(&project, "dev");
    let shown = project.mdo("warm --json").json();
    let rule = &shown["functions"][0];
    assert_eq!(
        (&rule["rule"], &rule["state"], &rule["minutes"], &rule["concurrency"]),
        (&json!("shop_echo.dev.warm"), &json!("enabled"), &json!(5), &json!(1))
    );
    project.mdo("warm").succeeds().says("echo  enabled  every 5 minutes  1 at once  shop_echo.dev.warm");

    project
        .mdo_with(&["warm", "echo", "--rate", "1 minute", "--concurrency", "2"])
        .succeeds()
        .says("Warmed in ");
    assert_eq!(live.rule("echo")["ScheduleExpression"], "rate(1 minute)");
    assert_eq!(live.targets("echo").len(), 2);
    let file: Value = serde_json::from_str(&project.read("functions/echo/function.json")).unwrap();
    assert_eq!(file["warm"], json!({"rate": "1m", "concurrency": 2}));
    project.is_settled("");

    project.mdo("warm --rate 1m").succeeds().says("nothing to do");
    for rate in ["30s", "11m", "1 hour"] {
        project.mdo_with(&["warm", "--rate", rate]).exits(2);
    }
    assert_eq!(live.rule("echo")["ScheduleExpression"], "rate(1 minute)");

    project.mdo("warm --off --yes").succeeds().says("Stopped in ");
    assert_eq!(live.rules(), Vec::<String>::new());
    assert_eq!(live.statements("echo").len(), 1);
    project.is_settled("");
    project.mdo("warm").succeeds().says("echo  no rule");

    project.mdo("warm --rate 5m").succeeds();
    assert_eq!(live.rule("echo")["State"], "ENABLED");
    project.is_settled("");
    assert_eq!(live.version("echo"), "1");
}

#[test]
fn warm_needs_a_function_that_is_deployed() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let output = project.mdo("warm --rate 1m").exits(1);
    output.says("function echo is not deployed at stage dev").says("mdo deploy");
    assert!(project.read("functions/echo/function.json").contains("\"5m\""));
}

#[test]
fn invoke_runs_events_and_shows_the_log_when_asked() {
    let Some(project) = deployed() else { return };
    let answer = project.mdo("invoke echo").json();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&body["greeting"], &body["say"], &body["version"]),
        (&json!("hello"), &Value::Null, &json!("1"))
    );

    let output = project.mdo_with(&["invoke", "echo", r#"{"say": "hi"}"#, "--logs"]).exits(0);
    assert!(output.document()["body"].as_str().unwrap().contains(r#""say": "hi""#));
    output.says("handling hi").says("REPORT RequestId");

    let events = r#"{"say": "one"} {"say": "two"}"#;
    let output = project.mdo("invoke echo -").reads(events).succeeds();
    let answers: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(answers.len(), 2, "{}", output.stdout);
    assert!(answers[0].contains("one") && answers[1].contains("two"), "{}", output.stdout);

    let output = project.mdo_with(&["invoke", "echo", r#"{"say": "fail"}"#]).exits(1);
    assert_eq!(output.document(), json!({"errorType": "Told", "errorMessage": "told to fail"}));
    output.says("error: function echo failed (Told: told to fail); --logs shows its log");

    project.mdo_with(&["invoke", "echo", "{"]).exits(2).says("the event is not JSON");
    project.mdo("invoke eco").exits(2).says("did you mean `echo`?");
    let output = project.mdo("invoke echo --stage prod").exits(1);
    output.says("shop_echo").says("prod").says("mdo deploy");
}

#[test]
fn keys_are_made_listed_shown_and_deleted() {
    let Some(project) = deployed() else { return };
    let live = Live::of(&project, "dev");
    let output = project.mdo("key create alice").succeeds();
    assert!(output.timeless().ends_with("Created in _ s with _ calls.\n  show  mdo key show alice\n"));
    let value = project.mdo("key show alice").succeeds().stdout;
    assert_eq!(value, format!("{}\n", live.key("alice")["value"].as_str().unwrap()));
    let get = |value: &str| project.account().call_api(&live.api(), "dev", "echo", &[("x-api-key", value)]).0;
    assert_eq!(get(value.trim()), 200);
    assert_eq!(live.linked_keys(), ["shop-dev-alice", "shop-dev-default"]);

    let expected = "  alice    shop-dev-alice    enabled\n  default  shop-dev-default  enabled\n";
    assert_eq!(project.mdo("key list").succeeds().stdout, expected);
    let listed = project.mdo("key list --json").json();
    assert_eq!(
        listed["keys"][0],
        json!({"name": "alice", "full_name": "shop-dev-alice", "enabled": true, "opens": true, "ends": null})
    );

    // A deploy keeps a key that no file names.
    project.mdo("deploy").succeeds().says("kept GREETING, key alice");
    project.mdo("key create alice").exits(1).says("there is a key `alice` at stage dev already");
    project.mdo("key delete alice --yes").succeeds().says("Deleted in ");
    // The emulator answers 500 to a key that is gone, where AWS answers 403.
    assert_ne!(get(value.trim()), 200);
    project.mdo("key delete alice").exits(1).says("there is no key `alice`").says("the stage has default");
    project.mdo("key show alice").exits(1).says("alice");
    project.mdo("key create alice --stage prod").exits(1).says("nothing is deployed at stage prod");
    assert_eq!(live.get("echo").0, 200);
    assert_eq!(live.keys().len(), 1);
    let default = live.key("default")["value"].as_str().unwrap().to_owned();
    assert_eq!(project.mdo("key show").succeeds().stdout, format!("{default}\n"));
}

#[test]
fn list_tells_what_is_live() {
    let Some(project) = deployed() else { return };
    let live = Live::of(&project, "dev");
    let listed = project.mdo("list --json").json();
    let url = format!("https://{}.execute-api.eu-west-1.amazonaws.com/dev", live.api());
    assert_eq!((&listed["url"], &listed["provider"]), (&json!(url), &json!("aws")));
    let function = &listed["functions"][0];
    for (key, wanted) in [
        ("name", json!("echo")),
        ("full_name", json!("shop_echo")),
        ("version", json!("1")),
        ("memory", json!(128)),
        ("environment", json!(["GREETING"])),
    ] {
        assert_eq!(function[key], wanted, "{key}");
    }
    assert_eq!(listed["keys"], json!(["default"]));
    assert_eq!(listed["routes"]["GET /echo"]["security"], "key");
    let expected = format!(
        "shop · dev · {} · eu-west-1\n\n  echo  version 1  provided.al2023 x86_64  128 MB, 30 s  warm every 5 minutes\n\n  \
         GET  {url}/echo  key  echo\n\n  keys  default\n",
        project.account().id()
    );
    assert_eq!(project.mdo("list").succeeds().stdout, expected);
    project.mdo("list --stage prod").succeeds().says("nothing is deployed here");
}

#[test]
fn verbs_that_only_look_write_nothing() {
    let Some(project) = deployed() else { return };
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    for arguments in
        ["list", "list --json", "warm", "warm --json", "key list", "key show", "plan", "plan --json"]
    {
        project.mdo(arguments).through(&proxy).succeeds();
        let writes = proxy.recording().writes().len();
        assert_eq!(writes, 0, "{arguments}: {:?}", proxy.recording().names());
    }
    assert_eq!(items(&project.mdo("list --json").json()["functions"]).len(), 1);
}

#[test]
fn a_project_that_is_renamed_is_told_what_stays() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let manifest = project.read("project.toml");
    project.write("project.toml", &manifest.replace("\"shop\"", "\"store\""));
    let note = "note: this project was deployed as shop; that stack stays beside store. To remove it, set name = \"shop\" in \
                project.toml once more and run: mdo destroy --all";
    project.mdo("plan").succeeds().says(note);
    project.write("project.toml", &manifest);
    assert!(!project.mdo("plan").succeeds().stderr.contains("note: "));
}
