//! The Test button: one event, run through a function as it is served.

use bytes::Bytes;
use hyper::StatusCode;
use mdo_model::project::FunctionName;
use mdo_server::runtime::{InvokeContext, InvokeResult};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Answer, complaint, document};
use crate::live::Live;

/// What is to be run.
#[derive(Deserialize)]
pub(super) struct Asked {
    function: FunctionName,
    /// The event; without one it is what the function's warm rule sends.
    event: Option<Box<RawValue>>,
}

/// What came of it. Times are in milliseconds, memory in MB.
#[derive(Serialize)]
struct Ran {
    request_id: String,
    /// What the function says is wrong; null on success.
    error: Option<String>,
    payload: String,
    duration_ms: f64,
    init_ms: Option<f64>,
    max_memory_mb: u64,
}

/// Runs an event and answers what came of it.
pub(super) async fn run(live: &Live, asked: Asked) -> Answer {
    let stack = live.current().await;
    let Some(function) = stack.functions.0.get(&asked.function) else {
        return complaint(StatusCode::NOT_FOUND, &format!("there is no function {}", asked.function));
    };
    let event = match &asked.event {
        Some(event) => event.get().to_owned(),
        None => match stack.warm_rules.get(&asked.function) {
            Some(rule) => rule.input.to_string(),
            None => {
                let why = format!("function {} has no warm rule", asked.function);
                return complaint(StatusCode::NOT_FOUND, &why);
            }
        },
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    if asked.event.is_none() {
        live.provider.book.ping(&asked.function, request_id.clone());
    }
    let context = InvokeContext { request_id: Some(request_id), ..InvokeContext::default() };
    match function.runtime.invoke(Bytes::from(event), context).await {
        Ok(result) => document(&Ran::new(&result)),
        Err(refused) => {
            let why = format!("function {} was not run: {refused}", asked.function);
            complaint(StatusCode::SERVICE_UNAVAILABLE, &why)
        }
    }
}

impl Ran {
    fn new(result: &InvokeResult) -> Self {
        let milliseconds = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        Self {
            request_id: result.request_id.clone(),
            error: result.failure(),
            payload: String::from_utf8_lossy(&result.payload).into_owned(),
            duration_ms: milliseconds(result.duration),
            init_ms: result.init.map(milliseconds),
            max_memory_mb: result.max_memory_mb,
        }
    }
}
