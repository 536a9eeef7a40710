//! Which events are pings, which are requests, and how a query is read.
#![allow(clippy::unwrap_used)]

mod support;

use sample_producer::environment::Environment;
use sample_producer::event::Request;
use sample_producer::handler::answer;
use serde_json::{Value, json};
use std::time::Duration;
use support::{get, golden, respond};

fn hold(event: &Value) -> Option<Duration> {
    match Request::read(event) {
        Request::Warm { hold } => Some(hold),
        Request::Sample(_) => None,
    }
}

fn body(pairs: &[(&str, &str)]) -> String {
    let response = respond(&get(pairs), Some("2"));
    assert_eq!(response.status_code, 200, "{}", response.body);
    response.body
}

fn keys(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    body.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_ping_draws_nothing() {
    let environment = Environment::with_n_classes(None::<&str>);
    for ping in [
        json!({ "mdo": { "warm": true } }),
        json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }),
    ] {
        let answer = answer(&ping, &environment);
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"warm":true}"#);
        assert_eq!(hold(&ping), Some(Duration::ZERO));
    }
}

#[test]
fn a_ping_is_held_only_as_long_as_it_asks_and_a_second_at_most() {
    assert_eq!(hold(&json!({ "mdo": { "warm": true, "hold_ms": 40 } })), Some(Duration::from_millis(40)));
    assert_eq!(
        hold(&json!({ "mdo": { "warm": true, "hold_ms": 1e9 as u64 } })),
        Some(Duration::from_secs(1))
    );
    assert_eq!(hold(&json!({ "mdo": { "warm": false } })), None);
}

#[test]
fn a_caller_cannot_pass_a_ping_through_the_api() {
    let mut event = get(&[("n_samples", "3")]);
    event["body"] = json!(r#"{"mdo":{"warm":true}}"#);
    assert_eq!(hold(&event), None);
}

#[test]
fn any_other_event_is_the_guide_s_request() {
    let expected = golden("n_classes_2.body.json");
    for event in [
        json!({}),
        json!({ "key1": "value1", "key2": "value2" }),
        json!(null),
        json!("text"),
        json!([1, 2]),
        json!({ "queryStringParameters": null, "multiValueQueryStringParameters": null }),
        json!({ "queryStringParameters": "text" }),
    ] {
        assert_eq!(respond(&event, Some("2")).body, expected, "{event}");
    }
}

#[test]
fn an_answer_is_a_proxy_response() {
    let answer = answer(&json!({}), &Environment::with_n_classes(Some("2")));
    let text = serde_json::to_string(&answer).unwrap();
    assert!(
        text.starts_with(r#"{"statusCode":200,"headers":{},"body":"{\"vec_0\": [-0."#),
        "{}",
        &text[..120]
    );
}

#[test]
fn of_a_repeated_parameter_the_last_text_counts() {
    let several = json!({ "multiValueQueryStringParameters": { "n_samples": ["5", "7"] } });
    assert_eq!(respond(&several, Some("2")).body, body(&[("n_samples", "7")]));
}

#[test]
fn columns_are_named_by_number_and_come_before_the_target() {
    let text = body(&[("n_features", "12"), ("n_samples", "2")]);
    let places: Vec<usize> = (0..12)
        .map(|column| text.find(&format!("\"vec_{column}\"")).unwrap())
        .chain(text.find("\"target\""))
        .collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(keys(&text).len(), 13);
}

#[test]
fn booleans_are_read_as_python_and_http_users_write_them() {
    for (yes, no) in [("true", "false"), ("True", "False"), ("1", "0"), ("TRUE", "FALSE")] {
        assert_eq!(body(&[("shuffle", yes)]), body(&[]));
        assert_eq!(body(&[("shuffle", no)]), body(&[("shuffle", "false")]));
    }
    assert_ne!(body(&[("shuffle", "false")]), body(&[]));
}

#[test]
fn none_draws_the_shift_and_a_list_of_one_is_for_all_columns() {
    assert_ne!(body(&[("shift", "none")]), body(&[]));
    assert_eq!(body(&[("shift", "None")]), body(&[("shift", "none")]));
    assert_eq!(body(&[("scale", "[2]")]), body(&[("scale", "2.0")]));
    assert_eq!(body(&[("scale", "2,2")]), body(&[("scale", "2.0")]));
}

#[test]
fn without_a_random_state_every_sample_is_another_one() {
    assert_ne!(body(&[("random_state", "none")]), body(&[("random_state", "none")]));
}
