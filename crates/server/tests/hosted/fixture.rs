//! A container without its walls: the files of an image, the environment of a task, and a client.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use mdo_model::Sha256;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const KEY: &str = "a-key-of-twenty-characters-or-more";

/// Answers its event and its environment, after it has done what the query asks for.
const BOOTSTRAP: &str = r#"
import http.client, json, os, subprocess, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(answer.read())
    query = event["queryStringParameters"] or {}
    if "meet" in query:
        open(query["meet"] + "/arrived", "w").write("x")
        open(query["meet"] + "/go").read()
    if "say" in query:
        print(query["say"], flush=True)
    if "print" in query:
        print("x" * int(query["print"]), flush=True)
    if "exit" in query:
        sys.exit(int(query["exit"]))
    seen = {"pid": os.getpid(), "event": event, "environment": dict(os.environ)}
    if "orphan" in query:
        seen["orphan"] = int(subprocess.check_output(["sh", "-c", f"(read x < {query['orphan']}) >&- & echo $!"]))
    body = json.dumps(seen)
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps({"statusCode": 200, "body": body}))
    api.getresponse().read()
"#;

/// What a container is made of.
pub(crate) struct Container {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) stack: Value,
    pub(crate) stage: Value,
    environment: Vec<(String, String)>,
}

impl Container {
    /// The stage `prod` of a project with the function `echo`, at one route for everybody and one for who has a key.
    pub(crate) fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let route =
            |security: &str| json!({ "function": "echo", "security": security, "timeout_ms": 29_000 });
        let stack = json!({
            "format": 1,
            "project": "shop",
            "routes": { "GET /echo": route("key"), "ANY /open/{id}": route("open") },
            "functions": {},
        });
        let stage = json!({
            "format": 1,
            "stage": "prod",
            "environment": { "echo": { "GREETING": "hush-hush" } },
            "keys": { "default": { "id": "abcdefghij", "sha256": Sha256::of(KEY.as_bytes()) } },
        });
        Self { folder, stack, stage, environment: Vec::new() }.function("echo")
    }

    /// Another function of the same code.
    pub(crate) fn function(mut self, name: &str) -> Self {
        let code = self.folder.path().join("srv").join(name);
        fs::create_dir_all(&code).unwrap();
        let bootstrap = code.join("bootstrap");
        fs::write(&bootstrap, format!("#!{}\n{BOOTSTRAP}", python())).unwrap();
        fs::set_permissions(bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
        self.stack["functions"][name] = json!({
            "code": format!("srv/{name}"),
            "sha256": Sha256::of(b"the zip"),
            "runtime": "provided.al2023",
            "handler": "bootstrap",
            "architecture": mdo_model::project::Architecture::of_this_machine().unwrap(),
            "memory": 128,
            "timeout": 30,
        });
        self.routed(name, 29_000)
    }

    /// With a route for everybody at the function's name, and the time that it may take to answer.
    pub(crate) fn routed(mut self, name: &str, timeout_ms: u32) -> Self {
        let route = json!({ "function": name, "security": "open", "timeout_ms": timeout_ms });
        self.stack["routes"][format!("GET /open-{name}")] = route;
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Value, &mut Value)) -> Self {
        change(&mut self.stack, &mut self.stage);
        self
    }

    /// With a variable of the container's environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("stack.json")
    }

    /// The program with its arguments, and the environment of the container.
    pub(crate) fn command(&self) -> Command {
        self.run_by(Command::new(program()))
    }

    /// The same with another program that starts it.
    pub(crate) fn run_by(&self, mut command: Command) -> Command {
        fs::write(self.file(), self.stack.to_string()).unwrap();
        command.arg(self.file()).env("PORT", "0").env("MDO_STAGE", self.stage.to_string());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Serving {
        Serving::start(self, self.command())
    }

    /// Two FIFOs, with which a function tells that it has come so far and is told to go on.
    pub(crate) fn meeting(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        for fifo in ["arrived", "go"] {
            make_fifo(&folder.join(fifo));
        }
        folder
    }
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_mdo-server")
}

pub(crate) fn make_fifo(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The interpreter itself: what is first on the `PATH` may be a script that adds to the environment.
fn python() -> &'static str {
    static PYTHON: LazyLock<String> = LazyLock::new(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        String::from_utf8(asked.unwrap().stdout).unwrap().trim().to_owned()
    });
    &PYTHON
}

/// A program that serves; it is killed when the test ends.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) log: BufReader<ChildStdout>,
    pub(crate) address: String,
    _folder: Arc<TempDir>,
}

impl Serving {
    pub(crate) fn start(container: &Container, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        if line.is_empty() {
            panic!("{}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
        }
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["type"], &line["event"]), (&json!("server"), &json!("serving")));
        let address = line["detail"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, log, address, _folder: Arc::clone(&container.folder) }
    }

    /// The answer to a request on a connection of its own.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = self.connect();
        client.send(&format!("GET {path}"), headers);
        client.answer()
    }

    pub(crate) fn connect(&self) -> Client {
        Client(BufReader::new(TcpStream::connect(&self.address).unwrap()))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// The next line of the log of a type.
    pub(crate) fn line(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(
                self.log.read_line(&mut line).unwrap() > 0,
                "the log ends without a line of the type {kind}"
            );
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// Waits until the server says that something has happened to it.
    pub(crate) fn event(&mut self, event: &str) -> Value {
        loop {
            let line = self.line("server");
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Its exit code, and the rest of its log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is kept.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    /// Sends a request without a body.
    pub(crate) fn send(&mut self, request: &str, headers: &[(&str, &str)]) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        // Behind a load balancer any name is right.
        let head = format!("{request} HTTP/1.1\r\nHost: api.example\r\n{headers}\r\n");
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "hung up after {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Whether the server has hung up.
    pub(crate) fn is_hung_up(&mut self) -> bool {
        self.0.read(&mut [0]).unwrap_or(0) == 0
    }
}

impl Answer {
    /// Its body as JSON, of a request that went well.
    #[track_caller]
    pub(crate) fn seen(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Waits until a process has ended: one that is killed along with its parent ends a moment after it.
#[track_caller]
pub(crate) fn await_end(pid: u64) {
    for _ in 0..6000 {
        if !is_alive(pid) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} lives on");
}

/// Whether a process is there and is not merely waiting for its parent to notice its end.
pub(crate) fn is_alive(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

#[track_caller]
pub(crate) fn is_refused(mut command: Command, stderr: &str) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

/// Says why a test proves nothing here.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
