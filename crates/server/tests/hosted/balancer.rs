//! What is different behind a load balancer: where requests come from, how long connections live, and how large requests may be.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::fixture::{Container, KEY, skipped};

#[test]
fn the_client_is_whom_the_load_balancer_names_last() {
    let serving = Container::new().start();
    let forwarded = [
        ("X-Forwarded-For", "1.1.1.1, 203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "443"),
        ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678"),
    ];
    let event = serving.get("/prod/open/7", &forwarded).seen()["event"].take();
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "203.0.113.9");
    for (name, value) in forwarded {
        assert_eq!(event["multiValueHeaders"][name], json!([value]));
    }
    let event = serving.get("/prod/open/7", &[]).seen()["event"].take();
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
}

#[test]
fn health_is_outside_of_the_stage() {
    let serving = Container::new().start();
    let answer = serving.get("/-/health", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"serving"}"#));
    assert_eq!(serving.get("/prod/-/health", &[]).status, 403);
}

#[test]
fn bodies_and_headers_are_bounded_as_on_api_gateway() {
    let serving = Container::new().start();
    for length in [10 * 1024 * 1024 + 1, 7 * 1024 * 1024] {
        let mut client = serving.connect();
        client.send("POST /prod/open/7", &[("Content-Length", &length.to_string())]);
        client.0.get_mut().write_all(&vec![b'x'; length]).unwrap();
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (413, r#"{"message":"Request Too Long"}"#),
            "{length}"
        );
    }
    let large = "x".repeat(10_240);
    let answer = serving.get("/prod/open/7", &[("X-Large", &large)]);
    assert_eq!(answer.status, 431);
    assert_eq!(serving.get("/prod/open/7", &[("X-Large", &large[..10_000])]).status, 200);
    let answer = serving.get(&format!("/prod/open/{large}"), &[]);
    assert_eq!(answer.status, 414);
}

#[test]
fn a_key_has_its_share_of_the_throttle() {
    let container = Container::new().with(|_, stage| {
        stage["throttle"] = json!({ "rate": 0.0001, "burst": 4 });
        stage["tasks"] = json!(2);
    });
    let serving = container.start();
    let statuses: Vec<_> = (0..3).map(|_| serving.get("/prod/echo", &[("x-api-key", KEY)]).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
}

/// The unit test of the same has a clock of its own; this one has the real one.
#[test]
fn a_connection_that_was_idle_for_65_seconds_serves_the_next_request() {
    if std::env::var_os("MDO_SLOW").is_none() {
        skipped("it waits for 130 s; MDO_SLOW=1 runs it");
        return;
    }
    let serving = Container::new().start();
    let mut client = serving.connect();
    for _ in 0..2 {
        client.send("GET /prod/open/7", &[]);
        assert_eq!(client.answer().status, 200);
        std::thread::sleep(Duration::from_secs(65));
    }
    client.send("GET /-/health", &[]);
    assert_eq!(client.answer().status, 200);
}
