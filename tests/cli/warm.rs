//! `mdo warm --local`: the rule on the machine and the line in function.json change together.

use serde_json::json;

use crate::support::project::TestProject;

const SETTINGS: &str =
    "{\r\n\t\"routes\" : [ \"GET /echo\" ],\r\n\t\"warm\":   { \"rate\": \"5m\" },\r\n\t\"memory\": 128\r\n}";

fn deployed() -> TestProject {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/function.json", SETTINGS);
    project.mdo("deploy --local").succeeds();
    project
}

fn settings(project: &TestProject) -> String {
    project.read("functions/echo/function.json")
}

#[test]
fn rules_are_shown_in_aligned_columns() {
    let project = deployed();
    project.add_function("a_longer_name", json!({"routes": []}));
    project.mdo("deploy --local").succeeds();
    project.mdo("warm --local").succeeds().prints(
        "shop · dev · this machine
  a_longer_name  no rule  -                -          -
  echo           enabled  every 5 minutes  1 at once  shop_echo.dev.warm
",
    );
    assert_eq!(
        project.mdo("warm echo --local --json").json()["functions"],
        json!([{
            "function": "echo",
            "rule": "shop_echo.dev.warm",
            "state": "enabled",
            "minutes": 5,
            "concurrency": 1,
            "evidence": null,
            "pings": [],
            "runs": [],
        }])
    );
}

#[test]
fn a_rate_changes_the_rule_and_only_its_value_in_the_file() {
    let project = deployed();
    project.mdo("warm echo --local --rate 1m --concurrency 2").succeeds().prints(
        "shop · dev · this machine

  ~ warm rule  shop_echo
               concurrency  1 → 2 at once
               rate  5m → 1m

  1 to update, nothing to create or delete

  warm rule echo _ s

Warmed in _ s.
",
    );
    assert_eq!(
        settings(&project),
        SETTINGS.replace("{ \"rate\": \"5m\" }", "{ \"rate\": \"1m\", \"concurrency\": 2 }")
    );
    project.mdo("plan --local --exit-code").exits(0);
    project
        .mdo_with(&["warm", "--local", "--rate", "1 minute"])
        .succeeds()
        .prints("shop · dev · this machine\n  nothing to do (checked 7 resources in _ s)\n");
}

#[test]
fn a_concurrency_alone_keeps_the_rate_and_needs_one() {
    let project = deployed();
    project.mdo("warm echo --local --concurrency 3").succeeds().says("concurrency  1 → 3");
    assert_eq!(
        settings(&project),
        SETTINGS.replace("{ \"rate\": \"5m\" }", "{ \"rate\": \"5m\", \"concurrency\": 3 }")
    );
    project.mdo("warm --local --off --yes").succeeds();
    project.mdo("warm echo --local --concurrency 3").exits(2).complains(
        "error: function echo has no warm rule yet
  help: pass --rate, such as --rate 5m
",
    );
}

#[test]
fn a_stage_with_rules_of_its_own_is_changed_in_project_toml() {
    let project = deployed();
    let manifest = project.read("project.toml");
    project.write("project.toml", &format!("{manifest}[stages.bob]\nwarm = \"2m\"\n"));
    project.mdo("deploy --local --stage bob").succeeds();
    project.mdo("warm --local --stage bob --rate 4m").exits(2).complains(
        "error: project.toml has warm rules of its own for stage bob, which weigh more than function.json
  help: change `warm` of [stages.bob] and deploy: mdo deploy --local --stage bob
",
    );
    project.write("project.toml", &format!("{manifest}[stages.bob.functions.echo]\nwarm = \"2m\"\n"));
    project.mdo("warm --local --stage bob --rate 4m").exits(2).complains(
        "error: project.toml has warm rules of its own for stage bob, which weigh more than function.json
  help: change `warm` of [stages.bob.functions.echo] and deploy: mdo deploy --local --stage bob
",
    );
    assert_eq!(settings(&project), SETTINGS);
}

#[test]
fn off_takes_the_rule_away_and_the_line_with_it() {
    let project = deployed();
    project.mdo("warm --local --off --yes").succeeds().says("  - warm rule  shop_echo");
    assert_eq!(settings(&project), SETTINGS.replace("\"warm\":   { \"rate\": \"5m\" },\r\n\t", ""));
    project.mdo("plan --local --exit-code").exits(0);
    let nothing = project.mdo("warm --local --off --json").json();
    assert_eq!(nothing["changes"], json!([]));
    project.mdo("warm echo --local --rate 5m").succeeds().says("  + warm rule  shop_echo  every 5 minutes");
}

#[test]
fn a_rate_out_of_bounds_is_refused() {
    let project = deployed();
    for (rate, reason) in [
        ("30s", "`30s` is below 1 minute, the shortest period of a CloudWatch rule"),
        (
            "11m",
            "`11m` is above 10 minutes: AWS ends an idle sandbox after about ten minutes, so nothing would stay warm",
        ),
        ("soon", "`soon` is not a rate: write it as `5m` or `5 minutes`"),
    ] {
        project.mdo(&format!("warm --local --rate {rate}")).exits(2).complains(&format!(
            "error: invalid value '{rate}' for '--rate <RATE>': {reason}\n\nFor more information, try '--help'.\n"
        ));
    }
    assert_eq!(settings(&project), SETTINGS);
}

#[test]
fn a_function_that_is_not_deployed_keeps_its_file() {
    let project = deployed();
    project.mdo("warm --local --stage bob --rate 2m").exits(1).complains(
        "error: function echo is not deployed at stage bob
  help: mdo deploy --local --stage bob creates it with the warm rule of its function.json
",
    );
    assert_eq!(settings(&project), SETTINGS);
}
