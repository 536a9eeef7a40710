//! Stages side by side: each with its own version, environment, key, plan and rules, none touched by another's deploy.

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};

/// Everything of a stage that another stage's deploy could disturb.
pub(crate) fn all_of(live: &Live<'_>) -> Value {
    json!({
        "version": live.version("echo"),
        "statements": live.statements("echo"),
        "stage": live.api_stage(),
        "plan": live.usage_plan(),
        "key": live.key("default"),
        "linked": live.linked_keys(),
        "rule": live.rule("echo"),
        "targets": live.targets("echo"),
        "answer": live.echo("echo"),
    })
}

#[test]
fn two_stages_live_side_by_side_and_neither_is_touched_by_the_other() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=dev");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let before = all_of(&dev);

    project.mdo("deploy --stage prod -s GREETING=prod").succeeds().says("--stage prod");
    project.is_settled("--stage prod");
    project.is_settled("");
    assert_eq!(all_of(&dev), before);
    assert_eq!(
        (&prod.echo("echo")["greeting"], &dev.echo("echo")["greeting"]),
        (&json!("prod"), &json!("dev"))
    );
    assert_eq!(prod.usage_plan()["tags"], json!({"mdo:project": "shop", "mdo:stage": "prod"}));
    let counts = json!({
        "functions": 1, "apis": 1, "usage_plans": 2, "keys": 2, "rules": 2, "roles": 1, "log_groups": 1,
    });
    assert_eq!(dev.counts(), counts);
    let dev_key = dev.key("default")["value"].as_str().unwrap().to_owned();
    let headers = [("x-api-key", dev_key.as_str())];
    let (status, _) = project.account().call_api(&prod.api(), "prod", "echo", &headers);
    assert_eq!(status, 403, "a key opens its own stage only");

    // Code and routes go to one stage first; the other serves what it served.
    let before = all_of(&prod);
    project.set_edition("echo", "second");
    project.set("echo", "memory", json!(256));
    project.set("echo", "routes", json!(["GET /echo", "GET /new"]));
    project.deploys("");
    assert_eq!((dev.get("new").0, prod.get("new").0), (200, 403));
    assert_eq!(all_of(&prod), before);
    assert_eq!(
        (&dev.echo("echo")["edition"], &dev.echo("echo")["greeting"]),
        (&json!("second"), &json!("dev"))
    );

    let before = all_of(&dev);
    project.deploys("--stage prod");
    assert_eq!(prod.get("new").0, 200);
    assert_eq!(
        (&prod.echo("echo")["edition"], &prod.echo("echo")["greeting"]),
        (&json!("second"), &json!("prod"))
    );
    assert_eq!(all_of(&dev), before);
    project.is_settled("");
}

#[test]
fn a_destroyed_stage_leaves_the_other_serving() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=dev");
    project.deploys("--stage prod -s GREETING=prod");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let before = all_of(&prod);

    project.mdo("destroy --yes").succeeds();
    assert_eq!(all_of(&prod), before);
    let counts = json!({
        "functions": 1, "apis": 1, "usage_plans": 1, "keys": 1, "rules": 1, "roles": 1, "log_groups": 1,
    });
    assert_eq!(prod.counts(), counts);
    project.is_settled("--stage prod");
    project.mdo("destroy --yes").succeeds().says("nothing to destroy");

    project.mdo("destroy --all --yes").succeeds();
    assert_eq!(dev.counts(), nothing());
    project.mdo("destroy --all --yes").succeeds().says("nothing to destroy");
}

#[test]
fn a_stage_has_its_own_settings() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.write(
        "project.toml",
        &format!(
            "{MANIFEST}[stages.prod]\nwarm = {{ rate = \"1m\", concurrency = 2 }}\n\
             environment = {{ GREETING = \"from the stage\" }}\n\
             [stages.prod.api]\nthrottle = {{ rate = 99, burst = 200 }}\n[stages.quiet]\nwarm = false\n"
        ),
    );
    for stage in ["dev", "prod", "quiet"] {
        project.deploys(&format!("--stage {stage}"));
    }
    let prod = Live::of(&project, "prod");
    assert_eq!(prod.echo("echo")["greeting"], "from the stage");
    assert_eq!(prod.usage_plan()["throttle"]["rateLimit"], 99.0);
    assert_eq!(prod.targets("echo").len(), 2);
    assert_eq!(prod.rules().len(), 2, "quiet has none");
}

#[test]
fn binary_media_types_are_each_stages_own() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let binary = "[stages.prod.api]\nbinary_media_types = [\"image/png\"]\n";
    project.write("project.toml", &format!("{MANIFEST}{binary}"));
    let live = Live::of(&project, "prod");
    let types = || {
        live.call("apigateway", "get_rest_api", json!({"restApiId": live.api()}))["binaryMediaTypes"].clone()
    };
    project.deploys("--stage prod");
    assert_eq!(types(), json!(["image/png"]));
    project.is_settled("--stage prod");
    project.is_settled("");

    // What the working definition has from one stage does not come to another one with its next deploy.
    project.write("project.toml", &format!("{MANIFEST}[api]\ntimeout = \"28s\"\n{binary}"));
    project.deploys("");
    assert_eq!(types(), Value::Null);
    project.mdo("plan --stage prod").succeeds().says("timeout  29 s → 28 s");

    project.write("project.toml", MANIFEST);
    project.mdo("deploy --stage prod").succeeds().says("binary media types  image/png → none");
    project.is_settled("--stage prod");
}

#[test]
fn a_role_lives_as_long_as_any_region_uses_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let output = project.mdo("deploy --region us-east-1").succeeds();
    assert!(!output.stdout.contains("role"), "{}", output.transcript());
    project.is_settled("--region us-east-1");
    project.is_settled("");
    let role = || Live::of(&project, "dev").counts()["roles"].clone();
    let output = project.mdo("destroy --yes --region us-east-1").exits(0);
    output.says("kept, because function shop_echo in eu-west-1 uses it");
    project.is_settled("");
    assert_eq!(
        (role(), &Live::of(&project, "dev").echo("echo")["function"]),
        (json!(1), &json!("shop_echo"))
    );
    project.mdo("destroy --yes").succeeds();
    assert_eq!(role(), 0);
}

#[test]
fn what_two_first_deploys_at_once_make_twice_is_served_once_and_destroyed_whole() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    std::thread::scope(|scope| {
        // Whatever each of them comes to, the next one makes a whole of it.
        for run in [0, 1].map(|_| scope.spawn(|| project.mdo("deploy").runs())) {
            run.join().unwrap();
        }
    });
    project.deploys("");
    let live = Live::of(&project, "dev");
    project.mdo("destroy --yes").exits(0);
    assert_eq!(live.counts(), nothing());
}

/// The counts of an account that holds nothing.
pub(crate) fn nothing() -> Value {
    json!({"functions": 0, "apis": 0, "usage_plans": 0, "keys": 0, "rules": 0, "roles": 0, "log_groups": 0})
}
