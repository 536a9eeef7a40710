//! What a container of ECS gives its functions, and what it takes away: credentials, secrets, a place to write, and a parent for orphans.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Container, Serving, make_fifo, program, skipped};

#[test]
fn functions_find_the_role_and_the_region_of_their_task_and_the_secrets_of_their_stage() {
    let given = [
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/7"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/run/token"),
        ("AWS_REGION", "eu-central-1"),
        ("DB", "postgres://hush-hush"),
    ];
    let container = Container::new().with(|_, stage| stage["secrets"] = json!(["DB"])).set("OTHER", "x");
    let container = given.iter().fold(container, |container, (name, value)| container.set(name, value));
    let environment = container.start().get("/prod/open/7", &[]).seen()["environment"].take();
    for (name, value) in given {
        assert_eq!(environment[name], value);
    }
    assert_eq!(environment["AWS_DEFAULT_REGION"], "eu-central-1");
    assert_eq!([&environment["OTHER"], &environment["MDO_STAGE"]], [&Value::Null, &Value::Null]);
}

#[test]
fn a_function_runs_where_nothing_can_be_written() {
    let container = Container::new().set("TMPDIR", "/nowhere");
    let serving = container.start();
    assert_eq!(serving.get("/prod/open/7", &[]).seen()["environment"]["TMPDIR"], "/tmp");

    // The same with every file system read-only, where root may have it so.
    if !may(&["--mount", "mount", "-o", "remount,bind,ro", "/"]) {
        skipped("the half with read-only file systems, because this system lets nobody remount them");
        return;
    }
    let read_only = "for at in / $(findmnt -rno TARGET); do mount -o remount,bind,ro \"$at\" 2>/dev/null; done; \
        touch \"$0\" /tmp/x 2>/dev/null && exit 77; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", read_only, program()]);
    let container = Container::new();
    let serving = Serving::start(&container, container.run_by(command));
    assert_eq!(serving.get("/prod/open/7", &[]).seen()["environment"]["TMPDIR"], "/tmp");
}

/// Whether `unshare` is allowed here.
fn may(arguments: &[&str]) -> bool {
    let tried = Command::new("unshare").args(arguments).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

#[test]
fn the_parent_of_orphans_takes_note_of_their_end_and_leaves_those_of_its_own_alone() {
    let container = Container::new();
    let mut command = container.command();
    #[expect(unsafe_code, reason = "what the child does before exec; see the comment")]
    // SAFETY: one system call, which allocates nothing.
    unsafe {
        // What is set here stays with the program.
        command.pre_exec(|| {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(Into::into)
        })
    };
    adopts(&container, &mut Serving::start(&container, command), |pid| {
        Path::new("/proc").join(pid.to_string()).exists()
    });
}

#[test]
fn the_first_process_of_a_container_is_the_parent_of_orphans() {
    if !may(&["--pid", "--fork", "true"]) {
        skipped("this system lets nobody have process ids of their own");
        return;
    }
    let container = Container::new();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", program()]);
    let mut serving = Serving::start(&container, container.run_by(command));
    // Ids are those of the container: only a process of it can say who is there.
    let ended = container.folder.path().join("ended");
    make_fifo(&ended);
    let orphan = orphan(&serving, &ended);
    fs::write(&ended, "x\n").unwrap();
    let is_there = |_| {
        let children = format!("/proc/{}/task", server_of(&serving));
        let threads = fs::read_dir(children).unwrap().flatten();
        let zombies = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<_> =
            zombies.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
        children.iter().any(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains("(zombie)")
        })
    };
    eventually("the orphan is gone", || !is_there(orphan));
    exits(&mut serving);
}

/// The server below `unshare`.
fn server_of(serving: &Serving) -> String {
    let parent = serving.child.id();
    fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap().trim().to_owned()
}

/// Has a function leave an orphan behind, and ends it.
fn adopts(container: &Container, serving: &mut Serving, is_there: impl Fn(u64) -> bool) {
    let ended = container.folder.path().join("ended");
    make_fifo(&ended);
    let orphan = orphan(serving, &ended);
    assert!(is_there(orphan));
    fs::write(&ended, "x\n").unwrap();
    eventually("the orphan is gone", || !is_there(orphan));
    exits(serving);
}

fn orphan(serving: &Serving, ended: &Path) -> u64 {
    serving.get(&format!("/prod/open/7?orphan={}", ended.display()), &[]).seen()["orphan"].as_u64().unwrap()
}

/// How a process of ours ended is known to who waits for it.
fn exits(serving: &mut Serving) {
    assert_eq!(serving.get("/prod/open/7?exit=3", &[]).status, 502);
    let why = serving.line("function")["message"].as_str().unwrap().to_owned();
    assert!(why.ends_with("Runtime exited with error: exit status 3 Runtime.ExitError"), "{why}");
    assert_eq!(serving.get("/prod/open/7", &[]).status, 200);
}

/// Waits for something that comes about by itself, and gives up at last.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came about that {what}");
}
