//! An event of a log as a line of a ring.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mdo_engine::logs::{LogBody, LogEvent, LogRequest, Millis, platform_line};
use mdo_model::project::FunctionName;
use mdo_server::runtime::LogLine;
use mdo_server::{End, Request};
use serde::{Deserialize, Serialize};

/// One line of a ring. Names are short, because there are many.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// When, in milliseconds since 1970.
    #[serde(rename = "t")]
    pub(super) at: Millis,
    /// What tells it from others.
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "s", default, skip_serializing_if = "String::is_empty")]
    stream: String,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    request: Option<LogRequest>,
    /// Whether it only says that its event is a ping.
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    is_ping: bool,
    /// Whether it stands for lines that there was no room for.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    is_gap: bool,
}

impl Record {
    /// A line of a function's log.
    pub(super) fn of_line(id: String, line: &LogLine) -> Self {
        Self {
            at: millis(line.at),
            id,
            stream: line.stream.to_string(),
            request_id: line.request_id.as_deref().map(str::to_owned),
            text: Some(line.text.clone()),
            request: None,
            is_ping: false,
            is_gap: false,
        }
    }

    /// A request that came to its end.
    pub(super) fn of_request(id: String, request: &Request) -> Self {
        let (status, why) = match &request.end {
            End::Answered { status, why, .. } => (Some(*status), why.as_deref()),
            End::Abandoned { by_client: true } => (None, Some("client went away")),
            End::Abandoned { by_client: false } => (None, Some("server ended")),
        };
        let told = LogRequest {
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            status,
            why: why.map(str::to_owned),
            took_ms: (request.took.as_secs_f64() * 1e6).round() / 1e3,
            key: request.key.as_ref().map(ToString::to_string),
            throttled: request.throttled,
            report: None,
        };
        Self {
            at: millis(request.at),
            id,
            stream: String::new(),
            request_id: Some(request.id.clone()),
            text: None,
            request: Some(told),
            is_ping: false,
            is_gap: false,
        }
    }

    /// So many lines that there was no room for.
    pub(super) fn of_gap(id: String, told: String) -> Self {
        let at = millis(SystemTime::now());
        Self {
            at,
            id,
            stream: String::new(),
            request_id: None,
            text: Some(told),
            request: None,
            is_ping: false,
            is_gap: true,
        }
    }

    /// An event that a warm rule sends at this time.
    pub(super) fn of_ping(id: String, request_id: String, at: SystemTime) -> Self {
        Self {
            at: millis(at),
            id,
            stream: String::new(),
            request_id: Some(request_id),
            text: None,
            request: None,
            is_ping: true,
            is_gap: false,
        }
    }

    /// The event that it is.
    pub(super) fn event(self, function: Option<&FunctionName>) -> LogEvent {
        let text = self.text.unwrap_or_default();
        let body = match (self.request, &self.request_id) {
            (Some(request), _) => LogBody::Request(request),
            (None, Some(request_id)) if self.is_ping => LogBody::Ping(request_id.as_str().into()),
            (None, _) if self.is_gap => LogBody::Gap(text),
            (None, _) => platform_line(&text).unwrap_or(LogBody::Text(text)),
        };
        LogEvent {
            id: self.id,
            at: self.at,
            function: function.cloned(),
            stream: self.stream.into(),
            request_id: self.request_id.map(Arc::from),
            body,
        }
    }
}

fn millis(at: SystemTime) -> Millis {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
