//! What one stage must not do to another: each test is named after a fault that was seen.

use serde_json::{Value, json};

use crate::live::{Live, items};
use crate::stages::all_of;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};

/// `shop` with `echo` at dev and at prod, each with its own greeting.
fn at_two_stages() -> Option<TestProject> {
    let project = TestProject::with_echo(Emulator::shared()?.account());
    project.deploys("-s GREETING=dev");
    project.deploys("--stage prod -s GREETING=prod");
    Some(project)
}

#[test]
fn the_last_route_of_a_stage_goes_without_the_api_of_the_others() {
    let Some(project) = at_two_stages() else { return };
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let (api, before) = (prod.api(), all_of(&prod));

    project.set("echo", "routes", json!([]));
    let plan = project.mdo("plan").succeeds();
    assert!(!plan.stdout.contains("- api"), "{}", plan.transcript());
    project.deploys("--delete-keys");
    assert_eq!(
        dev.call("apigateway", "get_stages", json!({"restApiId": api}))["item"][0]["stageName"],
        "prod"
    );
    assert_eq!((prod.api(), all_of(&prod)), (api.clone(), before));

    project.set("echo", "routes", json!(["GET /echo"]));
    project.is_settled("--stage prod");
    project.deploys("");
    assert_eq!((dev.api(), dev.echo("echo")["greeting"].clone()), (api, json!("dev")));
}

#[test]
fn a_checkout_without_functions_deletes_nothing() {
    let Some(project) = at_two_stages() else { return };
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let before = (all_of(&dev), all_of(&prod));
    project.remove("functions");
    for flags in ["", "--yes", "--json --yes", "--stage prod --yes"] {
        project.mdo(&format!("deploy {flags}")).exits(2).says("mdo destroy");
    }
    assert_eq!((all_of(&dev), all_of(&prod)), before);
}

#[test]
fn routes_securities_cors_and_timeouts_of_one_stage_never_reach_another() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.add_function("f01", json!({"routes": ["GET /f01"]}));
    project.deploys("--stage prod");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let before = all_of(&prod);
    let of_prod = (project.read("functions/f01/function.json"), MANIFEST);

    let routes = json!([{"route": "GET /f01", "security": "open"}, "GET /new"]);
    project.set("f01", "routes", routes);
    project.write("project.toml", &format!("{MANIFEST}[api]\ncors = true\n"));
    project.deploys("");
    assert_eq!((dev.get_without_key("f01"), dev.get("new").0), (200, 200));
    assert_eq!((prod.get_without_key("f01"), prod.get("new").0), (403, 403));
    assert_eq!(all_of(&prod), before);

    // A part of prod is deployed from dev's files: of the functions, only that part changes.
    project.write("project.toml", of_prod.1);
    project.set("echo", "memory", json!(256));
    let partial = project.mdo("plan echo --stage prod").succeeds();
    assert!(!partial.stdout.contains("f01") && !partial.stdout.contains("new"), "{}", partial.transcript());
    project.mdo("deploy echo --stage prod").succeeds();
    assert_eq!((prod.get_without_key("f01"), prod.get("new").0, prod.get("f01").0), (403, 403, 200));
    assert_eq!(prod.echo("echo")["memory"], "256");
    project.is_settled("echo --stage prod");
    project.mdo("plan").succeeds().says("memory");

    // Each stage is listed as it serves, whatever the files of the other say.
    project.mdo("list").succeeds().says("/dev/f01   open  f01");
    let listed = project.mdo("list --stage prod").succeeds();
    assert!(
        !listed.stdout.contains("  open  ") && !listed.stdout.contains("/new"),
        "{}",
        listed.transcript()
    );
    project.write("project.toml", &format!("{MANIFEST}[api]\ncors = true\n"));
    project.deploys("");
    project.write("functions/f01/function.json", &of_prod.0);
    project.write("project.toml", of_prod.1);
    project.is_settled("--stage prod");
}

#[test]
fn warm_and_key_of_one_stage_leave_the_other() {
    let Some(project) = at_two_stages() else { return };
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let before = all_of(&prod);
    project.mdo("key create alice").succeeds();
    project.mdo("key disable default").succeeds();
    assert_eq!(dev.get("echo").0, 403);
    // A disabled key is a decision of its owner, which a deploy keeps.
    project.mdo("deploy").succeeds().says("left key default switched off");
    assert_eq!((dev.get("echo").0, dev.key("default")["enabled"].clone()), (403, json!(false)));
    project.mdo("key enable default").succeeds();
    assert_eq!(dev.get("echo").0, 200);
    project.mdo("key delete alice").exits(2).says("key shop-dev-alice").says("--yes");
    project.mdo("key delete alice --json").exits(2);
    project.mdo("key delete alice --yes").succeeds();
    project.mdo("destroy --yes").succeeds();
    assert_eq!(all_of(&prod), before);
}

#[test]
fn deleting_asks_in_a_pipe_and_names_what_would_go() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.add_function("mail", json!({"routes": [], "warm": {"rate": "5m"}}));
    project.deploys("");
    let live = Live::of(&project, "dev");
    let counts = live.counts();
    project.remove("functions/mail");
    for flags in ["", "--json"] {
        let refused = project.mdo(&format!("deploy {flags}")).exits(2);
        for name in
            ["function shop_mail", "log group /aws/lambda/shop_mail", "warm rule shop_mail.dev.warm", "--yes"]
        {
            refused.says(name);
        }
    }
    assert_eq!(live.counts(), counts);
    project.mdo("deploy --yes --keep-logs").succeeds();
    assert_eq!(
        (live.counts()["functions"].clone(), live.counts()["log_groups"].clone()),
        (json!(1), json!(2))
    );

    project.add_function("other", json!({"routes": []}));
    project.deploys("");
    project.write("project.toml", &format!("{MANIFEST}[stages.dev]\nprotect = true\n"));
    let before = live.counts();
    project.remove("functions/other");
    for command in ["destroy --yes", "destroy --all --yes", "deploy --yes"] {
        project.mdo(command).exits(2).says("protect");
    }
    assert_eq!(live.counts(), before);
    project.write("project.toml", MANIFEST);
    project.mdo("destroy --yes").succeeds();
    assert_eq!(live.counts(), crate::stages::nothing());
}

#[test]
fn a_foreign_alias_is_no_stage_of_ours() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let live = Live::of(&project, "dev");
    let alias = json!({"FunctionName": "shop_echo", "Name": "canary", "FunctionVersion": "1"});
    live.call("lambda", "create_alias", alias);
    let listed = project.mdo("list").succeeds();
    assert!(!listed.stdout.contains("canary"), "{}", listed.transcript());
    project.is_settled("");
    let destroyed = project.mdo("destroy --all --yes").exits(0);
    destroyed.says("kept, because of its alias canary, which mdo did not make");
    assert_eq!(live.counts()["functions"], 1);
    live.call("lambda", "delete_alias", json!({"FunctionName": "shop_echo", "Name": "canary"}));
    project.mdo("destroy --all --yes").succeeds();
    assert_eq!(live.counts(), crate::stages::nothing());
}

#[test]
fn a_mistyped_stage_is_said_to_be_new() {
    let Some(project) = at_two_stages() else { return };
    let note = "note: stage prdo is new; the project has dev, prod\n";
    assert_eq!(project.mdo("plan --stage prdo").succeeds().stderr, note);
    project.mdo("list --stage prdo").succeeds().says("dev, prod");
    project.mdo("destroy --stage prdo --yes").succeeds().says("dev, prod");
    project.mdo("key list --stage prdo").runs().says("dev, prod");
    assert_eq!(project.mdo("plan").succeeds().stderr, "");
}

#[test]
fn a_function_that_is_removed_in_one_stage_lives_in_the_other() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.add_function("mail", json!({"routes": ["GET /mail"], "warm": {"rate": "5m"}}));
    project.deploys("");
    project.deploys("--stage prod");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    project.remove("functions/mail");
    let plan = project.mdo("plan").succeeds();
    plan.says("- warm rule  shop_mail").says("- function   shop_mail  at this stage; others keep it");
    assert!(!plan.stdout.contains("log group"), "the logs are prod's too: {}", plan.transcript());
    project.deploys("");
    assert_eq!((dev.get("mail").0, prod.echo("mail")["function"].clone()), (403, json!("shop_mail")));
    project.deploys("--stage prod");
    assert_eq!(prod.counts()["functions"], 1);
    assert_eq!(prod.counts()["log_groups"], 1);
    assert_eq!(prod.rules().len(), 2);
}

#[test]
fn names_that_could_collide_have_rules_of_their_own() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    project.add_function("a", json!({"routes": [], "warm": {"rate": "5m"}}));
    project.deploys("--stage b-c");
    project.remove("functions/a");
    project.add_function("a-b", json!({"routes": [], "warm": {"rate": "1m"}}));
    project.deploys("--stage c");
    let mut rules = Live::of(&project, "c").rules();
    rules.sort();
    assert_eq!(rules, ["shop_a-b.c.warm", "shop_a.b-c.warm"]);
    assert_eq!(Live::of(&project, "b-c").rule("a")["ScheduleExpression"], "rate(5 minutes)");
}

#[test]
fn a_rule_under_its_former_name_is_carried_over() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let live = Live::of(&project, "dev");
    // As mdo before this version left it.
    let (rule, targets) = (live.rule("echo"), live.targets("echo"));
    let former = json!({
        "Name": "shop_echo-dev-warm",
        "ScheduleExpression": rule["ScheduleExpression"],
        "Description": rule["Description"],
        "Tags": [{"Key": "mdo:project", "Value": "shop"}, {"Key": "mdo:stage", "Value": "dev"}],
    });
    live.call("events", "put_rule", former);
    let target = |(id, (arn, input)): (usize, &(String, String))| json!({"Id": id.to_string(), "Arn": arn, "Input": input});
    let all: Vec<Value> = targets.iter().enumerate().map(target).collect();
    live.call("events", "put_targets", json!({"Rule": "shop_echo-dev-warm", "Targets": all}));
    let present = live.rule_name("echo");
    let ids: Vec<_> =
        items(&live.call("events", "list_targets_by_rule", json!({"Rule": present}))["Targets"])
            .iter()
            .map(|target| target["Id"].clone())
            .collect();
    live.call("events", "remove_targets", json!({"Rule": present, "Ids": ids}));
    live.call("events", "delete_rule", json!({"Name": present}));

    project.mdo("plan").succeeds().says("shop_echo-dev-warm → shop_echo.dev.warm");
    project.deploys("");
    assert_eq!(live.rules(), [present]);
    assert_eq!(live.targets("echo"), targets);
}
