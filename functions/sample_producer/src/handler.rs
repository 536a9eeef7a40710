//! From an event to its answer.

use crate::body::body;
use crate::environment::Environment;
use crate::errors::Refusal;
use crate::event::Request;
use crate::limits::answer_too_large;
use crate::make_classification::make_classification;
use crate::parameters::Parameters;
use crate::query::Query;
use serde::Serialize;
use serde_json::Value;

/// The kind of an error's body: <https://jsonapi.org/format/#content-negotiation>.
const JSON_API: &str = "application/vnd.api+json";

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a ping.
    Warm {
        /// Always true.
        warm: bool,
    },
    /// To a request: API Gateway's proxy response.
    Proxy(ProxyResponse),
}

/// A response as API Gateway's proxy integration takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyResponse {
    /// The HTTP status.
    pub status_code: u16,
    /// The HTTP headers.
    pub headers: Headers,
    /// The HTTP body.
    pub body: String,
}

/// The headers of an answer. A sample has none, as the guide's: API Gateway then says that it is JSON.
#[derive(Debug, Serialize)]
pub struct Headers {
    /// The kind of the body.
    #[serde(rename = "content-type", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<&'static str>,
}

/// Answers an event. A ping is held for as long as it asks, and draws nothing.
pub fn answer(event: &Value, environment: &Environment) -> Answer {
    match Request::read(event) {
        Request::Warm { hold } => {
            std::thread::sleep(hold);
            Answer::Warm { warm: true }
        }
        Request::Sample(query) => Answer::Proxy(match sample_text(&query, environment) {
            Ok(body) => respond(200, None, body),
            Err(refusal) => respond(refusal.reason.status(), Some(JSON_API), refusal.document()),
        }),
    }
}

fn sample_text(query: &Query, environment: &Environment) -> Result<String, Refusal> {
    let parameters = Parameters::read(query, environment)?;
    let sample = make_classification(&parameters);
    body(&sample).ok_or_else(|| answer_too_large(query.culprit(&["n_samples", "n_features"])))
}

fn respond(status_code: u16, content_type: Option<&'static str>, body: String) -> ProxyResponse {
    ProxyResponse { status_code, headers: Headers { content_type }, body }
}
