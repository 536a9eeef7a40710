//! Whether a call that failed is worth another attempt, and when.

use std::error::Error as StdError;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use mdo_engine::Cause;
use serde_json::Value;

use super::{cause, chain};

/// Whether AWS asks for slower calls.
pub(crate) fn is_throttle<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let code = error.code().unwrap_or_default();
    match code {
        // API Gateway's word for a limit that waiting does not lift.
        "LimitExceededException" => false,
        _ if cause::THROTTLES.contains(&code) => {
            cause::of("", code, "", reason(error).as_deref()) == Cause::Throttled
        }
        _ => error.raw_response().is_some_and(|response| response.status().as_u16() == 429),
    }
}

/// The reason that Lambda gives beside the text: which of several limits is in the way.
pub(super) fn reason<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let body: Value = serde_json::from_slice(error.raw_response()?.body().bytes()?).ok()?;
    body.get("Reason").or_else(|| body.get("reason"))?.as_str().map(str::to_owned)
}

/// How long AWS asks to wait.
pub(crate) fn retry_after<E>(error: &SdkError<E, HttpResponse>) -> Option<Duration> {
    let text = error.raw_response()?.headers().get("retry-after")?;
    text.trim()
        .parse()
        .ok()
        .filter(|seconds: &f64| (0.0..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
}

/// Whether the same call may well succeed a moment later. With `once`, only when it surely has not arrived.
pub(crate) fn is_transient<E: StdError + 'static>(error: &SdkError<E, HttpResponse>, once: bool) -> bool {
    match error {
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            !once || chain(error).contains("(Connect)")
        }
        // A connection that is closed before the answer is neither to the SDK.
        SdkError::DispatchFailure(_) => !once && chain(error).contains("(SendRequest)"),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => !once,
        SdkError::ServiceError(service) => {
            !once && matches!(service.raw().status().as_u16(), 500 | 502 | 503 | 504)
        }
        _ => false,
    }
}
