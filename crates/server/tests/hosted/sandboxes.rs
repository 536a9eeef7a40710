//! How many sandboxes a task has room for, and what becomes of requests beyond.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::fixture::{Client, Container, Serving, is_alive};

/// A task with room for so many sandboxes of 128 MB, and a bit.
fn task(sandboxes: u32) -> Container {
    Container::new().with(move |_, stage| stage["memory"] = json!(64 + sandboxes * 128 + 100))
}

/// A request that is at its function.
fn busy(serving: &Serving, path: &str, meeting: &Path) -> Client {
    let mut client = serving.connect();
    client.send(&format!("GET /prod/{path}?meet={}", meeting.display()), &[]);
    fs::read(meeting.join("arrived")).unwrap();
    client
}

fn go(meeting: &Path) {
    fs::write(meeting.join("go"), "x").unwrap();
}

#[test]
fn a_request_beyond_the_memory_of_the_task_waits_for_a_sandbox() {
    let container = task(2);
    let meetings = ["one", "two"].map(|name| container.meeting(name));
    let serving = container.start();
    let mut clients = meetings.each_ref().map(|meeting| busy(&serving, "open/7", meeting));
    let mut third = serving.connect();
    third.send("GET /prod/open/7", &[]);
    go(&meetings[0]);
    let first = clients[0].answer().seen();
    // It ran in the sandbox that became free, not in a third one.
    assert_eq!(third.answer().seen()["pid"], first["pid"]);
    go(&meetings[1]);
    assert_ne!(clients[1].answer().seen()["pid"], first["pid"]);
}

#[test]
fn an_idle_sandbox_makes_room_for_another_function() {
    let container = task(1).function("other");
    let serving = container.start();
    let first = serving.get("/prod/open-echo", &[]).seen()["pid"].as_u64().unwrap();
    let other = serving.get("/prod/open-other", &[]).seen()["pid"].as_u64().unwrap();
    assert!(!is_alive(first) && is_alive(other));
    assert_eq!(serving.get("/prod/open-other", &[]).seen()["pid"].as_u64(), Some(other));
}

#[test]
fn a_request_that_waits_longer_than_its_route_allows_is_answered_504_and_never_run() {
    let container = task(1).function("other").routed("other", 100);
    let meeting = container.meeting("meeting");
    let mut serving = container.start();
    let mut running = busy(&serving, "open-echo", &meeting);
    let answer = serving.get("/prod/open-other?say=ran", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (504, r#"{"message": "Endpoint request timed out"}"#));
    let line = serving.line("request");
    assert_eq!([&line["function"], &line["why"]], [&json!("other"), &json!("no answer within 100ms")]);
    assert_eq!([&line["Invocations"], &line["Errors"]], [&json!(1), &json!(1)]);
    go(&meeting);
    assert_eq!(running.answer().status, 200);
    serving.signal("TERM");
    let (_, log) = serving.end();
    assert!(!log.contains(r#""message":"ran""#), "{log}");
}

#[test]
fn reserved_concurrency_bounds_a_function_and_refuses_the_rest() {
    let container = task(3).with(|stack, _| stack["functions"]["echo"]["concurrency"] = json!(1));
    let meeting = container.meeting("meeting");
    let mut serving = container.start();
    let mut running = busy(&serving, "open/7", &meeting);
    assert_eq!(serving.get("/prod/open/7", &[]).status, 500);
    let line = serving.line("request");
    assert_eq!([&line["Invocations"], &line["Throttles"]], [&json!(0), &json!(1)]);
    go(&meeting);
    assert_eq!(running.answer().status, 200);
}
