//! The way of an event through the Runtime API.

use std::collections::BTreeMap;

use bytes::Bytes;
use mdo_model::project::Secret;
use mdo_server::runtime::{InvokeContext, MAX_REQUEST, Refused};
use serde_json::json;

use crate::fixture::{ECHO, Fixture, error_type, invoke, payload};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_answered() {
    let fixture = Fixture::python(ECHO);
    let result = invoke(&fixture.start(), json!({ "a": 1 })).await;
    assert_eq!(payload(&result)["event"], json!({ "a": 1 }));
    assert_eq!(result.error, None);
    assert!(result.init.is_some());
    assert!(result.billed >= result.duration + result.init.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_carries_what_lambda_tells() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    respond(id, {name: value for name, value in headers.items() if name.startswith("Lambda-")})
"#,
    );
    let context = InvokeContext {
        request_id: Some("11111111-2222-4333-8444-555555555555".into()),
        trace_id: Some("Root=1-0-0;Parent=0;Sampled=1;Lineage=1:0:0".into()),
        client_context: Some(r#"{"app":"x"}"#.into()),
        cognito_identity: None,
    };
    let result = fixture.start().invoke(Bytes::from_static(b"{}"), context).await.unwrap();
    assert_eq!(result.trace_id, "Root=1-0-0;Parent=0;Sampled=1;Lineage=1:0:0");
    let mut headers = payload(&result);
    let deadline = headers.as_object_mut().unwrap().remove("Lambda-Runtime-Deadline-Ms").unwrap();
    assert!(deadline.as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(
        headers,
        json!({
            "Lambda-Runtime-Aws-Request-Id": "11111111-2222-4333-8444-555555555555",
            "Lambda-Runtime-Invoked-Function-Arn": fixture.spec.arn,
            "Lambda-Runtime-Trace-Id": "Root=1-0-0;Parent=0;Sampled=1;Lineage=1:0:0",
            "Lambda-Runtime-Client-Context": r#"{"app":"x"}"#,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_header_is_whole_and_sampled_with_active_tracing() {
    let answering = r#"
while True:
    id, headers, event = next()
    respond(id, headers["Lambda-Runtime-Trace-Id"])
"#;
    for (active, given, root, sampled) in [
        (true, Some("Root=1-0-0"), "1-0-0", "1"),
        (false, Some("Root=1-0-0"), "1-0-0", "0"),
        (true, Some("Root=1-0-0;Sampled=0"), "1-0-0", "0"),
        (true, None, "1-", "1"),
    ] {
        let fixture = Fixture::python(answering).with(|spec| spec.trace = active);
        let context = InvokeContext { trace_id: given.map(Into::into), ..InvokeContext::default() };
        let result = fixture.start().invoke(Bytes::from_static(b"{}"), context).await.unwrap();
        let header = payload(&result);
        let fields: Vec<&str> = header.as_str().unwrap().split(';').collect();
        assert!(fields[0].starts_with(&format!("Root={root}")), "{header}");
        let parent = fields[1].strip_prefix("Parent=").unwrap();
        let is_hex =
            |text: &str, length| text.len() == length && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        assert!(is_hex(parent, 16), "{header}");
        assert_eq!(fields[2], format!("Sampled={sampled}"), "{header}");
        let lineage = fields[3].strip_prefix("Lineage=1:").and_then(|rest| rest.strip_suffix(":0"));
        assert!(fields.len() == 4 && is_hex(lineage.unwrap(), 8), "{header}");
        assert_eq!(header, result.trace_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_lambdas_and_the_functions_own() {
    let fixture = Fixture::python(
        r#"
while True:
    id, headers, event = next()
    respond(id, {"env": dict(os.environ), "cwd": os.getcwd(), "tmp": os.path.isdir(os.environ["TMPDIR"])})
"#,
    )
    .with(|spec| {
        spec.environment.insert("N_CLASSES".into(), Secret::new("2"));
        spec.environment.insert("AWS_LAMBDA_FUNCTION_NAME".into(), Secret::new("not this"));
    });
    let answer = payload(&invoke(&fixture.start(), json!({})).await);
    let mut env: BTreeMap<String, String> = serde_json::from_value(answer["env"].clone()).unwrap();
    let code = fixture.folder.path().to_str().unwrap();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert_eq!(env.remove(name), std::env::var(name).ok());
    }
    assert!(env.remove("AWS_LAMBDA_RUNTIME_API").unwrap().starts_with("127.0.0.1:"));
    assert!(env.remove("AWS_LAMBDA_LOG_STREAM_NAME").unwrap().contains("/[7]"));
    assert!(env.remove("TMPDIR").unwrap().contains("/mdo-sandbox-"));
    // Python sets it for its children when the locale is not there.
    env.remove("LC_CTYPE");
    let libraries = format!("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{code}:{code}/lib:/opt/lib");
    let expected = [
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "ml_api_sample"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/ml_api_sample"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", code),
        ("LANG", "en_US.UTF-8"),
        ("LD_LIBRARY_PATH", &libraries),
        ("N_CLASSES", "2"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(answer["cwd"], json!(fixture.folder.path().canonicalize().unwrap()));
    assert_eq!(answer["tmp"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_out_of_turn_are_refused_with_lambdas_status() {
    let fixture = Fixture::python(
        r#"
id, headers, event = next()
def status(method, path): return call(method, path, "{}" if method == "POST" else None)[0]
seen = {
    "next twice": status("GET", "invocation/next"),
    "wrong id": status("POST", "invocation/other/response"),
    "late init error": status("POST", "init/error"),
    "no such call": status("GET", "nothing"),
}
first = respond(id, seen)[0]
second = respond(id, seen)[0]
id, headers, event = next()
respond(id, [first, second])
next()
"#,
    );
    let runtime = fixture.start();
    assert_eq!(
        payload(&invoke(&runtime, json!({})).await),
        json!({ "next twice": 403, "wrong id": 400, "late init error": 403, "no such call": 404 })
    );
    assert_eq!(payload(&invoke(&runtime, json!({})).await), json!([202, 403]));
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_have_a_limit_in_both_directions() {
    let fixture = Fixture::python(
        r#"
status = None
while True:
    id, headers, event = next()
    if "size" in event:
        status, _, _ = call("POST", f"invocation/{id}/response", "x" * event["size"])
    else:
        respond(id, status)
"#,
    );
    let runtime = fixture.start();
    let fits = invoke(&runtime, json!({ "size": 6_291_556 })).await;
    assert_eq!((fits.payload.len(), fits.error), (6_291_556, None));
    let too_large = invoke(&runtime, json!({ "size": 6_291_557 })).await;
    assert_eq!(
        payload(&too_large),
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        })
    );
    assert_eq!(payload(&invoke(&runtime, json!({})).await), 413);
    let event = Bytes::from(vec![b' '; MAX_REQUEST + 1]);
    let refused = runtime.invoke(event, InvokeContext::default()).await.unwrap_err();
    assert_eq!(refused, Refused::TooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_may_be_streamed_and_may_fail_on_the_way() {
    let fixture = Fixture::python(
        r#"
import base64
def stream(id, *trailers):
    api.putrequest("POST", f"/2018-06-01/runtime/invocation/{id}/response")
    for header in [("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"),
                   ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")]:
        api.putheader(*header)
    api.endheaders()
    for piece in (b'["a",', b'"b"]'):
        api.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    api.send(b"0\r\n" + b"".join(b"%s: %s\r\n" % trailer for trailer in trailers) + b"\r\n")
    answer = api.getresponse()
    answer.read()
id, headers, event = next()
stream(id)
id, headers, event = next()
stream(id, (b"Lambda-Runtime-Function-Error-Type", b"Stream.Broken"),
    (b"Lambda-Runtime-Function-Error-Body", base64.b64encode(b'{"errorType":"Stream.Broken"}')))
next()
"#,
    );
    let runtime = fixture.start();
    assert_eq!(payload(&invoke(&runtime, json!({})).await), json!(["a", "b"]));
    let broken = invoke(&runtime, json!({})).await;
    assert_eq!(
        (error_type(&broken), payload(&broken)),
        ("Stream.Broken", json!({ "errorType": "Stream.Broken" }))
    );
}
