//! `mdo key`: keys come and go, a running server follows at once, and only `show` prints a value.

use serde_json::json;

use crate::support::project::TestProject;

#[test]
fn a_key_is_created_listed_shown_and_deleted() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("key create alice --local").succeeds().prints(
        "  key alice _ s

Created in _ s.
  show  mdo key show alice --local
",
    );
    project.mdo("key list --local").succeeds().prints(
        "  alice    shop-dev-alice    enabled
  default  shop-dev-default  enabled
",
    );
    assert_eq!(
        project.mdo("key list --local --json").json(),
        json!({
            "version": 1,
            "project": "shop",
            "stage": "dev",
            "provider": "local",
            "account": null,
            "region": null,
            "keys": [
                {"name": "alice", "full_name": "shop-dev-alice", "enabled": true, "opens": true},
                {"name": "default", "full_name": "shop-dev-default", "enabled": true, "opens": true},
            ],
        })
    );
    let value = project.mdo("key show alice --local").succeeds().stdout;
    let value = value.strip_suffix('\n').unwrap();
    assert!(value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{value}");
    project.mdo("key delete alice --yes --local").succeeds().prints("  key alice _ s\n\nDeleted in _ s.\n");
    project.mdo("key show alice --local").exits(1).prints("").complains(
        "error: there is no key alice at stage dev on this machine
  help: create it: mdo key create alice --local --stage dev
",
    );
}

#[test]
fn a_running_server_follows_at_once() {
    let project = TestProject::local_with_echo();
    let serving = project.mdo("dev --port 0").serves();
    project.mdo("key create alice --local").succeeds();
    let alice = project.key("alice");
    assert_eq!(serving.get("/echo", Some(&alice)).status(), 200);
    project.mdo("key delete alice --yes --local").succeeds();
    assert_eq!(serving.get("/echo", Some(&alice)).status(), 403);
    assert_eq!(serving.get("/echo", Some(&project.key("default"))).status(), 200);
}

#[test]
fn a_key_is_not_created_twice() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local --stage alice").succeeds();
    project.mdo("key create default --local --stage alice").exits(1).complains(
        "error: there is a key `default` at stage alice already
  help: mdo key show default --local --stage alice prints its value
",
    );
}

#[test]
fn a_key_that_is_not_there_cannot_be_deleted() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let refused = |help: &str| {
        let text = format!("error: there is no key `bob` at stage dev\n  help: {help}\n");
        project.mdo("key delete bob --local").exits(1).complains(&text);
    };
    refused("the stage has default");
    project
        .mdo("key delete default --yes --local")
        .exits(0)
        .complains("note: the next deploy creates the default key anew, with another value\n");
    refused("the stage has no key");
}

#[test]
fn a_key_needs_a_stage() {
    let project = TestProject::local_with_echo();
    for verb in ["create alice", "list", "delete alice"] {
        project.mdo(&format!("key {verb} --local --stage bob")).exits(1).complains(
            "error: nothing is deployed at stage bob: a key needs the usage plan of a deployed stage
  help: mdo deploy --local --stage bob makes it
",
        );
    }
}
