//! The REST front: an HTTP request becomes an event, an answer becomes an HTTP response, and what API Gateway would refuse
//! is refused in its words.

mod answer;
mod binary;
mod body;
mod calling;
mod event;
mod front;
mod head;
mod identity;
mod keys;
mod meter;
mod origin;
mod record;
mod refusal;
mod router;
mod text;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, EXPECT, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method as HttpMethod, Request, Response, StatusCode};
use mdo_model::project::{FunctionName, KeyName, Method, Names, Security};
use mdo_model::stack::ApiRoute;
use time::OffsetDateTime;

pub use front::Front;
pub use keys::{KeyDigest, KeyRing};
pub use meter::{Meter, Usage, today};

use self::body::{Bodies, NoBody};
use self::event::Facts;
use self::identity::Identity;
use self::keys::Known;
use self::meter::Moment;
use self::origin::Origin;
use self::record::Record;
use self::refusal::{Declined, Refusal};
use self::router::Resource;

use crate::activity::Observer;
use crate::runtime::{InvokeContext, InvokeResult, MAX_REQUEST, Refused};

/// What is said of an answer to who signed the request.
const UNCHECKED: &str = "the signature was not verified";

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
    bodies: Bodies,
    port: u16,
    has_balancer: bool,
    started: Instant,
}

/// A request whose head was read.
struct Call<'a> {
    parts: &'a Parts,
    /// What the request means, which a POST may say in a header.
    method: HttpMethod,
    origin: &'a Origin<'a>,
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
        let bodies = Bodies::default();
        Self { source, names, meter, observer, bodies, port, has_balancer: false, started: Instant::now() }
    }

    /// The same behind a load balancer, which says where requests come from, and in a container, whose memory is small.
    pub fn behind_balancer(self) -> Self {
        Self { bodies: Bodies::of_container(), has_balancer: true, ..self }
    }

    /// Answers one request and tells of it.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, mut body) = request.into_parts();
        let origin = match self.has_balancer {
            true => Origin::balanced(&parts.headers, peer, self.port),
            false => Origin::direct(&parts.headers, peer, self.port),
        };
        let mut record = Record::new(&self.observer, &parts, origin.ip);
        let response = self.answer(&parts, &mut body, &origin, &mut record).await;
        // Who was too slow sends no more, and who asks before it sends sees the answer anyway.
        let is_sending =
            response.status() != StatusCode::REQUEST_TIMEOUT && !parts.headers.contains_key(EXPECT);
        if is_sending && !body.is_end_stream() {
            body::drain(&mut body).await;
        }
        response.map(Full::new)
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: &mut Incoming,
        origin: &Origin<'_>,
        record: &mut Record<'_>,
    ) -> Response<Bytes> {
        let served = self.source.current().await;
        let at = OffsetDateTime::now_utc();
        let identity = Identity::new(&parts.headers, at.unix_timestamp());
        record.request_id.clone_from(&identity.request_id);
        let answered = match self.path(parts, &served) {
            Err(declined) => Err(NoBody::Declined(declined)),
            Ok(path) => {
                let method = head::method(parts);
                let call = Call { parts, method, origin, path, served: &served, identity: &identity, at };
                self.route(&call, body, record).await
            }
        };
        let cors = served.front.allows_cors();
        let mut response = match answered {
            Ok(response) => response,
            Err(NoBody::Declined(declined)) => {
                record.why = Some(declined.why);
                let mut response = declined.refusal.response(cors);
                // The function may still be at it: its trace is how to find out what became of it.
                if declined.refusal == Refusal::TimedOut {
                    put(response.headers_mut(), "x-amzn-trace-id", &identity.trace_id);
                }
                response
            }
            // Nobody reads this.
            Err(NoBody::Abandoned) => return Refusal::BadRequest.response(cors),
        };
        record.status = Some(response.status());
        record.bytes = response.body().len();
        let headers = response.headers_mut();
        put(headers, "x-amzn-requestid", &identity.request_id);
        put(headers, "x-amz-apigw-id", &identity.extended_request_id);
        response
    }

    /// The path below the stage, of a request with an acceptable head.
    fn path<'a>(&self, parts: &'a Parts, served: &Served) -> Result<&'a str, Declined> {
        head::check(parts)?;
        if served.front.definition.is_none() {
            return Err(Refusal::Forbidden.because("nothing is deployed"));
        }
        let stage = self.names.stage.as_str();
        let below = head::below_stage(parts.uri.path(), stage);
        below.ok_or_else(|| Refusal::Forbidden.because(format!("not below the stage /{stage}")))
    }

    async fn route(
        &self,
        call: &Call<'_>,
        body: &mut Incoming,
        record: &mut Record<'_>,
    ) -> Result<Response<Bytes>, NoBody> {
        let front = &call.served.front;
        let unknown = || {
            let known = front.known_routes(self.names.stage.as_str());
            Refusal::MissingAuthenticationToken.because(format!("no such route; known: {known}"))
        };
        let found = front.router.find(call.path).ok_or_else(unknown)?;
        if front.allows_cors() && call.method == HttpMethod::OPTIONS && !found.resource.names(Method::Options)
        {
            return Ok(preflight(found.resource));
        }
        record.route = Some(found.resource.path.clone());
        let route = found.resource.route(call.method.as_str()).ok_or_else(unknown)?;
        record.function = Some(route.function.clone());
        let key = self.admit(call, route, record)?;
        let body = self.bodies.collect(&call.parts.headers, body).await?;
        let is_binary = binary::is_request_binary(front.binary_media_types(), &call.parts.headers);
        if !is_binary && let Some(loss) = binary::loss(&call.parts.headers, &body.bytes) {
            record.why = Some(loss.into());
        }
        let event = Facts {
            api_id: &front.api_id,
            deployment_id: &front.deployment_id,
            stage: self.names.stage.as_str(),
            stage_variables: &front.variables,
            resource: &found.resource.path,
            parameters: &found.parameters,
            method: call.method.as_str(),
            path: call.path,
            sent_path: call.parts.uri.path(),
            query: call.parts.uri.query().unwrap_or_default(),
            headers: &call.parts.headers,
            head: call.parts.extensions.get(),
            key,
            origin: call.origin,
            identity: call.identity,
            at: call.at,
            body: &body.bytes,
            is_binary,
        };
        let event = event.to_json();
        if event.len() > MAX_REQUEST {
            return Err(Refusal::RequestTooLong.because(format!("the event is above {MAX_REQUEST} bytes")))?;
        }
        // What the body took stays taken: the event is as large, and waits as long as there is no answer.
        let mut response = self.invoke(call, route, event, record).await?;
        if route.security == Security::Iam {
            put(response.headers_mut(), "x-mdo-note", UNCHECKED);
        }
        Ok(response)
    }

    /// The key that lets the request in, on a route that needs one.
    fn admit<'a>(
        &self,
        call: &'a Call<'_>,
        route: &ApiRoute,
        record: &mut Record<'_>,
    ) -> Result<Option<(&'a Known, &'a str)>, Declined> {
        match route.security {
            Security::Open => Ok(None),
            // The signature itself is not verified on this machine: there is nobody who knows the caller's secret.
            Security::Iam => {
                let authorization = call.parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                match authorization {
                    Some(value) if event::is_signature(value) => {
                        record.why = Some(Cow::Borrowed(UNCHECKED));
                        Ok(None)
                    }
                    _ => Err(Refusal::MissingAuthenticationToken.because("no signature")),
                }
            }
            Security::Key => {
                let value = call.parts.headers.get("x-api-key");
                let value = value.ok_or_else(|| Refusal::Forbidden.because("no x-api-key"))?;
                let unknown = || Refusal::Forbidden.because("unknown key");
                let known = call.served.front.keys.find(value.as_bytes()).ok_or_else(unknown)?;
                record.key = Some(known.name.clone());
                if let Some(why) = known.closed {
                    return Err(Refusal::Forbidden.because(why));
                }
                self.meter(&known.name)?;
                Ok(Some((known, value.to_str().map_err(|_| unknown())?)))
            }
        }
    }

    fn meter(&self, key: &KeyName) -> Result<(), Declined> {
        let now = Moment { elapsed: self.started.elapsed(), day: today() };
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.admit(key, now).map_err(|exceeded| meter.declined(exceeded))
    }
}

impl From<Declined> for NoBody {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
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
