//! The embedded Lambda runtime, with functions that speak the Runtime API in a few lines of Python.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use mdo_model::project::Secret;
use mdo_server::runtime::{
    FunctionRuntime, FunctionSpec, InvokeContext, InvokeResult, Limits, LogLine, LogSink, MAX_REQUEST,
    Occupancy, Refused, Sandboxes,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What every bootstrap begins with: the client's half of the Runtime API.
const CLIENT: &str = r#"
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

struct Fixture {
    folder: TempDir,
    spec: FunctionSpec,
    limits: Limits,
    lines: Arc<Mutex<Vec<LogLine>>>,
}

impl Fixture {
    /// A function whose bootstrap is these lines of Python, after [`CLIENT`].
    fn python(body: &str) -> Self {
        Self::file(&format!("#!{}\n{CLIENT}{body}", python()))
    }

    fn file(bootstrap: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap");
        fs::write(&path, bootstrap).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let spec = FunctionSpec {
            name: "ml_api_sample".into(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample:dev".into(),
            version: "7".into(),
            code: folder.path().into(),
            handler: "bootstrap".into(),
            runtime: "provided.al2023".into(),
            memory: 128,
            timeout: Duration::from_secs(30),
            environment: BTreeMap::new(),
            log_group: "/aws/lambda/ml_api_sample".into(),
            region: "us-east-1".into(),
            sandboxes: Sandboxes::Shared(10),
            trace: false,
        };
        Self { folder, spec, limits: Limits::default(), lines: Arc::default() }
    }

    fn with(mut self, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    fn start(&self) -> FunctionRuntime {
        let lines = Arc::clone(&self.lines);
        let sink: LogSink = Arc::new(move |line| lines.lock().unwrap().push(line));
        FunctionRuntime::start_with(self.spec.clone(), sink, self.limits)
    }

    fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|line| line.text.clone()).collect()
    }

    /// A folder with the two FIFOs of `meet`.
    fn meeting(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        for fifo in ["arrived", "go"] {
            assert!(Command::new("mkfifo").arg(folder.join(fifo)).status().unwrap().success());
        }
        folder
    }
}

/// The interpreter itself: what is first on the `PATH` may be a script that adds to the environment.
fn python() -> &'static str {
    static PYTHON: LazyLock<String> = LazyLock::new(|| {
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        String::from_utf8(asked.unwrap().stdout).unwrap().trim().to_owned()
    });
    &PYTHON
}

/// Waits until the function is in `meet`.
async fn arrived(meeting: &Path) {
    tokio::fs::read(meeting.join("arrived")).await.unwrap();
}

/// Lets it go on.
async fn go(meeting: &Path) {
    tokio::fs::write(meeting.join("go"), "x").await.unwrap();
}

async fn try_invoke(runtime: &FunctionRuntime, event: Value) -> Result<InvokeResult, Refused> {
    runtime.invoke(event.to_string().into(), InvokeContext::default()).await
}

async fn invoke(runtime: &FunctionRuntime, event: Value) -> InvokeResult {
    try_invoke(runtime, event).await.unwrap()
}

fn invoke_in_background(
    runtime: &FunctionRuntime,
    event: Value,
) -> tokio::task::JoinHandle<Result<InvokeResult, Refused>> {
    let runtime = runtime.clone();
    tokio::spawn(async move { try_invoke(&runtime, event).await })
}

fn payload(result: &InvokeResult) -> Value {
    serde_json::from_slice(&result.payload).unwrap()
}

fn error_type(result: &InvokeResult) -> &str {
    &result.error.as_ref().unwrap().error_type
}

/// Waits for something that comes about by itself, and gives up at last.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came about that {what}");
}

/// Whether a process is there and is not merely waiting for its parent to notice its end.
fn is_alive(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

const ECHO: &str = r#"
while True:
    id, headers, event = next()
    respond(id, {"pid": os.getpid(), "event": event})
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_answered() {
    let fixture = Fixture::python(ECHO);
    let result = invoke(&fixture.start(), json!({ "a": 1 })).await;
    assert_eq!(payload(&result)["event"], json!({ "a": 1 }));
    assert_eq!(result.error, None);
    assert!(result.init.is_some());
    assert!(result.billed >= result.duration + result.init.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_carries_what_lambda_tells() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    respond(id, {name: value for name, value in headers.items() if name.startswith("Lambda-")})
"#,
    );
    let context = InvokeContext {
        request_id: Some("11111111-2222-4333-8444-555555555555".into()),
        trace_id: Some("Root=1-0-0".into()),
        client_context: Some(r#"{"app":"x"}"#.into()),
        cognito_identity: None,
    };
    let result = fixture.start().invoke(Bytes::from_static(b"{}"), context).await.unwrap();
    let mut headers = payload(&result);
    let deadline = headers.as_object_mut().unwrap().remove("Lambda-Runtime-Deadline-Ms").unwrap();
    assert!(deadline.as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(
        headers,
        json!({
            "Lambda-Runtime-Aws-Request-Id": "11111111-2222-4333-8444-555555555555",
            "Lambda-Runtime-Invoked-Function-Arn": fixture.spec.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-0-0",
            "Lambda-Runtime-Client-Context": r#"{"app":"x"}"#,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_lambdas_and_the_functions_own() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    respond(id, {"env": dict(os.environ), "cwd": os.getcwd(), "tmp": os.path.isdir(os.environ["TMPDIR"])})
"#,
    )
    .with(|spec| {
        spec.environment.insert("N_CLASSES".into(), Secret::new("2"));
        spec.environment.insert("AWS_LAMBDA_FUNCTION_NAME".into(), Secret::new("not this"));
    });
    let answer = payload(&invoke(&fixture.start(), json!({})).await);
    let mut env: BTreeMap<String, String> = serde_json::from_value(answer["env"].clone()).unwrap();
    let code = fixture.folder.path().to_str().unwrap();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert_eq!(env.remove(name), std::env::var(name).ok());
    }
    assert!(env.remove("AWS_LAMBDA_RUNTIME_API").unwrap().starts_with("127.0.0.1:"));
    assert!(env.remove("AWS_LAMBDA_LOG_STREAM_NAME").unwrap().contains("/[7]"));
    assert!(env.remove("TMPDIR").unwrap().contains("/mdo-sandbox-"));
    // Python sets it for its children when the locale is not there.
    env.remove("LC_CTYPE");
    let libraries = format!("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{code}:{code}/lib:/opt/lib");
    let expected = [
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "ml_api_sample"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/ml_api_sample"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", code),
        ("LANG", "en_US.UTF-8"),
        ("LD_LIBRARY_PATH", &libraries),
        ("N_CLASSES", "2"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(answer["cwd"], json!(fixture.folder.path().canonicalize().unwrap()));
    assert_eq!(answer["tmp"], true);
}

const MEET: &str = r#"
while True:
    id, headers, event = next()
    if event.get("meet"):
        meet(event["meet"])
    respond(id, os.getpid())
"#;

#[tokio::test(flavor = "multi_thread")]
async fn events_in_turn_share_a_sandbox_and_overlapping_ones_do_not() {
    let fixture = Fixture::python(MEET);
    let runtime = fixture.start();
    let first = invoke(&runtime, json!({})).await;
    let second = invoke(&runtime, json!({})).await;
    assert_eq!(first.payload, second.payload);
    assert_eq!(second.init, None);

    let meeting = fixture.meeting("meeting");
    let long = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let other = invoke(&runtime, json!({})).await;
    assert_ne!(other.payload, first.payload);
    assert_eq!(runtime.occupancy(), Occupancy { idle: 1, busy: 1 });
    go(&meeting).await;
    assert_eq!(long.await.unwrap().unwrap().payload, first.payload);
    assert_eq!(
        invoke(&runtime, json!({})).await.payload,
        first.payload,
        "the most recently used comes first"
    );
    assert_eq!(runtime.occupancy(), Occupancy { idle: 2, busy: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_beyond_the_reserved_sandboxes_is_throttled() {
    let fixture = Fixture::python(MEET).with(|spec| spec.sandboxes = Sandboxes::Reserved(1));
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let long = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let refused = try_invoke(&runtime, json!({})).await.unwrap_err();
    assert_eq!((refused, refused.code()), (Refused::Throttled, "TooManyRequestsException"));
    go(&meeting).await;
    long.await.unwrap().unwrap();
    invoke(&runtime, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_beyond_what_this_machine_carries_waits_for_its_turn() {
    let fixture = Fixture::python(MEET).with(|spec| spec.sandboxes = Sandboxes::Shared(1));
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let long = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let waiting: Vec<_> = (0..3).map(|_| invoke_in_background(&runtime, json!({}))).collect();
    go(&meeting).await;
    let pid = payload(&long.await.unwrap().unwrap());
    for result in waiting {
        assert_eq!(payload(&result.await.unwrap().unwrap()), pid);
    }
    assert_eq!(runtime.occupancy(), Occupancy { idle: 1, busy: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn retiring_finishes_the_events_in_flight_and_leaves_no_process() {
    let fixture = Fixture::python(MEET);
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let long = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let idle = payload(&invoke(&runtime, json!({})).await).as_u64().unwrap();
    let retiring = tokio::spawn(runtime.clone().retire());
    eventually("it retires", || runtime.occupancy() == Occupancy { idle: 0, busy: 1 }).await;
    assert_eq!(try_invoke(&runtime, json!({})).await, Err(Refused::Retired));
    go(&meeting).await;
    let busy = payload(&long.await.unwrap().unwrap()).as_u64().unwrap();
    retiring.await.unwrap();
    assert!(!is_alive(idle) && !is_alive(busy));
    runtime.retire().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_runs_on_when_nobody_waits_for_it() {
    let fixture = Fixture::python(MEET).with(|spec| spec.sandboxes = Sandboxes::Reserved(1));
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let long = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    long.abort();
    go(&meeting).await;
    eventually("the sandbox is free again", || runtime.occupancy() == Occupancy { idle: 1, busy: 0 }).await;
    assert!(fixture.log().last().unwrap().starts_with("REPORT "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_kills_the_sandbox_with_all_that_it_started() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    if event:
        child = subprocess.Popen(["sleep", "1000"])
        daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        open("pids", "w").write(f"{os.getpid()} {child.pid} {daemon.pid}")
        print("waiting", end="", flush=True)
        time.sleep(1000)
    respond(id, "well")
"#,
    )
    .with(|spec| spec.timeout = Duration::from_secs(1));
    let runtime = fixture.start();
    let result = invoke(&runtime, json!({ "hang": true })).await;
    let id = &result.request_id;
    assert_eq!(
        payload(&result),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 1.00 seconds"),
        })
    );
    let log = fixture.log();
    assert_eq!(log[..2], [format!("START RequestId: {id} Version: 7"), "waiting".into()]);
    assert!(log[2].ends_with(&format!("Z {id} Task timed out after 1.00 seconds")));
    assert!(log[4].ends_with("\tStatus: timeout"));
    let pids = fs::read_to_string(fixture.folder.path().join("pids")).unwrap();
    for pid in pids.split(' ') {
        let pid = pid.parse().unwrap();
        eventually("the process is gone", || !is_alive(pid)).await;
    }
    assert_eq!(payload(&invoke(&runtime, json!({})).await), "well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_an_exit_error_and_the_next_event_gets_a_fresh_sandbox() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    if event == "exit": sys.exit(3)
    if event == "leave": os._exit(0)
    if event == "kill": os.kill(os.getpid(), signal.SIGSEGV)
    respond(id, os.getpid())
    if event == "answer and exit": sys.exit(4)
"#,
    )
    .with(|spec| spec.sandboxes = Sandboxes::Reserved(1));
    let runtime = fixture.start();
    for (event, message) in [
        ("exit", "Runtime exited with error: exit status 3"),
        ("leave", "Runtime exited without providing a reason"),
        ("kill", "Runtime exited with error: signal: segmentation fault"),
    ] {
        let result = invoke(&runtime, json!(event)).await;
        let id = &result.request_id;
        let document = json!({ "errorType": "Runtime.ExitError", "errorMessage": format!("RequestId: {id} Error: {message}") });
        assert_eq!(payload(&result), document);
        assert!(fixture.log().contains(&format!("RequestId: {id} Error: {message} Runtime.ExitError")));
        let well = invoke(&runtime, json!({})).await;
        assert_eq!(well.error, None);
        assert!(payload(&well).is_u64());
    }
    let last = invoke(&runtime, json!("answer and exit")).await;
    let fresh = invoke(&runtime, json!({})).await;
    assert_ne!(last.payload, fresh.payload);
    assert_eq!((last.error, fresh.error), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_error_is_the_answer() {
    let fixture = Fixture::python(
        r#"
print("no model", file=sys.stderr)
document = json.dumps({"errorType": "Model.Missing", "errorMessage": "there is no model"})
call("POST", "init/error", document, {"Lambda-Runtime-Function-Error-Type": "Model.Missing"})
sys.exit(1)
"#,
    );
    let result = invoke(&fixture.start(), json!({})).await;
    assert_eq!(
        payload(&result),
        json!({ "errorType": "Model.Missing", "errorMessage": "there is no model" })
    );
    assert_eq!(
        (error_type(&result), result.error.as_ref().unwrap().header()),
        ("Model.Missing", "Unhandled")
    );
    let log = fixture.log();
    assert_eq!(log[0], "no model");
    assert!(log[1].starts_with("INIT_REPORT Init Duration: "));
    assert!(log[1].ends_with(" ms\tPhase: init\tStatus: error\tError Type: Model.Missing"));
    assert!(log[2].starts_with("START ") && log[3].starts_with("END ") && log[4].starts_with("REPORT "));
    assert!(String::from_utf8(result.log_tail).unwrap().starts_with("no model\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_or_a_hang_in_init_is_an_error() {
    let exit = Fixture::python("sys.exit(9)");
    let result = invoke(&exit.start(), json!({})).await;
    assert_eq!(error_type(&result), "Runtime.ExitError");
    let mut hang = Fixture::python("time.sleep(1000)").with(|spec| spec.timeout = Duration::from_secs(1));
    hang.limits.init = Duration::from_millis(10);
    let result = invoke(&hang.start(), json!({})).await;
    assert_eq!(error_type(&result), "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_that_cannot_be_executed_is_an_invalid_entrypoint() {
    let missing = Fixture::file("");
    fs::remove_file(missing.folder.path().join("bootstrap")).unwrap();
    let not_executable = Fixture::file("#!/bin/sh\n");
    let path = not_executable.folder.path().join("bootstrap");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    for (fixture, why) in [
        (missing, "Couldn't find valid bootstrap(s): ["),
        (not_executable, "permission denied"),
        (Fixture::file("\u{7f}ELF not really"), "exec format error"),
        (Fixture::file("#!/opt/no/such/python\n"), "its interpreter /opt/no/such/python is not"),
    ] {
        let result = invoke(&fixture.start(), json!({})).await;
        assert_eq!(error_type(&result), "Runtime.InvalidEntrypoint");
        let document = payload(&result);
        let message = document["errorMessage"].as_str().unwrap();
        assert!(message.contains(why), "{message}");
        assert!(message.contains(fixture.folder.path().join("bootstrap").to_str().unwrap()), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_function_is_passed_on_and_the_sandbox_stays() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    if event: respond(id, os.getpid())
    else: call("POST", f"invocation/{id}/error", json.dumps({"errorType": "ValueError", "errorMessage": str(os.getpid())}))
"#,
    );
    let runtime = fixture.start();
    let failed = invoke(&runtime, json!({})).await;
    assert_eq!(error_type(&failed), "ValueError");
    let pid = payload(&failed)["errorMessage"].as_str().unwrap().to_owned();
    assert_eq!(payload(&invoke(&runtime, json!({ "a": 1 })).await).to_string(), pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_out_of_turn_are_refused_with_lambdas_status() {
    let fixture = Fixture::python(
        r#"
id, headers, event = next()
def status(method, path): return call(method, path, "{}" if method == "POST" else None)[0]
seen = {
    "next twice": status("GET", "invocation/next"),
    "wrong id": status("POST", "invocation/other/response"),
    "late init error": status("POST", "init/error"),
    "no such call": status("GET", "nothing"),
}
first = respond(id, seen)[0]
second = respond(id, seen)[0]
id, headers, event = next()
respond(id, [first, second])
next()
"#,
    );
    let runtime = fixture.start();
    assert_eq!(
        payload(&invoke(&runtime, json!({})).await),
        json!({ "next twice": 403, "wrong id": 400, "late init error": 403, "no such call": 404 })
    );
    assert_eq!(payload(&invoke(&runtime, json!({})).await), json!([202, 403]));
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_have_a_limit_in_both_directions() {
    let fixture = Fixture::python(
        r#"
status = None
while True:
    id, headers, event = next()
    if "size" in event:
        status, _, _ = call("POST", f"invocation/{id}/response", "x" * event["size"])
    else:
        respond(id, status)
"#,
    );
    let runtime = fixture.start();
    let fits = invoke(&runtime, json!({ "size": 6_291_556 })).await;
    assert_eq!((fits.payload.len(), fits.error), (6_291_556, None));
    let too_large = invoke(&runtime, json!({ "size": 6_291_557 })).await;
    assert_eq!(
        payload(&too_large),
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        })
    );
    assert_eq!(payload(&invoke(&runtime, json!({})).await), 413);
    let event = Bytes::from(vec![b' '; MAX_REQUEST + 1]);
    let refused = runtime.invoke(event, InvokeContext::default()).await.unwrap_err();
    assert_eq!(refused, Refused::TooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_may_be_streamed_and_may_fail_on_the_way() {
    let fixture = Fixture::python(
        r#"
import base64
def stream(id, *trailers):
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
    for header in [("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"),
                   ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")]:
        api.putheader(*header)
    api.endheaders()
    for piece in (b'["a",', b'"b"]'):
        api.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    api.send(b"0\r\n" + b"".join(b"%s: %s\r\n" % trailer for trailer in trailers) + b"\r\n")
    answer = api.getresponse()
    answer.read()
id, headers, event = next()
stream(id)
id, headers, event = next()
stream(id, (b"Lambda-Runtime-Function-Error-Type", b"Stream.Broken"),
    (b"Lambda-Runtime-Function-Error-Body", base64.b64encode(b'{"errorType":"Stream.Broken"}')))
next()
"#,
    );
    let runtime = fixture.start();
    assert_eq!(payload(&invoke(&runtime, json!({})).await), json!(["a", "b"]));
    let broken = invoke(&runtime, json!({})).await;
    assert_eq!(
        (error_type(&broken), payload(&broken)),
        ("Stream.Broken", json!({ "errorType": "Stream.Broken" }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_an_event_is_whole_and_in_order() {
    let fixture = Fixture::python(
        r#"
print("starting", flush=True)
while True:
    id, headers, event = next()
    for n in range(event["lines"]):
        print("line", n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)
    os.write(1, b"\xff no end")
    respond(id, {})
"#,
    );
    let runtime = fixture.start();
    let first = invoke(&runtime, json!({ "lines": 3 })).await;
    let id = &first.request_id;
    let log = fixture.log();
    assert_eq!(
        log[..7],
        [
            "starting".to_owned(),
            format!("START RequestId: {id} Version: 7"),
            "line 0".into(),
            "line 1".into(),
            "line 2".into(),
            "\u{fffd} no end".into(),
            format!("END RequestId: {id}"),
        ]
    );
    let fields: Vec<&str> = log[7].split('\t').collect();
    assert_eq!(fields[0], format!("REPORT RequestId: {id}"));
    let names: Vec<&str> = fields[1..].iter().map(|field| field.split(": ").next().unwrap()).collect();
    assert_eq!(names, ["Duration", "Billed Duration", "Memory Size", "Max Memory Used", "Init Duration"]);
    assert_eq!(fields[3], "Memory Size: 128 MB");
    assert_eq!(fields[2], format!("Billed Duration: {} ms", first.billed.as_millis()));
    assert_eq!(String::from_utf8(first.log_tail).unwrap(), log.join("\n") + "\n");
    #[cfg(target_os = "linux")]
    assert!(first.max_memory_mb > 0);

    for lines in fixture.lines.lock().unwrap().iter() {
        assert_eq!(lines.request_id.as_deref(), Some(id.as_str()));
        assert_eq!(&*lines.function, "ml_api_sample");
    }
    fixture.lines.lock().unwrap().clear();
    let second = invoke(&runtime, json!({ "lines": 5000 })).await;
    let log = fixture.log();
    assert_eq!(log.len(), 5004);
    assert_eq!(log[5000], "line 4999");
    assert_eq!(second.log_tail.len(), 4096);
    assert!((log.join("\n") + "\n").into_bytes().ends_with(&second.log_tail));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_long_line_is_cut() {
    let fixture = Fixture::python(
        r#"
id, headers, event = next()
print("x" * 600_000, flush=True)
respond(id, {})
next()
"#,
    );
    invoke(&fixture.start(), json!({})).await;
    let lengths: Vec<usize> =
        fixture.log().iter().filter(|line| line.starts_with('x')).map(String::len).collect();
    assert_eq!(lengths.iter().sum::<usize>(), 600_000);
    assert!(lengths.iter().all(|length| *length <= 256 * 1024 + 4096), "{lengths:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn taking_more_than_the_memory_kills_the_sandbox() {
    let fixture = Fixture::python(
        r#"
id, headers, event = next()
subprocess.run([sys.executable, "-c", "import time; kept = b'x' * 300_000_000; time.sleep(1000)"])
"#,
    );
    let result = invoke(&fixture.start(), json!({})).await;
    let id = &result.request_id;
    assert_eq!(
        payload(&result),
        json!({
            "errorType": "Runtime.OutOfMemory",
            "errorMessage": format!("RequestId: {id} Error: Runtime exited with error: signal: killed"),
        })
    );
    assert!(result.max_memory_mb >= 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sandboxes_are_ended() {
    let mut fixture = Fixture::python(ECHO);
    fixture.limits.idle = Duration::from_millis(20);
    let runtime = fixture.start();
    let pid = payload(&invoke(&runtime, json!({})).await)["pid"].as_u64().unwrap();
    eventually("the sandbox is gone", || runtime.occupancy() == Occupancy::default()).await;
    eventually("its process is gone", || !is_alive(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_end_with_the_last_handle() {
    let fixture = Fixture::python(ECHO);
    let runtime = fixture.start();
    let pid = payload(&invoke(&runtime, json!({})).await)["pid"].as_u64().unwrap();
    drop(runtime);
    eventually("the process is gone", || !is_alive(pid)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_end_even_when_their_mdo_is_killed() {
    const CODE: &str = "MDO_TEST_CODE_OF_THE_KILLED";
    let body = "open('pid.new', 'w').write(str(os.getpid()))\nos.rename('pid.new', 'pid')\ntime.sleep(3600)";
    let fixture = Fixture::python(body);
    if let Some(code) = std::env::var_os(CODE) {
        let runtime = fixture.with(|spec| spec.code = code.into()).start();
        let _ = runtime.invoke(Bytes::from_static(b"{}"), InvokeContext::default()).await;
        return std::future::pending().await;
    }
    let mut mdo = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandboxes_end_even_when_their_mdo_is_killed"])
        .env(CODE, fixture.folder.path())
        .env("TMPDIR", fixture.folder.path())
        .spawn()
        .unwrap();
    let pid = fixture.folder.path().join("pid");
    eventually("the sandbox is there", || pid.exists()).await;
    mdo.kill().unwrap();
    mdo.wait().unwrap();
    let pid = fs::read_to_string(pid).unwrap().parse().unwrap();
    eventually("the sandbox is gone", || !is_alive(pid)).await;
}
