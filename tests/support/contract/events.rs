//! What the function sees of a request: the fields of its event, and its body.
//!
//! Where no other source is named, a row is as the snapshots that LocalStack recorded on AWS (`test_apigateway_lambda.snapshot.json`).

use serde_json::Value;

use super::row::{Row, get, send, status};

const ROOT_ONLY: &str = "an event has the root alone, as in the examples of the developer guide; LocalStack does not compare this field \
    with its snapshots";
const NO_LINEAGE: &str = "answers of AWS from 2025 and 2026 carry a lineage as well";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = fields();
    rows.extend(bodies());
    rows.extend(traces());
    rows
}

fn fields() -> Vec<Row> {
    vec![
        get("an event says which route it came by", "/dev/open")
            .sees("/resource", "/open")
            .sees("/path", "/open")
            .sees("/httpMethod", "GET")
            .sees("/requestContext/resourcePath", "/open")
            .sees("/requestContext/httpMethod", "GET")
            .sees("/requestContext/path", "/dev/open")
            .sees("/requestContext/stage", "dev")
            .sees("/requestContext/protocol", "HTTP/1.1"),
        // Beside it, a deploy to AWS keeps there what it has deployed.
        get("the stage's variables are in the event", "/dev/open").sees("/stageVariables/alias", "dev"),
        get("what a request does not have is null", "/dev/open")
            .sees("/body", Value::Null)
            .sees("/isBase64Encoded", false)
            .sees("/pathParameters", Value::Null)
            .sees("/queryStringParameters", Value::Null)
            .sees("/multiValueQueryStringParameters", Value::Null),
        get("an event names everything that has an id", "/dev/open")
            .sees("/requestContext/accountId", "…")
            .sees("/requestContext/apiId", "…")
            .sees("/requestContext/deploymentId", "…")
            .sees("/requestContext/resourceId", "…")
            .sees("/requestContext/requestId", "########-####-####-####-############")
            .sees("/requestContext/extendedRequestId", "…"),
        get("an event says when and from where", "/dev/open")
            .sees("/requestContext/requestTime", "…")
            .sees("/requestContext/identity/sourceIp", "127.0.0.1"),
        get("without an authorizer there is nothing of one", "/dev/open")
            .misses("/requestContext/authorizer"),
        get("an answer names its request", "/dev/open")
            .gets(status(200).has("x-amzn-requestid", &["########-####-####-####-############"])),
        get("who needs no key has none in the event", "/dev/open")
            .misses("/requestContext/identity/apiKey")
            .misses("/requestContext/identity/apiKeyId"),
        get("the caller of an open route is nobody", "/dev/open")
            .sees("/requestContext/identity/accountId", Value::Null)
            .sees("/requestContext/identity/caller", Value::Null)
            .sees("/requestContext/identity/user", Value::Null)
            .sees("/requestContext/identity/userArn", Value::Null)
            .sees("/requestContext/identity/cognitoIdentityId", Value::Null)
            .sees("/requestContext/identity/principalOrgId", Value::Null),
        get("who has a key has it in the event", "/dev/keyed")
            .keyed()
            .sees("/requestContext/identity/apiKey", "KEY")
            .sees("/headers/x-api-key", "KEY"),
        get("the user agent is in the event twice", "/dev/open")
            .with("User-Agent", "test/1")
            .sees("/headers/User-Agent", "test/1")
            .sees("/requestContext/identity/userAgent", "test/1"),
    ]
}

fn bodies() -> Vec<Row> {
    vec![
        send("a body is text", "POST", "/dev/open").body("{\"a\": 1}").sees("/body", "{\"a\": 1}"),
        send("a body in UTF-8 is text", "PUT", "/dev/open").body("é€🦀").sees("/body", "é€🦀"),
        send("a body keeps its content type", "POST", "/dev/open")
            .with("Content-Type", "text/plain; charset=iso-8859-1")
            .body("a")
            .sees("/headers/Content-Type", "text/plain; charset=iso-8859-1")
            .sees("/isBase64Encoded", false),
        send("an empty body is null", "POST", "/dev/open").with("Content-Length", "0").sees("/body", Value::Null),
        send("a body that is a blank is not empty", "POST", "/dev/open").body(" ").sees("/body", " "),
        send("a PATCH has a body", "PATCH", "/dev/open").body("p").sees("/body", "p").sees("/httpMethod", "PATCH"),
        send("a DELETE has a body", "DELETE", "/dev/open").body("d").sees("/body", "d"),
        send("a form is not read", "POST", "/dev/open")
            .with("Content-Type", "application/x-www-form-urlencoded")
            .body("a=1&b=%20")            .sees("/body", "a=1&b=%20")
            .emulator(
                status(200).sees("/body", "a=1&b=+"),
                "a proxy integration passes the body as it is; the emulator reads a form and writes it anew",
            ),
        send("bytes that are no text are replaced", "POST", "/dev/open")
            .body(b"a\xffb".as_slice())
            .sees("/body", "a\u{fffd}b")
            .sees("/isBase64Encoded", false)
            .emulator(
                status(200).sees("/body", "Yf9i").sees("/isBase64Encoded", true),
                "without binary media types every body is text (Working with binary media types for REST APIs)",
            ),
        send("a client that asks first gets to send its body", "POST", "/dev/open")
            .with("Expect", "100-continue")
            .body("after")
            .sees("/body", "after")
            .misses("/headers/Expect"),
        send("five megabytes fit", "POST", "/dev/open")
            .with("X-Do", "measure")
            .body(vec![b'x'; 5_000_000])
            .gets(status(200).text("5000000")),
    ]
}

/// The header of X-Ray. Its history on AWS, by answers found in public repositories: `Root` alone until 2020, `Sampled` from 2021,
/// `lineage` from 2023, `Parent` from 2024, `Lineage=1:…:0` from 2025.
fn traces() -> Vec<Row> {
    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
    let known = "Root=1-5759e988-bd862e3fe1be46a994272793";
    vec![
        get("a function is told the root of a new trace", "/dev/open")            .sees("/headers/X-Amzn-Trace-Id", "Root=1-########-########################")
            .emulator(
                status(200).sees(
                    "/headers/X-Amzn-Trace-Id",
                    "Root=1-########-########################;Parent=################;Sampled=0",
                ),
                ROOT_ONLY,
            ),
        get("an answer tells the whole trace", "/dev/open")
            .gets(status(200).has(
                "x-amzn-trace-id",
                &["Root=1-########-########################;Parent=################;Sampled=0;Lineage=1:########:0"],
            ))
            .emulator(
                status(200).has(
                    "x-amzn-trace-id",
                    &["Root=1-########-########################;Parent=################;Sampled=0"],
                ),
                NO_LINEAGE,
            ),
        get("a caller's trace is followed", "/dev/open")
            .with("X-Amzn-Trace-Id", known)
            .gets(status(200).has(
                "x-amzn-trace-id",
                &["Root=1-5759e988-bd862e3fe1be46a994272793;Parent=################;Sampled=0;Lineage=1:########:0"],
            ))            .sees("/headers/X-Amzn-Trace-Id", known)
            .emulator(
                status(200).sees(
                    "/headers/X-Amzn-Trace-Id",
                    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=################;Sampled=0",
                ),
                ROOT_ONLY,
            ),
        get("a caller decides whether its trace is sampled", "/dev/open")
            .with("X-Amzn-Trace-Id", &format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"))
            .gets(status(200).has(
                "x-amzn-trace-id",
                                &["Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:########:0"],
            ))
            .emulator(
                status(200).has(
                    "x-amzn-trace-id",
                    &["Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"],
                ),
                NO_LINEAGE,
            ),
        get("a traced function's answer is sampled, and its event has the root alone", "/dev/traced")
            .gets(status(200).has(
                "x-amzn-trace-id",
                &["Root=1-########-########################;Parent=################;Sampled=1;Lineage=1:########:0"],
            ))
            .sees("/headers/X-Amzn-Trace-Id", "Root=1-########-########################")
            .emulator(
                status(200).has(
                    "x-amzn-trace-id",
                    &["Root=1-########-########################;Parent=################;Sampled=0"],
                ),
                "Lambda samples what a function with active tracing does; the emulator's front does not ask it",
            ),
    ]
}
