//! What happens while a local stack is served, each as one line for people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mdo_model::project::FunctionName;
use mdo_server::{Line, Milliseconds, Teller};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Activity {
    /// The data plane served something, or a function logged.
    Served(mdo_server::Activity),
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
    /// A function serves a new version.
    Reloaded {
        /// The function.
        function: FunctionName,
        /// The version.
        version: String,
    },
}

impl Activity {
    /// Puts it down to be printed.
    pub fn tell(self, teller: &Teller<Self>) {
        match self {
            Self::Served(mdo_server::Activity::Log(_)) => teller.log(self),
            _ => teller.tell(self),
        }
    }

    /// Something that the user may have to look into.
    pub(super) fn problem(what: impl Into<String>) -> Self {
        Self::Served(mdo_server::Activity::Problem(what.into()))
    }
}

impl Line for Activity {
    fn len_of_texts(&self) -> usize {
        match self {
            Self::Served(activity) => activity.len_of_texts(),
            Self::Ping { failure, .. } => failure.as_deref().map_or(0, str::len),
            Self::Reloaded { version, .. } => version.len(),
        }
    }
}

/// Somebody who is told what happens. It must not block.
pub type Observer = Arc<dyn Fn(Activity) + Send + Sync>;

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served(activity) => activity.fmt(f),
            Self::Ping { function, count, took, failure } => {
                let pings = if *count == 1 { "ping" } else { "pings" };
                write!(f, "warm {function} {count} {pings} {}", Milliseconds(*took))?;
                match failure {
                    Some(failure) => write!(f, " failed: {failure}"),
                    None => Ok(()),
                }
            }
            Self::Reloaded { function, version } => write!(f, "reloaded {function} version {version}"),
        }
    }
}
