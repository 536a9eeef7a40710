//! What goes into the runtime and what comes out of it, as plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mdo_model::project::Secret;

use super::budget::MemoryBudget;
use super::launcher::Launcher;

/// The largest event, in bytes: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_REQUEST: usize = 6_291_456;
/// The largest answer, in bytes, as Lambda's own message for a larger one says.
pub const MAX_RESPONSE: usize = 6_291_556;

/// How much of what a function says about its failure is told, in characters.
const MAX_TOLD: usize = 300;

/// What a sandbox needs to know of its function.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// The full name, `ml_api_sample_producer` for instance.
    pub name: String,
    /// The ARN that is invoked, with its alias.
    pub arn: String,
    /// The version that the alias points at.
    pub version: String,
    /// The unpacked package: `LAMBDA_TASK_ROOT` and the working folder.
    pub code: PathBuf,
    /// The folder whose files people know the code by: traces and error documents name it in place of `code`.
    pub shown: Option<PathBuf>,
    /// How its process is started.
    pub launcher: Launcher,
    /// The handler of the function's configuration.
    pub handler: String,
    /// The runtime's identifier, `provided.al2023` for instance.
    pub runtime: String,
    /// Memory, in MB. A process tree that takes more is killed (on Linux; elsewhere it is not enforced).
    pub memory: u32,
    /// How long one event may take.
    pub timeout: Duration,
    /// The function's own environment variables.
    pub environment: BTreeMap<String, Secret>,
    /// The log group's name, for the function to know.
    pub log_group: String,
    /// The region, for the function to know.
    pub region: String,
    /// How many sandboxes may be there at a time.
    pub sandboxes: Sandboxes,
    /// Whether events are marked as sampled for X-Ray.
    pub trace: bool,
    /// What the program around gives it.
    pub surroundings: Surroundings,
}

/// What the program that runs functions gives them, beyond what Lambda would.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Variables of this process's own environment that functions get, where they are set.
    pub inherited: Vec<String>,
    /// The memory that the sandboxes of all functions share; without it they are bounded by their number alone.
    pub memory: Option<Arc<MemoryBudget>>,
    /// Whether the log goes without Lambda's START, END and REPORT: another log has what they say.
    pub is_terse: bool,
    /// How sandboxes are kept while they have no event.
    pub limits: Limits,
}

/// How many sandboxes a function may have, and what becomes of an event beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandboxes {
    /// As many as are reserved for it: an event beyond is refused, as by Lambda.
    Reserved(usize),
    /// As many as this machine is asked to carry: an event beyond waits for its turn. Lambda would start more.
    Shared(usize),
}

/// How sandboxes are kept while they have no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A sandbox without an event for this long is ended.
    pub idle: Duration,
    /// The initialisation that is free; what takes longer counts against the first event's timeout.
    pub init: Duration,
    /// Whether a sandbox stands still while it has no event, as on Lambda.
    pub freezes: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(600), init: Duration::from_secs(10), freezes: false }
    }
}

/// What a caller may tell about an event beyond its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvokeContext {
    /// The request id, when the caller has one already.
    pub request_id: Option<String>,
    /// The X-Ray trace header.
    pub trace_id: Option<String>,
    /// `X-Amz-Client-Context`, decoded: a JSON document.
    pub client_context: Option<String>,
    /// The caller's Amazon Cognito identity: a JSON document.
    pub cognito_identity: Option<String>,
}

/// What came of an event that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvokeResult {
    /// The event's id.
    pub request_id: String,
    /// The X-Ray trace header that the function ran with.
    pub trace_id: String,
    /// The function's answer, or its error document.
    pub payload: Bytes,
    /// What is wrong; `None` on success.
    pub error: Option<FunctionError>,
    /// The last 4 KB of the event's log.
    pub log_tail: Vec<u8>,
    /// From the event's delivery to its answer.
    pub duration: Duration,
    /// What Lambda would bill: initialisation and duration, in whole milliseconds.
    pub billed: Duration,
    /// The initialisation that the event waited for.
    pub init: Option<Duration>,
    /// The most memory that the sandbox took so far, in MB; 0 where it cannot be told.
    pub max_memory_mb: u64,
}

impl InvokeResult {
    /// What the function says is wrong, `ValueError: boom` for instance, as a part of a line; `None` on success.
    ///
    /// Runtimes call every error `Unhandled` where Lambda asks for its type: what it is stands in the document.
    pub fn failure(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let document: serde_json::Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        let said = |field: &str| document[field].as_str().filter(|said| !said.is_empty());
        let kind = said("errorType").unwrap_or(&error.error_type);
        Some(one_line(&match said("errorMessage") {
            Some(message) if kind.is_empty() => message.to_owned(),
            Some(message) => format!("{kind}: {message}"),
            None => kind.to_owned(),
        }))
    }
}

/// What a function says, as a part of a line: it may say anything, at any length.
pub(crate) fn one_line(text: &str) -> String {
    let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().take(MAX_TOLD).map(visible).collect()
}

/// A failure of the function, as opposed to one of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// `Runtime.ExitError` for instance, or what the function called it; empty when it gave no name.
    pub error_type: String,
}

impl FunctionError {
    /// The value of `X-Amz-Function-Error`.
    pub fn header(&self) -> &'static str {
        "Unhandled"
    }
}

/// Why an event was not run at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Every sandbox that the function may have is busy.
    #[error("Rate Exceeded.")]
    Throttled,
    /// As many events wait for a sandbox as may.
    #[error("too many requests wait for a sandbox already")]
    Crowded,
    /// The event is above [`MAX_REQUEST`].
    #[error("Request must be smaller than {MAX_REQUEST} bytes for the InvokeFunction operation")]
    TooLarge,
    /// The runtime was retired: its successor takes the event.
    #[error("the function was reloaded")]
    Retired,
}

impl Refused {
    /// Lambda's name of the error.
    pub fn code(self) -> &'static str {
        match self {
            Self::Throttled | Self::Crowded => "TooManyRequestsException",
            Self::TooLarge => "RequestTooLargeException",
            Self::Retired => "ServiceException",
        }
    }
}

/// How many sandboxes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Waiting for an event.
    pub idle: usize,
    /// Running an event, starting or ending.
    pub busy: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_goes_by_the_name_that_the_function_gave_it() {
        for (document, error_type, failure) in [
            (r#"{"errorType":"ValueError","errorMessage":"boom"}"#, "Unhandled", "ValueError: boom"),
            (r#"{"errorType":"","errorMessage":"boom"}"#, "Unhandled", "Unhandled: boom"),
            (r#"{"errorMessage":"two\nlines"}"#, "", "two lines"),
            ("{}", "Model.Missing", "Model.Missing"),
            ("[]", "Unhandled", "Unhandled"),
        ] {
            let result = InvokeResult {
                request_id: String::new(),
                trace_id: String::new(),
                payload: Bytes::from_static(document.as_bytes()),
                error: Some(FunctionError { error_type: error_type.to_owned() }),
                log_tail: Vec::new(),
                duration: Duration::ZERO,
                billed: Duration::ZERO,
                init: None,
                max_memory_mb: 0,
            };
            assert_eq!(result.failure().as_deref(), Some(failure), "{document}");
        }
    }
}
