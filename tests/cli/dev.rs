//! `mdo dev`: the main job from an empty folder, and what happens to a served stack while its files change.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::http::Response;
use crate::support::project::TestProject;
use crate::support::serving::Serving;

/// The SHA-256 of what the guide's Python handler answers, by the number of classes.
const SAMPLES: [(u8, &str); 3] = [
    (2, "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241"),
    (3, "32bc447ecd3caa66680b55b3a8b45418597958f9f37bdf43be418af6ef4f50ea"),
    (4, "8ae8eaa97e5dc8ecd7d62e41611e53ccca9ef0b2136322fb918b0096f0a4429b"),
];

/// What the function `echo` saw when it answered.
fn seen(response: &Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.text());
    serde_json::from_str(&response.text()).unwrap()
}

fn echo(serving: &Serving, key: &str) -> Value {
    seen(&serving.get("/echo", Some(key)))
}

#[test]
fn an_empty_folder_becomes_the_guides_api() {
    let project = TestProject::local();
    project.mdo("init").succeeds();
    for (classes, sha256) in SAMPLES {
        let serving = project.mdo(&format!("dev -s N_CLASSES={classes} --port 0")).serves();
        let refused = serving.get("/sample_producer", None);
        assert_eq!((refused.status(), refused.text().as_str()), (403, r#"{"message":"Forbidden"}"#));
        let sample = serving.get("/sample_producer", Some(&project.key("default")));
        assert_eq!(sample.status(), 200);
        assert_eq!(format!("{:x}", Sha256::digest(&sample.body)), sha256);
        serving.signal("INT");
        serving.exits(0);
    }
}

#[test]
fn a_warning_is_not_repeated_at_every_reload() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    for (edition, version) in [("second", 2), ("third", 3)] {
        project.set_edition("echo", edition);
        serving.says(&format!("reloaded echo version {version}"));
    }
    serving.signal("INT");
    let lines = serving.exits(0);
    let warned = lines.iter().filter(|line| line.contains("bootstrap is a script for /bin/sh")).count();
    assert_eq!(warned, 1, "{lines:#?}");
}

#[test]
fn the_env_file_is_read_whenever_it_comes_and_missed_by_nobody_when_it_goes() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    assert_eq!(echo(&serving, &key)["greeting"], Value::Null);
    project.write(".env", "GREETING=hello\nAWS_PROFILE=office\nAWS_SECRET_ACCESS_KEY=s3cret\n");
    serving.says("note: no function gets `AWS_SECRET_ACCESS_KEY`: the environment variable");
    serving.says("reloaded echo version 2");
    assert_eq!(echo(&serving, &key)["greeting"], "hello");
    fs::remove_file(project.path(".env")).unwrap();
    project.set_edition("echo", "second");
    serving.says("reloaded echo version 3");
    assert_eq!(echo(&serving, &key)["edition"], "second");
}

#[test]
fn a_variable_that_is_missing_can_be_written_into_the_env_file_of_dev_alone() {
    let project = TestProject::local_with_echo();
    project.set("echo", "required_environment", json!(["GREETING"]));
    project.mdo("dev --port 0").exits(2).says(
        "  help: write GREETING=… in .env, or set it with -s, in another environment file (-E), or under \"environment\" in function.json\n",
    );
    for verb in ["plan", "deploy"] {
        project.mdo(&format!("{verb} --local")).exits(2).says(
            "  help: set it with -s GREETING=…, in an environment file (-E), or under \"environment\" in function.json; only mdo dev reads .env by itself\n",
        );
    }
    project.write(".env", "GREETING=hello\nAWS_ACCESS_KEY_ID=AKIA\n");
    project.mdo("dev --port 0").serves();
    project
        .mdo("plan --local -E .env")
        .exits(2)
        .says("the environment variable `AWS_ACCESS_KEY_ID` is reserved by Lambda");
}

#[test]
fn sigterm_ends_it_like_ctrl_c() {
    let project = TestProject::local_with_echo();
    let serving = project.mdo("dev --port 0").serves();
    serving.signal("TERM");
    let log = serving.exits(0);
    assert_eq!(
        log.last().unwrap(),
        "ending: finishing requests in flight; press Ctrl-C again to stop at once"
    );
}

#[test]
fn a_request_in_flight_is_finished_at_the_end() {
    let project = TestProject::local_with_echo();
    // The function goes on when the file `go` is there.
    project.write_executable(
        "functions/echo/bootstrap",
        "#!/bin/sh\nsed 's|^    print(|    while not os.path.exists(os.environ[\"GO\"]): pass\\n    print(|' echo.py > \"$TMPDIR/slow.py\"\nexec python3 -S \"$TMPDIR/slow.py\"\n",
    );
    let go = project.path("go");
    let go_at = go.display();
    let mut serving = project.mdo(&format!("dev --port 0 -s GO={go_at}")).serves();
    let key = project.key("default");
    thread::scope(|threads| {
        let address = serving.address();
        let request = threads.spawn(move || {
            crate::support::http::request(address, "GET", "/dev/echo", &[("x-api-key", &key)], b"").unwrap()
        });
        serving.says("START RequestId");
        serving.signal("INT");
        serving.says("ending: finishing requests in flight");
        fs::write(&go, "").unwrap();
        assert_eq!(seen(&request.join().unwrap())["function"], "shop_echo");
    });
    serving.exits(0);
}

#[test]
fn a_terminal_that_is_closed_leaves_nothing_behind() {
    let project = TestProject::local_with_echo();
    for signal in ["HUP", "TERM"] {
        let serving = project.mdo("dev --port 0").serves();
        echo(&serving, &project.key("default"));
        assert!(project.path(".mdo/stages/dev/server.json").exists());
        serving.signal(signal);
        serving.exits(0);
        assert!(!project.path(".mdo/stages/dev/server.json").exists(), "{signal}");
    }
}

#[test]
fn a_variable_that_leaves_the_files_leaves_what_is_served() {
    let project = TestProject::local_with_echo();
    let key = |serving: &Serving| echo(serving, &project.key("default"));
    let serving = project.mdo("dev --port 0 -s GREETING=hello").serves();
    assert_eq!(key(&serving)["greeting"], "hello");
    serving.signal("INT");
    serving.exits(0);
    let serving = project.mdo("dev --port 0").serves();
    assert_eq!(key(&serving)["greeting"], json!(null));
    serving.signal("INT");
    serving.exits(0);
}

#[test]
fn a_quota_that_is_used_up_is_shown_and_can_be_reset() {
    let project = TestProject::local_with_echo();
    let manifest = project.read("project.toml");
    project.write("project.toml", &format!("{manifest}[api]\nquota = {{ limit = 2, period = \"month\" }}\n"));
    let statuses = |flags: &str| {
        let serving = project.mdo(&format!("dev --port 0 {flags}")).serves();
        let key = project.key("default");
        let statuses = [(); 3].map(|()| serving.get("/echo", Some(&key)).status());
        serving.signal("INT");
        (statuses, serving.exits(0).concat())
    };
    assert_eq!(statuses("").0, [200, 200, 429]);
    let (refused, said) = statuses("");
    assert_eq!(refused, [429; 3]);
    assert!(said.contains("2 of 2 requests a month by key default; --reset-usage begins anew"), "{said}");
    assert_eq!(statuses("--reset-usage").0, [200, 200, 429]);
}

#[test]
fn a_sandbox_ends_when_it_has_been_idle_for_as_long_as_it_may() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0 --idle 50ms --freeze").serves();
    let key = project.key("default");
    let mut cold = 0;
    while cold < 2 {
        assert_eq!(serving.get("/echo", Some(&key)).status(), 200);
        cold += u32::from(serving.says(" REPORT ").contains("Init Duration: "));
        // Nothing tells of the end of a sandbox: the next event does.
        thread::sleep(Duration::from_millis(100));
    }
    project.mdo("dev --idle soon").exits(2).says("invalid value 'soon' for '--idle <TIME>'");
}

#[test]
fn a_port_that_is_taken_changes_nothing() {
    let project = TestProject::local_with_echo();
    let serving = project.mdo("dev --port 0 -s GREETING=first").serves();
    let port = serving.address().port();
    project.mdo(&format!("dev --port {port} -s GREETING=second")).exits(1).prints("").complains(&format!(
        "note: another mdo dev serves stage dev, at http://127.0.0.1:{port}/dev
error: port {port} on 127.0.0.1 is taken by another process
  help: choose another one with --port, or any free one with --port 0
"
    ));
    assert_eq!(echo(&serving, &project.key("default"))["greeting"], "first");
}

#[test]
fn two_servers_of_one_stack_agree() {
    let project = TestProject::local_with_echo();
    let one = project.mdo("dev --port 0").serves();
    let two = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    project.mdo("deploy --local -s GREETING=both").succeeds();
    for serving in [&one, &two] {
        assert_eq!(echo(serving, &key)["greeting"], "both");
    }
}

#[test]
fn edits_are_served_and_mistakes_are_not() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    let settings = project.read("functions/echo/function.json");

    project.set_edition("echo", "second");
    serving.says("reloaded echo version 2");
    assert_eq!(echo(&serving, &key)["edition"], "second");

    let more = "{\"memory\": 256, \"environment\": {\"GREETING\": \"hello\"},";
    project.write("functions/echo/function.json", &settings.replacen('{', more, 1));
    serving.says("reloaded echo version 3");
    let answer = echo(&serving, &key);
    assert_eq!((&answer["memory"], &answer["greeting"]), (&json!("256"), &json!("hello")));

    project.write("functions/echo/function.json", "{\n  \"memory\" 512\n}\n");
    serving.says("  --> functions/echo/function.json:2:");
    serving.says("  still serving the last good version");
    assert_eq!(echo(&serving, &key)["memory"], "256");

    fs::remove_file(project.path("functions/echo/function.json")).unwrap();
    serving.says("error: functions/echo has no function.json");
    assert_eq!(echo(&serving, &key)["memory"], "256");

    project.write("functions/echo/function.json", &settings.replace("/echo", "/shout"));
    serving.says("reloaded echo version 4");
    serving.comes_to("/echo", Some(&key), 403);
    serving.comes_to("/shout", Some(&key), 200);

    project.write_executable("functions/echo/bootstrap", "not a program\n");
    serving.says(
        "error: function echo: bootstrap is not a Linux executable: neither an ELF file nor a #! script",
    );
    assert_eq!(serving.get("/shout", Some(&key)).status(), 200);

    project.set("echo", "hooks", json!({"build": "exit 3"}));
    serving.says("error: function echo: the build hook `exit 3` failed with exit status 3");
    assert_eq!(serving.get("/shout", Some(&key)).status(), 200);
}

#[test]
fn an_environment_file_that_is_replaced_is_read_again() {
    let project = TestProject::local_with_echo();
    let file = project.home().join("dev.env");
    let replace = |text: &str| {
        fs::write(project.home().join("new"), text).unwrap();
        fs::rename(project.home().join("new"), &file).unwrap();
    };
    replace("GREETING=one\n");
    let mut serving = project.mdo(&format!("dev --port 0 -E {}", file.display())).serves();
    let key = project.key("default");
    for (version, greeting) in [(2, "two"), (3, "three")] {
        replace(&format!("GREETING={greeting}\n"));
        serving.says(&format!("reloaded echo version {version}"));
        assert_eq!(echo(&serving, &key)["greeting"], greeting);
    }
}

#[test]
fn a_hook_that_writes_into_its_folder_serves_each_edit() {
    let project = TestProject::local_with_echo();
    project.set("echo", "hooks", json!({"build": "cp source.txt edition.txt"}));
    project.write("functions/echo/source.txt", "one\n");
    let mut serving = project.mdo("dev --port 0").serves();
    for edition in ["two", "three"] {
        project.write("functions/echo/source.txt", &format!("{edition}\n"));
        // What the hook writes is an edit too, so the version before may be told once more.
        while echo(&serving, &project.key("default"))["edition"] != edition {
            serving.says("reloaded echo version");
        }
    }
}

#[test]
fn keys_survive_a_branch_without_functions() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    fs::rename(project.path("functions"), project.home().join("away")).unwrap();
    serving.says("error: this would delete the stage's keys: the files no longer define an API");
    assert_eq!(echo(&serving, &key)["edition"], "first");
    fs::rename(project.home().join("away"), project.path("functions")).unwrap();
    project.set_edition("echo", "second");
    serving.says("reloaded echo version 2");
    assert_eq!(echo(&serving, &key)["edition"], "second");
}

#[test]
fn another_default_stage_under_a_running_server_is_not_served() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    let manifest = project.read("project.toml");
    project.write("project.toml", &format!("default_stage = \"prod\"\n{manifest}"));
    let said = serving.says("default_stage");
    assert_eq!(
        said,
        "warning: default_stage is prod now, and this serves dev until it ends; to serve prod: mdo dev --stage prod"
    );
    project.set_edition("echo", "second");
    serving.says("reloaded echo version 2");
    assert_eq!(echo(&serving, &key)["edition"], "second");
    assert!(!project.path(".mdo/stages/prod").exists());
    serving.signal("INT");
    let later = serving.exits(0);
    assert_eq!(later.iter().filter(|line| line.contains("default_stage")).count(), 1, "{later:#?}");
}

#[test]
fn another_project_name_under_a_running_server_is_refused() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0").serves();
    let manifest = project.read("project.toml");
    project.write("project.toml", &manifest.replace("shop", "store"));
    serving.says("error: project.toml names the project store now: mdo dev serves shop");
    serving.says("still serving the last good version");
    assert_eq!(echo(&serving, &project.key("default"))["function"], "shop_echo");
}

#[test]
fn two_servers_of_two_stages_do_not_disturb_each_other() {
    let project = TestProject::local_with_echo();
    let one = project.mdo("dev --port 0").serves();
    let two = project.mdo("dev --stage alice --port 0 -s GREETING=hello").serves();
    assert_ne!(one.address(), two.address());
    let alice = project.mdo("key show default --local --stage alice").succeeds().stdout.trim_end().to_owned();
    let dev = project.key("default");
    assert_ne!(alice, dev);
    assert_eq!(one.get("/echo", Some(&alice)).status(), 403);
    assert_eq!(two.get("/echo", Some(&dev)).status(), 403);
    assert_eq!(echo(&two, &alice)["greeting"], "hello");
    assert_eq!(echo(&one, &dev)["greeting"], Value::Null);

    // The code that both run is in one folder. It stays as long as either refers to it.
    project.mdo("destroy --local --yes").succeeds();
    assert_eq!(one.get("/echo", Some(&dev)).status(), 403);
    let code = fs::read_dir(project.path(".mdo/code")).unwrap().map(Result::unwrap);
    assert_eq!(code.filter(|entry| entry.path().is_dir()).count(), 1);
    assert_eq!(echo(&two, &alice)["greeting"], "hello");
}

#[test]
fn a_name_for_the_server_is_a_host() {
    let project = TestProject::local_with_echo();
    project.mdo("dev --host http://shop.test --port 0").exits(2).prints("").complains(
        "error: invalid value 'http://shop.test' for '--host <NAME[:PORT]>': expected a host name, with a port or \
         without one, as in `shop.test` or `localhost:5173`

For more information, try '--help'.
",
    );
    let serving = project.mdo("dev --host shop.test --host LOCALHOST:8080 --port 0").serves();
    for (host, status) in [("shop.test", 401), ("localhost:8080", 401), ("evil.example", 403)] {
        let page =
            crate::support::http::request(serving.address(), "GET", "/", &[("Host", host)], b"").unwrap();
        assert_eq!(page.status(), status, "{host}");
    }
}
