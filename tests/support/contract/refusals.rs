//! What a client gets when a function fails or answers what is not a proxy response.
//!
//! The shape of a proxy response is "Output format of a Lambda function for proxy integration" in the API Gateway developer guide.

use super::row::{Expected, Row, answered, bad_gateway, get, refused, send, status};

const SHAPE: &str = "the output format of a proxy integration does not allow it";

const SIZES: &str =
    "Lambda takes and gives six megabytes, and API Gateway takes ten (the quotas pages of both)";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = malformed();
    rows.extend(failed());
    rows.extend(limited());
    rows
}

fn malformed() -> Vec<Row> {
    let wrong = |name, answer| answered(name, answer).gets(bad_gateway());
    let taken = |name, answer, instead: Expected| wrong(name, answer).emulator(instead, SHAPE);
    vec![
        wrong("an answer that is not JSON is a 502", "oops"),
        wrong("an answer that is a list is a 502", "[]"),
        taken("an answer that is null is a 502", "null", status(500)),
        wrong("an answer that is text is a 502", r#""hi""#),
        taken("an answer that is a number is a 502", "7", status(500)),
        wrong("an answer with another field is a 502", r#"{"statusCode":200,"message":"hi"}"#),
        wrong("a status that is a word is a 502", r#"{"statusCode":"ok"}"#),
        taken("a status with a fraction is a 502", r#"{"statusCode":200.5}"#, status(200)),
        wrong("a status that is empty text is a 502", r#"{"statusCode":""}"#),
        taken("a body that is an object is a 502", r#"{"statusCode":200,"body":{"a":1}}"#, status(200)),
        taken("a body that is a number is a 502", r#"{"statusCode":200,"body":7}"#, status(200)),
        wrong("headers that are a list are a 502", r#"{"headers":["a"]}"#),
        wrong("a header that is a number is a 502", r#"{"headers":{"a":1}}"#),
        wrong("a header that is an object is a 502", r#"{"headers":{"a":{}}}"#),
        wrong("many values that are no list are a 502", r#"{"multiValueHeaders":{"a":"x"}}"#),
    ]
}

fn failed() -> Vec<Row> {
    let told = |name, to| get(name, "/dev/open").with("X-Do", to).gets(bad_gateway());
    vec![
        told("a function that fails is a 502", "fail"),
        told("a function that exits is a 502", "exit"),
        told("a function that hangs until its own timeout is a 502", "hang"),
        told("an answer above six megabytes is a 502", "much").emulator(status(200), SIZES),
        get("the next request after a failure is served", "/dev/open"),
    ]
}

fn limited() -> Vec<Row> {
    vec![
        send("a body above Lambda's six megabytes is a 413", "POST", "/dev/open")
            .body(vec![b'x'; 6_500_000])
            .gets(refused(413, "Request Too Long", "RequestTooLargeException"))
            .emulator(status(200), SIZES),
        send("a body above ten megabytes is a 413", "POST", "/dev/open")
            .body(vec![b'x'; 10_500_000])
            .gets(refused(413, "Request Too Long", "RequestTooLargeException"))
            .emulator(status(200), SIZES),
    ]
}
