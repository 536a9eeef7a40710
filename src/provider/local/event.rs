//! What a server tells while it serves, each as one line for people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::runtime::LogLine;
use crate::project::{FunctionName, KeyName};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request was answered.
    Request {
        /// The HTTP method.
        method: String,
        /// The path as it was sent, with its stage and without its query.
        path: String,
        /// The status that was answered.
        status: u16,
        /// From the request's head to the answer.
        took: Duration,
        /// The function that its route calls.
        function: Option<FunctionName>,
        /// The key that let it in.
        key: Option<KeyName>,
    },
    /// A warm rule fired.
    Ping {
        /// The function.
        function: FunctionName,
        /// How many pings were sent at once.
        count: usize,
        /// Until the last of them was answered.
        took: Duration,
        /// What went wrong with any of them.
        failure: Option<String>,
    },
    /// A line of a function's log.
    Log(LogLine),
    /// A function serves a new version.
    Reloaded {
        /// The function.
        function: FunctionName,
        /// The version.
        version: String,
    },
    /// Something that the user may have to look into.
    Problem(String),
}

/// Somebody who is told what happens. It must not block.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, path, status, took, function, key } => {
                write!(f, "{method} {path} {status} {}", Milliseconds(*took))?;
                if let Some(function) = function {
                    write!(f, " {function}")?;
                }
                if let Some(key) = key {
                    write!(f, " key {key}")?;
                }
                Ok(())
            }
            Self::Ping { function, count, took, failure } => {
                let pings = if *count == 1 { "ping" } else { "pings" };
                write!(f, "warm {function} {count} {pings} {}", Milliseconds(*took))?;
                match failure {
                    Some(failure) => write!(f, " failed: {failure}"),
                    None => Ok(()),
                }
            }
            Self::Log(line) => write!(f, "{} {}", line.function, line.text),
            Self::Reloaded { function, version } => write!(f, "reloaded {function} version {version}"),
            Self::Problem(what) => f.write_str(what),
        }
    }
}

/// A duration as `0.4 ms`.
pub(super) struct Milliseconds(pub(super) Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}
