//! What happens while a stage is served, each as one line for people.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mdo_model::project::{FunctionName, KeyName};

use crate::runtime::LogLine;
use crate::teller::Teller;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Activity {
    /// A request was answered.
    Request {
        /// The HTTP method.
        method: String,
        /// The path as it was sent, with its stage and without its query.
        path: String,
        /// The status that was answered.
        status: u16,
        /// Why no function answered.
        why: Option<Cow<'static, str>>,
        /// From the request's head to the answer.
        took: Duration,
        /// The function that its route calls.
        function: Option<FunctionName>,
        /// The key that let it in.
        key: Option<KeyName>,
    },
    /// A request that is not answered any more. Where its client went away, its function goes on.
    Abandoned {
        /// The HTTP method.
        method: String,
        /// The path as it was sent, with its stage and without its query.
        path: String,
        /// Whether the client went away; else the server ended.
        by_client: bool,
        /// From the request's head to the end.
        took: Duration,
        /// The function that its route calls.
        function: Option<FunctionName>,
        /// The key that let it in.
        key: Option<KeyName>,
    },
    /// A line of a function's log.
    Log(LogLine),
    /// Something that the user may have to look into.
    Problem(String),
}

/// Somebody who is told what happens. It must not block.
pub type Observer = Arc<dyn Fn(Activity) + Send + Sync>;

impl Activity {
    /// Puts it down to be printed.
    pub fn tell(&self, teller: &Teller) {
        match self {
            Self::Log(_) => teller.log(self.to_string()),
            _ => teller.tell(self.to_string()),
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, path, status, why, took, function, key } => {
                write!(f, "{method} {path} {status} ")?;
                if let Some(why) = why {
                    write!(f, "{why} · ")?;
                }
                details(f, *took, function.as_ref(), key.as_ref())
            }
            Self::Abandoned { method, path, by_client, took, function, key } => {
                let end = if *by_client { "client went away" } else { "server ended" };
                write!(f, "{method} {path} {end} before the answer · ")?;
                details(f, *took, function.as_ref(), key.as_ref())
            }
            Self::Log(line) => write!(f, "{} {}", line.function, line.text),
            Self::Problem(what) => f.write_str(what),
        }
    }
}

fn details(
    f: &mut fmt::Formatter<'_>,
    took: Duration,
    function: Option<&FunctionName>,
    key: Option<&KeyName>,
) -> fmt::Result {
    write!(f, "{}", Milliseconds(took))?;
    if let Some(function) = function {
        write!(f, " {function}")?;
    }
    if let Some(key) = key {
        write!(f, " key {key}")?;
    }
    Ok(())
}

/// A duration as `0.4 ms`.
pub struct Milliseconds(pub Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}
