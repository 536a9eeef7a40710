//! `mdo plan --local`: its text, its document, its exit code, and which functions it is about.

use std::fs;

use serde_json::{Value, json};

use crate::support::project::TestProject;

/// A project whose packages have the same size everywhere.
fn two_functions() -> TestProject {
    let project = TestProject::local();
    project.write("project.toml", "name = \"shop\"\ndescription = \"Echoes\"\n");
    for (name, settings) in [
        (
            "cart",
            r#"{"routes": ["GET /a_cart", {"route": "POST /a_cart", "security": "open"}], "memory": 256, "environment": {"RATE_LIMIT": "secret-7"}}"#,
        ),
        ("mail", r#"{"routes": [], "warm": {"rate": "5m", "concurrency": 2}}"#),
    ] {
        project.write(&format!("functions/{name}/function.json"), settings);
        project.write_executable(&format!("functions/{name}/bootstrap"), "#!/bin/sh\nexit 0\n");
    }
    project
}

#[test]
fn a_new_stack_is_listed_resource_by_resource() {
    two_functions().mdo("plan --local --stage alice").succeeds().prints(
        "shop · alice · this machine

  + role       shop_lambda_function
  + function   shop_cart              provided.al2023 x86_64, 256 MB, 30 s, 151 bytes
               environment  + RATE_LIMIT
  + function   shop_mail              provided.al2023 x86_64, 128 MB, 30 s, 151 bytes
  + log group  /aws/lambda/shop_cart  30 days
  + log group  /aws/lambda/shop_mail  30 days
  + api        shop                   GET /a_cart (key), POST /a_cart (open)
  + stage      alice                  10 requests/s, burst 20, 10,000 a day
  + key        shop-alice-default
  + warm rule  shop_mail              every 5 minutes, 2 at once

  9 to create, nothing to update or delete
",
    );
}

#[test]
fn what_changes_is_shown_before_and_after() {
    let project = two_functions();
    project.mdo("deploy --local").succeeds();
    project
        .mdo("plan --local")
        .succeeds()
        .prints("shop · dev · this machine\n  nothing to do (checked 9 resources in _ s)\n");
    let settings = r#"{"routes": ["GET /a_list"], "memory": 512, "environment": {"RATE_LIMIT": "secret-8"}}"#;
    project.write("functions/cart/function.json", settings);
    project.remove("functions/mail");
    project.mdo("plan --local").succeeds().prints(
        "shop · dev · this machine

  ~ function   shop_cart
               environment  ~ RATE_LIMIT
               memory  256 → 512 MB
  - function   shop_mail
  - log group  /aws/lambda/shop_mail
  ~ stage      dev
               - GET /a_cart
               - POST /a_cart
               + GET /a_list → cart (key)
  - warm rule  shop_mail

  2 to update, 3 to delete, nothing to create
",
    );
}

#[test]
fn the_document_has_every_change_and_no_value() {
    let project = two_functions();
    project.mdo("deploy --local").succeeds();
    project.mdo("deploy --local -s TOKEN=secret-9 cart").succeeds();
    project.set("cart", "memory", json!(512));
    project.set("cart", "environment", json!({"RATE_LIMIT": "secret-8"}));
    let plan = project.mdo("plan --local --json").json();
    assert_eq!(
        plan,
        json!({
            "version": 1,
            "project": "shop",
            "stage": "dev",
            "provider": "local",
            "account": null,
            "region": null,
            "changes": [{
                "resource": "function",
                "name": "shop_cart",
                "action": "update",
                "fields": [
                    {"path": "environment.RATE_LIMIT", "before": "(hidden)", "after": "(hidden)"},
                    {"path": "memory", "before": 256, "after": 512},
                ],
            }],
            "summary": {"create": 0, "update": 1, "delete": 0},
            "kept": [{"kind": "variable", "resource": "function cart", "name": "TOKEN"}],
            "checked": 9,
        })
    );
}

#[test]
fn the_exit_code_tells_of_changes_when_it_is_asked_to() {
    let project = two_functions();
    project.mdo("plan --local").exits(0);
    let output = project.mdo("plan --local --exit-code --json").exits(3);
    assert_eq!(output.document()["summary"], json!({"create": 9, "update": 0, "delete": 0}));
    output.complains("");
    project.mdo("deploy --local").succeeds();
    project.mdo("plan --local --exit-code").exits(0);
}

#[test]
fn patterns_choose_functions() {
    let project = two_functions();
    let functions = |patterns: &str| -> Vec<Value> {
        let plan = project.mdo(&format!("plan --local --json {patterns}")).json();
        let changes = plan["changes"].as_array().unwrap().clone();
        let chosen = changes.into_iter().filter(|change| change["resource"] == "function");
        chosen.map(|change| change["name"].clone()).collect()
    };
    assert_eq!(functions("c*"), ["shop_cart"]);
    assert_eq!(functions("ca[rt]t mail"), ["shop_cart", "shop_mail"]);
    project
        .mdo("plan --local m?il nope*")
        .exits(2)
        .complains("error: no function matches `nope*`\n  help: the project has cart, mail\n");
    project
        .mdo("plan --local crat")
        .exits(2)
        .complains("error: no function matches `crat`\n  help: did you mean `cart`?\n");
    project
        .mdo("plan --local ca[")
        .exits(2)
        .complains("error: `ca[` is not a glob: unclosed character class; missing ']'\n");
}

#[test]
fn variables_without_a_file_are_kept_and_named_once() {
    let project = two_functions();
    project.mdo("deploy --local -s TOKEN=secret-1 -s OTHER=secret-2").succeeds();
    project.mdo("plan --local").succeeds().prints(
        "shop · dev · this machine\n  nothing to do (checked 9 resources in _ s); kept OTHER, TOKEN, which files do not set\n",
    );
    project.mdo("plan --local --unset OTHER cart").succeeds().prints(
        "shop · dev · this machine

  ~ function   shop_cart
               environment  - OTHER

  1 to update, nothing to create or delete; kept TOKEN, which no file sets
",
    );
}

#[test]
fn it_changes_nothing() {
    let project = two_functions();
    project.mdo("plan --local").succeeds();
    assert!(!project.path(".mdo/stages/dev").exists());
    project.mdo("list --local").succeeds().prints("shop · dev · this machine\n  nothing is deployed here\n");
}

#[test]
fn what_was_reviewed_is_made_or_nothing() {
    let project = TestProject::local_with_echo();
    let secret = "hush-hush-hush";
    project.mdo(&format!("plan --local -s TOKEN={secret} --out first.plan")).succeeds();
    assert!(!project.read("first.plan").contains(secret));
    project.mdo("deploy --local --plan first.plan -s TOKEN=another").exits(1).says(
        "what would be changed is not what was planned:\n  function shop_echo: values of the environment differ\nerror: stage dev or the files have moved on since the plan was made\n",
    );
    project.mdo("deploy --local --plan first.plan").exits(1).says("environment.TOKEN differ");
    project.mdo("list --local").succeeds().says("nothing is deployed here");
    project
        .mdo(&format!("deploy --local --plan first.plan -s TOKEN={secret}"))
        .succeeds()
        .says("Deployed in ");

    // Somebody has been quicker.
    project.set_edition("echo", "second");
    project.mdo("plan --local --out second.plan").succeeds();
    project.mdo("deploy --local").succeeds();
    project
        .mdo("deploy --local --plan second.plan")
        .exits(1)
        .says("  function shop_echo: update was planned, and nothing is to do any more\n");
    // A deletion that was reviewed is not asked about again.
    project.remove("functions/echo");
    project.add_function("other", serde_json::json!({"routes": ["GET /other"]}));
    project.mdo("plan --local --out third.plan").succeeds();
    project.mdo("deploy --local").exits(2).says("pass --yes");
    project.mdo("deploy --local --plan third.plan").succeeds().says("- function   shop_echo");

    project.mdo("deploy --plan third.plan --local --stage prod").exits(2).says("error: the plan is for shop at stage dev (this machine), and this is shop at stage prod (this machine)");
    for (file, complaint) in [
        ("none.plan", "cannot read the plan in none.plan"),
        ("project.toml", "project.toml holds no plan of mdo"),
    ] {
        project.mdo(&format!("deploy --local --plan {file}")).exits(2).says(complaint);
    }
    // A disk that is full, and a device that stays one.
    project
        .mdo("plan --local --out /dev/full")
        .exits(1)
        .says("cannot write the plan into /dev/full: No space left");
    assert!(!fs::metadata("/dev/full").unwrap().is_file());
    project
        .mdo("plan --local --out no/such/folder.plan")
        .exits(1)
        .says("cannot write the plan into no/such/folder.plan");
}

#[test]
fn a_plan_is_markdown_for_a_comment() {
    let project = TestProject::local_with_echo();
    let plan = project.mdo("plan --local --markdown").succeeds();
    assert!(plan.stdout.starts_with("#### mdo: shop · dev · this machine\n\n6 to create, nothing to update or delete\n\n~~~~diff\n+ role "), "{}", plan.stdout);
    assert!(plan.stdout.ends_with("~~~~\n"));
    project.mdo("deploy --local").succeeds();
    project
        .mdo("plan --local --markdown")
        .succeeds()
        .prints("#### mdo: shop · dev · this machine\n\nNothing to do.\n");
    project.set("echo", "memory", serde_json::json!(256));
    project
        .mdo("plan --local --markdown")
        .succeeds()
        .says("\n! function   shop_echo\n             memory  128 → 256 MB\n");
}
