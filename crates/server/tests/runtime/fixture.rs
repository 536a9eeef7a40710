//! A function of a few lines of Python in a folder of its own, and how to run it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mdo_server::runtime::{
    FunctionRuntime, FunctionSpec, InvokeContext, InvokeResult, Launcher, Limits, LogLine, LogSink, Refused,
    Sandboxes,
};
use serde_json::Value;
use tempfile::TempDir;

/// What every bootstrap begins with: the client's half of the Runtime API.
pub(crate) const CLIENT: &str = r#"
import http.client, json, os, signal, subprocess, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read()
def next():
    _, headers, event = call("GET", "invocation/next")
    return headers["Lambda-Runtime-Aws-Request-Id"], headers, json.loads(event)
def respond(id, value):
    return call("POST", f"invocation/{id}/response", json.dumps(value))
def meet(folder):
    open(folder + "/arrived", "w").write("x")
    open(folder + "/go").read()
"#;

pub(crate) const ECHO: &str = r#"
while True:
    id, headers, event = next()
    respond(id, {"pid": os.getpid(), "event": event})
"#;

pub(crate) const MEET: &str = r#"
while True:
    id, headers, event = next()
    if event.get("meet"):
        meet(event["meet"])
    respond(id, os.getpid())
"#;

pub(crate) struct Fixture {
    /// The code, which the function may not change.
    pub(crate) folder: TempDir,
    /// A folder that it may write to.
    pub(crate) beside: TempDir,
    pub(crate) spec: FunctionSpec,
    pub(crate) limits: Limits,
    pub(crate) lines: Arc<Mutex<Vec<LogLine>>>,
}

impl Fixture {
    /// A function whose bootstrap is these lines of Python, after [`CLIENT`].
    pub(crate) fn python(body: &str) -> Self {
        Self::file(&format!("#!{}\n{CLIENT}{body}", python()))
    }

    pub(crate) fn file(bootstrap: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap");
        fs::write(&path, bootstrap).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let spec = FunctionSpec {
            name: "ml_api_sample".into(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample:dev".into(),
            version: "7".into(),
            code: folder.path().into(),
            shown: None,
            launcher: Launcher::bootstrap(folder.path()),
            handler: "bootstrap".into(),
            runtime: "provided.al2023".into(),
            memory: 128,
            timeout: Duration::from_secs(30),
            environment: BTreeMap::new(),
            log_group: "/aws/lambda/ml_api_sample".into(),
            region: "us-east-1".into(),
            sandboxes: Sandboxes::Shared(10),
            trace: false,
            surroundings: Default::default(),
        };
        let beside = tempfile::tempdir().unwrap();
        Self { folder, beside, spec, limits: Limits::default(), lines: Arc::default() }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub(crate) fn start(&self) -> FunctionRuntime {
        let lines = Arc::clone(&self.lines);
        let sink: LogSink = Arc::new(move |line| lines.lock().unwrap().push(line));
        FunctionRuntime::start_with(self.spec.clone(), sink, self.limits)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|line| line.text.clone()).collect()
    }

    /// A folder with the two FIFOs of `meet`.
    pub(crate) fn meeting(&self, name: &str) -> PathBuf {
        let folder = self.beside.path().join(name);
        fs::create_dir(&folder).unwrap();
        for fifo in ["arrived", "go"] {
            assert!(Command::new("mkfifo").arg(folder.join(fifo)).status().unwrap().success());
        }
        folder
    }
}

/// The interpreter itself: what is first on the `PATH` may be a script that adds to the environment.
pub(crate) fn python() -> &'static str {
    static PYTHON: LazyLock<String> = LazyLock::new(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        String::from_utf8(asked.unwrap().stdout).unwrap().trim().to_owned()
    });
    &PYTHON
}

/// Waits until the function is in `meet`.
pub(crate) async fn arrived(meeting: &Path) {
    tokio::fs::read(meeting.join("arrived")).await.unwrap();
}

/// Lets it go on.
pub(crate) async fn go(meeting: &Path) {
    tokio::fs::write(meeting.join("go"), "x").await.unwrap();
}

pub(crate) async fn try_invoke(runtime: &FunctionRuntime, event: Value) -> Result<InvokeResult, Refused> {
    runtime.invoke(event.to_string().into(), InvokeContext::default()).await
}

pub(crate) async fn invoke(runtime: &FunctionRuntime, event: Value) -> InvokeResult {
    try_invoke(runtime, event).await.unwrap()
}

pub(crate) fn invoke_in_background(
    runtime: &FunctionRuntime,
    event: Value,
) -> tokio::task::JoinHandle<Result<InvokeResult, Refused>> {
    let runtime = runtime.clone();
    tokio::spawn(async move { try_invoke(&runtime, event).await })
}

pub(crate) fn payload(result: &InvokeResult) -> Value {
    serde_json::from_slice(&result.payload).unwrap()
}

pub(crate) fn error_type(result: &InvokeResult) -> &str {
    &result.error.as_ref().unwrap().error_type
}

/// Waits for something that comes about by itself, and gives up at last.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came about that {what}");
}

/// Whether a process is there and is not merely waiting for its parent to notice its end.
pub(crate) fn is_alive(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}
