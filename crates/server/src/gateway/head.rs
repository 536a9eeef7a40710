//! What API Gateway makes of a request's head before it looks for a route.

use hyper::Method;
use hyper::http::request::Parts;

use super::refusal::{Declined, Refusal};
use crate::sent_head::SentHead;

/// The longest request line, in characters, and the largest headers, in bytes of all names and values.
const MAX_LINE: usize = 10_240;
const MAX_HEADERS: usize = 10_240;

/// What a query may hold only percent-encoded, by "Important notes for REST APIs" in the API Gateway developer guide.
const ENCODED_ONLY: [char; 3] = ['|', '{', '}'];

/// The header by which a client that cannot send every method names the one that it means.
const METHOD_OVERRIDE: &str = "x-http-method-override";

/// Refuses a head that API Gateway would refuse, whatever the stage and its routes are.
pub(super) fn check(parts: &Parts) -> Result<(), Declined> {
    if line_length(parts) > MAX_LINE {
        return Err(Refusal::UriTooLong.because(format!("the request line is above {MAX_LINE} characters")));
    }
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > MAX_HEADERS {
        return Err(Refusal::HeadersTooLarge.because(format!("the headers are above {MAX_HEADERS} bytes")));
    }
    match parts.uri.query().and_then(|query| query.chars().find(|letter| ENCODED_ONLY.contains(letter))) {
        Some(raw) => Err(Refusal::BadRequest.because(format!("a `{raw}` in the query is not encoded"))),
        None => Ok(()),
    }
}

fn line_length(parts: &Parts) -> usize {
    match parts.extensions.get::<SentHead>() {
        Some(head) => head.request_line().len(),
        None => parts.uri.path_and_query().map_or(0, |target| target.as_str().len()),
    }
}

/// The method that a request means: a POST may stand for another one.
pub(super) fn method(parts: &Parts) -> Method {
    let other = parts.headers.get(METHOD_OVERRIDE).filter(|_| parts.method == Method::POST);
    let other = other.and_then(|value| Method::from_bytes(value.as_bytes()).ok());
    other.unwrap_or_else(|| parts.method.clone())
}

/// What follows the stage in a path, beginning with a slash. Slashes before the stage and right after it count as one.
pub(super) fn below_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.trim_start_matches('/').strip_prefix(stage)?;
    match rest.trim_start_matches('/') {
        "" if rest.is_empty() => Some("/"),
        below if below.len() < rest.len() => Some(&rest[rest.len() - below.len() - 1..]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_around_the_stage_are_folded_and_others_kept() {
        for (path, below) in [
            ("/dev", Some("/")),
            ("/dev/", Some("/")),
            ("//dev//", Some("/")),
            ("/dev/x", Some("/x")),
            ("//dev/x", Some("/x")),
            ("/dev///x//y/", Some("/x//y/")),
            ("/dev/dev", Some("/dev")),
            ("/devious", None),
            ("//", None),
            ("dev", None),
            ("*", None),
        ] {
            assert_eq!(below_stage(path, "dev"), below, "{path}");
        }
    }
}
