//! The REST front, whole: a real server, real sockets, and functions of a few lines of Python.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

#[path = "support/connection.rs"]
mod connection;
#[path = "support/stack.rs"]
mod stack;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use connection::{Answer, Client, send};
use mdo_engine::{Pings, Provider};
use mdo_local::{Activity, Observer, Server};
use mdo_model::project::{Period, Quota, Security, Throttle};
use serde_json::{Value, json};
use stack::Fixture;
use tokio::sync::Notify;

struct Running {
    fixture: Fixture,
    server: Server,
    lines: Arc<Mutex<Vec<String>>>,
    news: Arc<Notify>,
}

impl Running {
    async fn start(fixture: Fixture) -> Self {
        fixture.deploy().await;
        Self::serve(fixture).await
    }

    async fn serve(fixture: Fixture) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let news = Arc::<Notify>::default();
        let observer: Observer = {
            let (lines, news) = (Arc::clone(&lines), Arc::clone(&news));
            Arc::new(move |event: Activity| {
                lines.lock().unwrap().push(event.to_string());
                news.notify_one();
            })
        };
        let server = Server::start(&fixture.provider(), Some(0), observer).await.unwrap();
        Self { fixture, server, lines, news }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        send(self.server.address(), method, path, headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    fn said(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    fn count(&self, text: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until something was said a number of times.
    async fn until(&self, times: usize, text: &str) {
        while self.count(text) < times {
            self.news.notified().await;
        }
    }
}

fn open() -> Fixture {
    Fixture::new().function("sample").route("ANY /open", "sample", Security::Open)
}

fn keyed() -> Fixture {
    Fixture::new().function("sample").route("GET /keyed", "sample", Security::Key)
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error_type: &str, message: &str) {
    assert_eq!(answer.text(), format!(r#"{{"message":"{message}"}}"#));
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("x-amzn-errortype"), Some(error_type));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(answer.header("x-amz-apigw-id").map(str::len), Some(16));
}

/// A path that makes the function answer just this.
fn raw(answer: &str) -> String {
    let answer: String = answer.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/dev/open?do=raw&answer={answer}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_refused_as_api_gateway_does() {
    let fixture = keyed().route("POST /post/{id}", "sample", Security::Open);
    let fixture = fixture.route("GET /signed", "sample", Security::Iam);
    let running = Running::start(fixture).await;
    let token = "Missing Authentication Token";
    for path in
        ["/dev/nowhere", "/dev", "/dev/", "/dev/keyed/more", "/dev/post", "/dev/post/1", "/dev/signed"]
    {
        refused(&running.get(path).await, 403, "MissingAuthenticationTokenException", token);
    }
    for method in ["POST", "HEAD", "OPTIONS", "TRACE", "ANY"] {
        let answer = running.send(method, "/dev/keyed", &[], b"").await;
        assert_eq!(
            answer.header("x-amzn-errortype"),
            Some("MissingAuthenticationTokenException"),
            "{method}"
        );
    }
    for path in ["/prod/keyed", "/devious", "/favicon.ico", "//", "/dev%2Fkeyed"] {
        refused(&running.get(path).await, 403, "ForbiddenException", "Forbidden");
    }
    refused(&running.send("POST", "/", &[], b"").await, 403, "ForbiddenException", "Forbidden");
    let signed =
        running.send("GET", "/dev/signed", &[("Authorization", "AWS4-HMAC-SHA256 Credential=x")], b"");
    assert_eq!(signed.await.status, 200);
    let basic = running.send("GET", "/dev/signed", &[("Authorization", "Basic x")], b"").await;
    refused(&basic, 403, "MissingAuthenticationTokenException", token);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_route_lets_in_whoever_has_an_enabled_key_of_the_stage() {
    let running = Running::start(keyed()).await;
    let default = running.fixture.key_value("default").await;
    let with = |key: String| {
        let running = &running;
        async move { running.send("GET", "/dev/keyed", &[("X-API-Key", &key)], b"").await }
    };
    for wrong in
        [String::new(), "x".to_owned(), default[1..].to_owned(), format!("{default}x"), "é".to_owned()]
    {
        refused(&with(wrong).await, 403, "ForbiddenException", "Forbidden");
    }
    refused(&running.get("/dev/keyed").await, 403, "ForbiddenException", "Forbidden");
    assert_eq!(with(default.clone()).await.status, 200);
    assert!(running.said("GET /dev/keyed 200 "));
    assert!(running.said(" ms sample key default"));
    assert!(!running.said(&default));

    // Another process creates a key, disables one, deletes one: the next request knows.
    let mut running = running;
    running.fixture = running.fixture.key("alice");
    running.fixture.deploy().await;
    let alice = running.fixture.key_value("alice").await;
    let status = |running: &Running, key: String| {
        let address = running.server.address();
        async move { send(address, "GET", "/dev/keyed", &[("x-api-key", &key)], b"").await.status }
    };
    assert_eq!(status(&running, alice.clone()).await, 200);
    running.fixture.desired.keys.get_mut(&"alice".parse().unwrap()).unwrap().enabled = false;
    running.fixture.deploy().await;
    assert_eq!(status(&running, alice.clone()).await, 403);
    let mut plan = mdo_model::stack::destroy(&stack::names(), &running.fixture.desired, &Default::default());
    plan.changes.retain(|change| change.id.name == "default");
    assert!(running.fixture.run(&plan).await.finished.len() == 1);
    assert_eq!(status(&running, default).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_throttle_and_the_quota_of_the_usage_plan_are_enforced() {
    let throttle = Some(Throttle { rate: 1e-6, burst: 2 });
    let fixture = keyed().route("GET /free", "sample", Security::Open).usage_plan(throttle, None);
    let running = Running::start(fixture).await;
    let key = running.fixture.key_value("default").await;
    let statuses = async |running: &Running| {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(running.send("GET", "/dev/keyed", &[("x-api-key", &key)], b"").await);
        }
        statuses
    };
    let answers = statuses(&running).await;
    assert_eq!((answers[0].status, answers[1].status), (200, 200));
    refused(&answers[2], 429, "TooManyRequestsException", "Too Many Requests");
    assert_eq!(running.get("/dev/free").await.status, 200);

    // Another plan takes effect at the next request.
    let quota = Quota { limit: 1, period: Period::Month };
    let mut running = running;
    running.fixture = running.fixture.usage_plan(None, Some(quota));
    running.fixture.deploy().await;
    let answers = statuses(&running).await;
    assert_eq!(answers[0].status, 200);
    refused(&answers[1], 429, "LimitExceededException", "Limit Exceeded");
    assert_eq!(running.get("/dev/free").await.status, 200);

    // What was used is not forgotten with the server.
    running.server.shutdown().await;
    let running = Running::serve(running.fixture).await;
    refused(&statuses(&running).await[0], 429, "LimitExceededException", "Limit Exceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_a_function_is_a_502_and_the_log_says_what() {
    let running = Running::start(open()).await;
    let cases = [
        ("/dev/open?do=fail".to_owned(), "function sample failed: Oops"),
        ("/dev/open?do=exit".to_owned(), "function sample failed: Runtime.ExitError"),
        (raw("[]"), "function sample: Malformed Lambda proxy response: the answer is a list, not an object"),
        (raw("{}"), "Malformed Lambda proxy response: statusCode is missing"),
        (raw(r#"{"statusCode":"200"}"#), "Malformed Lambda proxy response: statusCode is a string"),
        (raw(r#"{"statusCode":200,"body":{}}"#), "Malformed Lambda proxy response: body is an object"),
    ];
    for (path, line) in cases {
        refused(&running.get(&path).await, 502, "InternalServerErrorException", "Internal server error");
        assert!(running.said(line), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_let_the_api_call_it_is_a_500() {
    let fixture = open().with("sample", |function| function.invokers.clear());
    let running = Running::start(fixture).await;
    refused(&running.get("/dev/open").await, 500, "InternalServerErrorException", "Internal server error");
    assert!(running.said("function sample does not let the API call it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_integration_timeout_is_a_504() {
    let fixture = open().with_api(|api| {
        for route in api.routes.values_mut() {
            route.timeout_ms = 50;
        }
    });
    let running = Running::start(fixture).await;
    let gate = fifo(&running, "go");
    let path = "/dev/open?do=gate";
    refused(&running.get(path).await, 504, "InternalServerErrorException", "Endpoint request timed out");
    // Whether the function came to the gate or not, it is not left waiting there.
    std::thread::spawn(move || std::fs::OpenOptions::new().write(true).open(gate));
    running.server.shutdown().await;
}

fn fifo(running: &Running, name: &str) -> std::path::PathBuf {
    let path = running.fixture.root.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_a_413() {
    let running = Running::start(open()).await;
    let too_long = |answer: Answer| refused(&answer, 413, "RequestTooLargeException", "Request Too Long");
    too_long(running.send("POST", "/dev/open", &[], &vec![b'x'; 10 * 1024 * 1024 + 1]).await);
    // Ten megabytes pass the front, but not Lambda.
    too_long(running.send("POST", "/dev/open", &[], &vec![b'x'; 6 * 1024 * 1024]).await);
    let answer = running.send("POST", "/dev/open?do=length", &[], &vec![b'x'; 5 * 1024 * 1024]).await;
    assert_eq!((answer.status, answer.text()), (200, (5 * 1024 * 1024).to_string().as_str()));
    // A client that asks first is told so before it sends anything.
    let mut stream = std::net::TcpStream::connect(running.server.address()).unwrap();
    let head =
        "POST /dev/open HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    tokio::task::block_in_place(|| stream.read_exact(&mut answer)).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_the_proxy_event_of_version_1() {
    let fixture = Fixture::new().function("sample").route("POST /a/{id}/{rest+}", "sample", Security::Key);
    let running = Running::start(fixture).await;
    let key = running.fixture.key_value("default").await;
    let headers = [
        ("x-api-key", key.as_str()),
        ("Accept", "text/plain"),
        ("Accept", "*/*"),
        ("User-Agent", "test/1"),
        ("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000"),
        ("X-Forwarded-For", "10.0.0.1"),
    ];
    let path = "/dev/a/caf%C3%A9%2F1/x%20y/z/?b=2&a=1&a=%2B+&c";
    let answer = running.send("POST", path, &headers, "{\"é\": 1}".as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-amzn-trace-id"), Some("Root=1-00000000-000000000000000000000000"));
    let mut event: Value = serde_json::from_str(answer.text()).unwrap();
    let context = &mut event["requestContext"];
    for (field, length) in [("extendedRequestId", 16), ("requestId", 36), ("requestTime", 26)] {
        assert_eq!(context[field].as_str().unwrap().len(), length, "{field}");
        context[field] = json!("…");
    }
    assert!(context["requestTimeEpoch"].as_u64().unwrap() > 1_700_000_000_000);
    context["requestTimeEpoch"] = json!(0);
    assert_eq!(context["identity"]["apiKeyId"].as_str().unwrap().len(), 10);
    context["identity"]["apiKeyId"] = json!("…");
    let host = running.server.address().to_string();
    let port = running.server.address().port().to_string();
    let expected = json!({
        "resource": "/a/{id}/{rest+}",
        "path": "/a/caf%C3%A9%2F1/x%20y/z/",
        "httpMethod": "POST",
        "headers": {
            "Accept": "*/*",
            "Host": host,
            "User-Agent": "test/1",
            "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
            "X-Forwarded-For": "10.0.0.1, 127.0.0.1",
            "X-Forwarded-Port": port,
            "X-Forwarded-Proto": "http",
            "x-api-key": key,
        },
        "multiValueHeaders": {
            "Accept": ["text/plain", "*/*"],
            "Host": [host],
            "User-Agent": ["test/1"],
            "X-Amzn-Trace-Id": ["Root=1-00000000-000000000000000000000000"],
            "X-Forwarded-For": ["10.0.0.1, 127.0.0.1"],
            "X-Forwarded-Port": [port],
            "X-Forwarded-Proto": ["http"],
            "x-api-key": [key],
        },
        "queryStringParameters": {"a": "+ ", "b": "2", "c": ""},
        "multiValueQueryStringParameters": {"a": ["1", "+ "], "b": ["2"], "c": [""]},
        "pathParameters": {"id": "caf%C3%A9%2F1", "rest": "x%20y/z"},
        "stageVariables": {"alias": "dev"},
        "requestContext": {
            "resourceId": event["requestContext"]["resourceId"],
            "resourcePath": "/a/{id}/{rest+}",
            "httpMethod": "POST",
            "extendedRequestId": "…",
            "requestTime": "…",
            "path": "/dev/a/caf%C3%A9%2F1/x%20y/z/",
            "accountId": "000000000000",
            "protocol": "HTTP/1.1",
            "stage": "dev",
            "domainPrefix": "127",
            "requestTimeEpoch": 0,
            "requestId": "…",
            "identity": {
                "cognitoIdentityPoolId": null,
                "cognitoIdentityId": null,
                "apiKey": key,
                "apiKeyId": "…",
                "principalOrgId": null,
                "cognitoAuthenticationType": null,
                "userArn": null,
                "userAgent": "test/1",
                "accountId": null,
                "caller": null,
                "sourceIp": "127.0.0.1",
                "accessKey": null,
                "cognitoAuthenticationProvider": null,
                "user": null,
            },
            "domainName": host,
            "apiId": event["requestContext"]["apiId"],
        },
        "body": "{\"é\": 1}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    assert_eq!(event["requestContext"]["apiId"].as_str().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_does_not_have_is_null() {
    let running = Running::start(open()).await;
    let event: Value = serde_json::from_str(running.get("/dev/open").await.text()).unwrap();
    for field in ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"] {
        assert_eq!(event[field], Value::Null, "{field}");
    }
    assert_eq!(event["requestContext"]["identity"]["apiKey"], Value::Null);
    assert_eq!(event["isBase64Encoded"], false);
    // Without binary media types every body is text.
    let event = running.send("PUT", "/dev/open", &[], b"a\xffb").await;
    let event: Value = serde_json::from_str(event.text()).unwrap();
    assert_eq!(event["body"], "a\u{fffd}b");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_requests_and_head_has_no_body() {
    let running = Running::start(open()).await;
    let mut client = Client::connect(running.server.address()).await;
    let head = client.send("HEAD", "/dev/open", &[], b"").await;
    assert_eq!((head.status, head.text()), (200, ""));
    for _ in 0..3 {
        let answer =
            client.send("GET", &raw(r#"{"statusCode":201,"body":"hi","headers":{"A":"b"}}"#), &[], b"").await;
        assert_eq!((answer.status, answer.text(), answer.header("a")), (201, "hi", Some("b")));
    }
    let empty = client.send("GET", &raw(r#"{"statusCode":204,"body":"dropped"}"#), &[], b"").await;
    assert_eq!((empty.status, empty.text()), (204, ""));
    let refused = client.send("POST", "/dev/nowhere", &[], &[b'x'; 100_000]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(client.send("GET", "/dev/open", &[], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_cors_preflight_is_answered_and_errors_are_readable() {
    let fixture = open().route("GET /only", "sample", Security::Open).with_api(|api| api.cors = true);
    let running = Running::start(fixture).await;
    let preflight = running.send("OPTIONS", "/dev/only", &[("Origin", "https://x")], b"").await;
    assert_eq!((preflight.status, preflight.text()), (200, ""));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,OPTIONS"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("X-Api-Key"));
    let preflight = running.send("OPTIONS", "/dev/open", &[], b"").await;
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        Some("DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT")
    );
    let answer = running.get("/dev/nowhere").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, Some("*")));
    assert_eq!(running.get("/dev/open").await.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_fails_no_request() {
    let running = Running::start(open().environment("sample", "MARK", "0")).await;
    let address = running.server.address();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut last = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = client.send("GET", "/dev/open?do=mark", &[], b"").await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let mark: u32 = answer.text().parse().unwrap();
                    assert!(mark >= last, "{mark} after {last}");
                    last = mark;
                }
            })
        })
        .collect();
    let Running { mut fixture, server, lines, .. } = running;
    for mark in 1..=4 {
        fixture = fixture.environment("sample", "MARK", &mark.to_string());
        fixture.deploy().await;
        server.reload().await.unwrap();
        let answer = send(address, "GET", "/dev/open?do=mark", &[], b"").await;
        assert_eq!(answer.text(), mark.to_string());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(lines.lock().unwrap().iter().any(|line| line == "reloaded sample version 5"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_does_not_stop_the_server() {
    let running = Running::start(open()).await;
    let file = running.fixture.root.path().join(".mdo/stages/dev/state.json");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "oops").unwrap();
    assert_eq!(running.get("/dev/open").await.status, 200);
    assert!(running.said("went on with the last good state: "));
    std::fs::write(&file, good).unwrap();
    assert_eq!(running.get("/dev/open").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finishes_what_is_in_flight() {
    let running = Running::start(open()).await;
    let (arrived, go) = (fifo(&running, "arrived"), fifo(&running, "go"));
    let address = running.server.address();
    let request =
        tokio::spawn(async move { send(address, "GET", "/dev/open?do=gate", &[], b"").await.status });
    let met = tokio::task::spawn_blocking(move || std::fs::read_to_string(arrived).unwrap()).await.unwrap();
    assert_eq!(met, "x");
    let shutdown = tokio::spawn(running.server.shutdown());
    tokio::task::spawn_blocking(move || std::fs::write(go, "x").unwrap()).await.unwrap();
    assert_eq!(request.await.unwrap(), 200);
    shutdown.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let running = Running::start(open()).await;
    let port = running.server.address().port();
    let error = Server::start(&running.fixture.provider(), Some(port), Arc::new(|_| {})).await.err().unwrap();
    assert_eq!(error.message, format!("port {port} on 127.0.0.1 is taken by another process"));
    assert_eq!(error.help.as_deref(), Some("choose another one with --port, or any free one with --port 0"));
    let endpoint = running.fixture.provider().endpoint();
    assert_eq!(endpoint, Some(format!("http://127.0.0.1:{port}/dev")));
    assert_eq!(endpoint, Some(running.server.url()));
}

#[tokio::test]
async fn a_warm_rule_pings_on_time_and_every_firing_is_recorded() {
    let running = Running::start(keyed().warm("sample", "5m")).await;
    let name = "sample".parse().unwrap();
    assert_eq!(running.fixture.provider().pings(&name).await.unwrap(), []);
    for fired in 1..=2 {
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(300)).await;
        tokio::time::resume();
        running.until(fired, "warm sample 1 ping ").await;
        let pings = running.fixture.provider().pings(&name).await.unwrap();
        assert_eq!(pings.len(), fired);
        assert!(pings[0].outcome.ends_with(" ms"), "{pings:?}");
        assert!(pings[0].at.ends_with('Z'), "{pings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_is_a_page_that_shows_what_is_served_and_no_secret() {
    let running = Running::start(keyed().warm("sample", "5m")).await;
    let page = running.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for text in [
        "ml_api · dev",
        &format!("{}/keyed", running.server.url()),
        "mdo key show default --local",
        "every 5 minutes",
    ] {
        assert!(page.text().contains(text), "{text}");
    }
    assert!(!page.text().contains(&running.fixture.key_value("default").await));
}
