//! What the tests share: golden files, and parameters of the golden lines as a caller's query.
#![allow(clippy::unwrap_used, dead_code, reason = "each test uses a part of it")]

use sample_producer::environment::Environment;
use sample_producer::handler::{Answer, ProxyResponse, answer};
use sample_producer::python::repr_float;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(crate) fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn golden_json(name: &str) -> Value {
    serde_json::from_str(&golden(name)).unwrap()
}

pub(crate) fn golden_lines(name: &str) -> Vec<Value> {
    golden(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Golden parameters as a caller writes them in a query.
pub(crate) fn query_pairs(parameters: &Value) -> Vec<(String, String)> {
    let pairs = parameters.as_object().unwrap().iter();
    pairs.map(|(name, value)| (name.clone(), query_text(value))).collect()
}

fn query_text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) if number.is_f64() => repr_float(number.as_f64().unwrap()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(query_text).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(_) => panic!("no parameter is an object"),
    }
}

/// A proxy event with this query.
pub(crate) fn get(pairs: &[(impl AsRef<str>, impl AsRef<str>)]) -> Value {
    let query: serde_json::Map<String, Value> =
        pairs.iter().map(|(name, text)| (name.as_ref().to_owned(), json!(text.as_ref()))).collect();
    json!({ "httpMethod": "GET", "path": "/sample_producer", "queryStringParameters": query })
}

/// The proxy response to an event, with `N_CLASSES` in the environment or not.
pub(crate) fn respond(event: &Value, n_classes: Option<&str>) -> ProxyResponse {
    match answer(event, &Environment::with_n_classes(n_classes)) {
        Answer::Proxy(response) => response,
        Answer::Warm { .. } => panic!("a request was taken for a ping"),
    }
}

/// Status, `source.parameter` and `detail` of a refused request.
pub(crate) fn refusal(event: &Value, n_classes: Option<&str>) -> (u16, String, String) {
    let response = respond(event, n_classes);
    assert_eq!(response.headers.content_type, Some("application/vnd.api+json"), "{}", response.body);
    let document: Value = serde_json::from_str(&response.body).unwrap();
    let error = &document["errors"][0];
    assert_eq!(error["status"], response.status_code.to_string());
    (
        response.status_code,
        error["source"]["parameter"].as_str().unwrap_or_default().to_owned(),
        error["detail"].as_str().unwrap().to_owned(),
    )
}
