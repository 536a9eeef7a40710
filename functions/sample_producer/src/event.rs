//! What an event asks for: a sample, or only that the sandbox stays warm.

use crate::query::Query;
use serde_json::Value;
use std::time::Duration;

/// The longest that a ping is held: a second.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// What to do with an event.
pub enum Request {
    /// Answer at once, after holding the sandbox for a while so that concurrent pings each find another one.
    Warm {
        /// How long.
        hold: Duration,
    },
    /// Draw a sample.
    Sample(Query),
}

impl Request {
    /// Reads an event.
    ///
    /// A ping is `{"mdo": {"warm": true}}`, with `hold_ms` beside `warm` if it is to be held, or a scheduled event of
    /// EventBridge (`"source": "aws.events"`). Everything else is a request; one without a query, as the console's
    /// Test button sends it, is the guide's.
    pub fn read(event: &Value) -> Self {
        let ping = &event["mdo"];
        if ping["warm"] == true {
            let hold = Duration::from_millis(ping["hold_ms"].as_u64().unwrap_or(0));
            return Self::Warm { hold: hold.min(LONGEST_HOLD) };
        }
        if event["source"] == "aws.events" {
            return Self::Warm { hold: Duration::ZERO };
        }
        Self::Sample(query(event))
    }
}

/// API Gateway's two forms of the query; of a repeated parameter the last text counts, as in the single-value form.
fn query(event: &Value) -> Query {
    let several = entries(&event["multiValueQueryStringParameters"])
        .filter_map(|(name, texts)| Some((name, text(texts.as_array()?.last()?)?)));
    let single =
        entries(&event["queryStringParameters"]).filter_map(|(name, value)| Some((name, text(value)?)));
    several.chain(single).collect()
}

fn entries(parameters: &Value) -> impl Iterator<Item = (&String, &Value)> {
    parameters.as_object().into_iter().flatten()
}

/// A person who writes a test event may write numbers and booleans as such.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
