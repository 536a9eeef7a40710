//! Hosted stages that move: back, to another stage's image, and without what nothing runs any more.

use std::fs;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::hosted::{HostedProject, PLAIN};
use crate::support::project::MANIFEST;

#[test]
fn rolling_back_is_one_write_and_a_mark_and_goes_on_from_there() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("rollback").exits(1).says("nothing is deployed at stage prod");
    hosted.mdo("deploy -s GREETING=hello").succeeds();
    hosted.mdo("rollback").exits(1).says("stage prod has run nothing else before");
    hosted.set_edition("echo", "second");
    hosted.mdo("deploy -s GREETING=second").succeeds();
    hosted.set_edition("echo", "third");
    hosted.mdo("deploy -s GREETING=third").succeeds();
    hosted.writes();

    let output = hosted.mdo("rollback").succeeds();
    output.says("Rolled back in ").says("environment of echo  ~ GREETING").says("image  ");
    output.says("going back from revision 3 to revision 2");
    // The tag is for the next deploy, which asks before it undoes this.
    assert_eq!(hosted.writes(), ["UpdateService", "TagResource"]);
    hosted
        .mdo("plan")
        .succeeds()
        .says("note: stage prod was rolled back from revision 3: a deploy would undo that, and asks before");
    hosted.mdo("deploy").exits(2).says("stage prod was rolled back from revision 3, and this would undo it");
    hosted.mdo("list").succeeds().says("  revision 2, rolled back from 3  image ");
    assert_eq!(hosted.mdo("list --json").json()["server"]["rolled_back_from"], 3);
    assert_eq!(hosted.writes(), Vec::<String>::new());
    hosted.mdo("rollback").exits(0).says("going back from revision 2 to revision 1");
    assert_eq!(hosted.writes(), ["UpdateService"]);
    hosted.mdo("rollback --steps 2").exits(1).says("stage prod has run nothing else before");
    hosted.mdo("rollback --to 3 --no-wait").succeeds().says("mdo list --stage prod");
    hosted.mdo("list").succeeds().says("  revision 3  image ");
    assert_eq!(hosted.mdo("list --json").json()["server"]["rolled_back_from"], Value::Null);
    hosted.mdo("rollback --to 3").succeeds().says("nothing to do: revision 3 says what runs");
    let unknown = hosted.mdo("rollback --to 77").exits(2);
    unknown.says("there is no revision 77 of shop-prod").says("help: there are 3, 2, 1");
    hosted.project.mdo("rollback --local --stage prod").exits(1).says("nothing is deployed at stage prod");
    // What runs is the newest again: nothing is left that a deploy would undo. Neither is it after one that undoes it.
    hosted.set_edition("echo", "fourth");
    hosted.mdo("deploy").succeeds();
    hosted.mdo("rollback").exits(0);
    hosted.mdo("deploy --yes").succeeds();
    hosted.set_edition("echo", "fifth");
    hosted.mdo("deploy").succeeds();
    // A size that was gone back from is not brought again unasked either.
    let manifest = hosted.project.read("project.toml");
    hosted.project.write("project.toml", &manifest.replace("tasks = 2", "tasks = 2\nmemory = 1024"));
    hosted.mdo("deploy").succeeds();
    hosted.mdo("rollback").exits(0);
    hosted.mdo("deploy").exits(2).says("stage prod was rolled back from revision ");
}

#[test]
fn a_key_that_was_deleted_does_not_come_back_with_a_rollback() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    hosted.mdo("deploy -s GREETING=hello").succeeds();
    hosted.mdo("key create alice").succeeds();
    hosted.set_edition("echo", "second");
    hosted.mdo("deploy").succeeds();
    hosted.mdo("key delete alice --yes").succeeds();
    hosted.writes();
    hosted.mdo("rollback").succeeds();
    // The revision that let alice in is not run again: one that says the same without her is.
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService"]);
    let plan = hosted.mdo("plan --json").json();
    let fields: Vec<&str> = plan["changes"][0]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["path"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["image"], "{plan:#}");
    // The new revision bears the mark of the rollback: a deploy asks, and a second rollback does not bring back what the first one left.
    hosted.mdo("deploy").exits(2).says("stage prod was rolled back from revision 4, and this would undo it");
    hosted.mdo("rollback").exits(1).says("stage prod has run nothing else before");
    // So does one that says the same for other keys, or for other tasks.
    hosted.mdo("key create bob").succeeds();
    hosted.mdo("deploy").exits(2).says("stage prod was rolled back from revision 4, and this would undo it");
    hosted.mdo("deploy --yes").succeeds();
    hosted.set_edition("echo", "third");
    hosted.mdo("deploy").succeeds();
    // Back from 8 to 7, which is there as it was, and then by number.
    hosted.mdo("rollback").exits(0).says("going back from revision 8 to revision 7");
    hosted.mdo("key delete bob --yes").succeeds();
    hosted.mdo("deploy").exits(2).says("stage prod was rolled back from revision 8, and this would undo it");
    hosted.mdo("rollback").exits(0).says("going back from revision 9 to revision 6");
    hosted.mdo("rollback --to 8").exits(0);
    hosted.mdo("deploy").succeeds().says("nothing to do");
}

#[test]
fn a_hosted_stage_gets_the_image_of_another_with_its_own_environment_and_size() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let stages = "[stages.test]\nhosting = \"server\"\n[stages.plain]\n";
    hosted.project.write("project.toml", &format!("{MANIFEST}{PLAIN}{stages}"));
    let test = |command: &str| {
        let command = format!("{command} --stage test --server-program ../mdo-server");
        hosted.project.mdo(&command).through(&hosted.proxy)
    };
    hosted.mdo("deploy -s GREETING=prod").succeeds();
    hosted.set_edition("echo", "second");
    test("deploy -s GREETING=test").succeeds();
    // What lies in the folder is not what is promoted.
    hosted.set_edition("echo", "third");
    hosted.writes();
    hosted.pushed();
    let promote =
        |flags: &str| hosted.project.mdo(&format!("promote test prod {flags}")).through(&hosted.proxy);
    promote("--dry-run").succeeds().says("~ server     shop-prod\n               image  ");
    assert_eq!(hosted.writes(), Vec::<String>::new());
    let promoted = promote("").succeeds();
    promoted.says("stage prod gets the image of stage test\n").says("Promoted in ");
    promoted.says("kept GREETING, which no file sets");
    assert_eq!(hosted.writes(), ["RegisterTaskDefinition", "UpdateService"]);
    assert_eq!(hosted.pushed(), Vec::<String>::new());
    promote("").succeeds().says("nothing to do: the stages run the same image");
    assert_eq!(hosted.writes(), Vec::<String>::new());

    hosted.mdo("rollback").exits(0);
    promote("").exits(2).says("stage prod was rolled back from revision 2, and this would undo it");
    promote("--yes").succeeds();
    let cannot = hosted.project.mdo("promote test plain").through(&hosted.proxy).exits(2);
    cannot.says("stage test is hosted by servers, and stage plain is not: an image is no code of functions");
    let cannot = hosted.project.mdo("promote plain prod").through(&hosted.proxy).exits(2);
    cannot.says("stage prod is hosted by servers, and stage plain is not: the code of functions is no image");
    promote("echo").exits(2).says("its functions are in one image and go together");

    // A stage that is new gets a server of its own for the same image.
    let next = format!("{MANIFEST}{PLAIN}{stages}[stages.next]\nhosting = \"server\"\n");
    hosted.project.write("project.toml", &next);
    let made = hosted.project.mdo("promote test next --json").through(&hosted.proxy).json();
    assert_eq!((&made["stage"], &made["summary"]["create"]), (&json!("next"), &json!(2)), "{made:#}");
    assert_eq!(hosted.pushed(), Vec::<String>::new());
    assert_eq!(revision(&hosted, "next")["containerDefinitions"][0]["image"], image(&hosted, "test"));

    // The instruction set comes with the image, whatever the files say of the stage.
    hosted.project.set("echo", "architecture", "arm64".into());
    let program = fs::read(hosted.project.path("../mdo-server")).unwrap();
    fs::write(hosted.project.path("../mdo-server-arm64"), for_arm(program)).unwrap();
    let bootstrap = hosted.project.path("functions/echo/bootstrap");
    fs::write(&bootstrap, for_arm(fs::read(&bootstrap).unwrap())).unwrap();
    let deploy = "deploy --stage test --server-program ../mdo-server-arm64";
    hosted.project.mdo(deploy).through(&hosted.proxy).succeeds();
    hosted.project.set("echo", "architecture", "x86_64".into());
    let moved = promote("--json").json();
    let fields = moved["changes"][0]["fields"].as_array().unwrap();
    let field = |path: &str| fields.iter().find(|field| field["path"] == path).cloned().unwrap_or_default();
    assert_eq!(field("architecture")["after"], "arm64", "{moved:#}");
    let prod = revision(&hosted, "prod");
    assert_eq!(prod["runtimePlatform"]["cpuArchitecture"], "ARM64");
    assert_eq!(prod["containerDefinitions"][0]["image"], image(&hosted, "test"));
    promote("").succeeds().says("nothing to do: the stages run the same image");
}

/// The revision that a stage has registered last.
fn revision(hosted: &HostedProject, stage: &str) -> Value {
    let asked = json!({"taskDefinition": format!("shop-{stage}")});
    Live::of(&hosted.project, "prod").call("ecs", "describe_task_definition", asked)["taskDefinition"].clone()
}

fn image(hosted: &HostedProject, stage: &str) -> Value {
    revision(hosted, stage)["containerDefinitions"][0]["image"].clone()
}

/// A program with the header of one for the other instruction set.
fn for_arm(mut program: Vec<u8>) -> Vec<u8> {
    program[18..20].copy_from_slice(&183u16.to_le_bytes());
    program
}

#[test]
fn an_image_that_is_not_known_to_serve_is_not_promoted() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let stages = "[stages.test]\nhosting = \"server\"\n";
    hosted.project.write("project.toml", &format!("{MANIFEST}{PLAIN}{stages}"));
    let on_test = |verb: &str| {
        let command = format!("{verb} --stage test");
        hosted.project.mdo(&command).through(&hosted.proxy)
    };
    let promote =
        |flags: &str| hosted.project.mdo(&format!("promote test prod {flags}")).through(&hosted.proxy);
    let empty = promote("").exits(1);
    empty.says("nothing is deployed at stage test").says("help: mdo deploy --stage test");
    on_test("deploy --server-program ../mdo-server").succeeds();

    let mut edited = revision(&hosted, "test");
    edited["containerDefinitions"][0]["command"] = json!(["sh"]);
    let keys = ["family", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions"];
    let edited: Value = keys.iter().map(|key| ((*key).to_owned(), edited[*key].clone())).collect();
    let live = Live::of(&hosted.project, "test");
    live.call("ecs", "register_task_definition", edited);
    let update = json!({"cluster": "shop", "service": "shop-test", "taskDefinition": "shop-test"});
    live.call("ecs", "update_service", update);
    hosted.writes();
    let refused = promote("--yes").exits(1);
    refused.says("somebody has edited what stage test runs by hand, and mdo cannot tell what else it needs");
    refused.says("help: bring it to what the files say first: mdo deploy --stage test");
    on_test("deploy --server-program ../mdo-server").succeeds();

    hosted.writes();
    hosted.proxy.edit("DescribeServices", |_, answer| {
        if answer["services"][0]["serviceName"] == "shop-test" {
            answer["services"][0]["deployments"][0]["rolloutState"] = "IN_PROGRESS".into();
        }
    });
    on_test("list").succeeds().says("running, being replaced");
    for flags in ["", "--yes", "--dry-run"] {
        let refused = promote(flags).exits(1);
        refused
            .says("the tasks of stage test are being replaced: whether the new ones serve is not known yet");
        refused.says("`mdo list --stage test` does not say \"being replaced\" any more");
    }
    assert_eq!(hosted.writes(), Vec::<String>::new());
}

#[test]
fn images_and_revisions_that_nothing_runs_or_goes_back_to_are_pruned() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    for edition in ["first", "second", "third"] {
        hosted.set_edition("echo", edition);
        hosted.mdo("deploy").succeeds();
    }
    hosted.writes();
    let tried = hosted.mdo("prune --keep 2 --dry-run").succeeds();
    tried.says("- revision   shop-prod:1").says("- image      shop@sha256:").says("; frees ");
    assert_eq!(hosted.writes(), Vec::<String>::new());
    let pruned = hosted.mdo("prune --keep 2 --yes").succeeds();
    pruned.says("  2 to delete, nothing to create or update").says("Pruned in ");
    assert_eq!(hosted.writes(), ["DeregisterTaskDefinition", "BatchDeleteImage"]);
    hosted.mdo("prune --keep 2 --yes").succeeds().says("nothing to prune");
    // What is left can be gone back to, and what is gone cannot.
    hosted.mdo("rollback --to 1").exits(2).says("revision 1");
    hosted.mdo("rollback").succeeds();
    hosted.writes();
    // It runs the older one of the two now, and keeps its image.
    hosted.mdo("prune --keep 1 --yes").succeeds().says("nothing to prune");
    assert_eq!(hosted.writes(), Vec::<String>::new());
}
