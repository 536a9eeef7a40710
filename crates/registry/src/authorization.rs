//! What a registry wants to see before it answers: a login, or a token that another address gives for one.

use hyper::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;

/// What an answer of 401 asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer(Realm),
}

/// Where a token is given, and for what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    address: String,
    service: Option<String>,
    scope: Option<String>,
}

/// What the token's address answers.
#[derive(Deserialize)]
pub(crate) struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Token {
    /// The value of the header `Authorization`.
    pub(crate) fn header(self) -> Option<String> {
        let token = self.token.or(self.access_token).filter(|token| !token.is_empty())?;
        Some(format!("Bearer {token}"))
    }
}

impl Realm {
    /// The address with its question.
    pub(crate) fn address(&self) -> String {
        let mut address = self.address.clone();
        for (key, value) in [("service", &self.service), ("scope", &self.scope)] {
            let Some(value) = value else { continue };
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(key);
            address.push('=');
            address.extend(value.bytes().map(escaped));
        }
        address
    }
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    }
}

/// What the headers of an answer of 401 ask for: a token, if they offer one.
pub(crate) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut basic = None;
    for value in values {
        match parse(value) {
            Some(bearer @ Challenge::Bearer(_)) => return Some(bearer),
            other => basic = basic.or(other),
        }
    }
    basic
}

fn parse(value: &str) -> Option<Challenge> {
    let (scheme, mut rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut address, mut service, mut scope) = (None, None, None);
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        match key.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
            "realm" => address = Some(value.to_owned()),
            "service" => service = Some(value.to_owned()),
            "scope" => scope = Some(value.to_owned()),
            _ => {}
        }
        rest = after;
    }
    Some(Challenge::Bearer(Realm { address: address?, service, scope }))
}
