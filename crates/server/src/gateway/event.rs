//! The event that a function gets: API Gateway's proxy event, version 1.0.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, USER_AGENT};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::identity::Identity;
use super::keys::Known;
use super::origin::Origin;
use super::text;
use crate::sent_head::SentHead;

/// The account that everything local belongs to.
const ACCOUNT: &str = "000000000000";

/// The time of a request as the common log format writes it.
const REQUEST_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// Headers that API Gateway keeps to itself.
const WITHHELD: [&str; 12] = [
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Headers that API Gateway spells its own way. Every other name is what the client sent.
const RESPELLED: [&str; 7] = [
    "authorization",
    "host",
    "user-agent",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// What an event is made of.
pub(super) struct Facts<'a> {
    pub(super) api_id: &'a str,
    pub(super) deployment_id: &'a str,
    pub(super) stage: &'a str,
    pub(super) stage_variables: &'a BTreeMap<String, String>,
    pub(super) resource: &'a str,
    pub(super) parameters: &'a BTreeMap<&'a str, String>,
    pub(super) method: &'a str,
    /// As it was sent, without the stage and further slashes around it.
    pub(super) path: &'a str,
    /// As it was sent.
    pub(super) sent_path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The head as the client wrote it, where it is known.
    pub(super) head: Option<&'a SentHead>,
    pub(super) key: Option<(&'a Known, &'a str)>,
    pub(super) origin: &'a Origin<'a>,
    pub(super) identity: &'a Identity,
    pub(super) at: OffsetDateTime,
    pub(super) body: &'a [u8],
    /// Whether the body is bytes and not text.
    pub(super) is_binary: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProxyEvent<'a> {
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    multi_value_headers: &'a BTreeMap<String, Vec<Cow<'a, str>>>,
    query_string_parameters: Option<BTreeMap<&'a str, &'a str>>,
    multi_value_query_string_parameters: Option<BTreeMap<&'a str, Vec<&'a str>>>,
    path_parameters: Option<&'a BTreeMap<&'a str, String>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    request_context: RequestContext<'a>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    resource_id: String,
    resource_path: &'a str,
    http_method: &'a str,
    extended_request_id: &'a str,
    request_time: String,
    path: &'a str,
    account_id: &'static str,
    protocol: &'static str,
    stage: &'a str,
    domain_prefix: &'a str,
    request_time_epoch: i128,
    request_id: &'a str,
    identity: Caller<'a>,
    domain_name: &'a str,
    deployment_id: &'a str,
    api_id: &'a str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    cognito_identity_pool_id: Option<&'a str>,
    cognito_identity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<&'a str>,
    principal_org_id: Option<&'a str>,
    cognito_authentication_type: Option<&'a str>,
    user_arn: Option<&'a str>,
    user_agent: Option<&'a str>,
    account_id: Option<&'a str>,
    caller: Option<&'a str>,
    source_ip: String,
    access_key: Option<&'a str>,
    cognito_authentication_provider: Option<&'a str>,
    user: Option<&'a str>,
}

impl Facts<'_> {
    /// The event as JSON.
    ///
    /// A body that is no binary one is text for API Gateway: bytes that are not UTF-8 are replaced.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let headers = self.all_headers();
        let query = text::query(self.query);
        let mut last = BTreeMap::new();
        let mut every: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &query {
            last.insert(name.as_str(), value.as_str());
            every.entry(name).or_default().push(value);
        }
        let domain = self.header(HOST).unwrap_or_default();
        let event = ProxyEvent {
            resource: self.resource,
            path: self.path,
            http_method: self.method,
            headers: headers
                .iter()
                .filter_map(|(name, values)| Some((name.as_str(), values.last()?.as_ref())))
                .collect(),
            multi_value_headers: &headers,
            query_string_parameters: (!last.is_empty()).then_some(last),
            multi_value_query_string_parameters: (!every.is_empty()).then_some(every),
            path_parameters: (!self.parameters.is_empty()).then_some(self.parameters),
            stage_variables: (!self.stage_variables.is_empty()).then_some(self.stage_variables),
            request_context: RequestContext {
                resource_id: super::identity::short_id(&[self.api_id, self.resource], 6),
                resource_path: self.resource,
                http_method: self.method,
                extended_request_id: &self.identity.extended_request_id,
                request_time: self.at.format(REQUEST_TIME).unwrap_or_default(),
                path: self.sent_path,
                account_id: ACCOUNT,
                protocol: "HTTP/1.1",
                stage: self.stage,
                domain_prefix: domain.split('.').next().unwrap_or_default(),
                request_time_epoch: self.at.unix_timestamp_nanos() / 1_000_000,
                request_id: &self.identity.request_id,
                identity: Caller {
                    api_key: self.key.map(|(_, value)| value),
                    api_key_id: self.key.map(|(key, _)| key.id.as_str()),
                    source_ip: self.origin.ip.to_string(),
                    user_agent: self.header(USER_AGENT),
                    ..Caller::default()
                },
                domain_name: domain,
                deployment_id: self.deployment_id,
                api_id: self.api_id,
            },
            body: (!self.body.is_empty()).then(|| match self.is_binary {
                true => STANDARD.encode(self.body).into(),
                false => String::from_utf8_lossy(self.body),
            }),
            is_base64_encoded: self.is_binary && !self.body.is_empty(),
        };
        serde_json::to_vec(&event).unwrap_or_default()
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the function does not get to see a header. A signature was meant for API Gateway.
    fn withholds(&self, name: &HeaderName) -> bool {
        let signs = || self.headers.get(name).is_some_and(|value| is_signature(value.as_bytes()));
        WITHHELD.contains(&name.as_str()) || (name == AUTHORIZATION && signs())
    }

    /// A header's name as the function gets it.
    fn spelling(&self, name: &HeaderName) -> String {
        if RESPELLED.contains(&name.as_str()) {
            return title_case(name.as_str());
        }
        let sent = self.head.and_then(|head| head.spelling(name.as_str()));
        sent.unwrap_or(name.as_str()).to_owned()
    }

    fn all_headers(&self) -> BTreeMap<String, Vec<Cow<'_, str>>> {
        let mut all: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
        for name in self.headers.keys().filter(|name| !self.withholds(name)) {
            let values = self.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            all.insert(self.spelling(name), values.collect());
        }
        let Origin { forwarded_for, port, protocol, .. } = self.origin;
        all.insert("X-Forwarded-For".to_owned(), vec![Cow::Borrowed(forwarded_for)]);
        all.insert("X-Forwarded-Port".to_owned(), vec![Cow::Borrowed(port)]);
        all.insert("X-Forwarded-Proto".to_owned(), vec![Cow::Borrowed(protocol)]);
        all.insert("X-Amzn-Trace-Id".to_owned(), vec![self.identity.trace_id.as_str().into()]);
        all
    }
}

/// Whether a value is a signature of AWS Signature Version 4.
pub(super) fn is_signature(authorization: &[u8]) -> bool {
    authorization.starts_with(b"AWS4-HMAC-SHA256 ")
}

/// A name as `User-Agent`.
fn title_case(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|letter| {
            let upper = std::mem::replace(&mut start, letter == '-');
            if upper { letter.to_ascii_uppercase() } else { letter }
        })
        .collect()
}
