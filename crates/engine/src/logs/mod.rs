//! What functions have logged: the capability, its events, and how events become what people read.
//!
//! A provider answers [`LogEvent`]s page by page and knows no more. [`Reading`] puts the pages of many sources in order of time,
//! [`Follower`] tells events that were told before, and [`Fold`] makes entries of events: an invocation's START, END and REPORT are one
//! line, and the lines of a trace stay together.

mod fold;
mod follow;
mod following;
mod level;
mod line;
mod reading;
#[cfg(test)]
mod sample;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use mdo_model::project::FunctionName;
use serde::{Deserialize, Serialize};

use crate::Error;

pub use fold::{Fold, LogEntry, LogEntryBody};
pub use follow::{Follower, Lateness};
pub use following::Following;
pub use level::Level;
pub use line::{platform_line, report_field};
pub use reading::Reading;

/// Milliseconds since 1970 in UTC, as logs count time.
pub type Millis = i64;

/// The present moment.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// What knows what the stage's functions have logged.
#[async_trait]
pub trait Logs: Send + Sync {
    /// What these functions of the stage log to; with `whole`, what the API or the server itself logs to as well.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn sources(&self, functions: &BTreeSet<FunctionName>, whole: bool)
    -> Result<Vec<LogSource>, Error>;

    /// A page of the events that are asked for, oldest first, and where the next page begins. A page may be empty and not the last one.
    /// A log that is not there yet has no events.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn page(
        &self,
        source: &LogSource,
        query: &LogQuery,
        position: Option<String>,
    ) -> Result<LogPage, Error>;

    /// How long who follows waits before it looks again.
    fn rhythm(&self) -> Duration;

    /// How late events can be read.
    fn lateness(&self) -> Lateness;
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Where it is, for people: a log group, or a file.
    pub place: String,
    /// The function that writes it; `None` where the API or the server does, or all functions do.
    pub function: Option<FunctionName>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// From this time on.
    pub since: Millis,
    /// Up to and with this time.
    pub until: Millis,
    /// Only what contains this text.
    pub text: Option<String>,
    /// Only what one sandbox has written.
    pub stream: Option<Arc<str>>,
}

/// Some events of a log.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// Oldest first.
    pub events: Vec<LogEvent>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

/// One event of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEvent {
    /// What tells it from every other event of its source.
    pub id: String,
    /// When it was written.
    pub at: Millis,
    /// Who wrote it; `None` where it is the API itself, or the server.
    pub function: Option<FunctionName>,
    /// The sandbox that wrote it.
    pub stream: Arc<str>,
    /// The event that the function was at, where the log says so itself.
    pub request_id: Option<Arc<str>>,
    /// What it says.
    pub body: LogBody,
}

/// What an event of a log says.
#[derive(Clone, Debug, PartialEq)]
pub enum LogBody {
    /// What a function, or the server, wrote: one line or several.
    Text(String),
    /// A function got an event, of this id.
    Start(Arc<str>),
    /// A function is through with the event of this id.
    End(Arc<str>),
    /// How an event of a function, of this id, went.
    Report(Arc<str>, LogReport),
    /// A request of the API came to its end.
    Request(LogRequest),
    /// There was no room for some lines, in words.
    Gap(String),
    /// The event of this id is sent by the function's warm rule.
    Ping(Arc<str>),
    /// Something that the platform says and that tells nobody anything.
    Silent,
}

/// How one event of a function went. Times are in milliseconds, memory in MB.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogReport {
    /// How long it ran.
    pub duration_ms: f64,
    /// How long is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_ms: Option<f64>,
    /// The most memory that its sandbox took so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_mb: Option<u64>,
    /// The initialisation before it, where the sandbox was new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_ms: Option<f64>,
    /// `error` or `timeout`, where it did not go well and the platform says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// How one request of the API went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogRequest {
    /// The HTTP method.
    pub method: String,
    /// The path that was asked for, or its route.
    pub path: String,
    /// The status that it was answered with; `None` where nobody was there any more.
    pub status: Option<u16>,
    /// Why no function answered, or what its answer suffered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// From its head to its end, in milliseconds.
    pub took_ms: f64,
    /// The key that let it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether its function was not called because it is as busy as it may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub throttled: bool,
    /// How its function's event went, where the log has that in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<LogReport>,
}
