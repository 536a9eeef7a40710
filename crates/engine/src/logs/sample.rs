//! Events for tests.

use super::{LogBody, LogEvent, Millis, platform_line};

/// A line of `function`, written at a time by its sandbox `stream`.
pub(super) fn line(function: &str, stream: &str, at: Millis, text: &str) -> LogEvent {
    LogEvent {
        id: format!("{function}/{stream}/{at}/{text}"),
        at,
        function: Some(function.parse().expect("a name")),
        stream: stream.into(),
        request_id: None,
        body: platform_line(text).unwrap_or_else(|| LogBody::Text(text.to_owned())),
    }
}
