//! The ways in which a function fails, each as Lambda's error document, log line and report.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::launcher::BOOTSTRAP;
use super::spec::MAX_RESPONSE;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process ended.
    Exit(ExitStatus),
    /// The event took too long.
    Timeout(Duration),
    /// The process tree took more than the function's memory.
    OutOfMemory,
    /// The program could not be executed.
    Entrypoint(String),
    /// This machine could not give what a sandbox needs.
    Host(String),
    /// The function said so itself.
    Reported { document: Bytes, error_type: String },
    /// The answer was above the limit.
    TooLarge,
}

impl Failure {
    /// Lambda's name of it.
    pub(super) fn error_type(&self) -> &str {
        match self {
            Self::Exit(_) => "Runtime.ExitError",
            Self::Timeout(_) => "Sandbox.Timedout",
            Self::OutOfMemory => "Runtime.OutOfMemory",
            Self::Entrypoint(_) => "Runtime.InvalidEntrypoint",
            Self::Host(_) => "Sandbox.Failure",
            Self::Reported { error_type, .. } => error_type,
            Self::TooLarge => "Function.ResponseSizeTooLarge",
        }
    }

    /// The payload of the invocation.
    pub(super) fn document(&self, request_id: &str) -> Bytes {
        let message = match self {
            Self::Reported { document, .. } => return document.clone(),
            Self::TooLarge => self.message(),
            _ => format!("RequestId: {request_id} Error: {}", self.message()),
        };
        json!({ "errorType": self.error_type(), "errorMessage": message }).to_string().into()
    }

    /// What Lambda writes into the log about it.
    pub(super) fn log_line(&self, request_id: &str, now: &str) -> Option<String> {
        match self {
            Self::Reported { .. } => None,
            Self::Timeout(_) => Some(format!("{now} {request_id} {}", self.message())),
            _ => Some(format!("RequestId: {request_id} Error: {} {}", self.message(), self.error_type())),
        }
    }

    /// What is added to the REPORT line.
    pub(super) fn report(&self) -> String {
        match self {
            Self::Reported { .. } | Self::TooLarge => String::new(),
            Self::Timeout(_) => "\tStatus: timeout".into(),
            _ => self.status(),
        }
    }

    /// The end of an INIT_REPORT line.
    pub(super) fn status(&self) -> String {
        match self {
            Self::Timeout(_) => "\tStatus: timeout".into(),
            _ => format!("\tStatus: error\tError Type: {}", self.error_type()),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Exit(status) => exit_message(*status),
            Self::Timeout(limit) => format!("Task timed out after {:.2} seconds", limit.as_secs_f64()),
            Self::OutOfMemory => "Runtime exited with error: signal: killed".into(),
            Self::Entrypoint(why) | Self::Host(why) => why.clone(),
            Self::Reported { document, .. } => String::from_utf8_lossy(document).into_owned(),
            Self::TooLarge => {
                format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).")
            }
        }
    }
}

/// Why a program could not be executed, in Lambda's words, with what it does not say.
pub(super) fn entrypoint(path: &Path, error: &io::Error) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::NotFound if !path.exists() && path.ends_with(BOOTSTRAP) => {
            return Failure::Entrypoint(format!("Couldn't find valid bootstrap(s): [{}]", path.display()));
        }
        io::ErrorKind::NotFound if !path.exists() || !path.is_absolute() => {
            "no such file or directory (is it installed on this machine?)".into()
        }
        io::ErrorKind::NotFound => {
            format!("no such file or directory (it is there, but {} is not)", interpreter(path))
        }
        io::ErrorKind::PermissionDenied => "permission denied (is its executable bit set?)".into(),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "exec format error (it is built for another architecture, or is a script without #!)".into()
        }
        _ => error.to_string(),
    };
    Failure::Entrypoint(format!("fork/exec {}: {why}", path.display()))
}

fn interpreter(script: &Path) -> String {
    let start = std::fs::read(script).unwrap_or_default();
    start
        .strip_prefix(b"#!")
        .and_then(|rest| rest.split(|byte| *byte == b'\n').next())
        .map(|line| String::from_utf8_lossy(line).trim().to_owned())
        .and_then(|line| line.split_ascii_whitespace().next().map(|path| format!("its interpreter {path}")))
        .unwrap_or_else(|| "the dynamic loader that it names".into())
}

fn exit_message(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".into(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (None, None) => "Runtime exited with error".into(),
    }
}

/// Names as Lambda writes them, which are those of Go.
fn signal_name(signal: i32) -> String {
    use rustix::process::Signal;

    let names = [
        (Signal::HUP, "hangup"),
        (Signal::INT, "interrupt"),
        (Signal::QUIT, "quit"),
        (Signal::ILL, "illegal instruction"),
        (Signal::TRAP, "trace/breakpoint trap"),
        (Signal::ABORT, "aborted"),
        (Signal::BUS, "bus error"),
        (Signal::FPE, "floating point exception"),
        (Signal::KILL, "killed"),
        (Signal::SEGV, "segmentation fault"),
        (Signal::PIPE, "broken pipe"),
        (Signal::ALARM, "alarm clock"),
        (Signal::TERM, "terminated"),
    ];
    match names.iter().find(|(known, _)| known.as_raw() == signal) {
        Some((_, name)) => (*name).into(),
        None => format!("signal {signal}"),
    }
}
