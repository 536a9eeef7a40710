//! What a function writes, line by line.

use serde_json::json;

use crate::fixture::{Fixture, invoke};

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_an_event_is_whole_and_in_order() {
    let fixture = Fixture::python(
        r#"
print("starting", flush=True)
while True:
    id, headers, event = next()
    for n in range(event["lines"]):
        print("line", n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)
    os.write(1, b"\xff no end")
    respond(id, {})
"#,
    );
    let runtime = fixture.start();
    let first = invoke(&runtime, json!({ "lines": 3 })).await;
    let id = &first.request_id;
    let log = fixture.log();
    assert_eq!(
        log[..7],
        [
            "starting".to_owned(),
            format!("START RequestId: {id} Version: 7"),
            "line 0".into(),
            "line 1".into(),
            "line 2".into(),
            "\u{fffd} no end".into(),
            format!("END RequestId: {id}"),
        ]
    );
    let fields: Vec<&str> = log[7].split('\t').collect();
    assert_eq!(fields[0], format!("REPORT RequestId: {id}"));
    let names: Vec<&str> = fields[1..].iter().map(|field| field.split(": ").next().unwrap()).collect();
    assert_eq!(names, ["Duration", "Billed Duration", "Memory Size", "Max Memory Used", "Init Duration"]);
    assert_eq!(fields[3], "Memory Size: 128 MB");
    assert_eq!(fields[2], format!("Billed Duration: {} ms", first.billed.as_millis()));
    assert_eq!(String::from_utf8(first.log_tail).unwrap(), log.join("\n") + "\n");
    #[cfg(target_os = "linux")]
    assert!(first.max_memory_mb > 0);

    for lines in fixture.lines.lock().unwrap().iter() {
        assert_eq!(lines.request_id.as_deref(), Some(id.as_str()));
        assert_eq!(&*lines.function, "ml_api_sample");
    }
    fixture.lines.lock().unwrap().clear();
    let second = invoke(&runtime, json!({ "lines": 5000 })).await;
    let log = fixture.log();
    assert_eq!(log.len(), 5004);
    assert_eq!(log[5000], "line 4999");
    assert_eq!(second.log_tail.len(), 4096);
    assert!((log.join("\n") + "\n").into_bytes().ends_with(&second.log_tail));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_long_line_is_cut() {
    let fixture = Fixture::python(
        r#"
id, headers, event = next()
print("x" * 600_000, flush=True)
respond(id, {})
next()
"#,
    );
    invoke(&fixture.start(), json!({})).await;
    let lengths: Vec<usize> =
        fixture.log().iter().filter(|line| line.starts_with('x')).map(String::len).collect();
    assert_eq!(lengths.iter().sum::<usize>(), 600_000);
    assert!(lengths.iter().all(|length| *length <= 256 * 1024 + 4096), "{lengths:?}");
}
