//! From an event to the response: the function is called, and its answer is read.

use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use mdo_model::stack::ApiRoute;

use super::record::Record;
use super::refusal::{Declined, Refusal};
use super::{Call, Gateway, NotRun, answer, binary, put};
use crate::activity::Run;
use crate::runtime::{InvokeContext, Refused, one_line};

impl Gateway {
    pub(super) async fn invoke(
        &self,
        call: &Call<'_>,
        route: &ApiRoute,
        event: Vec<u8>,
        record: &mut Record<'_>,
    ) -> Result<Response<Bytes>, Declined> {
        let name = &route.function;
        let context = InvokeContext {
            // One id for both: so a request in the log leads to what its function wrote.
            request_id: Some(call.identity.request_id.clone()),
            trace_id: Some(call.identity.trace_id.clone()),
            ..InvokeContext::default()
        };
        let limit = Duration::from_millis(u64::from(route.timeout_ms));
        record.called = true;
        // The function goes on when nobody waits for it any more, as on Lambda.
        let running = call.served.functions.invoke(name, Bytes::from(event), context);
        let result = match tokio::time::timeout(limit, running).await {
            Err(_) => return Err(Refusal::TimedOut.because(format!("no answer within {limit:?}"))),
            Ok(result) => result.map_err(|not_run| {
                record.throttled = matches!(not_run, NotRun::Refused(Refused::Throttled | Refused::Crowded));
                declined(not_run, name.as_str())
            })?,
        };
        record.run = Some(Run {
            init: result.init,
            duration: result.duration,
            failed: result.error.is_some(),
            max_memory_mb: result.max_memory_mb,
        });
        if let Some(failure) = result.failure() {
            return Err(Refusal::BadGateway.because(format!("function {name} failed: {failure}")));
        }
        let answer = answer::read(&result.payload).map_err(|rule| {
            let rule = one_line(&rule);
            Refusal::BadGateway.because(format!("function {name}: Malformed Lambda proxy response: {rule}"))
        })?;
        let mut response = answer.response;
        if answer.is_base64 && !response.body().is_empty() {
            let headers = &call.parts.headers;
            if binary::is_response_binary(call.served.front.binary_media_types(), headers) {
                *response.body_mut() = binary::decode(response.body(), name.as_str())?;
            } else {
                record.why = Some(binary::stays_encoded(headers).into());
            }
        }
        put(response.headers_mut(), "x-amzn-trace-id", &result.trace_id);
        Ok(response)
    }
}

fn declined(not_run: NotRun, name: &str) -> Declined {
    match not_run {
        NotRun::Absent => Refusal::NotCalled.because(format!("there is no function {name}")),
        NotRun::NotAllowed => {
            Refusal::NotCalled.because(format!("function {name} does not let the API call it"))
        }
        NotRun::Refused(refused @ Refused::TooLarge) => Refusal::RequestTooLong.because(refused.to_string()),
        NotRun::Refused(Refused::Throttled) => {
            Refusal::NotCalled.because(format!("every sandbox reserved for function {name} is busy"))
        }
        NotRun::Refused(refused @ Refused::Crowded) => {
            Refusal::TooManyRequests.because(format!("function {name} was not called: {refused}"))
        }
        NotRun::Refused(refused @ Refused::Retired) => {
            Refusal::BadGateway.because(format!("function {name} was not called: {refused}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_asks_to_come_later_and_a_busy_function_is_a_failed_integration() {
        let refusal = |refused| declined(NotRun::Refused(refused), "echo").refusal;
        assert_eq!(refusal(Refused::Crowded), Refusal::TooManyRequests);
        assert_eq!(refusal(Refused::Throttled), Refusal::NotCalled);
    }
}
