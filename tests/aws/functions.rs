//! Several functions: added, removed, and deployed by name.

use serde_json::json;

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

#[test]
fn a_function_is_added_to_a_live_api_and_removed_from_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("");
    let live = Live::of(&project, "dev");

    project.add_function("second", json!({"routes": ["GET /second"], "warm": {"rate": "5m"}}));
    let output = project.mdo("deploy").succeeds();
    output.says("3 to create, 1 to update, nothing to delete");
    project.is_settled("");
    assert_eq!(live.echo("second")["function"], "shop_second");
    assert_eq!(live.echo("echo")["function"], "shop_echo");
    assert_eq!(live.version("echo"), "1");

    project.remove("functions/second");
    let output = project.mdo("deploy --yes").succeeds();
    output.says("  - function   shop_second").says("  - warm rule  shop_second");
    project.is_settled("");
    assert_eq!((live.get("second").0, live.get("echo").0), (403, 200));
    let counts = json!({
        "functions": 1, "apis": 1, "usage_plans": 1, "keys": 1, "rules": 1, "roles": 1, "log_groups": 1,
    });
    assert_eq!(live.counts(), counts);
}

#[test]
fn a_pattern_deploys_the_functions_that_it_names_and_leaves_the_others() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    for name in ["mail_in", "mail_out", "print"] {
        let route = format!("GET /{name}");
        project.add_function(name, json!({"routes": [route], "warm": {"rate": "5m"}}));
    }
    let live = Live::of(&project, "dev");

    project.mdo("deploy mail_*").succeeds();
    project.is_settled("mail_in mail_out");
    assert_eq!(live.counts()["functions"], 2);
    assert_eq!((live.get("mail_in").0, live.get("print").0), (200, 403));

    project.deploys("");
    assert_eq!(live.get("print").0, 200);

    for name in ["mail_in", "mail_out", "print"] {
        project.set_edition(name, "second");
    }
    project.mdo("deploy *_out -s GREETING=hello").succeeds();
    let seen = live.echo("mail_out");
    assert_eq!((&seen["edition"], &seen["greeting"]), (&json!("second"), &json!("hello")));
    for name in ["mail_in", "print"] {
        let seen = live.echo(name);
        assert_eq!((&seen["edition"], &seen["greeting"]), (&json!("first"), &json!(null)));
    }
    let output = project.mdo("deploy prnt").exits(2);
    output.says("no function matches `prnt`").says("did you mean `print`?");
}

#[test]
fn a_function_without_routes_needs_no_api_and_one_may_have_its_own_role() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::without_functions(emulator.account());
    let live = Live::of(&project, "dev");
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"},
    }]});
    let role = json!({"RoleName": "ours", "AssumeRolePolicyDocument": trust.to_string()});
    let role = live.call("iam", "create_role", role)["Role"]["Arn"].clone();
    project.add_function("worker", json!({"routes": [], "role": role}));
    project.deploys("");
    let counts = json!({
        "functions": 1, "apis": 0, "usage_plans": 0, "keys": 0, "rules": 0, "roles": 1, "log_groups": 1,
    });
    assert_eq!(live.counts(), counts);
    assert_eq!(live.function("worker")["Configuration"]["Role"], role);

    project.set("worker", "routes", json!(["GET /worker"]));
    project.deploys("");
    assert_eq!(live.get("worker").0, 200);
    project.set("worker", "routes", json!([]));
    project.deploys("--delete-keys");
    assert_eq!(live.counts(), counts);
}
