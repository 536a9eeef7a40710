//! What a request becomes for a function, and an answer for a client.

use mdo_model::project::Security;
use serde_json::{Value, json};

use crate::connection::Client;
use crate::running::{Running, open, raw};
use crate::stack::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_the_proxy_event_of_version_1() {
    let fixture = Fixture::new().function("sample").route("POST /a/{id}/{rest+}", "sample", Security::Key);
    let running = Running::start(fixture).await;
    let key = running.fixture.key_value("default").await;
    let headers = [
        ("x-api-key", key.as_str()),
        ("Accept", "text/plain"),
        ("Accept", "*/*"),
        ("User-Agent", "test/1"),
        ("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000"),
        ("X-Forwarded-For", "10.0.0.1"),
    ];
    let path = "/dev/a/caf%C3%A9%2F1/x%20y/z/?b=2&a=1&a=%2B+&c";
    let answer = running.send("POST", path, &headers, "{\"é\": 1}".as_bytes()).await;
    assert_eq!(answer.status, 200);
    let trace = answer.header("x-amzn-trace-id").unwrap();
    assert!(trace.starts_with("Root=1-00000000-000000000000000000000000;Parent="), "{trace}");
    let mut event: Value = serde_json::from_str(answer.text()).unwrap();
    let context = &mut event["requestContext"];
    for (field, length) in [("extendedRequestId", 16), ("requestId", 36), ("requestTime", 26)] {
        assert_eq!(context[field].as_str().unwrap().len(), length, "{field}");
        context[field] = json!("…");
    }
    assert!(context["requestTimeEpoch"].as_u64().unwrap() > 1_700_000_000_000);
    context["requestTimeEpoch"] = json!(0);
    assert_eq!(context["identity"]["apiKeyId"].as_str().unwrap().len(), 10);
    context["identity"]["apiKeyId"] = json!("…");
    let host = running.server.address().to_string();
    let port = running.server.address().port().to_string();
    let expected = json!({
        "resource": "/a/{id}/{rest+}",
        "path": "/a/caf%C3%A9%2F1/x%20y/z/",
        "httpMethod": "POST",
        "headers": {
            "Accept": "*/*",
            "Host": host,
            "User-Agent": "test/1",
            "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
            "X-Forwarded-For": "10.0.0.1, 127.0.0.1",
            "X-Forwarded-Port": port,
            "X-Forwarded-Proto": "http",
            "x-api-key": key,
        },
        "multiValueHeaders": {
            "Accept": ["text/plain", "*/*"],
            "Host": [host],
            "User-Agent": ["test/1"],
            "X-Amzn-Trace-Id": ["Root=1-00000000-000000000000000000000000"],
            "X-Forwarded-For": ["10.0.0.1, 127.0.0.1"],
            "X-Forwarded-Port": [port],
            "X-Forwarded-Proto": ["http"],
            "x-api-key": [key],
        },
        "queryStringParameters": {"a": "+ ", "b": "2", "c": ""},
        "multiValueQueryStringParameters": {"a": ["1", "+ "], "b": ["2"], "c": [""]},
        "pathParameters": {"id": "caf%C3%A9%2F1", "rest": "x%20y/z"},
        "stageVariables": {"alias": "dev"},
        "requestContext": {
            "resourceId": event["requestContext"]["resourceId"],
            "resourcePath": "/a/{id}/{rest+}",
            "httpMethod": "POST",
            "extendedRequestId": "…",
            "requestTime": "…",
            "path": "/dev/a/caf%C3%A9%2F1/x%20y/z/",
            "accountId": "000000000000",
            "protocol": "HTTP/1.1",
            "stage": "dev",
            "domainPrefix": "127",
            "requestTimeEpoch": 0,
            "requestId": "…",
            "identity": {
                "cognitoIdentityPoolId": null,
                "cognitoIdentityId": null,
                "apiKey": key,
                "apiKeyId": "…",
                "principalOrgId": null,
                "cognitoAuthenticationType": null,
                "userArn": null,
                "userAgent": "test/1",
                "accountId": null,
                "caller": null,
                "sourceIp": "127.0.0.1",
                "accessKey": null,
                "cognitoAuthenticationProvider": null,
                "user": null,
            },
            "domainName": host,
            "deploymentId": event["requestContext"]["deploymentId"],
            "apiId": event["requestContext"]["apiId"],
        },
        "body": "{\"é\": 1}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    assert_eq!(event["requestContext"]["apiId"].as_str().unwrap().len(), 10);
    assert_eq!(event["requestContext"]["deploymentId"].as_str().unwrap().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_requests_and_head_has_no_body() {
    let running = Running::start(open()).await;
    let mut client = Client::connect(running.server.address()).await;
    let head = client.send("HEAD", "/dev/open", &[], b"").await;
    assert_eq!((head.status, head.text()), (200, ""));
    for _ in 0..3 {
        let answer =
            client.send("GET", &raw(r#"{"statusCode":201,"body":"hi","headers":{"A":"b"}}"#), &[], b"").await;
        assert_eq!((answer.status, answer.text(), answer.header("a")), (201, "hi", Some("b")));
    }
    let empty = client.send("GET", &raw(r#"{"statusCode":204,"body":"dropped"}"#), &[], b"").await;
    assert_eq!((empty.status, empty.text()), (204, ""));
    let refused = client.send("POST", "/dev/nowhere", &[], &[b'x'; 100_000]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(client.send("GET", "/dev/open", &[], b"").await.status, 200);
}

/// The names of the headers in an event that the client sent itself.
fn names(event: &Value) -> Vec<&str> {
    let added = ["Host", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"];
    let names = event["headers"].as_object().unwrap().keys().map(String::as_str);
    names.filter(|name| !added.contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn header_names_reach_the_function_as_the_client_sent_them() {
    let running = Running::start(open()).await;
    let mut client = Client::connect(running.server.address()).await;
    let cases = [
        (vec!["accept", "content-type", "x-Request-ID", "X-API-Key"], ""),
        (vec!["Accept", "CONTENT-TYPE", "ETag", "x-api-key"], "a body\r\n\r\nX-Not: a header\r\n\r\n"),
        (vec!["aCCEPT", "dnt"], ""),
    ];
    // One connection: the head of a later request is not mistaken for the body of an earlier one.
    for (sent, body) in cases {
        let headers: Vec<_> = sent.iter().map(|name| (*name, "1")).collect();
        let answer = client.send("POST", "/dev/open", &headers, body.as_bytes()).await;
        let event: Value = serde_json::from_str(answer.text()).unwrap();
        let mut sent = sent;
        sent.sort_unstable();
        assert_eq!(names(&event), sent);
    }
    let respelled = [("authorization", "Basic x"), ("user-agent", "x"), ("x-amzn-trace-id", "Root=1-0-0")];
    let event = client.send("GET", "/dev/open", &respelled, b"").await;
    let event: Value = serde_json::from_str(event.text()).unwrap();
    assert_eq!(names(&event), ["Authorization", "User-Agent"]);
    let signed = [("Authorization", "AWS4-HMAC-SHA256 Credential=x")];
    let event = client.send("GET", "/dev/open", &signed, b"").await;
    let event: Value = serde_json::from_str(event.text()).unwrap();
    assert_eq!(names(&event), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_api_gateway_refuses_does_not_reach_the_function() {
    let running = Running::start(open()).await;
    let query = |length: usize| format!("/dev/open?a={}", "x".repeat(length));
    // `GET` and `HTTP/1.1` count.
    let line = 10_240 - "GET /dev/open?a= HTTP/1.1".len();
    let large = |length: usize| "x".repeat(length);
    let (fits, above) = (large(10_000), large(10_240));
    let small: Vec<_> = (0..200).map(|n| (format!("X-{n}"), "1".to_owned())).collect();
    let small: Vec<_> = small.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (path, headers, status, why) in [
        (query(line), vec![], 200, ""),
        (query(line + 1), vec![], 414, "414 the request line is above 10240 characters"),
        (query(60_000), vec![], 414, "414 the request line is above 10240 characters"),
        ("/dev/open".to_owned(), vec![("X-Fits", fits.as_str())], 200, ""),
        (
            "/dev/open".to_owned(),
            vec![("X-Above", above.as_str())],
            431,
            "431 the headers are above 10240 bytes",
        ),
        ("/dev/open".to_owned(), small, 200, ""),
        ("/dev/open?a=1|2".to_owned(), vec![], 400, "400 a `|` in the query is not encoded"),
        ("/dev/open?{a=1".to_owned(), vec![], 400, "400 a `{` in the query is not encoded"),
        ("/dev/open?a=}".to_owned(), vec![], 400, "400 a `}` in the query is not encoded"),
        ("/dev/open?a=%7C%7b%7D".to_owned(), vec![], 200, ""),
    ] {
        let before = running.count("START ");
        let answer = running.send("GET", &path, &headers, b"").await;
        assert_eq!(answer.status, status, "{why}");
        assert_eq!(running.count("START ") - before, usize::from(status == 200), "{why}");
        assert!(running.said(why), "{why}");
    }
}
