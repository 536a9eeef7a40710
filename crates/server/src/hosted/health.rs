//! What a load balancer is told that asks whether this server is well.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// Whether the server wants to get requests.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_leaving: AtomicBool,
}

impl Health {
    /// From here on the load balancer is told to send nothing more.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// What the load balancer is told.
    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let (status, body) = match self.is_leaving.load(Ordering::Relaxed) {
            false => (StatusCode::OK, r#"{"status":"serving"}"#),
            true => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
