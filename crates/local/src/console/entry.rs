//! Entries of the log, as the page gets them: what `mdo logs --json` says, with times that a script can compare.

use mdo_engine::logs::{Level, LogEntry, LogEntryBody, LogReport, LogRequest, Millis};
use serde::Serialize;

/// An entry.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// Milliseconds since 1970.
    at: Millis,
    function: Option<&'a str>,
    request_id: Option<&'a str>,
    level: Level,
    /// What was written; null where it is how an event or a request went.
    lines: Option<&'a [String]>,
    run: Option<&'a LogReport>,
    request: Option<&'a LogRequest>,
}

impl<'a> Entry<'a> {
    /// The entry of the page.
    pub(super) fn new(entry: &'a LogEntry) -> Self {
        let (lines, run, request) = match &entry.body {
            LogEntryBody::Lines(lines) => (Some(&lines[..]), None, None),
            LogEntryBody::Run(report, request) => (None, Some(report), request.as_ref()),
            LogEntryBody::Request(request) => (None, None, Some(request)),
        };
        Self {
            at: entry.at,
            function: entry.function.as_ref().map(|function| function.as_str()),
            request_id: entry.request_id.as_deref(),
            level: entry.level(),
            lines,
            run,
            request,
        }
    }
}
