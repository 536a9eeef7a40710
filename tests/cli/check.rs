//! `mdo check` and `mdo add`: what is wrong is said before anything else, and what is added runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::project::{MANIFEST, TestProject};

#[test]
fn every_stage_and_function_is_checked_without_credentials_or_values() {
    let project = TestProject::local_with_echo();
    project.set("echo", "required_environment", json!(["TOKEN"]));
    project.write("project.toml", &format!("{MANIFEST}[stages.prod.environment]\nGREETING = \"hi\"\n"));
    let output = project.mdo("check").exits(0);
    output.says(
        "  ok       stage dev      1 function, 1 route\n  ok       stage prod     1 function, 1 route\n",
    );
    output.says("  ok       function echo  ");

    project.write("project.toml", &format!("{MANIFEST}[stages.prod]\nhosting = \"clouds\"\n"));
    project.mdo("check").exits(2).says("clouds");
    project.write("project.toml", MANIFEST);
    fs::remove_file(project.path("functions/echo/bootstrap")).unwrap();
    let document = project.mdo("check --json").exits(2).document();
    let failed: Vec<&Value> =
        document["checks"].as_array().unwrap().iter().filter(|check| check["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{document:#}");
    assert!(failed[0]["detail"].as_str().unwrap().contains("bootstrap"), "{document:#}");
    project.mdo("check nope").exits(2).says("no function matches `nope`");
}

#[test]
fn a_checkout_that_cannot_be_written_is_enough() {
    let project = TestProject::local_with_echo();
    // A file in the way keeps everybody out, root as well.
    project.write(".mdo", "");
    project.mdo("plan --local").exits(1);
    project.mdo("check").exits(0).says("  ok       function echo  ");
    fs::remove_file(project.path(".mdo")).unwrap();
    let folder = project.folder().to_owned();
    let mode = |mode: u32| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let output = project.mdo("check").exits(0);
    mode(0o755);
    output.says("  ok       function echo  ");
}

#[test]
fn a_function_that_is_added_runs() {
    let project = TestProject::local_with_echo();
    project.mdo("add greeter --runtime python3.13").succeeds().prints(
        "  wrote  functions/greeter/function.json
  wrote  functions/greeter/handler.py

Ready.
  run it here   mdo dev
  its routes    GET /greeter
",
    );
    project.mdo("add cart --runtime nodejs24.x --route").exits(2);
    let added =
        project.mdo_with(&["add", "cart", "--runtime", "nodejs24.x", "--route", "POST /carts"]).succeeds();
    added.says("POST /carts");
    project.mdo("check").exits(0).says("  ok       stage dev         3 functions, 3 routes\n");
    project.mdo("add greeter").exits(2).complains(
        "error: there is a function greeter already, in functions/greeter\n  help: choose another name; nothing was written\n",
    );
    project.mdo("add Gr%eter").exits(2);
    project.mdo_with(&["add", "other", "--route", "POST /carts"]).exits(2).complains(
        "error: function cart answers POST /carts already\n  help: choose another one with --route; nothing was written\n",
    );
    assert!(!project.path("functions/other").exists());
    TestProject::local().mdo("add greeter").exits(2).says("there is no project.toml");
    let settings: Value = serde_json::from_str(&project.read("functions/greeter/function.json")).unwrap();
    assert_eq!(
        (&settings["handler"], &settings["routes"]),
        (&json!("handler.handle"), &json!(["GET /greeter"]))
    );
}
