//! `mdo doctor`: what is well, what is not, and what to do about it, on this machine.

use std::fs;

use serde_json::{Value, json};

use crate::support::project::TestProject;

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let mut checks = document["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {document:#}"))
}

#[test]
fn a_project_that_can_be_deployed_here_is_well() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("doctor --local").succeeds();
    output.says("  ok       project  shop at stage dev, 1 function\n").says("  ok       .mdo ");
    project.mdo("deploy --local").succeeds();
    let document = project.mdo("doctor --local --json").json();
    assert!(check(&document, ".mdo")["detail"].as_str().unwrap().ends_with(", 1 local stage"));
}

#[test]
fn whatever_stands_in_the_way_is_named_with_the_way_out_and_an_exit_code() {
    let project = TestProject::local();
    let nothing = project.mdo("doctor").exits(1);
    nothing.says("  failed   project  there is no project.toml in ").says("help: `mdo init` writes one");

    let project = TestProject::local_with_echo();
    let nowhere = project.mdo("doctor").exits(4);
    nowhere.says("  failed   credentials  no AWS region is configured\n");

    project.set("echo", "memory", json!(64));
    let wrong = project.mdo("doctor --local --json").exits(1).document();
    assert!(
        check(&wrong, "project")["detail"].as_str().unwrap().contains("functions/echo/function.json:2:13"),
        "{wrong:#}"
    );
    project.set("echo", "memory", json!(128));

    project.mdo("deploy --local").succeeds();
    fs::write(project.path(".mdo/stages/dev/state.json"), "{").unwrap();
    project.mdo("doctor --local").exits(1).says("  failed   .mdo     ").says("is damaged");
}

#[test]
fn what_only_this_machine_lacks_is_a_warning() {
    let project = TestProject::local_with_echo();
    project.add_function("py", json!({"runtime": "python3.14", "handler": "echo.handler"}));
    let document = project.mdo("doctor --local --json").env("MDO_PYTHON", "/nowhere/python3.14").json();
    let python = check(&document, "python3.14");
    assert_eq!(python["state"], "warning");
    assert!(python["help"].as_str().is_some_and(|help| !help.is_empty()), "{python:#}");
}
