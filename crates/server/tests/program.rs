//! The program `mdo-server` itself: what it serves, how it ends, and what it refuses to start with.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use mdo_model::Sha256;
use mdo_model::project::FunctionConfiguration;
use mdo_model::stack::{Function, Invoker};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "a-key-of-twenty-characters-or-more";

/// Answers its own process id and what it was configured with.
const BOOTSTRAP: &str = r#"
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, _ = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
    body = json.dumps({"pid": os.getpid(), "greeting": os.environ["GREETING"]})
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps({"statusCode": 200, "body": body}))
    api.getresponse().read()
"#;

/// A folder with a frozen stage.
struct Frozen {
    folder: TempDir,
    stack: Value,
}

impl Frozen {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("code")).unwrap();
        let python =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        let bootstrap = folder.path().join("code/bootstrap");
        fs::write(&bootstrap, format!("#!{}\n{BOOTSTRAP}", python.trim())).unwrap();
        fs::set_permissions(bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
        let function = Function {
            configuration: FunctionConfiguration::default(),
            role: "shop_lambda_function".into(),
            concurrency: None,
            code: None,
            derivatives: Default::default(),
            invokers: BTreeSet::from([Invoker::Api]),
            owned: true,
        };
        let mut function = serde_json::to_value(function).unwrap();
        function["environment"] = json!({ "GREETING": "hush-hush" });
        let route = json!({ "function": "echo", "security": "key", "timeout_ms": 29_000 });
        let stack = json!({
            "project": "shop",
            "stage": "prod",
            "definition": { "description": "", "cors": false, "routes": { "GET /echo": route } },
            "keys": { "default": { "id": "abcdefghij", "sha256": Sha256::of(KEY.as_bytes()) } },
            "functions": { "echo": { "version": 7, "code": "code", "function": function } },
        });
        Self { folder, stack }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("stack.json")
    }

    fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.stack);
        self
    }

    /// The program, with this file and any free port.
    fn command(&self) -> Command {
        fs::write(self.file(), self.stack.to_string()).unwrap();
        program(&[self.file().to_str().unwrap()])
    }

    /// Why it does not start.
    #[track_caller]
    fn is_refused(&self, why: &str) {
        let file = self.file().display().to_string();
        is_refused(self.command(), &format!("error: cannot serve {file}: {why}\n"));
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdo-server"));
    command.args(arguments).env("MDO_LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
    command
}

#[track_caller]
fn is_refused(mut command: Command, stderr: &str) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

/// A program that serves; it is killed when the test ends.
struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Serving {
    fn start(frozen: &Frozen) -> Self {
        let mut child = frozen.command().spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("serving stage prod on http://").unwrap().to_owned();
        Self { child, log, address }
    }

    fn get(&self, path: &str, key: Option<&str>) -> (u16, String) {
        let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // Behind a load balancer any name is right.
        let head = format!("GET {path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{key}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_alive(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

#[test]
fn a_frozen_stage_is_served_as_api_gateway_would_and_leaves_no_process() {
    for signal in ["TERM", "INT"] {
        let frozen = Frozen::new();
        let mut serving = Serving::start(&frozen);
        let forbidden = (403, r#"{"message":"Forbidden"}"#.to_owned());
        assert_eq!(serving.get("/prod/echo", None), forbidden);
        assert_eq!(serving.get("/prod/echo", Some("another-key-of-twenty-characters")), forbidden);
        assert_eq!(serving.get("/dev/echo", Some(KEY)), forbidden);
        let unknown = (403, r#"{"message":"Missing Authentication Token"}"#.to_owned());
        assert_eq!(serving.get("/prod/nowhere", Some(KEY)), unknown);
        let (status, body) = serving.get("/prod/echo", Some(KEY));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["greeting"]), (200, &json!("hush-hush")));
        let pid = body["pid"].as_u64().unwrap();
        assert!(is_alive(pid));

        let kill =
            Command::new("kill").args([&format!("-{signal}"), &serving.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let mut log = String::new();
        serving.log.read_to_string(&mut log).unwrap();
        assert_eq!(serving.child.wait().unwrap().code(), Some(0), "{log}");
        assert!(!is_alive(pid));
        assert!(log.contains("GET /prod/echo 200 "), "{log}");
        assert!(!log.contains("hush-hush") && !log.contains(KEY), "{log}");
    }
}

#[test]
fn a_command_line_of_another_form_shows_the_usage() {
    let usage = "usage: mdo-server STACK.json    (MDO_LISTEN=ADDRESS:PORT, default 127.0.0.1:8080)\n";
    is_refused(program(&[]), usage);
    is_refused(program(&["one.json", "two.json"]), usage);
}

#[test]
fn a_file_that_is_no_frozen_stage_is_named_with_its_fault() {
    let missing = "error: cannot serve nowhere.json: No such file or directory (os error 2)\n";
    is_refused(program(&["nowhere.json"]), missing);

    let broken = Frozen::new();
    fs::write(broken.file(), "{\"project\": hush-hush}").unwrap();
    let file = broken.file().display().to_string();
    is_refused(program(&[&file]), &format!("error: cannot serve {file}: not JSON at line 1, column 13\n"));

    Frozen::new()
        .with(|stack| *stack = json!({ "project": "shop", "frobnicate": "hush-hush" }))
        .is_refused("unknown key `frobnicate` at line 1, column 13");
    Frozen::new()
        .with(|stack| drop(stack.as_object_mut().unwrap().remove("stage")))
        .is_refused(&format!("the key `stage` is missing at line 1, column {}", without_stage()));
    // serde would repeat the value.
    Frozen::new()
        .with(|stack| *stack = json!({ "functions": "hush-hush" }))
        .is_refused("not a frozen stage: a value is of the wrong kind at line 1, column 24");
}

/// The length of the file without its stage.
fn without_stage() -> usize {
    let mut stack = Frozen::new().stack;
    stack.as_object_mut().unwrap().remove("stage");
    stack.to_string().len()
}

#[test]
fn a_stage_that_could_not_answer_is_refused_at_the_start() {
    Frozen::new()
        .with(|stack| stack["definition"]["routes"]["GET /echo"]["function"] = json!("other"))
        .is_refused("the route `GET /echo` calls the function other, which is not in the file");
    let frozen = Frozen::new();
    let gone = frozen.folder.path().join("gone");
    frozen
        .with(|stack| stack["functions"]["echo"]["code"] = json!("gone"))
        .is_refused(&format!("the code of function echo is not at {}", gone.display()));
}

#[test]
fn an_address_that_is_none_is_refused_and_a_taken_one_is_a_failure() {
    let frozen = Frozen::new();
    for address in ["8080", "localhost:8080", "127.0.0.1:99999", ""] {
        let mut command = frozen.command();
        command.env("MDO_LISTEN", address);
        let why =
            format!("error: MDO_LISTEN is `{address}`, not an IP address with a port, as in 0.0.0.0:8080\n");
        is_refused(command, &why);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = frozen.command().env("MDO_LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with(&format!("error: cannot listen on {address}: Address already in use")),
        "{stderr}"
    );
}

#[test]
fn a_frozen_stage_does_not_show_its_secrets_when_it_is_printed() {
    let frozen = Frozen::new();
    fs::write(frozen.file(), frozen.stack.to_string()).unwrap();
    let read = mdo_server::Frozen::read(&frozen.file()).unwrap();
    let printed = format!("{read:?} {read:#?}");
    assert!(printed.contains("GREETING") && !printed.contains("hush-hush"), "{printed}");
}
