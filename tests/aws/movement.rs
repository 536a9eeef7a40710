//! Going back and bringing on: history, rollback, promote, prune, and other values of keys.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};

pub(crate) fn proxied(project: &TestProject) -> Proxy {
    Proxy::start(project.account().emulator().address(), Duration::ZERO)
}

pub(crate) fn writes(proxy: &Proxy) -> Vec<String> {
    let recording = proxy.recording();
    proxy.forget();
    let mut names: Vec<_> = recording.writes().iter().map(|call| call.operation.name.clone()).collect();
    names.sort();
    names
}

#[test]
fn a_rollback_is_a_step_back_in_history_each_time_with_code_and_environment_together() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    for (edition, greeting) in [("first", "one"), ("second", "two"), ("third", "three")] {
        project.set_edition("echo", edition);
        project.deploys(&format!("-s GREETING={greeting}"));
    }
    assert_eq!(live.version("echo"), "3");
    let proxy = proxied(&project);

    let output = project.mdo("rollback").through(&proxy).exits(0);
    output
        .says("echo goes back from version 3 to version 2")
        .says("code ")
        .says("~ GREETING")
        .says("Rolled back in ");
    assert_eq!(writes(&proxy), ["TagResource", "UpdateAlias"]);
    let seen = live.echo("echo");
    assert_eq!(
        (&seen["edition"], &seen["greeting"], &seen["version"]),
        (&json!("second"), &json!("two"), &json!("2"))
    );
    project.mdo("list").succeeds().says("version 2, rolled back from 3");
    assert_eq!(project.mdo("list --json").json()["functions"][0]["rolled_back_from"], "3");

    // Another step, not there and back again.
    project.mdo("rollback").through(&proxy).exits(0).says("echo goes back from version 2 to version 1");
    assert_eq!(writes(&proxy), ["TagResource", "UpdateAlias"][1..]);
    assert_eq!(live.echo("echo")["greeting"], "one");
    project.mdo("rollback").exits(1).complains(
        "error: function echo has run nothing else at stage dev before version 1\n  help: mdo history echo\n",
    );

    let history = project.mdo("history --json").json();
    let echo = &history["functions"]["echo"];
    let numbers: Vec<&Value> =
        echo["versions"].as_array().unwrap().iter().map(|one| &one["version"]).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert!(echo["versions"].as_array().unwrap().iter().all(|version| version["stage"] == "dev"));
    assert_eq!(echo["live"]["dev"]["version"], 1);
    assert_eq!(history["deployments"][0]["serving"], json!(["dev"]));
    project.mdo("history").succeeds().says("live at dev");

    // Somebody went back for a reason.
    project.mdo("deploy -s GREETING=four").exits(2).complains(
        "error: function echo was rolled back at stage dev, and this would undo it\n  help: pass --yes where there is no terminal to ask at; nothing was changed\n",
    );
    assert_eq!(live.version("echo"), "1");
    project.mdo("deploy -s GREETING=four --yes").through(&proxy).succeeds();
    let all = writes(&proxy);
    assert!(all.contains(&"UntagResource".to_owned()) && all.contains(&"UpdateAlias".to_owned()), "{all:?}");
    assert_eq!((live.version("echo"), &live.echo("echo")["edition"]), ("4".to_owned(), &json!("third")));
    project.is_settled("");
    project.mdo("rollback echo --to 2").exits(0);
    assert_eq!(live.version("echo"), "2");
    project.mdo("rollback echo --to 7").exits(2).says("there is no version 7 of function echo");
}

#[test]
fn the_last_deploy_is_undone_and_no_other_stage_or_function_with_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.add_function("other", json!({"routes": ["GET /other"]}));
    project.deploys("-s GREETING=one");
    // The very same, and a version of its own all the same.
    project.deploys("--stage prod -s GREETING=one");
    project.set_edition("other", "second");
    project.deploys("");
    project.set_edition("echo", "second");
    project.deploys("");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    assert_eq!((dev.version("echo"), dev.version("other")), ("3".into(), "3".into()));
    assert_eq!((prod.version("echo"), prod.version("other")), ("2".into(), "2".into()));

    project.mdo("rollback").exits(0);
    assert_eq!((dev.version("echo"), dev.version("other")), ("1".into(), "3".into()));
    project.mdo("rollback").exits(0);
    assert_eq!((dev.version("echo"), dev.version("other")), ("1".into(), "1".into()));
    assert_eq!((prod.version("echo"), prod.version("other")), ("2".into(), "2".into()));
    project.mdo("rollback echo --to 2").exits(2).complains(
        "error: version 2 of function echo is of stage prod, with that stage's environment\n  help: its code comes with this stage's own environment by: mdo promote prod dev\n",
    );
}

#[test]
fn routes_go_back_where_they_are_known_and_never_by_halves() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    thread::sleep(Duration::from_millis(1_100));
    project.set_edition("echo", "second");
    project.set("echo", "routes", json!(["GET /echo", "GET /more"]));
    project.deploys("");
    let live = Live::of(&project, "dev");
    project.mdo("rollback").exits(1).says("error: stage dev served other routes then, deployed at 2");
    assert_eq!(live.version("echo"), "2");
    project.set("echo", "routes", json!(["GET /echo"]));
    project.mdo("rollback").exits(0).says("- GET /more");
    assert_eq!(live.version("echo"), "1");
    let routes = project.mdo("list --json").json()["routes"].clone();
    assert_eq!(routes.as_object().unwrap().keys().collect::<Vec<_>>(), ["GET /echo"]);
    project.mdo("deploy --yes").succeeds();
    project.mdo("rollback --keep-routes").exits(0);
}

/// The emulator names a host for code that this machine does not know.
fn with_code_here(project: &TestProject) -> Proxy {
    let proxy = proxied(project);
    let here = project.account().emulator().address().to_string();
    proxy.edit("GetFunction", move |_, answer| {
        if let Some(location) = answer["Code"]["Location"].as_str() {
            let (_, rest) = location.split_once("://").unwrap();
            let (_, path) = rest.split_once('/').unwrap();
            answer["Code"]["Location"] = format!("http://{here}/{path}").into();
        }
    });
    proxy
}

#[test]
fn a_stage_gets_the_code_of_another_with_its_own_environment_and_settings() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=dev");
    project.deploys("--stage prod -s GREETING=prod");
    project.set_edition("echo", "second");
    project.deploys("");
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    // What lies in the folder is not what is promoted.
    project.set_edition("echo", "third");
    project.set("echo", "memory", json!(256));
    let proxy = with_code_here(&project);
    project.mdo("promote dev prod --dry-run").through(&proxy).succeeds().says("code ");
    assert_eq!(writes(&proxy), Vec::<String>::new());
    let output = project.mdo("promote dev prod").through(&proxy).succeeds();
    output.says("stage prod gets the code of stage dev").says("memory  128 → 256 MB").says("Promoted in ");
    // Lambda has that code where the next version is made: it is not sent.
    let calls = writes(&proxy);
    assert_eq!(calls, ["PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"]);
    let seen = prod.echo("echo");
    assert_eq!(
        (&seen["edition"], &seen["greeting"], &seen["memory"]),
        (&json!("second"), &json!("prod"), &json!("256"))
    );
    assert_eq!(dev.echo("echo")["greeting"], "dev");
    assert_eq!(dev.echo("echo")["memory"], "128");
    project
        .mdo("promote dev prod")
        .through(&proxy)
        .succeeds()
        .says("nothing to do: the stages run the same code");

    // Where it has other code there by now, it gives what it has, and gets it again.
    project.deploys("--stage other -s GREETING=other");
    assert_eq!(Live::of(&project, "other").echo("echo")["edition"], "third");
    project.mdo("rollback --stage prod").exits(0);
    assert_eq!(prod.echo("echo")["edition"], "first");
    proxy.forget();
    project.mdo("promote dev prod --yes").through(&proxy).succeeds();
    assert!(writes(&proxy).contains(&"UpdateFunctionCode".to_owned()));
    let seen = prod.echo("echo");
    assert_eq!((&seen["edition"], &seen["greeting"]), (&json!("second"), &json!("prod")));
    assert_eq!(Live::of(&project, "other").echo("echo")["edition"], "third");

    project.mdo("promote dev dev").exits(2).says("stage dev has its own code already");
    project.mdo("promote nowhere prod").exits(1).says("nothing is deployed at stage nowhere");
    project.mdo("promote dev prod nope").exits(2).says("no function matches `nope`");
    // A stage that is new gets all of it.
    project.mdo("promote dev fresh -s GREETING=fresh").through(&proxy).succeeds();
    assert_eq!(Live::of(&project, "fresh").echo("echo")["greeting"], "fresh");
}

#[test]
fn what_nothing_serves_is_pruned_but_for_what_each_stage_may_go_back_to() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=zero");
    project.deploys("--stage prod -s GREETING=prod");
    for number in 1..5 {
        project.set("echo", "routes", json!(["GET /echo", format!("GET /r{number}")]));
        project.deploys(&format!("-s GREETING={number}"));
    }
    project.mdo("rollback echo --to 3 --keep-routes").exits(0);
    let live = Live::of(&project, "dev");
    // Of dev there are 1, 3, 4, 5 and 6; 3 is live. Of prod there is 2.
    let proxy = proxied(&project);
    let tried = project.mdo("prune --keep 2 --dry-run").through(&proxy).succeeds();
    tried.says("- version     shop_echo:1").says("of stage dev").says("- version     shop_echo:4");
    assert_eq!(writes(&proxy), Vec::<String>::new());
    project.mdo("prune --keep 2 --yes").through(&proxy).succeeds().says("Pruned in ");
    let gone = writes(&proxy);
    let count = |name: &str| gone.iter().filter(|write| *write == name).count();
    // Five deployments were made for dev, and the live one is the newest.
    assert_eq!((gone.len(), count("DeleteFunction"), count("DeleteDeployment")), (5, 2, 3), "{gone:?}");
    let versions = live.call("lambda", "list_versions_by_function", json!({"FunctionName": "shop_echo"}));
    let numbers: Vec<&Value> =
        versions["Versions"].as_array().unwrap().iter().map(|one| &one["Version"]).collect();
    assert_eq!(numbers, ["$LATEST", "2", "3", "5", "6"]);
    project.mdo("prune --keep 2 --yes").succeeds().says("nothing to prune");
    assert_eq!(live.echo("echo")["greeting"], "1");
    assert_eq!(Live::of(&project, "prod").echo("echo")["greeting"], "prod");
}

#[test]
fn a_key_is_rotated_and_counted_and_has_the_value_that_it_is_given() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=hello");
    let value_of = |key: &str| project.mdo(&format!("key show {key}")).succeeds().stdout.trim().to_owned();
    let before = value_of("default");
    let proxy = proxied(&project);
    project
        .mdo("key rotate --overlap 2d")
        .through(&proxy)
        .succeeds()
        .says("  old   default-old-1, opens until 20");
    assert_eq!(writes(&proxy), ["CreateApiKey", "CreateUsagePlanKey", "UpdateApiKey"]);
    let after = value_of("default");
    assert_ne!(before, after);
    let api = project.mdo("list --json").json()["api_id"].as_str().unwrap().to_owned();
    for key in [&before, &after] {
        assert_eq!(project.account().call_api(&api, "dev", "echo", &[("x-api-key", key)]).0, 200);
    }
    project.is_settled("");
    project.mdo("key list").succeeds().says("default-old-1  shop-dev-default-old-1  enabled, ends at 20");
    project.mdo("key expire").succeeds().says("no key has ended");
    project.mdo("key rotate --overlap 0s").succeeds();
    project.mdo("deploy").succeeds().says("- key        shop-dev-default-old-2");
    // The emulator fails on a key that is gone, where AWS refuses it.
    assert_ne!(project.account().call_api(&api, "dev", "echo", &[("x-api-key", &after)]).0, 200);

    // What is cut short is finished, and the value that there was goes on opening.
    let before = value_of("default");
    let refused = Fault::error(400, "BadRequestException", "told to fail");
    proxy.fail_next("CreateApiKey", 1, refused.clone());
    project
        .mdo("key rotate")
        .through(&proxy)
        .exits(5)
        .says("note: the old value opens as default-old-1, default-old-2; mdo key rotate default makes the new one\n");
    assert_eq!(value_of("default-old-2"), before);
    proxy.fail_next("CreateUsagePlanKey", 1, refused);
    project.mdo("key rotate").through(&proxy).exits(5);
    project
        .mdo("key rotate")
        .exits(0)
        .says("note: finishing the rotation of key default that was cut short before\n")
        .says("  old   default-old-2, opens until 20");
    project.is_settled("");

    let value = "an-old-partner-has-had-this-for-years";
    project.mdo("key create partner --value-from -").reads(value).succeeds();
    assert_eq!(value_of("partner"), value);
    assert_eq!(project.account().call_api(&api, "dev", "echo", &[("x-api-key", value)]).0, 200);
}

#[test]
fn no_request_fails_while_a_stage_moves_and_code_goes_with_its_environment() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "routes", json!([{"route": "GET /echo", "security": "open"}]));
    project.deploys("-s GREETING=first");
    project.set_edition("echo", "second");
    project.deploys("-s GREETING=second");
    project.deploys("--stage prod -s GREETING=second");
    let api = project.mdo("list --json").json()["api_id"].as_str().unwrap().to_owned();
    let is_over = AtomicBool::new(false);
    let (answers, moves) = thread::scope(|threads| {
        let asking = threads.spawn(|| {
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let (status, body) = project.account().call_api(&api, "dev", "echo", &[]);
                let seen: Value = serde_json::from_str(&body).unwrap_or_default();
                answers.push((status, seen["edition"].clone(), seen["greeting"].clone()));
            }
            answers
        });
        let mut moves = 0;
        for _ in 0..2 {
            for command in [
                "rollback echo --to 1",
                "deploy --yes -s GREETING=second",
                "promote prod dev --yes -s GREETING=second",
            ] {
                assert_eq!(project.mdo(command).runs().status, 0, "{command}");
                moves += 1;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        (asking.join().unwrap(), moves)
    });
    assert_eq!(moves, 6);
    let wrong: Vec<_> =
        answers.iter().filter(|(status, edition, greeting)| *status != 200 || edition != greeting).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), answers.len());
    let editions: BTreeSet<&str> = answers.iter().filter_map(|(_, edition, _)| edition.as_str()).collect();
    assert_eq!(editions, BTreeSet::from(["first", "second"]), "{}", answers.len());
}
