//! The front against bytes that nobody would send on purpose: it never panics, answers each request or hangs up, and calls no
//! function that its route does not open.
//!
//! A few fixed cases run with the other tests. `MDO_FUZZ_CASES=300000 cargo test -p mdo-server --test fuzz` runs as many new ones.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mdo_model::project::{FunctionName, KeyName, Names, Secret, Security};
use mdo_model::stack::{ApiRoute, Definition};
use mdo_server::accept;
use mdo_server::gateway::{Front, Functions, Gateway, KeyRing, Meter, NotRun, Served, Source};
use mdo_server::runtime::{InvokeContext, InvokeResult};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value;
use tokio::net::TcpListener;

const KEY: &str = "a-key-of-twenty-characters-or-more";

/// How many cases run when nobody asks for more.
const CASES: u32 = 1000;

/// When an answer that does not come is given up. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Panics of any thread, the server's included.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Functions that check what they are called with and answer what the case says.
#[derive(Default)]
struct Answering(Mutex<Vec<u8>>);

#[async_trait]
impl Functions for Answering {
    async fn invoke(
        &self,
        function: &FunctionName,
        event: Bytes,
        _: InvokeContext,
    ) -> Result<InvokeResult, NotRun> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert!(event["path"].as_str().unwrap().starts_with('/'), "{event}");
        let header = |name: &str| {
            let mut headers = event["headers"].as_object().unwrap().iter();
            headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str().unwrap())
        };
        match function.as_str() {
            "keyed" => assert_eq!(event["requestContext"]["identity"]["apiKey"], KEY, "{event}"),
            "signed" => assert!(event["requestContext"]["identity"]["apiKey"].is_null(), "{event}"),
            _ => {}
        }
        assert!(header("host").is_none_or(|host| !host.contains('\n')), "{event}");
        Ok(InvokeResult {
            request_id: "11111111-2222-4333-8444-555555555555".into(),
            trace_id: "Root=1-0-0;Parent=0;Sampled=0".into(),
            payload: self.0.lock().unwrap().clone().into(),
            error: None,
            log_tail: Vec::new(),
            duration: Duration::ZERO,
            billed: Duration::ZERO,
            init: None,
            max_memory_mb: 0,
        })
    }
}

struct Fixed(Served);

#[async_trait]
impl Source for Fixed {
    async fn current(&self) -> Served {
        self.0.clone()
    }
}

/// Serves until the process ends.
fn serve(functions: &Arc<Answering>) -> SocketAddr {
    let names = Names { project: "shop".parse().unwrap(), stage: "dev".parse().unwrap() };
    let routes = [
        ("ANY /open", "open", Security::Open),
        ("GET /", "open", Security::Open),
        ("POST /a/{id}/{rest+}", "open", Security::Open),
        ("ANY /keyed", "keyed", Security::Key),
        ("ANY /keyed/{proxy+}", "keyed", Security::Key),
        ("GET /signed", "signed", Security::Iam),
    ];
    let routes = routes.map(|(route, function, security)| {
        let target = ApiRoute { function: function.parse().unwrap(), security, timeout_ms: 29_000 };
        (route.parse().unwrap(), target)
    });
    let definition =
        Definition { description: String::new(), routes: routes.into(), cors: true, ..Definition::default() };
    let (name, value): (KeyName, _) = ("default".parse().unwrap(), Secret::new(KEY));
    let keys = KeyRing::new([(&name, "abcdefghij", &value)].into_iter());
    let front = Front::new(&names, Some(definition), BTreeMap::new(), keys);
    let served = Served { front: Arc::new(front), functions: Arc::clone(functions) as _ };
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let meter = Arc::new(Mutex::new(Meter::default()));
            let observer = Arc::new(|_| {});
            let source = Arc::new(Fixed(served));
            let gateway = Arc::new(Gateway::new(source, names, meter, observer, address.port()));
            sender.send(address).unwrap();
            let handler = move |request, peer| {
                let gateway = Arc::clone(&gateway);
                async move { gateway.handle(request, peer).await }
            };
            accept(listener, handler, std::future::pending()).await;
        });
    });
    receiver.recv().unwrap()
}

/// What a client sends, and whether it says with it all that it announced.
#[derive(Clone, Debug)]
struct Sent {
    bytes: Vec<u8>,
    is_whole: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let noise =
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Sent { bytes, is_whole: false });
    prop_oneof![1 => noise, 1 => mutilated(), 8 => request()]
}

/// A request of which something was cut off, or one byte was changed.
fn mutilated() -> impl Strategy<Value = Sent> {
    (request(), any::<prop::sample::Index>(), any::<Option<u8>>()).prop_map(|(mut request, at, other)| {
        let at = at.index(request.bytes.len());
        match other {
            Some(other) => request.bytes[at] = other,
            None => request.bytes.truncate(at),
        }
        Sent { is_whole: false, ..request }
    })
}

fn request() -> impl Strategy<Value = Sent> {
    (method(), target(), headers(), body()).prop_map(|(method, target, headers, body)| {
        let mut bytes =
            format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&value);
            bytes.extend_from_slice(b"\r\n");
        }
        let is_whole = body.write(&mut bytes);
        Sent { bytes, is_whole }
    })
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(vec!["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "ANY"])
            .prop_map(str::to_owned),
        1 => "[A-Za-z!#$%&'*+.^_`|~-]{1,12}",
    ]
}

/// A path of pieces that mean something to somebody, and a query.
fn target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(vec![
            "/", "/dev", "/open", "/keyed", "/a", "/1", "/signed", "//", "/..", "/.", "%2F", "%2f..", "%00", "%", "%zz",
            "%C3%A9", "%ff", ";x", ":", "+", "{id}", "{rest+}", "~", "dev", "@", "\\", "|", "#",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
        1 => "\\PC{0,3}",
    ];
    let path = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let known = proptest::sample::select(vec![
        "/dev/open",
        "/dev/keyed",
        "/dev/keyed/x",
        "/dev/a/1/2/3",
        "/dev",
        "/dev/signed",
        "http://x/dev/open",
        "*",
        "x:80",
    ]);
    let query =
        prop_oneof![2 => Just(String::new()), 1 => "\\?[a-c=&;%+\\[\\]0-9F]{0,20}", 1 => "\\?[!-~]{0,12}"];
    // Only what is below the stage gets further than its name.
    let path = (any::<bool>(), path)
        .prop_map(|(is_below, path)| if is_below { format!("/dev/{path}") } else { path });
    (prop_oneof![3 => path, 3 => known.prop_map(str::to_owned)], query)
        .prop_map(|(path, query)| path + &query)
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        4 => proptest::sample::select(vec![
            "x-api-key", "X-API-KEY", "Authorization", "Host", "Cookie", "Accept", "Content-Type", "X-Forwarded-For",
            "X-Amzn-Trace-Id", "Expect", "X-HTTP-Method-Override", "Origin", "User-Agent", "Upgrade", "TE",
        ]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9-]{1,10}",
    ];
    let value = prop_oneof![
        2 => Just(KEY.as_bytes().to_vec()),
        1 => proptest::sample::select(vec!["AWS4-HMAC-SHA256 Credential=x", "100-continue", "", "Root=1", ",", "; ="])
            .prop_map(|value| value.as_bytes().to_vec()),
        2 => proptest::collection::vec(prop_oneof![4 => 32..=126_u8, 1 => 128..=255_u8, 1 => Just(b'\t')], 0..40),
    ];
    proptest::collection::vec((name, value), 0..5)
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Sized(Vec<u8>),
    /// It announces another length than it has.
    Lying(Vec<u8>, u64),
    Chunked(Vec<Vec<u8>>),
    BrokenChunk(Vec<u8>),
}

impl Body {
    /// Whether all that was announced is there.
    fn write(self, bytes: &mut Vec<u8>) -> bool {
        let with_length = |bytes: &mut Vec<u8>, length: u64, body: &[u8]| {
            bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            bytes.extend_from_slice(body);
        };
        match self {
            Self::None => bytes.extend_from_slice(b"\r\n"),
            Self::Sized(body) => with_length(bytes, body.len() as u64, &body),
            Self::Lying(body, length) => {
                with_length(bytes, length, &body);
                return false;
            }
            Self::Chunked(chunks) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            Self::BrokenChunk(body) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n");
                bytes.extend_from_slice(&body);
                return false;
            }
        }
        true
    }
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        3 => Just(Body::None),
        3 => bytes().prop_map(Body::Sized),
        1 => (bytes(), any::<u64>()).prop_map(|(body, length)| Body::Lying(body, length)),
        1 => proptest::collection::vec(bytes(), 0..4).prop_map(Body::Chunked),
        1 => bytes().prop_map(Body::BrokenChunk),
    ]
}

/// What a function answers: a proxy response more or less, or anything.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let text = || prop_oneof!["[ -~]{0,12}", "\\PC{0,6}"];
    let value = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        proptest::collection::vec(text().prop_map(Value::from), 0..3).prop_map(Value::from),
    ];
    let status = prop_oneof![
        4 => (0..1100_i64).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => "[0-9]{0,4}".prop_map(Value::from),
    ];
    let value = value.boxed();
    let headers = proptest::collection::btree_map(text(), value.clone(), 0..3);
    let response = (status, headers, proptest::option::of(value), any::<Option<bool>>()).prop_map(
        |(status, headers, body, is_base64)| {
            let mut response = serde_json::json!({ "statusCode": status, "headers": headers, "body": body });
            response["isBase64Encoded"] = Value::from(is_base64);
            response.to_string().into_bytes()
        },
    );
    prop_oneof![
        6 => response,
        2 => Just(br#"{"statusCode":200,"body":"well"}"#.to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

/// All that the server says to this; nothing when it hangs up.
fn exchange(address: SocketAddr, sent: &Sent) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has answered already may have hung up.
    let _ = stream.write_all(&sent.bytes);
    if !sent.is_whole {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            panic!("neither answered nor closed: {error}")
        }
        _ => answer,
    }
}

/// Whether it is one HTTP answer, or several.
fn is_http(answer: &[u8]) -> bool {
    let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.is_some_and(|status| status.iter().all(u8::is_ascii_digit))
        && answer.windows(4).any(|end| end == b"\r\n\r\n")
}

#[test]
fn whatever_is_sent_ends_in_an_answer_or_a_closed_connection() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(info);
    }));
    let functions = Arc::new(Answering::default());
    let address = serve(&functions);
    let given = std::env::var("MDO_FUZZ_CASES").ok().map(|cases| cases.parse().unwrap());
    let config = Config { cases: given.unwrap_or(CASES), max_shrink_iters: 500, ..Config::default() };
    let mut runner = match given {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let answered = AtomicUsize::new(0);
    let outcome = runner.run(&(sent(), answer()), |(sent, answer)| {
        functions.0.lock().unwrap().clone_from(&answer);
        PANICS.store(0, Ordering::SeqCst);
        let answer = exchange(address, &sent);
        let fault = |what: &str| {
            Err(TestCaseError::fail(format!("{what}: {}", String::from_utf8_lossy(&sent.bytes))))
        };
        if PANICS.load(Ordering::SeqCst) > 0 {
            return fault("the server panicked");
        }
        if answer.is_empty() && sent.is_whole {
            return fault("a whole request was not answered");
        }
        if !answer.is_empty() && !is_http(&answer) {
            return fault("the answer is no HTTP");
        }
        answered.fetch_add(usize::from(!answer.is_empty()), Ordering::SeqCst);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // The server is as well as before, and most of what was sent was worth an answer.
    functions.0.lock().unwrap().clone_from(&br#"{"statusCode":200,"body":"well"}"#.to_vec());
    let request = b"GET /dev/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec();
    let answer = exchange(address, &Sent { bytes: request, is_whole: true });
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"well"));
    assert!(answered.into_inner() > given.unwrap_or(CASES) as usize / 2);
}
