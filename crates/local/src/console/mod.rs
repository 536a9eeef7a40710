//! The console: a page that shows what is served, runs events, and follows what happens, for whoever has the token of this start. It
//! knows what is served and what is written down of it, and changes nothing but by running events.

mod access;
mod entry;
mod feed;
mod notices;
mod overview;
mod page;
mod run;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use mdo_engine::logs::{Millis, now};
use mdo_engine::metrics::{Extent, Grid, Metrics};
use mdo_engine::{Error, Keys};
use mdo_model::project::KeyName;
use mdo_model::stack::{Kind, Resource, ResourceId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::access::{Access, Pass};
pub(crate) use self::notices::Notices;
use self::overview::{Firings, Overview};
pub(super) use self::page::refusal;
use crate::live::{Live, ServedStack};

/// Where the console is, beside `/`. No stage has such a name.
const ROOT: &str = "/_mdo";

/// How many pages may be told what happens at the same time.
const PAGES: usize = 16;

/// How large a request may be, in bytes: an event, and what JSON adds to it.
const LARGEST: usize = 16 * 1024 * 1024;

/// How far back pictures reach when nobody says, in milliseconds.
const HOUR: Millis = 60 * 60 * 1000;

/// How far back they reach at most.
const DAY: Millis = 24 * HOUR;

/// What a part of the server answers: text, or messages one after the other.
pub(super) type Answer = Response<Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>>;

/// Tells what a deploy to AWS would change, as text, or why that is not known.
pub type Planner = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// The console of one server.
pub(super) struct Console {
    live: Arc<Live>,
    access: Access,
    notices: Arc<Notices>,
    planner: Option<Planner>,
    port: u16,
    pages: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Console {
    /// The console of what is served on a port, until `stop`.
    ///
    /// # Errors
    /// When its token cannot be made or written down.
    pub(super) fn new(
        live: &Arc<Live>,
        notices: Arc<Notices>,
        planner: Option<Planner>,
        port: u16,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, Error> {
        let store = &live.provider.store;
        let access = Access::new(port, store.console_token())?;
        store.save_console_token(access.token())?;
        let (live, pages) = (Arc::clone(live), Arc::new(Semaphore::new(PAGES)));
        Ok(Arc::new(Self { live, access, notices, planner, port, pages, stop }))
    }

    /// Where it is opened, with its token.
    pub(super) fn path(&self) -> String {
        format!("/?token={}", self.access.token())
    }

    /// Whether a request is for the console.
    pub(super) fn is_asked(parts: &Parts) -> bool {
        let path = parts.uri.path();
        let is_page = path == "/" && matches!(parts.method, Method::GET | Method::HEAD);
        is_page || path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request that is for it.
    pub(super) async fn answer(self: &Arc<Self>, parts: &Parts, body: Incoming) -> Answer {
        let path = parts.uri.path();
        let below = path.strip_prefix(ROOT).unwrap_or(path).trim_start_matches('/');
        let pass = self.access.pass(&parts.headers, parts.uri.query());
        let mut answer = match (pass, below) {
            (Pass::Address, "") => moved(path),
            (Pass::None, "") => page::stranger(),
            (Pass::None | Pass::Address, _) => complaint(
                StatusCode::UNAUTHORIZED,
                "open the page with the address that `mdo dev` has printed",
            ),
            (Pass::Cookie | Pass::Former, "") => page::page(&self.live.provider.names),
            (Pass::Cookie | Pass::Former, below) => self.part(parts, below, body).await,
        };
        if matches!(pass, Pass::Address | Pass::Former) {
            answer.headers_mut().insert(SET_COOKIE, self.access.cookie());
        }
        answer
    }

    async fn part(self: &Arc<Self>, parts: &Parts, below: &str, body: Incoming) -> Answer {
        match (&parts.method, below) {
            (&Method::GET, "events") => self.events(),
            (&Method::GET, "configuration") => self.configuration().await,
            (&Method::GET, "picture.svg") => self.picture(parts.uri.query()).await,
            (&Method::POST, "run") => match read(body).await {
                Ok(asked) => run::run(&self.live, asked).await,
                Err(answer) => *answer,
            },
            (&Method::POST, "key") => match read(body).await {
                Ok(asked) => self.reveal(asked).await,
                Err(answer) => *answer,
            },
            (&Method::POST, "plan") => self.plan().await,
            (_, "events" | "configuration" | "picture.svg") => {
                complaint(StatusCode::METHOD_NOT_ALLOWED, "this is read with GET")
            }
            (_, "run" | "key" | "plan") => {
                complaint(StatusCode::METHOD_NOT_ALLOWED, "this is asked for with POST")
            }
            _ => complaint(StatusCode::NOT_FOUND, "the console has no such part"),
        }
    }

    fn overview(&self, stack: &ServedStack, firings: &mut Firings) -> Overview {
        Overview::new(&self.live, stack, self.notices.told(), firings, self.port)
    }

    fn events(self: &Arc<Self>) -> Answer {
        let Ok(place) = Arc::clone(&self.pages).try_acquire_owned() else {
            let why = format!("{PAGES} pages are open, and no more are told what happens");
            return complaint(StatusCode::SERVICE_UNAVAILABLE, &why);
        };
        let mut answer = Response::new(Either::Right(feed::start(self, place)));
        dress(&mut answer, "text/event-stream");
        answer
    }

    /// What is served, as the model has it: values of variables and keys are fingerprints.
    async fn configuration(&self) -> Answer {
        let stack = self.live.current().await;
        let names = &self.live.provider.names;
        let resources = stack.state.stack().resources(names).into_iter();
        let entry = |(id, resource): (ResourceId, Resource)| ResourceEntry {
            kind: id.kind,
            name: id.full_name(names),
            resource,
        };
        document(&resources.map(entry).collect::<Vec<_>>())
    }

    async fn picture(&self, query: Option<&str>) -> Answer {
        let since = query.into_iter().flat_map(|query| query.split('&'));
        let since = since.filter_map(|pair| pair.strip_prefix("since=")?.parse::<Millis>().ok()).next();
        let until = now();
        let grid = Grid::covering(until - since.unwrap_or(HOUR).clamp(1, DAY), until);
        let stack = self.live.current().await;
        let functions = stack.state.functions.keys().cloned().collect();
        match self.live.provider.measure(&functions, grid, Extent::Whole).await {
            Ok(measured) => {
                let names = &self.live.provider.names;
                let title = format!("{} · {} · this machine", names.project, names.stage);
                let mut answer = text(mdo_charts::svg(&measured, &title));
                dress(&mut answer, "image/svg+xml");
                answer
            }
            Err(error) => complaint(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    async fn reveal(&self, asked: AskedKey) -> Answer {
        match self.live.provider.key_value(&asked.name).await {
            Ok(value) => document(&RevealedKey { value: value.reveal() }),
            Err(error) => complaint(StatusCode::NOT_FOUND, &error.to_string()),
        }
    }

    async fn plan(&self) -> Answer {
        let Some(planner) = &self.planner else {
            return complaint(StatusCode::NOT_FOUND, "this server does not know how to plan");
        };
        match planner().await {
            Ok(text) => document(&PlanText { text }),
            Err(why) => complaint(StatusCode::BAD_GATEWAY, &why),
        }
    }
}

/// A resource of the stack.
#[derive(Serialize)]
struct ResourceEntry {
    kind: Kind,
    name: String,
    resource: Resource,
}

/// Which key's value is asked for.
#[derive(serde::Deserialize)]
struct AskedKey {
    name: KeyName,
}

#[derive(Serialize)]
struct RevealedKey<'a> {
    value: &'a str,
}

#[derive(Serialize)]
struct PlanText {
    text: String,
}

#[derive(Serialize)]
struct Complaint<'a> {
    message: &'a str,
}

/// Reads a document, or answers why it cannot be read.
async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Box<Answer>> {
    let bytes = match Limited::new(body, LARGEST).collect().await {
        Ok(bytes) => bytes.to_bytes(),
        Err(error) => return Err(Box::new(complaint(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()))),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| Box::new(complaint(StatusCode::BAD_REQUEST, &format!("cannot read this: {error}"))))
}

fn moved(to: &str) -> Answer {
    let mut answer = text(String::new());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    dress(&mut answer, "text/plain");
    answer.headers_mut().insert(LOCATION, HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/")));
    answer
}

/// Why something is not answered, as a document.
fn complaint(status: StatusCode, message: &str) -> Answer {
    let mut answer = document(&Complaint { message });
    *answer.status_mut() = status;
    answer
}

fn document(document: &impl Serialize) -> Answer {
    let mut answer = text(serde_json::to_string(document).unwrap_or_default());
    dress(&mut answer, "application/json");
    answer
}

fn text(text: String) -> Answer {
    Response::new(Either::Left(Full::new(Bytes::from(text))))
}

fn dress(answer: &mut Answer, kind: &'static str) {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
}
