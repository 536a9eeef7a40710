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
                {"name": "alice", "full_name": "shop-dev-alice", "enabled": true, "opens": true, "ends": null},
                {"name": "default", "full_name": "shop-dev-default", "enabled": true, "opens": true, "ends": null},
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

#[test]
fn a_rotated_key_has_another_value_and_the_old_one_opens_until_its_end() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let before = project.key("default");
    let rotated = project.mdo("key rotate default --overlap 1h --local").succeeds();
    rotated.says("Rotated in ").says("  old   default-old-1, opens until 20");
    let after = project.key("default");
    assert_ne!(before, after);
    for key in [&before, &after] {
        assert_eq!(serving.get("/echo", Some(key)).status(), 200);
    }
    project
        .mdo("key list --local")
        .succeeds()
        .says("default-old-1  shop-dev-default-old-1  enabled, ends at 20");
    project.mdo("key rotate default-old-1 --local").exits(1).says("is the old value of another one already");
    project.mdo("key expire --local").succeeds().says("no key has ended; the next one ends at 20");
    // One that has ended opens until somebody takes it away, and a deploy does without being asked to delete.
    project.mdo("key rotate default --overlap 0s --local").succeeds();
    project
        .mdo("key list --local")
        .succeeds()
        .says("default-old-2  shop-dev-default-old-2  enabled, was to end at 20");
    assert_eq!(serving.get("/echo", Some(&after)).status(), 200);
    project.mdo("deploy --local").succeeds().says("- key        shop-dev-default-old-2");
    assert_eq!(serving.get("/echo", Some(&after)).status(), 403);
    project.mdo("key rotate default --overlap 0s --local").succeeds();
    project.mdo("key expire --local").succeeds().says("key default-old-2").says("Expired in ");
    assert_eq!(serving.get("/echo", Some(&before)).status(), 200);
    serving.signal("INT");
    serving.says("ending");
}

#[test]
fn a_value_that_exists_already_becomes_a_keys_and_is_never_an_argument() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let value = "an-old-partner-has-had-this-for-years";
    let created =
        project.mdo("key create partner --value-from - --local").reads(&format!("{value}\n")).succeeds();
    assert!(!created.stdout.contains(value));
    assert_eq!(project.key("partner"), value);
    project.write("value.txt", "too short");
    project.mdo("key create other --value-from value.txt --local").exits(2).complains(
        "error: the value in value.txt cannot be a key's: it has 9 characters, and a key has 20 to 128, without blanks\n",
    );
    project
        .mdo("key create other --value-from none.txt --local")
        .exits(2)
        .says("cannot read the value in none.txt");
    project.mdo("key show other --local").exits(1);
}

#[test]
fn how_much_a_key_has_used_is_told_where_it_is_counted() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("key usage --local").succeeds().prints("  0 requests by key default in all\n");
    project.write(
        "project.toml",
        &format!(
            "{}[api]\nquota = {{ limit = 1000, period = \"day\" }}\n",
            crate::support::project::MANIFEST
        ),
    );
    let serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    for _ in 0..3 {
        serving.get("/echo", Some(&key));
    }
    serving.signal("INT");
    serving.exits(0);
    project
        .mdo("key usage --local")
        .succeeds()
        .says("3 requests  997 left\n  3 requests by key default in all\n");
    let usage = project.mdo("key usage default --local --json").json();
    assert_eq!((&usage["used"], &usage["days"][0]["left"]), (&json!(3), &json!(997)));
    project.mdo("key usage nobody --local").exits(1).says("there is no key `nobody`");
    project.mdo("key usage --since 1y --local").exits(2).says("--since reaches back 1 to 90 days");
}
