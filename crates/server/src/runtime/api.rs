//! The Lambda Runtime API, version 2018-06-01, for one sandbox.
//!
//! Routes and status codes follow <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. The Extensions, Logs and
//! Telemetry APIs are not offered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::logs::SandboxLog;
use super::mailbox::{Answer, Mailbox, Misuse, Report};
use super::peer::{self, Stranger};
use super::spec::MAX_RESPONSE;

const PREFIX: &str = "/2018-06-01/runtime/";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What is read and thrown away of a body that is too large, so that its sender can read why.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;
/// How long to wait when the system has no file descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Reply = Response<Full<Bytes>>;

/// Serves a sandbox until this is dropped, and its connections with it. Each peer is looked at once, when it connects; a stranger
/// is hung up on.
///
/// Nobody is served before `process` says which process the sandbox is.
pub(super) async fn serve(
    listener: TcpListener,
    mailbox: Arc<Mailbox>,
    log: Arc<SandboxLog>,
    process: oneshot::Receiver<u32>,
) {
    let Ok(sandbox) = process.await else { return };
    let mut connections = JoinSet::new();
    let mut is_told = false;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match admit(&stream, peer, sandbox).await {
                    Ok(()) => drop(connections.spawn(connection(stream, Arc::clone(&mailbox)))),
                    Err(stranger) => {
                        // Told once: who is hung up on may come back for ever.
                        if !std::mem::replace(&mut is_told, true) {
                            log.write(format!("Runtime API: hung up on a connection from {peer}: {stranger}"));
                        }
                    }
                },
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Whether the peer is of the sandbox. One at a time, so that strangers cannot pile up.
async fn admit(stream: &TcpStream, peer: SocketAddr, sandbox: u32) -> Result<(), Stranger> {
    let own = stream.local_addr().map_err(|error| Stranger::Unknown(error.to_string()))?;
    let looking = tokio::task::spawn_blocking(move || peer::check(peer, own, sandbox));
    looking.await.unwrap_or_else(|error| Err(Stranger::Unknown(error.to_string())))
}

async fn connection(stream: TcpStream, mailbox: Arc<Mailbox>) {
    let service = service_fn(move |request| {
        let mailbox = Arc::clone(&mailbox);
        async move { Ok::<_, Infallible>(answer(&mailbox, request).await) }
    });
    // Without it an answer may wait 40 ms for an acknowledgement; where it cannot be set, it is only slower.
    drop(stream.set_nodelay(true));
    // Some runtimes look for the headers in the case in which they are documented.
    let serving =
        http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(stream), service);
    // A function that hangs up has nobody to be told.
    drop(serving.await);
}

async fn answer(mailbox: &Mailbox, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Some(path) = head.uri.path().strip_prefix(PREFIX) else { return unknown() };
    let mut segments = path.split('/');
    let route = [segments.next(), segments.next(), segments.next(), segments.next()];
    match (&head.method, route) {
        (&Method::GET, [Some("invocation"), Some("next"), None, None]) => next(mailbox).await,
        (&Method::POST, [Some("invocation"), Some(id), Some("response"), None]) => match read(body).await {
            Ok(Received::Whole(document, trailers)) => {
                let answer = match mid_stream_error(&trailers) {
                    Some(report) => Answer::Error(report),
                    None => Answer::Response(document),
                };
                accepted(mailbox.answer(id, answer))
            }
            Ok(Received::TooLarge) => match mailbox.answer(id, Answer::TooLarge) {
                Ok(()) => error(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &format!("Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."),
                ),
                misuse => accepted(misuse),
            },
            Err(_) => broken(),
        },
        (&Method::POST, [Some("invocation"), Some(id), Some("error"), None]) => {
            match report(&head.headers, body).await {
                Ok(report) => accepted(mailbox.answer(id, Answer::Error(report))),
                Err(_) => broken(),
            }
        }
        (&Method::POST, [Some("init"), Some("error"), None, None]) => {
            match report(&head.headers, body).await {
                Ok(report) => accepted(mailbox.fail_start(report)),
                Err(_) => broken(),
            }
        }
        _ => unknown(),
    }
}

async fn next(mailbox: &Mailbox) -> Reply {
    match mailbox.next().await {
        Ok(event) => {
            let mut response = Response::new(Full::new(event.payload));
            *response.headers_mut() = event.headers;
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Err(misuse) => accepted(Err(misuse)),
    }
}

enum Received {
    Whole(Bytes, HeaderMap),
    TooLarge,
}

async fn read(mut body: Incoming) -> Result<Received, hyper::Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut document = BytesMut::with_capacity(expected.min(MAX_RESPONSE));
    let mut trailers = HeaderMap::new();
    let mut total: usize = 0;
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                total = total.saturating_add(data.len());
                if total <= MAX_RESPONSE {
                    document.extend_from_slice(&data);
                } else if total > MAX_DISCARDED {
                    break;
                }
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(if total > MAX_RESPONSE { Received::TooLarge } else { Received::Whole(document.freeze(), trailers) })
}

async fn report(headers: &HeaderMap, body: Incoming) -> Result<Report, hyper::Error> {
    let document = match read(body).await? {
        Received::Whole(document, _) => document,
        Received::TooLarge => Bytes::new(),
    };
    Ok(reported(header(headers, ERROR_TYPE), document))
}

/// A response that is streamed may turn out to be an error after its beginning; its trailers say so.
fn mid_stream_error(trailers: &HeaderMap) -> Option<Report> {
    let error_type = header(trailers, ERROR_TYPE)?;
    let body = header(trailers, ERROR_BODY).and_then(|body| BASE64.decode(body).ok()).unwrap_or_default();
    Some(reported(Some(error_type), body.into()))
}

/// The name of an error is in a header, in the document, or nowhere.
fn reported(error_type: Option<String>, document: Bytes) -> Report {
    let parsed = serde_json::from_slice::<serde_json::Value>(&document).ok();
    let named = || Some(parsed.as_ref()?.get("errorType")?.as_str()?.to_owned());
    let error_type = error_type.or_else(named).unwrap_or_default();
    let document = match parsed {
        Some(_) => document,
        None => json!({ "errorType": error_type, "errorMessage": String::from_utf8_lossy(&document) })
            .to_string()
            .into(),
    };
    Report { document, error_type }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn accepted(result: Result<(), Misuse>) -> Reply {
    match result {
        Ok(()) => document(StatusCode::ACCEPTED, &json!({ "status": "OK" })),
        Err(Misuse::UnknownRequest) => {
            error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Err(Misuse::WrongState) => {
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", "Transition is not allowed")
        }
    }
}

fn unknown() -> Reply {
    error(StatusCode::NOT_FOUND, "NotFound", "there is no such call in the Lambda Runtime API 2018-06-01")
}

fn broken() -> Reply {
    error(StatusCode::BAD_REQUEST, "InvalidRequest", "the body could not be read")
}

fn error(status: StatusCode, error_type: &str, message: &str) -> Reply {
    document(status, &json!({ "errorType": error_type, "errorMessage": message }))
}

fn document(status: StatusCode, value: &serde_json::Value) -> Reply {
    let mut response = Response::new(Full::new(value.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
