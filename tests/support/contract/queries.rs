//! How a query string is read.
//!
//! `+`, `%2B` and many values are as in LocalStack's recorded snapshots; `;` and what must be encoded are "Important notes for REST
//! APIs" in the API Gateway developer guide.

use serde_json::{Value, json};

use super::row::{Row, get, refused, status};

const UNENCODED: &str = "the important notes say that | { } in a query must be encoded";
const SPLITS: &str = "the important notes say that a semicolon splits the data";

/// A row about a query, and what both maps are.
fn read(name: &'static str, query: &str, every: Value) -> Row {
    let last = |values: &Value| values.as_array().unwrap().last().unwrap().clone();
    let single: serde_json::Map<_, _> =
        every.as_object().unwrap().iter().map(|(name, values)| (name.clone(), last(values))).collect();
    get(name, &format!("/dev/open?{query}"))
        .sees("/queryStringParameters", single)
        .sees("/multiValueQueryStringParameters", every)
}

pub(super) fn rows() -> Vec<Row> {
    let raw = |name, query| {
        get(name, query)
            .gets(refused(400, "Bad Request", "BadRequestException"))
            .emulator(status(200), UNENCODED)
    };
    vec![
        read("a query has its parameters", "a=1&b=2", json!({"a": ["1"], "b": ["2"]})),
        read(
            "of many values the last one counts",
            "a=1&a=2&b=3&a=4",
            json!({"a": ["1", "2", "4"], "b": ["3"]}),
        ),
        read("a parameter without a value is empty", "a", json!({"a": [""]})),
        read("a parameter with an empty value is empty", "a=&b=1", json!({"a": [""], "b": ["1"]})),
        read("a plus is a blank", "a=x+y", json!({"a": ["x y"]})),
        read(
            "an encoded plus is a plus",
            "email=test%2Balias@gmail.com",
            json!({"email": ["test+alias@gmail.com"]}),
        ),
        read("a value is decoded", "a=caf%C3%A9%20%26%3D", json!({"a": ["café &="]})),
        read("a name is decoded", "a%5B%5D=1", json!({"a[]": ["1"]})),
        read("names differ by their case", "a=1&A=2", json!({"a": ["1"], "A": ["2"]})),
        read("an equals sign in a value stays", "a=b=c", json!({"a": ["b=c"]})),
        read(
            "a slash and a colon stay",
            "url=https://www.google.com/",
            json!({"url": ["https://www.google.com/"]}),
        ),
        read("a time loses its plus", "t=18:05:10.123456+00:00", json!({"t": ["18:05:10.123456 00:00"]})),
        read("what is not an escape stays", "a=100%zz%", json!({"a": ["100%zz%"]})),
        read("empty parts do not count", "a=1&&b=2&", json!({"a": ["1"], "b": ["2"]})),
        read("encoded, everything may be in a query", "a=%7C%7b%7D", json!({"a": ["|{}"]})),
        read("a semicolon splits", "a=1;b=2", json!({"a": ["1"], "b": ["2"]}))
            .emulator(status(200).sees("/queryStringParameters", json!({"a": "1;b=2"})), SPLITS),
        get("an empty query is none", "/dev/open?")
            .sees("/queryStringParameters", Value::Null)
            .sees("/multiValueQueryStringParameters", Value::Null),
        raw("a bar in a query is refused", "/dev/open?a=1|2"),
        raw("an opening brace in a query is refused", "/dev/open?{a=1"),
        raw("a closing brace in a query is refused", "/dev/open?a=}"),
    ]
}
