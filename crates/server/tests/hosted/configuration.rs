//! What the program is told, and what it refuses to start with.

use std::fs;
use std::process::{Command, Stdio};

use mdo_model::hosted::{FrozenStack, FrozenStage};
use mdo_server::hosted::Hosted;
use serde_json::json;

use crate::fixture::{Container, KEY, Serving, await_end, is_alive, is_refused, program};

/// Why it does not start, of its file.
#[track_caller]
fn of_its_file(container: &Container, why: &str) {
    let file = container.file().display().to_string();
    is_refused(container.command(), &format!("error: cannot serve {file}: {why}\n"));
}

/// Why it does not start, of its stage.
#[track_caller]
fn of_its_stage(container: &Container, why: &str) {
    is_refused(container.command(), &format!("error: MDO_STAGE: {why}\n"));
}

#[test]
fn a_hosted_stage_is_served_as_api_gateway_would_and_leaves_no_process() {
    for signal in ["TERM", "INT"] {
        let serving = Container::new().start();
        let forbidden = |headers: &[(&str, &str)], path: &str, message: &str| {
            let answer = serving.get(path, headers);
            assert_eq!((answer.status, answer.body), (403, format!(r#"{{"message":"{message}"}}"#)));
        };
        let key = [("x-api-key", KEY)];
        forbidden(&[], "/prod/echo", "Forbidden");
        forbidden(&[("x-api-key", "another-key-of-twenty-characters")], "/prod/echo", "Forbidden");
        forbidden(&key, "/dev/echo", "Forbidden");
        forbidden(&key, "/prod/nowhere", "Missing Authentication Token");
        // Under `mdo dev`, this is a page.
        forbidden(&key, "/", "Forbidden");
        let seen = serving.get("/prod/echo", &key).seen();
        assert_eq!(seen["environment"]["GREETING"], "hush-hush");
        assert_eq!(seen["event"]["requestContext"]["identity"]["apiKeyId"], "abcdefghij");
        let pid = seen["pid"].as_u64().unwrap();
        assert!(is_alive(pid));

        serving.signal(signal);
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{log}");
        await_end(pid);
        assert!(!log.contains("hush-hush") && !log.contains(KEY), "{log}");
    }
}

#[test]
fn a_command_line_of_another_form_shows_the_usage() {
    for arguments in [
        &["one.json", "two.json"][..],
        &["--listen"],
        &["--listen", "localhost"],
        &["--listen", "0.0.0.0", "--listen", "0.0.0.0"],
        &["--help"],
    ] {
        let output = Command::new(program()).args(arguments).output().unwrap();
        let usage = String::from_utf8(output.stderr).unwrap();
        assert!(usage.starts_with("usage: mdo-server [--listen ADDRESS] [STACK.json]\n"), "{usage}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_file_that_is_none_of_ours_is_named_with_its_fault() {
    let mut missing = Command::new(program());
    missing.arg("nowhere.json").stderr(Stdio::piped());
    is_refused(missing, "error: cannot serve nowhere.json: No such file or directory (os error 2)\n");

    let container = Container::new();
    let mut command = container.command();
    fs::write(container.file(), "{\"project\": hush-hush}").unwrap();
    let file = container.file().display().to_string();
    command.env_remove("MDO_STAGE");
    is_refused(command, &format!("error: cannot serve {file}: not JSON at line 1, column 13\n"));

    let unknown =
        Container::new().with(|stack, _| *stack = json!({ "format": 1, "frobnicate": "hush-hush" }));
    of_its_file(&unknown, "unknown key `frobnicate` at line 1, column 24");
}

#[test]
fn a_function_that_could_never_run_is_refused_at_the_start() {
    let change = |key: &'static str, value: serde_json::Value| {
        Container::new().with(move |stack, _| stack["functions"]["echo"][key] = value)
    };
    let gone = change("code", json!("gone"));
    let folder = gone.folder.path().display().to_string();
    of_its_file(&gone, &format!("the code of function echo is not at {folder}/gone"));
    let gone = change("derivatives", json!(["srv/echo", "gone"]));
    let folder = gone.folder.path().display().to_string();
    of_its_file(&gone, &format!("the derivative of function echo is not at {folder}/gone"));
    let own = std::env::consts::ARCH.replace("aarch64", "arm64");
    let other = if own == "arm64" { "x86_64" } else { "arm64" };
    of_its_file(
        &change("architecture", json!(other)),
        &format!("function echo is built for {other}, and this server for {own}"),
    );
    of_its_file(
        &change("runtime", json!("java21")),
        "function echo runs on java21: a server runs a bootstrap, Python and Node.js only",
    );
    of_its_file(
        &change("runtime", json!("python3.13")).set("PATH", "/nowhere"),
        "function echo runs on python3.13, and there is no python3.13 on the PATH: build the image on a base that has it",
    );
    of_its_file(
        &change("memory", json!(512)).with(|_, stage| stage["memory"] = json!(512)),
        "function echo has 512 MB, and a task of 512 MB leaves 448 MB to functions: give the task at least 576 MB",
    );
}

#[test]
fn a_stage_that_does_not_fit_its_image_is_refused() {
    let container = Container::new();
    let mut without = container.command();
    without.env_remove("MDO_STAGE");
    is_refused(
        without,
        "error: MDO_STAGE: it is not set; it says which stage this is, as in {\"format\":1,\"stage\":\"dev\"}\n",
    );
    of_its_stage(
        &Container::new().with(|_, stage| stage["environment"] = json!({ "other": { "A": "hush-hush" } })),
        "it has an environment for function other, which is not in the image",
    );
    of_its_stage(
        &Container::new().with(|_, stage| stage["secrets"] = json!(["DB"])),
        "the container's environment has no DB, which functions are to get",
    );
    of_its_stage(
        &Container::new().with(|_, stage| stage["keys"] = json!({})),
        "it has no key, and a route needs one: nobody could call it",
    );
    of_its_stage(
        &Container::new().with(|_, stage| stage["hush"] = json!("hush-hush")),
        "unknown key `hush` at line 1, column 66",
    );
}

#[test]
fn an_address_that_is_none_is_refused_and_a_taken_one_is_a_failure() {
    let container = Container::new();
    for (name, value, wanted) in [
        ("PORT", "http", "a port from 0 to 65535"),
        ("PORT", "65536", "a port from 0 to 65535"),
        ("MDO_LISTEN", "8080", "an IP address with a port, as in 0.0.0.0:8080"),
        ("MDO_LISTEN", "", "an IP address with a port, as in 0.0.0.0:8080"),
    ] {
        let mut command = container.command();
        command.env(name, value);
        is_refused(command, &format!("error: {name} is `{value}`, not {wanted}\n"));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = container.command().env("PORT", address.port().to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let why = format!("error: cannot listen on {address}: Address already in use");
    assert!(stderr.starts_with(&why), "{stderr}");
}

#[test]
fn everybody_is_let_in_by_an_argument() {
    let container = Container::new();
    let mut command = container.command();
    command.args(["--listen", "0.0.0.0"]);
    let serving = Serving::start(&container, command);
    assert!(serving.address.starts_with("0.0.0.0:"), "{}", serving.address);
    assert_eq!(serving.get("/-/health", &[]).status, 200);
}

#[test]
fn what_others_write_is_what_the_server_reads_and_it_shows_no_secret() {
    let container = Container::new();
    let stack = FrozenStack::read(container.stack.to_string().as_bytes()).unwrap();
    fs::write(container.file(), stack.to_json()).unwrap();
    let stage = FrozenStage::read(&container.stage.to_string()).unwrap().to_json().unwrap();
    let read = |name: &str| (name == "MDO_STAGE").then(|| stage.reveal().into());
    let hosted = Hosted::read(&container.file(), read).unwrap();
    let printed = format!("{hosted:?} {hosted:#?}");
    assert!(printed.contains("GREETING") && !printed.contains("hush-hush"), "{printed}");
}
