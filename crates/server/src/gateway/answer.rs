//! A function's answer, read as API Gateway reads it: a proxy response, or the reason why it is not one.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};

/// The fields of a proxy response; there may be no other.
const FIELDS: [&str; 5] = ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];

/// Headers that a function cannot set; they come out as `x-amzn-remapped-…`. With [`DROPPED`], the table of "Important notes for
/// REST APIs" in the API Gateway developer guide.
const REMAPPED: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "content-md5",
    "date",
    "max-forwards",
    "server",
    "user-agent",
    "www-authenticate",
];

/// Headers that a function cannot set at all.
const DROPPED: [&str; 9] = [
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// An answer that keeps every rule.
#[derive(Debug)]
pub(super) struct Answer {
    /// The response, its body as the function gave it.
    pub(super) response: Response<Bytes>,
    /// Whether the body is marked as Base64.
    pub(super) is_base64: bool,
}

/// Reads an answer.
///
/// # Errors
/// The rule that is broken, as a fragment.
pub(super) fn read(payload: &[u8]) -> Result<Answer, String> {
    let answer: Value = serde_json::from_slice(payload).map_err(|_| "the answer is not JSON".to_owned())?;
    let Value::Object(mut answer) = answer else {
        return Err(format!("the answer is {}, not an object", kind(&answer)));
    };
    if let Some(field) = answer.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Err(format!("`{field}` is not a field of a proxy response; they are {}", FIELDS.join(", ")));
    }
    let status = status(answer.get("statusCode"))?;
    let mut headers = HeaderMap::new();
    multiple(&answer, &mut headers)?;
    single(&answer, &mut headers)?;
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let is_base64 = match answer.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_base64)) => *is_base64,
        Some(other) => return Err(format!("isBase64Encoded is {}, not true or false", kind(other))),
    };
    let body = match answer.remove("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) => Bytes::from(text),
        Some(other) => {
            return Err(format!("body is {}, not a string; write JSON into it as text", kind(&other)));
        }
    };
    let bodiless =
        matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Bytes::new() } else { body });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(Answer { response, is_base64 })
}

/// The status, as a number or as digits in text; without one it is 200.
fn status(value: Option<&Value>) -> Result<StatusCode, String> {
    let number = match value {
        None | Some(Value::Null) => return Ok(StatusCode::OK),
        Some(Value::String(text)) if !text.starts_with('+') => text.parse().ok(),
        Some(other) => other.as_u64(),
    };
    let value = value.unwrap_or_default();
    let number = number.ok_or_else(|| format!("statusCode is {}, not an integer", kind(value)))?;
    let number = u16::try_from(number).ok().filter(|number| (200..=599).contains(number));
    let status = number.and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| format!("statusCode is {value}, not a status from 200 to 599"))
}

fn multiple(answer: &Map<String, Value>, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, values) in object(answer, "multiValueHeaders")?.into_iter().flatten() {
        let Value::Array(values) = values else {
            return Err(format!("multiValueHeaders.{name} is {}, not a list", kind(values)));
        };
        for value in values {
            if let Some((key, value)) = header("multiValueHeaders", name, value)? {
                headers.append(key, value);
            }
        }
    }
    Ok(())
}

/// A header that is in both maps has the single value last, unless it is among the others already.
fn single(answer: &Map<String, Value>, headers: &mut HeaderMap) -> Result<(), String> {
    let mut singles = HeaderMap::new();
    for (name, value) in object(answer, "headers")?.into_iter().flatten() {
        if !value.is_null()
            && let Some((key, value)) = header("headers", name, value)?
        {
            singles.insert(key, value);
        }
    }
    for (key, value) in &singles {
        if !headers.get_all(key).iter().any(|present| present == value) {
            headers.append(key, value.clone());
        }
    }
    Ok(())
}

fn object<'a>(answer: &'a Map<String, Value>, field: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    match answer.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(format!("{field} is {}, not an object", kind(other))),
    }
}

/// A header as it goes out; `None` when it must not.
fn header(field: &str, name: &str, value: &Value) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        other => return Err(format!("{field}.{name} is {}, not a string", kind(other))),
    };
    let lower = name.to_ascii_lowercase();
    if DROPPED.contains(&lower.as_str()) {
        return Ok(None);
    }
    let remapped = REMAPPED.contains(&lower.as_str()).then(|| format!("x-amzn-remapped-{lower}"));
    let key = HeaderName::from_bytes(remapped.unwrap_or(lower).as_bytes())
        .map_err(|_| format!("{field} has `{}`, which is not a header's name", name.escape_debug()))?;
    let value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| format!("{field}.{name} has a character that no header may have"))?;
    Ok(Some((key, value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(payload: &str) -> String {
        read(payload.as_bytes()).unwrap_err()
    }

    #[test]
    fn the_smallest_answer_is_a_status() {
        let response = read(br#"{"statusCode": 204}"#).unwrap().response;
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["content-type"], "application/json");
    }

    #[test]
    fn without_a_status_an_answer_is_200_and_a_status_may_be_digits_in_text() {
        for (payload, status) in [
            ("{}", 200),
            (r#"{"statusCode": null}"#, 200),
            (r#"{"body": ""}"#, 200),
            (r#"{"statusCode": "201"}"#, 201),
        ] {
            let response = read(payload.as_bytes()).unwrap().response;
            assert_eq!(
                (response.status().as_u16(), response.body().as_ref()),
                (status, &b""[..]),
                "{payload}"
            );
        }
    }

    #[test]
    fn a_whole_answer() {
        let answer = r#"{"statusCode": 201, "body": "aMOp", "isBase64Encoded": true,
            "headers": {"Content-Type": "text/plain", "X-One": "1", "X-Flag": true, "X-Null": null},
            "multiValueHeaders": {"X-One": ["1", "2"], "Set-Cookie": ["a=1", "b=2"]}}"#;
        let response = read(answer.as_bytes()).unwrap().response;
        assert_eq!(response.status(), 201);
        assert_eq!(response.body(), "aMOp");
        let values = |name: &str| -> Vec<String> {
            let values = response.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(values("content-type"), ["text/plain"]);
        assert_eq!(values("x-one"), ["1", "2"]);
        assert_eq!(values("x-flag"), ["true"]);
        assert_eq!(values("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(values("x-null"), [""; 0]);
    }

    #[test]
    fn headers_that_would_break_http_do_not_pass() {
        let answer = r#"{"statusCode": 200, "body": "x", "headers":
            {"Content-Length": "99", "connection": "close", "Transfer-Encoding": "chunked", "Date": "now"}}"#;
        let response = read(answer.as_bytes()).unwrap().response;
        let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        assert!(!names.contains(&"content-length"));
        assert!(!names.contains(&"transfer-encoding"));
        assert_eq!(response.headers()["x-amzn-remapped-content-length"], "99");
        assert_eq!(response.headers()["x-amzn-remapped-connection"], "close");
        assert_eq!(response.headers()["x-amzn-remapped-date"], "now");
    }

    #[test]
    fn each_broken_rule_is_named() {
        let cases = [
            ("oops", "the answer is not JSON"),
            ("null", "the answer is null, not an object"),
            ("[1]", "the answer is a list, not an object"),
            (r#"{"statusCode": "ok"}"#, "statusCode is a string, not an integer"),
            (r#"{"statusCode": "+200"}"#, "statusCode is a string, not an integer"),
            (r#"{"statusCode": ""}"#, "statusCode is a string, not an integer"),
            (r#"{"statusCode": "99"}"#, "statusCode is \"99\", not a status from 200 to 599"),
            (r#"{"statusCode": 20.5}"#, "statusCode is a number, not an integer"),
            (r#"{"statusCode": 99}"#, "statusCode is 99, not a status from 200 to 599"),
            (
                r#"{"statusCode": 200, "body": {"a": 1}}"#,
                "body is an object, not a string; write JSON into it as text",
            ),
            (r#"{"statusCode": 200, "headers": []}"#, "headers is a list, not an object"),
            (r#"{"statusCode": 200, "headers": {"a": 1}}"#, "headers.a is a number, not a string"),
            (
                r#"{"statusCode": 200, "headers": {"a": "x\ny"}}"#,
                "headers.a has a character that no header may have",
            ),
            (
                r#"{"statusCode": 200, "headers": {"a b": "x"}}"#,
                "headers has `a b`, which is not a header's name",
            ),
            (
                r#"{"statusCode": 200, "multiValueHeaders": {"a": "x"}}"#,
                "multiValueHeaders.a is a string, not a list",
            ),
            (
                r#"{"statusCode": 200, "isBase64Encoded": 1}"#,
                "isBase64Encoded is a number, not true or false",
            ),
            (
                r#"{"statusCode": 200, "message": "x"}"#,
                "`message` is not a field of a proxy response; they are statusCode, headers, multiValueHeaders, body, isBase64Encoded",
            ),
        ];
        for (payload, expected) in cases {
            assert_eq!(rule(payload), expected, "{payload}");
        }
    }
}
