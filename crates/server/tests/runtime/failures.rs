//! What a function does wrong, and what is told of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use mdo_server::runtime::Sandboxes;
use serde_json::json;

use crate::fixture::{Fixture, error_type, eventually, invoke, is_alive, payload};

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_kills_the_sandbox_with_all_that_it_started() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    if event:
        child = subprocess.Popen(["sleep", "1000"])
        daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        open(event["hang"] + "/pids", "w").write(f"{os.getpid()} {child.pid} {daemon.pid}")
        print("waiting", end="", flush=True)
        time.sleep(1000)
    respond(id, "well")
"#,
    )
    .with(|spec| spec.timeout = Duration::from_secs(1));
    let runtime = fixture.start();
    let result = invoke(&runtime, json!({ "hang": fixture.beside.path() })).await;
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
    let pids = fs::read_to_string(fixture.beside.path().join("pids")).unwrap();
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
