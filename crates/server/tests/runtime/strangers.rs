//! Other processes of this machine at a sandbox's Runtime API: they get no event, and answer none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::json;

use crate::fixture::{Fixture, arrived, go, invoke, invoke_in_background, payload, python};

/// A function that says where its API is, and then waits in `meet`.
const TELLING: &str = r#"
while True:
    id, headers, event = next()
    if event.get("meet"):
        open(event["meet"] + "/api", "w").write(os.environ["AWS_LAMBDA_RUNTIME_API"] + " " + id)
        meet(event["meet"])
    respond(id, event)
"#;

/// What a client is told by the API: nothing when it is hung up on.
const STRANGER: &str = r#"
import http.client, sys
api = http.client.HTTPConnection(sys.argv[1], timeout=60)
try:
    api.request(sys.argv[2], "/2018-06-01/runtime/" + sys.argv[3], '{"forged": true}')
    print(api.getresponse().read())
except (http.client.RemoteDisconnected, ConnectionError):
    print("hung up")
"#;

fn ask(api: &str, method: &str, path: &str, uid: Option<u32>) -> String {
    let mut stranger = Command::new(if uid.is_some() { "python3" } else { python() });
    stranger.args(["-c", STRANGER, api, method, path]);
    if let Some(uid) = uid {
        // What a pyenv may put in its place is closed to others.
        stranger.env("PATH", "/usr/bin:/bin").uid(uid);
    }
    let output = stranger.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_outside_the_sandbox_neither_takes_nor_answers_an_event() {
    let fixture = Fixture::python(TELLING);
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let running = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let told = std::fs::read_to_string(meeting.join("api")).unwrap();
    let (api, id) = told.split_once(' ').unwrap();

    let response = format!("invocation/{id}/response");
    for (method, path) in
        [("GET", "invocation/next"), ("POST", response.as_str()), ("POST", "init/error"), ("GET", "nothing")]
    {
        assert_eq!(ask(api, method, path, None), "hung up\n", "{method} {path}");
    }
    // The one who started the sandbox is not of it either.
    let mut own = TcpStream::connect(api).unwrap();
    let _ = own.write_all(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n");
    match own.read(&mut [0; 1]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let is_told = |line: &&String| line.starts_with("Runtime API: hung up on a connection from 127.0.0.1:");
    let told: Vec<String> = fixture.log().iter().filter(is_told).cloned().collect();
    assert!(told.len() == 1 && told[0].ends_with(": it is no process of this sandbox"), "{told:?}");

    go(&meeting).await;
    assert_eq!(payload(&running.await.unwrap().unwrap()), json!({ "meet": meeting }));
    // And the API stays closed between events, when whoever asks would get the next one.
    assert_eq!(ask(api, "GET", "invocation/next", None), "hung up\n");
    assert_eq!(payload(&invoke(&runtime, json!({ "n": 2 })).await), json!({ "n": 2 }));
}

/// Only root may become somebody else.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_hung_up_on() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() || !std::path::Path::new("/usr/bin/python3").exists() {
        return;
    }
    let fixture = Fixture::python(TELLING);
    let runtime = fixture.start();
    let meeting = fixture.meeting("meeting");
    let running = invoke_in_background(&runtime, json!({ "meet": meeting }));
    arrived(&meeting).await;
    let told = std::fs::read_to_string(meeting.join("api")).unwrap();
    let (api, id) = told.split_once(' ').unwrap();
    assert_eq!(ask(api, "GET", "invocation/next", Some(NOBODY)), "hung up\n");
    assert_eq!(ask(api, "POST", &format!("invocation/{id}/response"), Some(NOBODY)), "hung up\n");
    let line = fixture.log().into_iter().find(|line| line.starts_with("Runtime API: ")).unwrap();
    assert!(line.ends_with(": its user has the id 65534, which is not the sandbox's"), "{line}");
    go(&meeting).await;
    assert_eq!(payload(&running.await.unwrap().unwrap()), json!({ "meet": meeting }));
}

/// A bootstrap may be a script whose child is the runtime; that child may be left behind by its parent, or speak IPv6.
#[tokio::test(flavor = "multi_thread")]
async fn every_process_that_the_sandbox_started_may_ask() {
    let runtime = r#"
import http.client, json, os, socket, sys
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
if sys.argv[1] == "mapped":
    api.sock = socket.socket(socket.AF_INET6)
    api.sock.connect(("::ffff:" + host, int(port)))
if sys.argv[1] == "orphan" and os.fork():
    os._exit(0)
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], answer.read()
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps(sys.argv[1]))
    api.getresponse().read()
"#;
    for kind in ["child", "mapped", "orphan"] {
        let fixture = Fixture::python(&format!(
            "subprocess.run([sys.executable, \"-c\", {runtime:?}, {kind:?}])\ntime.sleep(1000)\n"
        ));
        let started = fixture.start();
        assert_eq!(payload(&invoke(&started, json!({})).await), json!(kind));
        assert_eq!(payload(&invoke(&started, json!({})).await), json!(kind));
        started.retire().await;
    }
}
