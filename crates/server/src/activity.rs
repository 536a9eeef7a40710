//! What happens while a stage is served, each as one line for people.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::{Method, Uri};
use mdo_model::project::{FunctionName, KeyName};

use crate::runtime::LogLine;
use crate::teller::Line;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Activity {
    /// A request came to its end.
    Request(Arc<Request>),
    /// A line of a function's log.
    Log(Arc<LogLine>),
    /// Something that the user may have to look into.
    Problem(String),
}

/// A request that came to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id, which is that of its function's event too.
    pub id: String,
    /// The HTTP method.
    pub method: Method,
    /// What was asked for, with its stage.
    pub uri: Uri,
    /// The path of its route as it is configured, without the stage.
    pub route: Option<String>,
    /// The address of the client.
    pub source_ip: IpAddr,
    /// When it came to its end.
    pub at: SystemTime,
    /// From the request's head to its end.
    pub took: Duration,
    /// The function that its route calls.
    pub function: Option<FunctionName>,
    /// The key that let it in.
    pub key: Option<KeyName>,
    /// Whether its event was handed over to be run.
    pub called: bool,
    /// What the function did, if somebody waited for its end.
    pub run: Option<Run>,
    /// Whether the function was not called because it is as busy as it may be.
    pub throttled: bool,
    /// How it ended.
    pub end: End,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub enum End {
    /// It was answered.
    Answered {
        /// The status.
        status: u16,
        /// Why no function answered, or what its answer suffered.
        why: Option<Cow<'static, str>>,
        /// The size of the answer's body.
        bytes: usize,
    },
    /// It is not answered any more. Where its client went away, its function goes on.
    Abandoned {
        /// Whether the client went away; else the server ended.
        by_client: bool,
    },
}

/// What a function did with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The initialisation that the event waited for.
    pub init: Option<Duration>,
    /// From the event's delivery to its answer.
    pub duration: Duration,
    /// Whether it failed.
    pub failed: bool,
    /// The most memory that its sandbox took so far, in MB; 0 where it is not known.
    pub max_memory_mb: u64,
}

/// Somebody who is told what happens. It must not block.
pub type Observer = Arc<dyn Fn(Activity) + Send + Sync>;

impl Line for Activity {
    fn len_of_texts(&self) -> usize {
        match self {
            Self::Request(request) => request.len_of_texts(),
            Self::Log(line) => line.text.len(),
            Self::Problem(what) => what.len(),
        }
    }
}

impl Request {
    /// How long its texts are, in bytes.
    pub fn len_of_texts(&self) -> usize {
        self.id.len() + self.uri.path().len()
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Log(line) => write!(f, "{} {}", line.function, line.text),
            Self::Problem(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.method, self.uri.path())?;
        match &self.end {
            End::Answered { status, why: Some(why), .. } => write!(f, "{status} {why} · ")?,
            End::Answered { status, why: None, .. } => write!(f, "{status} ")?,
            End::Abandoned { by_client: true } => f.write_str("client went away before the answer · ")?,
            End::Abandoned { by_client: false } => f.write_str("server ended before the answer · ")?,
        }
        write!(f, "{}", Milliseconds(self.took))?;
        if let Some(function) = &self.function {
            write!(f, " {function}")?;
        }
        if let Some(key) = &self.key {
            write!(f, " key {key}")?;
        }
        Ok(())
    }
}

/// A duration as `0.4 ms`.
pub struct Milliseconds(pub Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}
