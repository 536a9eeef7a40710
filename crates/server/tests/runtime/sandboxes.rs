//! How many sandboxes there are, who shares one, and when they end.

use std::fs;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use mdo_server::runtime::{InvokeContext, Launcher, MemoryBudget, Occupancy, Refused, Sandboxes};
use serde_json::json;

use crate::fixture::{
    ECHO, Fixture, MEET, arrived, eventually, go, invoke, invoke_in_background, is_alive, payload, try_invoke,
};

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
async fn an_event_beyond_the_memory_waits_and_one_beyond_those_that_may_wait_is_refused() {
    let fixture = Fixture::python(MEET)
        .with(|spec| spec.surroundings.memory = Some(MemoryBudget::with_queue(spec.memory, 1)));
    let runtime = fixture.start();
    let meetings = ["first", "second"].map(|name| fixture.meeting(name));
    let mut first = Box::pin(try_invoke(&runtime, json!({ "meet": meetings[0] })));
    let mut second = Box::pin(try_invoke(&runtime, json!({ "meet": meetings[1] })));
    tokio::select! {
        _ = &mut first => panic!("it is not let go"),
        () = arrived(&meetings[0]) => {}
    }
    // One look is enough for it to be in the queue.
    assert!(looked_at(&mut second).await.is_none());
    let refused = try_invoke(&runtime, json!({})).await.unwrap_err();
    assert_eq!((refused, refused.code()), (Refused::Crowded, "TooManyRequestsException"));
    go(&meetings[0]).await;
    let first = first.await.unwrap().payload;
    let second = tokio::join!(second, async {
        arrived(&meetings[1]).await;
        go(&meetings[1]).await;
    });
    assert_eq!(second.0.unwrap().payload, first, "it ran in the sandbox that became free");
}

/// What has come of a future already.
async fn looked_at<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
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
async fn idle_sandboxes_are_ended() {
    let mut fixture = Fixture::python(ECHO);
    fixture.limits.idle = Duration::from_millis(20);
    let runtime = fixture.start();
    let pid = payload(&invoke(&runtime, json!({})).await)["pid"].as_u64().unwrap();
    eventually("the sandbox is gone", || runtime.occupancy() == Occupancy::default()).await;
    eventually("its process is gone", || !is_alive(pid)).await;
}

/// Whether a process is stopped.
fn is_stopped(pid: u64) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap().stdout;
    state.starts_with(b"T")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_stands_still_between_events_where_that_is_wanted() {
    const COUNTS: &str = r#"
import threading
count = 0
def work():
    global count
    while True:
        count += 1
        time.sleep(0.001)
threading.Thread(target=work, daemon=True).start()
while True:
    id, headers, event = next()
    time.sleep(event.get("busy", 0))
    respond(id, {"pid": os.getpid(), "count": count})
"#;
    let mut fixture = Fixture::python(COUNTS);
    fixture.limits.freezes = true;
    let runtime = fixture.start();
    let mut before = 0;
    for _ in 0..3 {
        let answer = payload(&invoke(&runtime, json!({"busy": 0.05})).await);
        let (pid, count) = (answer["pid"].as_u64().unwrap(), answer["count"].as_u64().unwrap());
        // It works while it has an event.
        assert!(count > before, "{count} after {before}");
        before = count;
        eventually("it stands still", || is_stopped(pid)).await;
    }
    let pid = payload(&invoke(&runtime, json!({})).await)["pid"].as_u64().unwrap();
    eventually("it stands still", || is_stopped(pid)).await;
    runtime.retire().await;
    assert!(!is_alive(pid));

    let fixture = Fixture::python(ECHO);
    let moving = fixture.start();
    let pid = payload(&invoke(&moving, json!({})).await)["pid"].as_u64().unwrap();
    eventually("it is idle", || moving.occupancy() == Occupancy { idle: 1, busy: 0 }).await;
    assert!(!is_stopped(pid));
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
    let body = "os.chdir(os.path.dirname(os.environ['TMPDIR']))\nopen('pid.new', 'w').write(str(os.getpid()))\nos.rename('pid.new', 'pid')\ntime.sleep(3600)";
    let fixture = Fixture::python(body);
    if let Some(code) = std::env::var_os(CODE) {
        let runtime = fixture.with(|spec| {
            spec.launcher = Launcher::bootstrap(code.as_ref());
            spec.code = code.into();
        });
        let runtime = runtime.start();
        let _ = runtime.invoke(Bytes::from_static(b"{}"), InvokeContext::default()).await;
        return std::future::pending().await;
    }
    let mut mdo = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandboxes::sandboxes_end_even_when_their_mdo_is_killed"])
        .env(CODE, fixture.folder.path())
        .env("TMPDIR", fixture.beside.path())
        .spawn()
        .unwrap();
    let pid = fixture.beside.path().join("pid");
    eventually("the sandbox is there", || pid.exists()).await;
    mdo.kill().unwrap();
    mdo.wait().unwrap();
    let pid = fs::read_to_string(pid).unwrap().parse().unwrap();
    eventually("the sandbox is gone", || !is_alive(pid)).await;
}

/// Whether this system gives a process mounts of its own, be it in a user namespace.
#[cfg(target_os = "linux")]
fn has_own_mounts() -> bool {
    [&["--mount"][..], &["--user", "--map-root-user", "--mount"]].iter().any(|flags| {
        let mut unshare = Command::new("unshare");
        unshare.args(*flags).arg("true").stderr(std::process::Stdio::null());
        unshare.status().is_ok_and(|status| status.success())
    })
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_writes_beside_itself_fails_as_on_lambda() {
    if !has_own_mounts() {
        return;
    }
    let fixture = Fixture::python(
        r#"
def attempt(path):
    try:
        open(path, "w").write("x")
    except OSError as error:
        return error.strerror
while True:
    id, headers, event = next()
    root = os.environ["LAMBDA_TASK_ROOT"]
    respond(id, [attempt(path) for path in ["new", root + "/new", root + "/bootstrap", os.environ["TMPDIR"] + "/new"]])
"#,
    );
    let refused = "Read-only file system";
    let runtime = fixture.start();
    assert_eq!(payload(&invoke(&runtime, json!({})).await), json!([refused, refused, refused, null]));
    let files: Vec<_> =
        fs::read_dir(fixture.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["bootstrap"]);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_has_left_its_family_ends_with_the_sandbox() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()
    mine = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
    def is_daemon(pid):
        try:
            return os.environ["TMPDIR"].encode() in open(f"/proc/{pid}/environ", "rb").read()
        except OSError:
            return False
    respond(id, [int(pid) for pid in mine if is_daemon(pid)])
"#,
    );
    let runtime = fixture.start();
    let daemons = payload(&invoke(&runtime, json!({})).await);
    let daemons: Vec<u64> = serde_json::from_value(daemons).unwrap();
    assert_eq!(daemons.len(), 1);
    drop(runtime);
    eventually("the daemon is gone", || !is_alive(daemons[0])).await;
}
