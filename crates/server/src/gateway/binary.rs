//! Which bodies are bytes and not text: those of the API's binary media types, by what the request says of itself and of the
//! answer that it accepts.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use mdo_model::project::MediaType;

use super::refusal::{Declined, Refusal};

/// What API Gateway takes a body for that does not say it.
const DEFAULT_TYPE: &str = "application/json";

/// Whether a function gets the body of a request in Base64.
pub(super) fn is_request_binary(types: &BTreeSet<MediaType>, headers: &HeaderMap) -> bool {
    let declared = text(headers, CONTENT_TYPE).unwrap_or(DEFAULT_TYPE);
    types.iter().any(|one| one.is_any() || one.covers(declared))
}

/// Whether a body in Base64 is decoded for the client. Its own type does not count.
pub(super) fn is_response_binary(types: &BTreeSet<MediaType>, headers: &HeaderMap) -> bool {
    let accepted = text(headers, ACCEPT).unwrap_or_default();
    types.iter().any(|one| one.is_any() || one.covers(accepted))
}

/// What is to be said of the body of a request that is text for API Gateway, if it loses bytes on its way.
pub(super) fn loss(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    std::str::from_utf8(body).err()?;
    let declared = text(headers, CONTENT_TYPE).unwrap_or("none");
    Some(format!(
        "the body is not UTF-8, its bytes were replaced: binary_media_types under [api] does not have its Content-Type, {}",
        first(declared)
    ))
}

/// What is to be said of an answer in Base64 that is not decoded.
pub(super) fn stays_encoded(headers: &HeaderMap) -> String {
    let accepted = text(headers, ACCEPT).unwrap_or("none");
    format!(
        "the body stays in Base64: binary_media_types under [api] does not have what the request's Accept names first, {}",
        first(accepted)
    )
}

/// The bytes of a body in Base64.
///
/// # Errors
/// When it is not; API Gateway answers 500 then.
pub(super) fn decode(body: &[u8], function: &str) -> Result<Bytes, Declined> {
    let decoded = STANDARD.decode(body).map(Bytes::from);
    decoded.map_err(|_| Refusal::NotDecoded.because(format!("function {function}: its body is not Base64")))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn first(types: &str) -> &str {
    types.split(',').next().unwrap_or_default().trim()
}
