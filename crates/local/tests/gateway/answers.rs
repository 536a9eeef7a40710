//! What becomes of a function's answer on its way to the client: API Gateway's table, row by row.

use serde_json::json;

use crate::running::{Running, open, raw};

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_api_gateway_owns_come_out_remapped_or_not_at_all() {
    let running = Running::start(open()).await;
    let remapped = [
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
    let dropped =
        ["Host", "Via", "TE", "Expect", "Proxy-Authenticate", "Trailer", "Upgrade", "Transfer-Encoding"];
    let headers: serde_json::Map<_, _> =
        remapped.iter().chain(&dropped).map(|name| ((*name).to_owned(), json!("7"))).collect();
    for map in ["headers", "multiValueHeaders"] {
        let mut headers = headers.clone();
        if map == "multiValueHeaders" {
            headers.values_mut().for_each(|value| *value = json!([value]));
        }
        let answer = running.get(&raw(&json!({ map: headers, "body": "hi" }).to_string())).await;
        assert_eq!((answer.status, answer.text()), (200, "hi"), "{map}");
        for name in remapped {
            let name = name.to_ascii_lowercase();
            assert_eq!(answer.all(&format!("x-amzn-remapped-{name}")), ["7"], "{map} {name}");
            assert!(!answer.all(&name).contains(&"7"), "{map} {name}");
        }
        for name in dropped {
            let name = name.to_ascii_lowercase();
            assert_eq!(answer.all(&name), [""; 0], "{map} {name}");
            assert_eq!(answer.all(&format!("x-amzn-remapped-{name}")), [""; 0], "{map} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_may_be_text_or_left_out_and_an_empty_object_is_200() {
    let running = Running::start(open()).await;
    for (answer, status, body) in [
        (r#"{"statusCode":"404","body":"x"}"#, 404, "x"),
        (r#"{"statusCode":201}"#, 201, ""),
        (r#"{"body":"x"}"#, 200, "x"),
        ("{}", 200, ""),
    ] {
        let got = running.get(&raw(answer)).await;
        assert_eq!((got.status, got.text()), (status, body), "{answer}");
        assert_eq!(got.all("content-type"), ["application/json"], "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_header_in_both_maps_the_many_values_come_first() {
    let running = Running::start(open()).await;
    for (answer, values) in [
        (r#"{"headers":{"X-A":"3"},"multiValueHeaders":{"x-a":["1","2"]}}"#, vec!["1", "2", "3"]),
        (r#"{"headers":{"X-A":"1"},"multiValueHeaders":{"X-A":["1","2"]}}"#, vec!["1", "2"]),
        (r#"{"multiValueHeaders":{"X-A":["1","1"]}}"#, vec!["1", "1"]),
        (r#"{"headers":{"X-A":"1"}}"#, vec!["1"]),
    ] {
        assert_eq!(running.get(&raw(answer)).await.all("x-a"), values, "{answer}");
    }
}
