//! What is known of a request while it is served, and the one line that tells of it in the end.

use std::borrow::Cow;
use std::time::Instant;

use hyper::StatusCode;
use hyper::http::request::Parts;
use mdo_model::project::{FunctionName, KeyName};

use crate::activity::{Activity, Observer};
use crate::listen::ServerEnd;

/// Tells of its request when it is dropped. hyper drops the work on a request whose client went away, and the process drops what is
/// left when it ends: then there is no status.
pub(super) struct Record<'a> {
    observer: &'a Observer,
    parts: &'a Parts,
    start: Instant,
    pub(super) function: Option<FunctionName>,
    pub(super) key: Option<KeyName>,
    /// Why no function answered, or what its answer or the request's body suffered.
    pub(super) why: Option<Cow<'static, str>>,
    /// What is answered.
    pub(super) status: Option<StatusCode>,
}

impl<'a> Record<'a> {
    /// Begins with the request's head.
    pub(super) fn new(observer: &'a Observer, parts: &'a Parts) -> Self {
        let start = Instant::now();
        Self { observer, parts, start, function: None, key: None, why: None, status: None }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let method = self.parts.method.to_string();
        let path = self.parts.uri.path().to_owned();
        let took = self.start.elapsed();
        let (function, key) = (self.function.take(), self.key.take());
        (self.observer)(match self.status {
            Some(status) => {
                let why = self.why.take();
                Activity::Request { method, path, status: status.as_u16(), why, took, function, key }
            }
            None => {
                let end = self.parts.extensions.get::<ServerEnd>();
                let by_client = !end.is_some_and(ServerEnd::has_come);
                Activity::Abandoned { method, path, by_client, took, function, key }
            }
        });
    }
}
