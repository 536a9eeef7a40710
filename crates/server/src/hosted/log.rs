//! The log of a container: a line of JSON for each request and for each line of a function, on the standard output. Nobody waits for it.
//!
//! The line of a request that reached a function is a metric as well, in the embedded metric format of CloudWatch:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mdo_model::project::{FunctionName, KeyName, Names};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::activity::{Activity, End, Observer, Request, Run};
use crate::runtime::{LogLine, LogSink};
use crate::teller::{Dropped, Line, Teller, Told};

/// What CloudWatch makes of the line of a request.
const METRICS: &str = r#"[{"Namespace":"mdo","Dimensions":[["project","stage","function"]],"Metrics":[{"Name":"Invocations","Unit":"Count"},{"Name":"Errors","Unit":"Count"},{"Name":"Duration","Unit":"Milliseconds"},{"Name":"ColdStarts","Unit":"Count"},{"Name":"Throttles","Unit":"Count"}]}]"#;

/// The log. Clones are the same log.
#[derive(Clone)]
pub struct Log(Teller<Entry>);

/// What the log tells of.
enum Entry {
    Server { at: SystemTime, event: String, detail: Option<String> },
    Request(Arc<Request>),
    Function(Arc<FunctionName>, LogLine),
}

impl Line for Entry {
    fn len_of_texts(&self) -> usize {
        match self {
            Self::Server { event, detail, .. } => event.len() + detail.as_deref().map_or(0, str::len),
            Self::Request(request) => request.len_of_texts(),
            Self::Function(_, line) => line.text.len(),
        }
    }
}

/// What puts entries into words.
struct Scribe {
    names: Names,
    metrics: Box<RawValue>,
}

/// What happens to the server itself.
#[derive(Serialize)]
struct ServerLine<'a> {
    time: String,
    r#type: &'static str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct FunctionLine<'a> {
    time: String,
    r#type: &'static str,
    function: &'a FunctionName,
    request_id: Option<&'a str>,
    message: &'a str,
}

#[derive(Serialize)]
struct DroppedLine {
    time: String,
    r#type: &'static str,
    lines: u64,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    time: String,
    r#type: &'static str,
    request_id: &'a str,
    method: &'a str,
    route: Option<&'a str>,
    /// `None` where nobody was there any more to be answered.
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    duration_ms: f64,
    function: Option<&'a FunctionName>,
    cold: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_memory_mb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a KeyName>,
    source_ip: IpAddr,
    bytes: usize,
    #[serde(flatten)]
    measured: Option<Measured<'a>>,
}

/// The dimensions and values of the metrics; `function` is among the other fields.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Measured<'a> {
    #[serde(rename = "project")]
    project: &'a str,
    #[serde(rename = "stage")]
    stage: &'a str,
    invocations: u8,
    errors: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    cold_starts: u8,
    throttles: u8,
    #[serde(rename = "_aws")]
    aws: Embedded<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Embedded<'a> {
    timestamp: u64,
    cloud_watch_metrics: &'a RawValue,
}

impl Log {
    /// The log of a stage, written to the standard output by a thread of its own.
    pub fn start(names: Names) -> Self {
        let scribe = Scribe::new(names);
        Self(Teller::start(move |entries| {
            let mut text = Vec::new();
            for entry in entries {
                scribe.write(entry, &mut text);
            }
            let mut output = std::io::stdout().lock();
            // Who does not want to hear it does not hear it.
            let _ = output.write_all(&text).and_then(|()| output.flush());
        }))
    }

    /// Says what happens to the server.
    pub fn server(&self, event: &str, detail: Option<&str>) {
        let (event, detail) = (event.to_owned(), detail.map(str::to_owned));
        self.0.tell(Entry::Server { at: SystemTime::now(), event, detail });
    }

    /// Waits until everything is written, for so long at most.
    pub fn finish(&self, patience: Duration) {
        self.0.finish(patience);
    }

    /// Who is told of requests.
    pub(super) fn observer(&self) -> Observer {
        let log = self.clone();
        Arc::new(move |activity| match activity {
            Activity::Request(request) => log.0.tell(Entry::Request(request)),
            Activity::Log(line) => log.server("log", Some(&line.text)),
            Activity::Problem(problem) => log.server("problem", Some(&problem)),
        })
    }

    /// Where the lines of a function go.
    pub(super) fn sink(&self, function: &FunctionName) -> LogSink {
        let (log, function) = (self.clone(), Arc::new(function.clone()));
        Arc::new(move |line| log.0.log(Entry::Function(Arc::clone(&function), line)))
    }
}

impl Scribe {
    fn new(names: Names) -> Self {
        let metrics = RawValue::from_string(METRICS.to_owned());
        Self { names, metrics: metrics.unwrap_or_else(|_| RawValue::NULL.to_owned()) }
    }

    fn write(&self, entry: &Told<Entry>, text: &mut Vec<u8>) {
        match entry {
            Told::Line(Entry::Server { at, event, detail }) => {
                let (time, detail) = (time(*at), detail.as_deref());
                json(&ServerLine { time, r#type: "server", event, detail }, text);
            }
            Told::Line(Entry::Request(request)) => json(&self.request_line(request), text),
            // CloudWatch finds a metric of the function's own only where it is the whole line.
            Told::Line(Entry::Function(_, line)) if is_metric(&line.text) => {
                text.extend_from_slice(line.text.as_bytes());
            }
            Told::Line(Entry::Function(function, line)) => {
                let (time, request_id) = (time(line.at), line.request_id.as_deref());
                let message = line.text.as_str();
                json(&FunctionLine { time, r#type: "function", function, request_id, message }, text);
            }
            Told::Dropped(Dropped(lines)) => {
                let time = time(SystemTime::now());
                json(&DroppedLine { time, r#type: "dropped", lines: *lines }, text);
            }
        }
        text.push(b'\n');
    }

    fn request_line<'a>(&'a self, request: &'a Request) -> RequestLine<'a> {
        let (status, why, bytes) = match &request.end {
            End::Answered { status, why, bytes } => (Some(*status), why.as_deref(), *bytes),
            End::Abandoned { by_client: true } => (None, Some("client went away"), 0),
            End::Abandoned { by_client: false } => (None, Some("server ended"), 0),
        };
        let run = request.run.as_ref();
        RequestLine {
            time: time(request.at),
            r#type: "request",
            request_id: &request.id,
            method: request.method.as_str(),
            route: request.route.as_deref(),
            status,
            why,
            duration_ms: milliseconds(request.took),
            function: request.function.as_ref(),
            cold: run.is_some_and(|run| run.init.is_some()),
            init_ms: run.and_then(|run| run.init).map(milliseconds),
            max_memory_mb: run.map(|run| run.max_memory_mb).filter(|memory| *memory > 0),
            key: request.key.as_ref(),
            source_ip: request.source_ip,
            bytes,
            measured: self.measured(request, status),
        }
    }

    /// What a request is counted as. One that its function was not meant to get is none of its.
    fn measured(&self, request: &Request, status: Option<u16>) -> Option<Measured<'_>> {
        if !request.called {
            return None;
        }
        let run = request.run;
        let is_unanswered = run.is_none() && !request.throttled && status.is_some();
        Some(Measured {
            project: self.names.project.as_str(),
            stage: self.names.stage.as_str(),
            invocations: u8::from(!request.throttled),
            errors: u8::from(is_unanswered || run.is_some_and(|run| run.failed)),
            duration: run.map(|Run { duration, .. }| milliseconds(duration)),
            cold_starts: u8::from(run.is_some_and(|run| run.init.is_some())),
            throttles: u8::from(request.throttled),
            aws: Embedded { timestamp: since_epoch(request.at), cloud_watch_metrics: &self.metrics },
        })
    }
}

/// Whether a line is in the embedded metric format.
fn is_metric(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Metric {
        _aws: serde::de::IgnoredAny,
    }
    text.starts_with('{') && text.contains("\"_aws\"") && serde_json::from_str::<Metric>(text).is_ok()
}

fn json(line: &impl Serialize, text: &mut Vec<u8>) {
    // Texts and numbers, none of which JSON could not say, and a place that takes all.
    let _ = serde_json::to_writer(text, line);
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn since_epoch(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds with three decimals: what is below a microsecond says nothing.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
