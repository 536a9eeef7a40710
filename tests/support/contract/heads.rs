//! The headers of a request: how they reach the function, and which heads are refused.
//!
//! The sources are "Important notes for REST APIs" and "Quotas for REST APIs" in the API Gateway developer guide, and LocalStack's
//! recorded snapshots for the spelling.

use serde_json::json;

use super::row::{Expected, Row, get, refused, send, status};

const NO_LIMIT: &str =
    "the quotas page of API Gateway limits all headers together to 10,240 bytes and the request line as well";

const LAST: &str = "the guide's example of an event 1.0 has the last of two values in the single map (http-api-develop-integrations-lambda)";
const SMALL: &str = "the recorded snapshots have the protocol in small letters";

fn too_large() -> Expected {
    refused(431, "Request Header Fields Too Large", "RequestTooLargeException")
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = spelling();
    rows.extend(withheld());
    rows.extend(added());
    rows.extend(sizes());
    rows
}

fn spelling() -> Vec<Row> {
    vec![
        get("a header's name arrives as it was sent", "/dev/open")
            .with("tEsT-HEADeR", "aValUE")
            .sees("/headers/tEsT-HEADeR", "aValUE")
            .sees("/multiValueHeaders/tEsT-HEADeR", json!(["aValUE"])),
        get("small letters stay small", "/dev/open")
            .with("accept", "a")
            .with("x-request-id", "b")
            .sees("/headers/accept", "a")
            .sees("/headers/x-request-id", "b")
            .misses("/headers/Accept"),
        get("a key's header is spelt as it was sent", "/dev/open")
            .with("X-API-Key", "unused")
            .sees("/headers/X-API-Key", "unused"),
        get("authorization is title-cased", "/dev/open")
            .with("aUThorization", "Bearer token123;API key456")
            .sees("/headers/Authorization", "Bearer token123;API key456"),
        get("the user agent is title-cased", "/dev/open")
            .with("user-agent", "test/integration")
            .sees("/headers/User-Agent", "test/integration"),
        get("of a header that comes twice the last value counts, and both are there", "/dev/open")
            .with("X-Two", "1")
            .with("X-Two", "2")
            .sees("/headers/X-Two", "2")
            .sees("/multiValueHeaders/X-Two", json!(["1", "2"]))
            .emulator(status(200).sees("/headers/X-Two", "1"), LAST),
        get("an empty header is there", "/dev/open").with("X-Empty", "").sees("/headers/X-Empty", ""),
        get("the host is there", "/dev/open")
            .with("Host", "one.example")
            .sees("/headers/Host", "one.example")
            .sees("/requestContext/domainName", "one.example")
            .sees("/requestContext/domainPrefix", "one"),
        get("cookies are one header", "/dev/open")
            .with("Cookie", "a=1; b=2")
            .sees("/headers/Cookie", "a=1; b=2"),
        get("what asks for compression reaches the function", "/dev/open")
            .with("Accept-Encoding", "gzip, br")
            .sees("/headers/Accept-Encoding", "gzip, br"),
    ]
}

fn withheld() -> Vec<Row> {
    vec![
        get("headers that API Gateway keeps do not reach the function", "/dev/open")
            .with("Content-MD5", "7")
            .with("Max-Forwards", "7")
            .with("Proxy-Authenticate", "7")
            .with("Server", "7")
            .with("TE", "trailers")
            .with("Trailer", "7")
            .with("WWW-Authenticate", "7")
            .misses("/headers/Content-MD5")
            .misses("/headers/Max-Forwards")
            .misses("/headers/Proxy-Authenticate")
            .misses("/headers/Server")
            .misses("/headers/TE")
            .misses("/headers/Trailer")
            .misses("/headers/WWW-Authenticate"),
        get("the headers of the connection do not reach the function", "/dev/open")
            .misses("/headers/Connection")
            .misses("/multiValueHeaders/Connection"),
        send("a body's length does not reach the function", "POST", "/dev/open")
            .body("a")
            .misses("/headers/Content-Length"),
        get("a signature does not reach the function", "/dev/open")
            .with("Authorization", "AWS4-HMAC-SHA256 Credential=x")
            .misses("/headers/Authorization")
            .emulator(
                status(200).sees("/headers/Authorization", "AWS4-HMAC-SHA256 Credential=x"),
                "a signature is meant for API Gateway, which does not pass it on",
            ),
    ]
}

fn added() -> Vec<Row> {
    vec![
        get("the client's address is added", "/dev/open")
            .sees("/headers/X-Forwarded-For", "127.0.0.1")
            .sees("/headers/X-Forwarded-Proto", "http")
            .emulator(status(200).sees("/headers/X-Forwarded-Proto", "HTTP"), SMALL),
        get("the client's address is added to those before it", "/dev/open")
            .with("X-Forwarded-For", "10.0.0.1")
            .sees("/headers/X-Forwarded-For", "10.0.0.1, 127.0.0.1")
            .emulator(
                status(200).sees("/headers/X-Forwarded-For", "127.0.0.1"),
                "the recorded snapshots have an address of each hop",
            ),
        get("nobody says by which protocol it came", "/dev/open")
            .with("X-Forwarded-Proto", "gopher")
            .sees("/multiValueHeaders/X-Forwarded-Proto", json!(["http"]))
            .emulator(status(200).sees("/multiValueHeaders/X-Forwarded-Proto", json!(["HTTP"])), SMALL),
    ]
}

fn sizes() -> Vec<Row> {
    let line =
        |length: usize| format!("/dev/open?a={}", "x".repeat(length - "GET /dev/open?a= HTTP/1.1".len()));
    let too_long = || refused(414, "Request-URI Too Long", "RequestTooLargeException");
    let mut many = get("two hundred small headers fit", "/dev/open").sees("/headers/X-199", "1");
    for number in 0..200 {
        many = many.with(&format!("X-{number}"), "1");
    }
    vec![
        get("headers of ten thousand bytes fit", "/dev/open")
            .with("X-Large", &"x".repeat(10_000))
            .sees("/headers/X-Large", "x".repeat(10_000)),
        get("one header above 10,240 bytes is refused", "/dev/open")
            .with("X-Large", &"x".repeat(10_240))
            .gets(too_large())
            .emulator(status(200), NO_LIMIT),
        get("two headers above 10,240 bytes together are refused", "/dev/open")
            .with("X-One", &"x".repeat(5_120))
            .with("X-Two", &"x".repeat(5_120))
            .gets(too_large())
            .emulator(status(200), NO_LIMIT),
        many,
        get("a request line of 9,000 characters fits", &line(9_000)),
        get("a request line above 10,240 characters is refused", &line(10_241))
            .gets(too_long())
            .emulator(status(200), NO_LIMIT),
    ]
}
