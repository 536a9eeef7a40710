//! One event from its arrival to its report.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::failure::Failure;
use super::logs::SandboxLog;
use super::mailbox::{Answer, Answered, PendingEvent};
use super::pool::{Lease, Pool};
use super::sandbox::{Ending, Sandbox};
use super::shown::Shown;
use super::slots::Slot;
use super::spec::{FunctionError, FunctionSpec, InvokeContext, InvokeResult};

/// An event to run, as often as it takes to find a sandbox that lives.
pub(super) struct Call {
    request_id: String,
    trace_id: String,
    payload: Bytes,
    headers: HeaderMap,
}

impl Call {
    pub(super) fn new(spec: &FunctionSpec, payload: Bytes, context: InvokeContext) -> Self {
        let request_id = context.request_id.unwrap_or_else(|| Uuid::new_v4().to_string());
        let trace_id = trace_header(context.trace_id.as_deref().unwrap_or_default(), spec);
        let mut headers = HeaderMap::with_capacity(8);
        let mut set = |name: &'static str, value: Option<&str>| {
            // What cannot be a header is not passed on; Lambda would have refused it.
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                headers.insert(name, value);
            }
        };
        set("lambda-runtime-aws-request-id", Some(&request_id));
        set("lambda-runtime-invoked-function-arn", Some(&spec.arn));
        set("lambda-runtime-trace-id", Some(&trace_id));
        set("lambda-runtime-client-context", context.client_context.as_deref());
        set("lambda-runtime-cognito-identity", context.cognito_identity.as_deref());
        Self { request_id, trace_id, payload, headers }
    }

    fn event(&self, remaining: Duration) -> PendingEvent {
        let mut headers = self.headers.clone();
        let deadline = since_epoch() + remaining;
        headers.insert("lambda-runtime-deadline-ms", whole_millis(deadline).into());
        PendingEvent { request_id: self.request_id.clone(), headers, payload: self.payload.clone() }
    }
}

/// What is known of an event when it is over.
struct Measured {
    duration: Duration,
    init: Option<Duration>,
    max_memory_mb: u64,
}

/// Runs an event in the sandbox that it was given, and gives the sandbox back.
pub(super) async fn run(pool: Arc<Pool>, mut lease: Lease, call: Call) -> InvokeResult {
    let (spec, shown) = (pool.spec(), pool.shown());
    loop {
        let is_cold = matches!(lease, Lease::Cold(_));
        let mut sandbox = match lease {
            Lease::Warm(sandbox) if sandbox.has_ended() => {
                lease = Lease::Cold(sandbox.end().await);
                continue;
            }
            Lease::Warm(sandbox) => sandbox,
            Lease::Cold(slot) => match start(&pool, slot, Some(&call.request_id)).await {
                Ok(sandbox) => sandbox,
                Err((failure, log, duration)) => {
                    begin(spec, &call, &log);
                    let measured = Measured { duration, init: None, max_memory_mb: 0 };
                    return report(spec, &call, &log, measured, Err(failure), shown);
                }
            },
        };

        let log = Arc::clone(sandbox.log());
        log.attribute(Some(call.request_id.as_str().into()));
        begin(spec, &call, &log);
        let begun = Instant::now();
        let clock = if is_cold { begun.min(sandbox.free_until) } else { begun };
        let deadline = clock + spec.timeout;
        let event = call.event(deadline.saturating_duration_since(begun));
        let (outcome, duration) = match sandbox.handle(event, deadline, spec.timeout).await {
            Ending::Answered(Answered { answer, delivered }) => (outcome(answer), delivered.elapsed()),
            Ending::Failed(failure) => (Err(failure), begun.elapsed()),
            Ending::NotFetched(_) if !is_cold => {
                log.attribute(None);
                lease = Lease::Cold(sandbox.end().await);
                continue;
            }
            Ending::NotFetched(status) => (Err(Failure::Exit(status)), begun.elapsed()),
        };
        let init = is_cold.then_some(sandbox.init);
        let measured = Measured { duration, init, max_memory_mb: sandbox.peak_mb() };
        let result = report(spec, &call, &log, measured, outcome, shown);
        pool.release(sandbox).await;
        return result;
    }
}

async fn start(
    pool: &Arc<Pool>,
    slot: Slot,
    request_id: Option<&str>,
) -> Result<Sandbox, (Failure, Arc<SandboxLog>, Duration)> {
    let log = pool.open_log();
    log.attribute(request_id.map(Into::into));
    let begun = Instant::now();
    match Sandbox::start(pool.spec(), pool.limits(), Arc::clone(&log), slot).await {
        Ok(sandbox) => {
            pool.watch_exit(&sandbox);
            Ok(sandbox)
        }
        Err(failure) => {
            let took = begun.elapsed();
            log.settle();
            let status = failure.status();
            log.write(format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: init{status}", millis(took)));
            if request_id.is_none() {
                log.finish(failure.log_line("none", &now()));
            }
            Err((failure, log, took))
        }
    }
}

fn outcome(answer: Answer) -> Result<Bytes, Failure> {
    match answer {
        Answer::Response(payload) => Ok(payload),
        Answer::Error(report) => {
            Err(Failure::Reported { document: report.document, error_type: report.error_type })
        }
        Answer::TooLarge => Err(Failure::TooLarge),
    }
}

fn begin(spec: &FunctionSpec, call: &Call, log: &SandboxLog) {
    if !spec.surroundings.is_terse {
        log.write(format!("START RequestId: {} Version: {}", call.request_id, spec.version));
    }
}

fn report(
    spec: &FunctionSpec,
    call: &Call,
    log: &SandboxLog,
    measured: Measured,
    outcome: Result<Bytes, Failure>,
    shown: &Shown,
) -> InvokeResult {
    let Measured { duration, init, max_memory_mb } = measured;
    let id = &call.request_id;
    let billed = Duration::from_millis(whole_millis(
        duration + init.unwrap_or_default() + Duration::from_nanos(999_999),
    ));
    let mut lines = Vec::with_capacity(3);
    if let Err(failure) = &outcome {
        lines.extend(failure.log_line(id, &now()));
    }
    if !spec.surroundings.is_terse {
        let mut end = format!(
            "REPORT RequestId: {id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {max_memory_mb} MB",
            millis(duration),
            billed.as_millis(),
            spec.memory,
        );
        if let Some(init) = init {
            end += &format!("\tInit Duration: {:.2} ms", millis(init));
        }
        if let Err(failure) = &outcome {
            end += &failure.report();
        }
        lines.push(format!("END RequestId: {id}"));
        lines.push(end);
    }
    let log_tail = log.finish(lines);
    let (payload, error) = match outcome {
        Ok(payload) => (payload, None),
        Err(failure) => {
            let error_type = failure.error_type().to_owned();
            (shown.document(failure.document(id)), Some(FunctionError { error_type }))
        }
    };
    let (request_id, trace_id) = (id.clone(), call.trace_id.clone());
    InvokeResult { request_id, trace_id, payload, error, log_tail, duration, billed, init, max_memory_mb }
}

/// A caller's trace header with what it does not say: `Root=1-…;Parent=…;Sampled=0;Lineage=1:…:0`. Whether a trace is sampled is the
/// caller's to decide, if it does.
///
/// As in <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>. Lambda adds the lineage to
/// find functions that call themselves: a count of requests, a name of the function in eight digits and a count of rounds.
fn trace_header(given: &str, spec: &FunctionSpec) -> String {
    let field = |name: &str| {
        let mut fields = given.split(';').filter_map(|field| field.trim().split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let random = || Uuid::new_v4().simple().to_string();
    let root = field("Root").unwrap_or_else(|| {
        let seconds = since_epoch().as_secs();
        format!("1-{seconds:08x}-{}", &random()[..24])
    });
    let parent = field("Parent").unwrap_or_else(|| random()[..16].to_owned());
    let sampled = field("Sampled").unwrap_or_else(|| u8::from(spec.trace).to_string());
    let lineage = field("Lineage").unwrap_or_else(|| {
        let function = Sha256::digest(&spec.arn);
        let function: String = function.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("1:{function}:0")
    });
    format!("Root={root};Parent={parent};Sampled={sampled};Lineage={lineage}")
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
