//! The REST front: an HTTP request becomes an event, an answer becomes an HTTP response, and what API Gateway would refuse
//! is refused in its words.

mod answer;
mod event;
mod front;
mod identity;
mod keys;
mod meter;
mod refusal;
mod router;
mod text;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method as HttpMethod, Request, Response};
use mdo_model::project::{FunctionName, KeyName, Method, Names, Security};
use mdo_model::stack::ApiRoute;
use time::OffsetDateTime;

pub use front::Front;
pub use keys::{KeyDigest, KeyRing};
pub use meter::{Meter, Usage};

use self::event::Facts;
use self::identity::Identity;
use self::keys::Known;
use self::meter::Moment;
use self::refusal::Refusal;
use self::router::Resource;

use crate::activity::{Activity, Observer};
use crate::runtime::{InvokeContext, InvokeResult, MAX_REQUEST, Refused};

/// The largest body that API Gateway takes, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// How much of a refused body is read so that its sender gets to see the answer, in bytes.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

/// How long a refused client may go on sending before it is answered all the same.
const DRAINING: Duration = Duration::from_secs(5);

/// What the front calls: the functions of a stage at one moment.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Runs an event for the API and waits for what comes of it.
    ///
    /// # Errors
    /// When the event was not run. What the function did wrong is [`InvokeResult::error`].
    async fn invoke(
        &self,
        function: &FunctionName,
        event: Bytes,
        context: InvokeContext,
    ) -> Result<InvokeResult, NotRun>;
}

/// Why the front could not have an event run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// There is no such function.
    Absent,
    /// The function does not let the API call it.
    NotAllowed,
    /// Its sandboxes refused the event.
    Refused(Refused),
}

impl From<Refused> for NotRun {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What is served at one moment: a request sees one such moment from its beginning to its end.
#[derive(Clone)]
pub struct Served {
    /// Routes, keys and variables.
    pub front: Arc<Front>,
    /// What the routes call.
    pub functions: Arc<dyn Functions>,
}

/// Where the front finds what is served.
#[async_trait]
pub trait Source: Send + Sync {
    /// What is served now.
    async fn current(&self) -> Served;
}

/// The REST front of one stage.
pub struct Gateway {
    source: Arc<dyn Source>,
    names: Names,
    meter: Arc<Mutex<Meter>>,
    observer: Observer,
    port: u16,
    started: Instant,
}

/// What is known of a request, for the log.
#[derive(Default)]
struct Trace {
    function: Option<FunctionName>,
    key: Option<KeyName>,
}

/// A request whose head was read.
struct Call<'a> {
    parts: &'a Parts,
    peer: SocketAddr,
    /// The path below the stage, as it was sent.
    path: &'a str,
    served: &'a Served,
    identity: &'a Identity,
    at: OffsetDateTime,
}

impl Gateway {
    /// The front of a stage, listening on a port.
    pub fn new(
        source: Arc<dyn Source>,
        names: Names,
        meter: Arc<Mutex<Meter>>,
        observer: Observer,
        port: u16,
    ) -> Self {
        Self { source, names, meter, observer, port, started: Instant::now() }
    }

    /// Answers one request and tells of it.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let (parts, mut body) = request.into_parts();
        let mut trace = Trace::default();
        let response = self.answer(&parts, &mut body, peer, &mut trace).await;
        if !body.is_end_stream() && !parts.headers.contains_key(EXPECT) {
            let _ = tokio::time::timeout(DRAINING, drain(&mut body)).await;
        }
        (self.observer)(Activity::Request {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            status: response.status().as_u16(),
            took: start.elapsed(),
            function: trace.function,
            key: trace.key,
        });
        response.map(Full::new)
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: &mut Incoming,
        peer: SocketAddr,
        trace: &mut Trace,
    ) -> Response<Bytes> {
        let path = parts.uri.path();
        let served = self.source.current().await;
        let at = OffsetDateTime::now_utc();
        let identity = Identity::new(&parts.headers, at.unix_timestamp());
        let cors = served.front.allows_cors();
        let stage = self.names.stage.as_str();
        let below = below_stage(path, stage).filter(|_| served.front.definition.is_some());
        let answered = match below {
            None => Err(Refusal::Forbidden),
            Some(path) => {
                let call = Call { parts, peer, path, served: &served, identity: &identity, at };
                self.route(&call, body, trace).await
            }
        };
        let mut response = answered.unwrap_or_else(|refusal| refuse(refusal, cors));
        let headers = response.headers_mut();
        put(headers, "x-amzn-requestid", &identity.request_id);
        put(headers, "x-amz-apigw-id", &identity.extended_request_id);
        response
    }

    async fn route(
        &self,
        call: &Call<'_>,
        body: &mut Incoming,
        trace: &mut Trace,
    ) -> Result<Response<Bytes>, Refusal> {
        let front = &call.served.front;
        let found = front.router.find(call.path).ok_or(Refusal::MissingAuthenticationToken)?;
        if front.allows_cors()
            && call.parts.method == HttpMethod::OPTIONS
            && !found.resource.names(Method::Options)
        {
            return Ok(preflight(found.resource));
        }
        let route =
            found.resource.route(call.parts.method.as_str()).ok_or(Refusal::MissingAuthenticationToken)?;
        trace.function = Some(route.function.clone());
        let key = self.admit(call, route)?;
        trace.key = key.map(|(known, _)| known.name.clone());
        if let Some((known, _)) = key {
            self.meter(&known.name)?;
        }
        let body = collect(&call.parts.headers, body).await?;
        let event = Facts {
            api_id: &front.api_id,
            stage: self.names.stage.as_str(),
            stage_variables: &front.variables,
            resource: &found.resource.path,
            parameters: &found.parameters,
            method: call.parts.method.as_str(),
            path: call.path,
            query: call.parts.uri.query().unwrap_or_default(),
            headers: &call.parts.headers,
            head: call.parts.extensions.get(),
            key,
            peer: call.peer,
            port: self.port,
            identity: call.identity,
            at: call.at,
            body: &body,
        };
        let event = event.to_json();
        if event.len() > MAX_REQUEST {
            return Err(Refusal::RequestTooLong);
        }
        self.invoke(call, route, event).await
    }

    /// The key that lets the request in, on a route that needs one.
    fn admit<'a>(
        &self,
        call: &'a Call<'_>,
        route: &ApiRoute,
    ) -> Result<Option<(&'a Known, &'a str)>, Refusal> {
        match route.security {
            Security::Open => Ok(None),
            // The signature itself is not verified on this machine: there is nobody who knows the caller's secret.
            Security::Iam => {
                let authorization = call.parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                match authorization {
                    Some(value) if event::is_signature(value) => Ok(None),
                    _ => Err(Refusal::MissingAuthenticationToken),
                }
            }
            Security::Key => {
                let value = call.parts.headers.get("x-api-key").ok_or(Refusal::Forbidden)?;
                let known = call.served.front.keys.find(value.as_bytes()).ok_or(Refusal::Forbidden)?;
                Ok(Some((known, value.to_str().map_err(|_| Refusal::Forbidden)?)))
            }
        }
    }

    fn meter(&self, key: &KeyName) -> Result<(), Refusal> {
        let day = OffsetDateTime::now_utc().unix_timestamp().div_euclid(86_400);
        let now = Moment { elapsed: self.started.elapsed(), day };
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(meter.admit(key, now)?)
    }

    async fn invoke(
        &self,
        call: &Call<'_>,
        route: &ApiRoute,
        event: Vec<u8>,
    ) -> Result<Response<Bytes>, Refusal> {
        let name = &route.function;
        let problem = |what: String| (self.observer)(Activity::Problem(what));
        let context =
            InvokeContext { trace_id: Some(call.identity.trace_id.clone()), ..InvokeContext::default() };
        let limit = Duration::from_millis(u64::from(route.timeout_ms));
        // The function goes on when nobody waits for it any more, as on Lambda.
        let running = call.served.functions.invoke(name, Bytes::from(event), context);
        let result = match tokio::time::timeout(limit, running).await {
            Err(_) => return Err(Refusal::TimedOut),
            Ok(Err(NotRun::Absent)) => return Err(Refusal::NoPermission),
            Ok(Err(NotRun::NotAllowed)) => {
                problem(format!("function {name} does not let the API call it"));
                return Err(Refusal::NoPermission);
            }
            Ok(Err(NotRun::Refused(Refused::TooLarge))) => return Err(Refusal::RequestTooLong),
            Ok(Err(NotRun::Refused(refused))) => {
                problem(format!("function {name} was not called: {refused}"));
                return Err(Refusal::BadGateway);
            }
            Ok(Ok(result)) => result,
        };
        if let Some(error) = result.error {
            let document: serde_json::Value = serde_json::from_slice(&result.payload).unwrap_or_default();
            let why = document["errorMessage"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            problem(format!("function {name} failed: {}{why}", error.error_type));
            return Err(Refusal::BadGateway);
        }
        let mut response = answer::read(&result.payload).map_err(|rule| {
            problem(format!("function {name}: Malformed Lambda proxy response: {rule}"));
            Refusal::BadGateway
        })?;
        put(response.headers_mut(), "x-amzn-trace-id", &call.identity.trace_id);
        Ok(response)
    }
}

/// What follows the stage in a path, beginning with a slash.
fn below_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    match path.strip_prefix('/')?.strip_prefix(stage)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

/// The whole body, unless it is too large.
async fn collect(headers: &HeaderMap, body: &mut Incoming) -> Result<Bytes, Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY) {
        return Err(Refusal::RequestTooLong);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A client that breaks off gets no answer anyway.
        let frame = frame.map_err(|_| Refusal::RequestTooLong)?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY {
            return Err(Refusal::RequestTooLong);
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads what a refused client still sends: closing on it would take the answer away from it.
async fn drain(body: &mut Incoming) {
    let mut left = MAX_DRAINED;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
}

fn refuse(refusal: Refusal, cors: bool) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(refusal.body().as_bytes()));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.error_type()));
    if cors {
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    }
    response
}

fn preflight(resource: &Resource) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers.insert(
        "access-control-allow-headers",
        HeaderValue::from_static("Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token"),
    );
    put(headers, "access-control-allow-methods", &resource.allowed_methods());
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
