//! What becomes of a function's answer on its way to the client.
//!
//! `{}`, headers alone and a missing body are as in LocalStack's recorded tests; the tables of remapped and dropped headers are
//! "Important notes for REST APIs" in the API Gateway developer guide.

use serde_json::{Map, Value, json};

use super::row::{Row, answered, send, status};

const AS_IT_IS: &str = "the table of the important notes says which headers a function cannot set";
const REMAPPED: [&str; 9] = [
    "WWW-Authenticate",
    "Authorization",
    "Content-MD5",
    "User-Agent",
    "Max-Forwards",
    "Date",
    "Server",
    "Connection",
    "Content-Length",
];
const DROPPED: [&str; 7] = ["Host", "Via", "TE", "Expect", "Proxy-Authenticate", "Trailer", "Upgrade"];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = statuses();
    rows.extend(bodies());
    rows.extend(headers());
    rows.extend(owned_headers());
    rows
}

fn statuses() -> Vec<Row> {
    vec![
        answered("a status is a number", r#"{"statusCode":201,"body":"hi"}"#).gets(status(201).text("hi")),
        answered("a status may be text", r#"{"statusCode":"404","body":"x"}"#).gets(status(404).text("x")),
        answered("without a status it is 200", r#"{"body":"x"}"#).gets(status(200).text("x")),
        answered("a status of null is 200", r#"{"statusCode":null,"body":"x"}"#)
            .gets(status(200).text("x"))
            .emulator(status(500), "the emulator means to take 200 and falls over the null before"),
        answered("an empty object is 200", "{}")
            .gets(status(200).text("").has("content-type", &["application/json"])),
        answered("an error of the function's own passes", r#"{"statusCode":503,"body":"mine"}"#)
            .gets(status(503).text("mine")),
        answered("a redirect passes", r#"{"statusCode":302,"headers":{"Location":"https://x.example/"}}"#)
            .gets(status(302).text("").has("location", &["https://x.example/"])),
        answered("a 204 has no body", r#"{"statusCode":204,"body":"dropped"}"#).gets(status(204).text("")),
        answered("a 304 has no body", r#"{"statusCode":304,"body":"dropped"}"#).gets(status(304).text("")),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        answered("a body of null is empty", r#"{"statusCode":200,"body":null}"#).gets(status(200).text("")),
        answered("a body is written in UTF-8", "{\"body\":\"\\u00e9\\ud83e\\udd80\"}")
            .gets(status(200).text("é🦀")),
        answered("Base64 stays without binary media types", r#"{"body":"aMOp","isBase64Encoded":true}"#)
            .gets(status(200).text("aMOp")),
        send("HEAD takes the body of an answer", "HEAD", "/dev/open")
            .with("X-Answer", r#"{"body":"hi","headers":{"X-A":"1"}}"#)
            .gets(status(200).text("").has("x-a", &["1"])),
    ]
}

fn headers() -> Vec<Row> {
    let text = r#"{"headers":{"Content-Type":"text/html; charset=utf-8"},"body":"x"}"#;
    vec![
        answered("an answer is JSON unless it says otherwise", r#"{"body":"x"}"#)
            .gets(status(200).has("content-type", &["application/json"])),
        answered("a content type is kept with its charset", text)
            .gets(status(200).has("content-type", &["text/html; charset=utf-8"])),
        answered(
            "a content type in another case is no second one",
            r#"{"headers":{"CONTENT-type":"text/plain"}}"#,
        )
        .gets(status(200).has("content-type", &["text/plain"])),
        answered("headers alone are an answer", r#"{"headers":{"test-header":"value"}}"#)
            .gets(status(200).text("").has("test-header", &["value"])),
        answered("a header may be true or false", r#"{"headers":{"X-T":true,"X-F":false}}"#)
            .gets(status(200).has("x-t", &["true"]).has("x-f", &["false"])),
        answered("both maps may be null", r#"{"headers":null,"multiValueHeaders":null,"body":"x"}"#)
            .gets(status(200).text("x")),
        answered("many values are many headers", r#"{"multiValueHeaders":{"X-A":["1","2"]}}"#)
            .gets(status(200).has("x-a", &["1", "2"])),
        answered(
            "cookies are set one by one",
            r#"{"multiValueHeaders":{"Set-Cookie":["a=1; Path=/","b=2"]}}"#,
        )
        .gets(status(200).has("set-cookie", &["a=1; Path=/", "b=2"])),
        answered(
            "of a header in both maps the many values come first",
            r#"{"headers":{"X-A":"3"},"multiValueHeaders":{"x-a":["1","2"]}}"#,
        )
        .gets(status(200).has("x-a", &["1", "2", "3"])),
        answered(
            "a value that is in both maps comes once",
            r#"{"headers":{"X-A":"1"},"multiValueHeaders":{"X-A":["1","2"]}}"#,
        )
        .gets(status(200).has("x-a", &["1", "2"]))
        .emulator(
            status(200).has("x-a", &["1", "2", "1"]),
            "the output format says that of the same pair in both maps the many values alone appear",
        ),
        answered(
            "an answer may let other origins read it",
            r#"{"headers":{"Access-Control-Allow-Origin":"*"}}"#,
        )
        .gets(status(200).has("access-control-allow-origin", &["*"])),
    ]
}

/// An answer with all these headers in one of the maps.
fn owning(name: &'static str, map: &str, headers: &[&str]) -> Row {
    let value = if map == "headers" { json!("7") } else { json!(["7"]) };
    let headers: Map<String, Value> =
        headers.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
    answered(name, &json!({map: headers, "body": "hi"}).to_string())
}

fn owned_headers() -> Vec<Row> {
    let remapped = |name, map| {
        let row = owning(name, map, &REMAPPED);
        let expected = status(200).text("hi");
        row.gets(
            expected
                .has("x-amzn-remapped-www-authenticate", &["7"])
                .has("x-amzn-remapped-authorization", &["7"])
                .has("x-amzn-remapped-content-md5", &["7"])
                .has("x-amzn-remapped-user-agent", &["7"])
                .has("x-amzn-remapped-max-forwards", &["7"])
                .has("x-amzn-remapped-date", &["7"])
                .has("x-amzn-remapped-server", &["7"])
                .has("x-amzn-remapped-connection", &["7"])
                .has("x-amzn-remapped-content-length", &["7"])
                .has("www-authenticate", &[])
                .has("authorization", &[])
                .has("content-length", &["2"]),
        )
        .emulator(
            status(200).text("hi").has("x-amzn-remapped-authorization", &[]).has("authorization", &["7"]),
            AS_IT_IS,
        )
    };
    let dropped = |name, map| {
        let row = owning(name, map, &DROPPED);
        row.gets(
            status(200)
                .text("hi")
                .has("host", &[])
                .has("via", &[])
                .has("te", &[])
                .has("expect", &[])
                .has("proxy-authenticate", &[])
                .has("trailer", &[])
                .has("upgrade", &[]),
        )
        .emulator(status(200).text("hi").has("via", &["7"]).has("te", &["7"]), AS_IT_IS)
    };
    vec![
        remapped("headers that API Gateway owns come out remapped", "headers"),
        remapped(
            "headers that API Gateway owns come out remapped from the other map too",
            "multiValueHeaders",
        ),
        dropped("headers of the connection are dropped", "headers"),
        dropped("headers of the connection are dropped from the other map too", "multiValueHeaders"),
    ]
}
