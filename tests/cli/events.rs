//! What `--events` writes while a command runs.

use serde_json::{Value, json};

use crate::support::project::TestProject;

/// The events in the order in which they happened, with what differs from run to run taken out.
fn events(lines: &str) -> Vec<Value> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let map = event.as_object_mut().unwrap();
        assert_eq!(map.remove("version"), Some(json!(1)));
        assert!(map.remove("at").unwrap().as_str().unwrap().ends_with('Z'));
        map.remove("seconds");
        if let Some(Value::Object(result)) = map.get_mut("result") {
            result.remove("seconds");
        }
        event
    };
    lines.lines().map(event).collect()
}

fn of<'a>(events: &'a [Value], what: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == what).collect()
}

#[test]
fn a_deploy_tells_its_plan_each_change_and_its_end() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("deploy --local -s TOKEN=hush-hush-hush --events events.jsonl").succeeds();
    let text = project.read("events.jsonl");
    assert!(!text.contains("hush-hush-hush"), "{text}");
    let all = events(&text);
    assert_eq!(
        all[0],
        json!({"event": "begun", "command": "mdo deploy --local -s TOKEN=… --events events.jsonl"})
    );
    let plan = &of(&all, "planned")[0]["plan"];
    assert_eq!((&plan["stage"], &plan["summary"]["create"]), (&json!("dev"), &json!(6)));
    assert_eq!((of(&all, "started").len(), of(&all, "finished").len()), (6, 6));
    assert!(of(&all, "started").contains(
        &&json!({"event": "started", "resource": "function", "name": "shop_echo", "action": "create"})
    ));
    assert!(of(&all, "finished").contains(&&json!({
        "event": "finished", "resource": "function", "name": "shop_echo", "result": {"outcome": "done", "version": "1"}
    })));
    assert_eq!(all.last().unwrap(), &json!({"event": "ended", "exit_code": 0}));
    // The text is as it is without.
    output.says("Deployed in ");

    // A file is made anew, and a failure is an event too.
    project.mdo("deploy nope --local --events events.jsonl").exits(2);
    let failed = events(&project.read("events.jsonl"));
    assert_eq!(
        failed.iter().map(|event| event["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["begun", "said", "ended"]
    );
    assert!(failed[1]["text"].as_str().unwrap().starts_with("error: no function matches `nope`"));
    assert_eq!(failed[2]["exit_code"], 2);
    // So is that of a command line that cannot be read.
    project.mdo("deploy --lokal -s TOKEN=hush-hush-hush --events=events.jsonl").exits(2);
    let text = project.read("events.jsonl");
    assert!(!text.contains("hush-hush-hush"), "{text}");
    let failed = events(&text);
    assert!(
        failed[1]["text"].as_str().unwrap().starts_with("error: unexpected argument '--lokal'"),
        "{text}"
    );
    assert_eq!(failed.last().unwrap(), &json!({"event": "ended", "exit_code": 2}));
}

#[test]
fn events_on_standard_output_have_it_for_themselves() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("deploy --local --stage prod --events -").exits(0);
    let all = events(&output.stdout);
    assert_eq!((of(&all, "finished").len(), of(&all, "ended").len()), (6, 1));
    let shown = output.stderr.contains("+ function   shop_echo");
    assert!(shown && output.stderr.contains("Deployed in "), "{}", output.stderr);
    project.mdo("deploy --local --json --events -").exits(2).says(
        "error: `--json` and `--events -` both want standard output
  help: give `--events` a file",
    );
    project
        .mdo("image -o - --events -")
        .exits(2)
        .says("error: the image and the events cannot both go to standard output");
    project
        .mdo("plan --local --events no/such/file")
        .exits(2)
        .says("error: cannot write the events to no/such/file: ");
    if std::path::Path::new("/dev/full").exists() {
        project
            .mdo("plan --local --events /dev/full")
            .exits(1)
            .says("error: cannot write the events: No space left on device");
    }
}
