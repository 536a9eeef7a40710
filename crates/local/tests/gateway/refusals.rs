//! Who is refused, and what goes wrong: in API Gateway's words.

use std::io::{Read, Write};

use mdo_model::project::{Period, Quota, Security, Throttle};

use crate::connection::{Answer, send};
use crate::running::{Running, fifo, keyed, open, raw, refused};
use crate::stack;

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
    let signed = signed.await;
    assert_eq!((signed.status, signed.header("x-mdo-note")), (200, Some("the signature was not verified")));
    assert!(running.said("GET /dev/signed 200 the signature was not verified · "));
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
        ("/dev/open?do=fail".to_owned(), "GET /dev/open 502 function sample failed: ValueError: boom · "),
        ("/dev/open?do=exit".to_owned(), "function sample failed: Runtime.ExitError"),
        (raw("[]"), "function sample: Malformed Lambda proxy response: the answer is a list, not an object"),
        (raw(r#"{"statusCode":"ok"}"#), "Malformed Lambda proxy response: statusCode is a string"),
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
    let host = running.server.address();
    let head = format!(
        "POST /dev/open HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    tokio::task::block_in_place(|| stream.read_exact(&mut answer)).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_concurrency_that_is_exceeded_is_a_500() {
    let running = Running::start(open().with("sample", |function| function.concurrency = Some(1))).await;
    let (arrived, go) = (fifo(&running, "arrived"), fifo(&running, "go"));
    let address = running.server.address();
    let first = tokio::spawn(async move { send(address, "GET", "/dev/open?do=gate", &[], b"").await.status });
    tokio::task::spawn_blocking(move || std::fs::read(arrived).unwrap()).await.unwrap();
    let second = running.get("/dev/open").await;
    refused(&second, 500, "InternalServerErrorException", "Internal server error");
    assert!(running.said("GET /dev/open 500 every sandbox reserved for function sample is busy · "));
    tokio::task::spawn_blocking(move || std::fs::write(go, "x").unwrap()).await.unwrap();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(running.get("/dev/open").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_line_says_why_a_request_is_refused() {
    let throttle = Some(Throttle { rate: 1e-6, burst: 1 });
    let fixture = keyed().key("alice").key("loose").usage_plan(throttle, None);
    let running = Running::start(fixture.route("POST /post/{id}", "sample", Security::Open)).await;
    let mut running = running;
    let (default, alice) =
        (running.fixture.key_value("default").await, running.fixture.key_value("alice").await);
    running.fixture.desired.keys.get_mut(&"alice".parse().unwrap()).unwrap().enabled = false;
    running.fixture.deploy().await;
    let known = "no such route; known: GET /dev/keyed, POST /dev/post/{id}";
    for (method, path, key, line) in [
        ("GET", "/dev/keyed", None, "GET /dev/keyed 403 no x-api-key · ".to_owned()),
        ("GET", "/dev/keyed", Some("x"), "GET /dev/keyed 403 unknown key · ".to_owned()),
        ("GET", "/dev/keyed", Some(&*alice), "GET /dev/keyed 403 key disabled · ".to_owned()),
        ("GET", "/dev/keyed", Some(&*default), "GET /dev/keyed 200 ".to_owned()),
        ("GET", "/dev/keyed", Some(&*default), "GET /dev/keyed 429 throttle 0.000001/s · ".to_owned()),
        ("GET", "/dev/nowhere", None, format!("GET /dev/nowhere 403 {known} · ")),
        ("PUT", "/dev/keyed", None, format!("PUT /dev/keyed 403 {known} · ")),
        ("GET", "/prod/keyed", None, "GET /prod/keyed 403 not below the stage /dev · ".to_owned()),
    ] {
        let key = key.map(|key| ("x-api-key", key));
        running.send(method, path, key.as_slice(), b"").await;
        assert_eq!(running.count(&line), 1, "{line} in {:#?}", running.lines);
    }
    assert!(running.said(" ms sample key alice"));
    running.fixture = running.fixture.usage_plan(None, Some(Quota { limit: 0, period: Period::Day }));
    running.fixture.deploy().await;
    running.send("GET", "/dev/keyed", &[("x-api-key", &default)], b"").await;
    assert!(running.said("GET /dev/keyed 429 quota 0 a day · "));
    assert!(!running.said(&default) && !running.said(&alice));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_before_the_answer_is_told_of() {
    let running = Running::start(open()).await;
    let (arrived, go) = (fifo(&running, "arrived"), fifo(&running, "go"));
    let mut stream = std::net::TcpStream::connect(running.server.address()).unwrap();
    let host = running.server.address();
    write!(stream, "GET /dev/open?do=gate HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    tokio::task::spawn_blocking(move || std::fs::read(arrived).unwrap()).await.unwrap();
    drop(stream);
    running.until(1, "GET /dev/open client went away before the answer · ").await;
    // The function goes on, as on Lambda.
    tokio::task::spawn_blocking(move || std::fs::write(go, "x").unwrap()).await.unwrap();
    running.until(1, "REPORT RequestId").await;

    let mut stream = std::net::TcpStream::connect(running.server.address()).unwrap();
    write!(stream, "PUT /dev/open HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
    drop(stream);
    running.until(1, "PUT /dev/open client went away before the answer · ").await;
    assert!(!running.said("PUT /dev/open 4"));
}

/// Begins a body and waits until the server reads it.
fn begin(running: &Running, method: &str, length: usize) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(running.server.address()).unwrap();
    let host = running.server.address();
    let head = format!("{method} /dev/open HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
    write!(stream, "{head}Expect: 100-continue\r\n\r\n").unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_do_not_take_all_memory() {
    let running = Running::start(open()).await;
    let length = 6 * 1024 * 1024;
    let clients: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = tokio::task::block_in_place(|| begin(&running, "POST", length));
            // Who does not fit in is hung up on meanwhile.
            std::thread::spawn(move || {
                let _ = stream.write_all(&vec![b'x'; length - 1]);
                stream
            })
        })
        .collect();
    // Ten fit in. A third one is refused where two find at the same instant that they do not.
    let no_room = "POST /dev/open 503 the bodies of all requests together are above 67108864 bytes · ";
    running.until(2, no_room).await;
    let sent = clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>();
    // Without a body there is no need of room.
    assert_eq!(running.get("/dev/open").await.status, 200);
    drop(sent);
    running.until(12, "POST /dev/open ").await;
    let went_away = running.count("POST /dev/open client went away before the answer");
    assert_eq!(running.count(no_room) + went_away, 12);
    assert_eq!(running.send("POST", "/dev/open?do=length", &[], &vec![b'x'; 5_000_000]).await.status, 200);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_408_and_the_end_of_its_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let running = Running::start(open()).await;
    let host = running.server.address();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!("POST /dev/open HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n");
    stream.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(30)).await;
    tokio::time::resume();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"message":"Request Timeout"}"#), "{answer}");
    assert!(running.said("POST /dev/open 408 no byte of the body within 30 s · "));
}
