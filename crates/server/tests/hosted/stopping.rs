//! How the program ends: the load balancer notices first, and no request is lost.

use std::fs;
use std::net::TcpStream;

use serde_json::json;

use crate::fixture::{Container, await_end};

#[test]
fn a_server_that_is_told_to_stop_says_so_at_once_and_serves_on() {
    let mut serving = Container::new().with(|_, stage| stage["lame_duck"] = json!(600)).start();
    let mut kept = serving.connect();
    kept.send("GET /-/health", &[]);
    assert_eq!(kept.answer().status, 200);

    serving.signal("TERM");
    assert_eq!(serving.event("stopping")["detail"], "goes on serving for 600 s");
    for client in [&mut kept, &mut serving.connect()] {
        client.send("GET /-/health", &[]);
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"status":"stopping"}"#));
        client.send("GET /prod/open/7", &[]);
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(!answer.head.contains("connection: close"), "{}", answer.head);
    }

    let pid = serving.get("/prod/open/7", &[]).seen()["pid"].as_u64().unwrap();
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(130));
    assert!(
        log.trim_end()
            .ends_with(r#""event":"interrupted","detail":"a second signal: what was running is lost"}"#),
        "{log}"
    );
    await_end(pid);
}

#[test]
fn what_is_begun_is_finished_and_nothing_more_is_accepted() {
    let container = Container::new().with(|stack, _| stack["functions"]["echo"]["timeout"] = json!(120));
    let meeting = container.meeting("meeting");
    let mut serving = container.start();
    let mut idle = serving.connect();
    idle.send("GET /-/health", &[]);
    assert_eq!(idle.answer().status, 200);
    let mut running = serving.connect();
    running.send(&format!("GET /prod/open/7?meet={}", meeting.display()), &[]);
    fs::read(meeting.join("arrived")).unwrap();

    serving.signal("TERM");
    assert_eq!(serving.event("draining")["detail"], "accepts no more, finishes within 121 s");
    assert!(idle.is_hung_up());
    assert!(TcpStream::connect(&serving.address).is_err());
    fs::write(meeting.join("go"), "x").unwrap();
    let answer = running.answer();
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    let pid = answer.seen()["pid"].as_u64().unwrap();
    let (code, log) = serving.end();
    assert_eq!(code, Some(0));
    assert!(log.trim_end().ends_with(r#""event":"stopped"}"#), "{log}");
    await_end(pid);
}
