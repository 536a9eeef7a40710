//! Bodies that are bytes: in and out as Base64, for the API's binary media types.

use serde_json::{Value, json};

use crate::running::{Running, open, raw};
use crate::stack::Fixture;

/// Bytes that are no text, and the same in Base64.
const BYTES: &[u8] = b"\x89PNG\r\n\xff\x00";
const BASE64: &str = "iVBORw0K/wA=";

fn binary(types: &[&str]) -> Fixture {
    open().with_api(|api| api.binary_media_types = types.iter().map(|one| one.parse().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_the_bytes_of_a_binary_media_type_in_base64_and_others_as_text() {
    let running = Running::start(binary(&["image/*", "application/x-protobuf"])).await;
    for (content_type, body, seen, is_base64) in [
        (Some("image/png"), BYTES, json!(BASE64), true),
        (Some("Image/PNG; q=1"), BYTES, json!(BASE64), true),
        (Some("application/x-protobuf"), b"text", json!("dGV4dA=="), true),
        (Some("image/png"), b"", Value::Null, false),
        (Some("text/plain"), b"text", json!("text"), false),
        (None, b"{}", json!("{}"), false),
        // As API Gateway has it; the access line says what it costs.
        (Some("text/plain"), b"a\xffb", json!("a\u{fffd}b"), false),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        let answer = running.send("POST", "/dev/open", &headers, body).await;
        let event: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&seen, &json!(is_base64)),
            "{content_type:?}"
        );
    }
    assert!(running.said(
        "POST /dev/open 200 the body is not UTF-8, its bytes were replaced: binary_media_types under [api] does not have its \
         Content-Type, text/plain · "
    ));
    assert_eq!(running.count("its bytes were replaced"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_bytes_where_the_first_type_that_it_accepts_is_a_binary_one() {
    let running = Running::start(binary(&["image/png", "application/*"])).await;
    let encoded = json!({"body": BASE64, "isBase64Encoded": true, "headers": {"Content-Type": "text/x"}});
    let plain = json!({"body": BASE64, "isBase64Encoded": false});
    for (accept, answer, body) in [
        (Some("image/png"), &encoded, BYTES),
        (Some("image/png,image/*,*/*;q=0.8"), &encoded, BYTES),
        (Some("application/whatever"), &encoded, BYTES),
        (Some("application/*"), &encoded, BYTES),
        (Some("image/webp,image/png,*/*;q=0.8"), &encoded, BASE64.as_bytes()),
        (Some("image/*"), &encoded, BASE64.as_bytes()),
        (Some("*/*"), &encoded, BASE64.as_bytes()),
        (Some("application"), &encoded, BASE64.as_bytes()),
        (None, &encoded, BASE64.as_bytes()),
        (Some("image/png"), &plain, BASE64.as_bytes()),
    ] {
        let headers: Vec<_> = accept.map(|value| ("Accept", value)).into_iter().collect();
        let answer = running.send("GET", &raw(&answer.to_string()), &headers, b"").await;
        assert_eq!((answer.status, answer.body.as_slice()), (200, body), "{accept:?}");
    }
    assert!(running.said(
        "GET /dev/open 200 the body stays in Base64: binary_media_types under [api] does not have what the request's Accept \
         names first, image/webp · "
    ));
    let broken = json!({"body": "no Base64", "isBase64Encoded": true}).to_string();
    let answer = running.send("GET", &raw(&broken), &[("Accept", "image/png")], b"").await;
    crate::running::refused(&answer, 500, "InternalServerErrorException", "Internal server error");
    assert!(running.said("GET /dev/open 500 function sample: its body is not Base64 · "));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_every_type_is_binary_every_body_is_bytes() {
    let running = Running::start(binary(&["*/*"])).await;
    let event = running.send("POST", "/dev/open", &[], b"text").await;
    let event: Value = serde_json::from_str(event.text()).unwrap();
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("dGV4dA=="), &json!(true)));
    let encoded = json!({"body": BASE64, "isBase64Encoded": true}).to_string();
    assert_eq!(running.get(&raw(&encoded)).await.body, BYTES);
}
