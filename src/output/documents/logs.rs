//! What was logged.

use mdo_engine::logs::{LogEntry, LogEntryBody, LogReport, LogRequest};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{VERSION, word};
use crate::output::utc;

/// An entry of a log: `logs`, a document on each line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogDocument {
    /// 1.
    version: u8,
    /// When it began, as RFC 3339 in UTC.
    at: String,
    /// The function that wrote it; null where the API or the server did.
    function: Option<String>,
    /// The sandbox that wrote it.
    stream: Option<String>,
    /// The event that the function was at.
    request_id: Option<String>,
    /// `debug`, `info`, `warn` or `error`.
    level: Value,
    /// What was written: a line, or the lines of a trace; null where it is how an event or a request went.
    message: Option<String>,
    /// How an event of the function went.
    run: Option<RunEntry>,
    /// The API's request, where the log knows it.
    request: Option<RequestEntry>,
}

/// How an event of a function went.
#[derive(Debug, Serialize, JsonSchema)]
struct RunEntry {
    /// How long it ran, in milliseconds.
    duration_ms: f64,
    /// How long is paid for, in milliseconds.
    billed_ms: Option<f64>,
    /// The most memory that its sandbox took so far, in MB.
    max_memory_mb: Option<u64>,
    /// The initialisation before it, in milliseconds; null where the sandbox was there.
    init_ms: Option<f64>,
    /// `error` or `timeout`, where the platform says that it did not go well.
    status: Option<String>,
}

/// How a request of the API went.
#[derive(Debug, Serialize, JsonSchema)]
struct RequestEntry {
    method: String,
    /// The path that was asked for; of a hosted stage its route.
    path: String,
    /// The status that it was answered with; null where nobody was there any more.
    status: Option<u16>,
    /// Why no function answered, or what its answer suffered.
    why: Option<String>,
    /// From its head to its end, in milliseconds.
    took_ms: f64,
    /// The key that let it in.
    key: Option<String>,
}

impl LogDocument {
    /// The document of an entry.
    pub(crate) fn new(entry: &LogEntry) -> Self {
        let (message, run, request) = match &entry.body {
            LogEntryBody::Lines(lines) => (Some(lines.join("\n")), None, None),
            LogEntryBody::Run(report, request) => (None, Some(report), request.as_ref()),
            LogEntryBody::Request(request) => (None, None, Some(request)),
        };
        Self {
            version: VERSION,
            at: utc(entry.at),
            function: entry.function.as_ref().map(ToString::to_string),
            stream: Some(entry.stream.to_string()).filter(|stream| !stream.is_empty()),
            request_id: entry.request_id.as_deref().map(str::to_owned),
            level: word(entry.level()),
            message,
            run: run.map(RunEntry::of),
            request: request.map(RequestEntry::of),
        }
    }
}

impl RunEntry {
    fn of(report: &LogReport) -> Self {
        let LogReport { duration_ms, billed_ms, max_memory_mb, init_ms, status } = report.clone();
        Self { duration_ms, billed_ms, max_memory_mb, init_ms, status }
    }
}

impl RequestEntry {
    fn of(request: &LogRequest) -> Self {
        let LogRequest { method, path, status, why, took_ms, key, report: _, throttled: _ } = request.clone();
        Self { method, path, status, why, took_ms, key }
    }
}
