//! Bodies that are bytes, at a stage with binary media types.
//!
//! What counts was seen on AWS by LocalStack's test of binary responses (`test_aws_proxy_binary_response`).

use super::row::{Expected, Row, get, send, status};

/// Bytes that are no text, and the same in Base64.
const BYTES: &[u8] = b"a\xffb";
const BASE64: &str = "Yf9i";

const AS_TEXT: &str =
    "a body of a binary media type is Base64 whatever its bytes are; the emulator goes by the bytes alone";

pub fn rows() -> Vec<Row> {
    [requests(), answers()].into_iter().flatten().collect()
}

fn requests() -> Vec<Row> {
    let posted = |name, kind: &str, body: &[u8]| {
        send(name, "POST", "/pictures/open").with("Content-Type", kind).body(body.to_vec())
    };
    let base64 = |row: Row, body: &'static str| row.sees("/body", body).sees("/isBase64Encoded", true);
    vec![
        base64(posted("bytes of a binary media type are Base64", "image/png", BYTES), BASE64),
        base64(posted("parameters of the type do not count", "image/png; a=b", BYTES), BASE64),
        base64(posted("a range covers its types", "application/pdf", BYTES), BASE64),
        base64(posted("text of a binary media type is Base64 as well", "image/png", b"text"), "dGV4dA==")
            .emulator(status(200).sees("/body", "text").sees("/isBase64Encoded", false), AS_TEXT),
        posted("another type is text", "text/plain", b"text")
            .sees("/body", "text")
            .sees("/isBase64Encoded", false),
        posted("an empty body of a binary media type is null", "image/png", b"")
            .sees("/body", serde_json::Value::Null),
    ]
}

fn answers() -> Vec<Row> {
    let accepting = |name, accept: &str| {
        get(name, "/pictures/open")
            .with("Accept", accept)
            .with("X-Answer", r#"{"body":"aMOp","isBase64Encoded":true,"headers":{"Content-Type":"text/x"}}"#)
    };
    let decoded = || -> Expected { status(200).text("hé") };
    let encoded = || -> Expected { status(200).text("aMOp") };
    vec![
        accepting("what is accepted first decides that an answer is bytes", "image/png").gets(decoded()),
        accepting("of several accepted types the first counts", "image/png,image/*,*/*;q=0.8")
            .gets(decoded()),
        accepting("a later accepted type does not count", "image/webp,image/png").gets(encoded()),
        accepting("a range covers an accepted type", "application/whatever").gets(decoded()),
        accepting("a range that is accepted is no type", "image/*").gets(encoded()),
        accepting("a range may be accepted as it is listed", "application/*").gets(decoded()),
        accepting("who accepts everything gets Base64", "*/*").gets(encoded()),
        accepting("half a type is none", "application").gets(encoded()),
        get("who accepts nothing in particular gets Base64", "/pictures/open")
            .with("X-Answer", r#"{"body":"aMOp","isBase64Encoded":true}"#)
            .gets(encoded()),
        get("an answer that is not marked stays as it is", "/pictures/open")
            .with("Accept", "image/png")
            .with("X-Answer", r#"{"body":"aMOp","isBase64Encoded":false}"#)
            .gets(encoded()),
        get("what is no Base64 is a failure", "/pictures/open")
            .with("Accept", "image/png")
            .with("X-Answer", r#"{"body":"no!","isBase64Encoded":true}"#)
            .gets(super::row::refused(500, "Internal server error", "InternalServerErrorException")),
    ]
}
