//! Who may ask at all: no name that was rebound to this machine, no page of another origin.

use mdo_model::project::Security;

use crate::connection::Answer;
use crate::running::{Running, open};

const EVIL: &str = "https://evil.example";

#[track_caller]
fn is_refused_page(answer: &Answer, reason: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (403, Some("text/html; charset=utf-8")));
    assert!(answer.text().contains(&format!("<h1>Forbidden</h1><p>{reason}</p>")), "{}", answer.text());
}

#[track_caller]
fn is_refused_call(answer: &Answer, reason: &str) {
    assert_eq!(answer.text(), serde_json::json!({ "message": reason }).to_string());
    assert_eq!((answer.status, answer.header("content-type")), (403, Some("application/json")));
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

fn from(origin: &str) -> [(&str, &str); 1] {
    [("Origin", origin)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebound_name_reaches_neither_the_page_nor_the_api() {
    let running = Running::start(open().with_api(|api| api.cors = true)).await;
    let port = running.server.address().port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "localhost".to_owned()] {
        let reason = format!(
            "the Host {host} is not a name of this server; if it is, start it with: mdo dev --host {host}"
        );
        is_refused_page(&running.send("GET", "/", &[("Host", &host)], b"").await, &reason);
        is_refused_call(&running.send("GET", "/dev/open", &[("Host", &host)], b"").await, &reason);
        is_refused_call(&running.send("POST", "/", &[("Host", &host)], b"x").await, &reason);
        assert!(running.said(&format!("refused GET /dev/open: {reason}")));
    }
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
        let host = format!("{host}:{port}");
        assert_eq!(running.send("GET", "/", &[("Host", &host)], b"").await.status, 401, "{host}");
        assert_eq!(running.send("GET", "/dev/open", &[("Host", &host)], b"").await.status, 200, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_given_is_answered() {
    let fixture = open();
    fixture.deploy().await;
    let running = Running::serve_as(fixture, &["shop.test"]).await;
    let headers = [("Host", "shop.test"), ("Origin", "https://shop.test")];
    assert_eq!(running.send("GET", "/dev/open", &headers, b"").await.status, 200);
    let evil = running.send("GET", "/dev/open", &[("Host", "evil.test")], b"").await;
    assert_eq!(evil.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_reaches_the_api_of_the_stage_with_cors_alone() {
    let closed = open();
    let cors = closed.beside("stage").function("sample").route("ANY /open", "sample", Security::Open);
    let (closed, cors) =
        (Running::start(closed).await, Running::start(cors.with_api(|api| api.cors = true)).await);

    let no_api = |origin: &str| {
        format!(
            "the API does not answer pages of another origin: set cors = true under [api] in project.toml, or name the \
             page's host with mdo dev --host (here {origin})"
        )
    };
    for origin in [EVIL, "null", "http://localhost:5173"] {
        for method in ["GET", "OPTIONS", "POST"] {
            let answer = closed.send(method, "/dev/open", &from(origin), b"").await;
            is_refused_call(&answer, &no_api(origin));
            assert_eq!(cors.send(method, "/stage/open", &from(origin), b"").await.status, 200, "{method}");
        }
    }
    assert!(!closed.said("START "), "no function ran");
    let preflight = cors.send("OPTIONS", "/stage/open", &from(EVIL), b"").await;
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));

    // The page is for nobody else, whatever the API is.
    for running in [&closed, &cors] {
        let reason = format!("the console page does not answer pages of another origin (here {EVIL})");
        is_refused_page(&running.send("GET", "/", &from(EVIL), b"").await, &reason);
        let own = format!("http://localhost:{}", running.server.address().port());
        // It is let in, and asked for its token.
        assert_eq!(running.send("GET", "/", &from(&own), b"").await.status, 401);
    }
    let image =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
    let unnamed = no_api("one that the browser does not name");
    is_refused_call(&closed.send("GET", "/dev/open", &image, b"").await, &unnamed);
    assert_eq!(cors.send("GET", "/stage/open", &image, b"").await.status, 200);

    // Turned off, cors is off at the next request.
    let mut cors = cors;
    cors.fixture = cors.fixture.with_api(|api| api.cors = false);
    cors.fixture.deploy().await;
    is_refused_call(&cors.send("GET", "/stage/open", &from(EVIL), b"").await, &no_api(EVIL));
}
