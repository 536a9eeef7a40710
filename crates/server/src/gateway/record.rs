//! What is known of a request while it is served, and the one line that tells of it in the end.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hyper::StatusCode;
use hyper::http::request::Parts;
use mdo_model::project::{FunctionName, KeyName};

use crate::activity::{Activity, End, Observer, Request, Run};
use crate::listen::ServerEnd;

/// Tells of its request when it is dropped. hyper drops the work on a request whose client went away, and the process drops what is
/// left when it ends: then there is no status.
pub(super) struct Record<'a> {
    observer: &'a Observer,
    parts: &'a Parts,
    source_ip: IpAddr,
    start: Instant,
    pub(super) request_id: String,
    /// The path of the route, as it was configured.
    pub(super) route: Option<String>,
    pub(super) function: Option<FunctionName>,
    pub(super) key: Option<KeyName>,
    /// Whether the event was handed over.
    pub(super) called: bool,
    /// What the function did.
    pub(super) run: Option<Run>,
    /// Whether the function was not called because it is as busy as it may be.
    pub(super) throttled: bool,
    /// Why no function answered, or what its answer or the request's body suffered.
    pub(super) why: Option<Cow<'static, str>>,
    /// What is answered.
    pub(super) status: Option<StatusCode>,
    /// How large the answer's body is.
    pub(super) bytes: usize,
}

impl<'a> Record<'a> {
    /// Begins with the request's head.
    pub(super) fn new(observer: &'a Observer, parts: &'a Parts, source_ip: IpAddr) -> Self {
        Self {
            observer,
            parts,
            source_ip,
            start: Instant::now(),
            request_id: String::new(),
            route: None,
            function: None,
            key: None,
            called: false,
            run: None,
            throttled: false,
            why: None,
            status: None,
            bytes: 0,
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let end = match self.status {
            Some(status) => {
                End::Answered { status: status.as_u16(), why: self.why.take(), bytes: self.bytes }
            }
            None => {
                let end = self.parts.extensions.get::<ServerEnd>();
                End::Abandoned { by_client: !end.is_some_and(ServerEnd::has_come) }
            }
        };
        (self.observer)(Activity::Request(Arc::new(Request {
            id: std::mem::take(&mut self.request_id),
            method: self.parts.method.clone(),
            uri: self.parts.uri.clone(),
            route: self.route.take(),
            source_ip: self.source_ip,
            at: SystemTime::now(),
            took: self.start.elapsed(),
            function: self.function.take(),
            key: self.key.take(),
            called: self.called,
            run: self.run.take(),
            throttled: self.throttled,
            end,
        })));
    }
}
