//! What the program tells: a line for each request, which is a metric as well, and the lines of functions.

use std::io::{BufRead, Read};

use serde_json::{Value, json};

use crate::fixture::{Container, KEY};

/// A line without what is another one each time.
fn settled(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    for (name, value) in fields.iter_mut() {
        match name.as_str() {
            "time" => {
                assert_eq!(value.as_str().unwrap().len(), "2026-11-27T13:41:32.123Z".len());
                *value = json!("…");
            }
            "request_id" => {
                assert_eq!(value.as_str().unwrap().len(), 36);
                *value = json!("…");
            }
            "duration_ms" | "init_ms" | "Duration" | "max_memory_mb" => {
                assert!(value.as_f64().unwrap() > 0.0);
                *value = json!("…");
            }
            "_aws" => {
                assert!(value["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
                value["Timestamp"] = json!("…");
            }
            _ => {}
        }
    }
    line
}

fn metrics() -> Value {
    let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
    json!({
        "Timestamp": "…",
        "CloudWatchMetrics": [{
            "Namespace": "mdo",
            "Dimensions": [["project", "stage", "function"]],
            "Metrics": [
                metric("Invocations", "Count"), metric("Errors", "Count"), metric("Duration", "Milliseconds"),
                metric("ColdStarts", "Count"), metric("Throttles", "Count"),
            ],
        }],
    })
}

#[test]
fn a_request_is_one_line_that_is_a_metric_as_well() {
    let mut serving = Container::new().start();
    let forwarded = [("x-api-key", KEY), ("X-Forwarded-For", "203.0.113.9")];
    serving.get("/-/health", &[]);
    let bytes = serving.get("/prod/echo?secret=hush-hush", &forwarded).body.len();
    let line = settled(serving.line("request"));
    assert_eq!(
        line,
        json!({
            "time": "…", "type": "request", "request_id": "…", "method": "GET", "route": "/echo", "status": 200,
            "duration_ms": "…", "function": "echo", "cold": true, "init_ms": "…", "max_memory_mb": "…",
            "key": "default", "source_ip": "203.0.113.9", "bytes": bytes,
            "project": "shop", "stage": "prod", "Invocations": 1, "Errors": 0, "Duration": "…", "ColdStarts": 1,
            "Throttles": 0, "_aws": metrics(),
        })
    );
    serving.get("/prod/open/7", &[]);
    let line = settled(serving.line("request"));
    assert_eq!([&line["route"], &line["cold"]], [&json!("/open/{id}"), &json!(false)]);
    assert_eq!(
        [&line["ColdStarts"], &line["key"], &line["init_ms"]],
        [&json!(0), &Value::Null, &Value::Null]
    );
}

#[test]
fn a_request_that_no_function_gets_is_no_metric() {
    let mut serving = Container::new().start();
    serving.get("/prod/echo", &[]);
    assert_eq!(
        settled(serving.line("request")),
        json!({
            "time": "…", "type": "request", "request_id": "…", "method": "GET", "route": "/echo", "status": 403,
            "why": "no x-api-key", "duration_ms": "…", "function": "echo", "cold": false,
            "source_ip": "127.0.0.1", "bytes": 23,
        })
    );
    serving.get("/prod/nowhere", &[]);
    let line = serving.line("request");
    assert_eq!([&line["route"], &line["function"], &line["_aws"]], [&Value::Null; 3]);
}

#[test]
fn a_function_writes_under_its_name_and_the_id_of_the_request() {
    let mut serving = Container::new().start();
    let id = serving.get("/prod/open/7?say=well", &[]).head;
    let id = id.split("x-amzn-requestid: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let line = serving.line("function");
    assert_eq!(line["request_id"], json!(id));
    let said =
        json!({ "time": "…", "type": "function", "function": "echo", "request_id": "…", "message": "well" });
    assert_eq!(settled(line), said);
    assert_eq!(serving.line("request")["request_id"], json!(id));

    serving.get("/prod/open/7?exit=3", &[]);
    let line = serving.line("function");
    let message = format!(
        "RequestId: {} Error: Runtime exited with error: exit status 3 Runtime.ExitError",
        line["request_id"].as_str().unwrap()
    );
    assert_eq!(line["message"], json!(message));
    let line = serving.line("request");
    assert_eq!([&line["status"], &line["Errors"]], [&json!(502), &json!(1)]);
}

#[test]
fn a_metric_of_a_functions_own_is_left_as_it_is() {
    let mut serving = Container::new().start();
    serving.get(r#"/prod/open/7?say=%7B%22_aws%22:%7B%7D,%22Own%22:1%7D"#, &[]);
    let mut line = String::new();
    serving.log.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"_aws\":{},\"Own\":1}\n");
}

#[test]
fn nobody_waits_for_a_log_that_nobody_reads_and_what_is_lost_is_counted() {
    const LINES: usize = 70;
    let mut serving = Container::new().start();
    for _ in 0..LINES {
        assert_eq!(serving.get("/prod/open/7?print=100000", &[]).status, 200);
    }
    serving.signal("TERM");
    let mut log = String::new();
    serving.log.read_to_string(&mut log).unwrap();
    let lines = || log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let kept = lines().filter(|line| line["type"] == "function").count();
    let dropped: u64 = lines().filter_map(|line| line["lines"].as_u64()).sum();
    let requests = lines().filter(|line| line["type"] == "request").count();
    assert!(dropped > 0);
    assert_eq!((kept + dropped as usize, requests), (LINES, LINES));
}
