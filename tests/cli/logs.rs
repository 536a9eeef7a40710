//! `mdo logs --local`: what functions log on this machine is kept, found again and followed.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::command::Output;
use crate::support::project::TestProject;

/// A function that prints as many numbered lines as its event says, and a trace.
const CHATTY: &str = r#"import json, os, sys, urllib.request
API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{API}/next") as response:
        event, request = json.load(response), response.headers["Lambda-Runtime-Aws-Request-Id"]
    first, lines = event.get("first", 0), event.get("lines", 0)
    sys.stdout.write("".join(f"line {first + number}\n" for number in range(lines)))
    if event.get("trace"):
        sys.stdout.write('WARNING: about to fail\nTraceback (most recent call last):\n  File "a.py", line 1\nValueError: boom\n')
    sys.stdout.flush()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request}/response", b"{}")).close()
"#;

fn chatty() -> TestProject {
    let project = TestProject::local_with_echo();
    project.write("functions/chatty/function.json", "{\"routes\": []}\n");
    project.write("functions/chatty/chatty.py", CHATTY);
    project.write_executable("functions/chatty/bootstrap", "#!/bin/sh\nexec python3 -S chatty.py\n");
    project
}

/// The documents of `--json`.
fn documents(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What stands after the time in each line of text, with `_` for times, sizes and ids.
fn told(output: &Output) -> Vec<String> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let is_measure = |at: usize| words.get(at + 1).is_some_and(|unit| ["ms", "MB"].contains(unit));
        let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
        let shown = words.iter().enumerate().map(|(at, word)| match *word {
            _ if is_measure(at) => "_",
            word if is_id(word) => "ID",
            word => word,
        });
        shown.collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    // A sandbox that ends while its function asks for the next event may say so.
    let is_told = |line: &&str| !line.contains("Runtime API: hung up on a connection");
    output.stdout.lines().filter(is_told).map(line).collect()
}

#[test]
fn what_dev_and_invoke_have_logged_is_kept_with_one_line_for_each_event() {
    let project = chatty();
    let serving = project.mdo("dev --port 0").serves();
    let key = project.key("default");
    serving.get("/echo", Some(&key));
    serving.get("/echo", None);
    serving.get("/nowhere", None);
    serving.signal("INT");
    serving.exits(0);
    project.mdo_with(&["invoke", "chatty", r#"{"trace": true}"#, "--local"]).succeeds();

    let all = project.mdo("logs --local").succeeds();
    assert_eq!(
        told(&all),
        [
            "echo    handling /echo",
            "echo    200 · _ ms · _ MB · cold _ ms · GET /dev/echo · key default  ID",
            "echo    403 · _ ms · GET /dev/echo · no x-api-key  ID",
            "-       403 · _ ms · GET /dev/nowhere · no such route; known: GET /dev/echo  ID",
            "chatty  WARNING: about to fail",
            "chatty  Traceback (most recent call last):",
            "File \"a.py\", line 1",
            "ValueError: boom",
            "chatty  done · _ ms · _ MB · cold _ ms  ID",
        ],
        "{}",
        all.transcript()
    );

    let errors = documents(&project.mdo("logs --local --level error --json").succeeds());
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0]["message"],
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: boom"
    );
    assert_eq!((&errors[0]["function"], &errors[0]["level"]), (&json!("chatty"), &json!("error")));

    let entries = documents(&project.mdo("logs echo --local --json").succeeds());
    assert!(entries.iter().all(|entry| entry["function"] == "echo"));
    let id = entries[0]["request_id"].as_str().unwrap();
    assert_eq!((&entries[1]["request_id"], &entries[1]["request"]["status"]), (&json!(id), &json!(200)));
    let of_request = documents(&project.mdo(&format!("logs --local --request {id} --json")).succeeds());
    assert_eq!(of_request, entries[..2]);

    let found = documents(&project.mdo("logs --local --filter handling --json").succeeds());
    assert_eq!(found, entries[..1]);
    let found = documents(&project.mdo("logs --local --filter /^Value[A-Z]/ --json").succeeds());
    assert_eq!(found, errors);
    assert!(documents(&project.mdo("logs --local --stage prod --json").succeeds()).is_empty());

    project.mdo("destroy --local --yes").succeeds();
    project.mdo("logs --local").succeeds().prints("");
    assert_eq!(fs::read_dir(project.path(".mdo/stages/dev/logs")).unwrap().count(), 0);
}

#[test]
fn who_follows_gets_every_line_once_beyond_the_end_of_a_file() {
    let project = chatty();
    project.mdo("deploy --local").succeeds();
    let mut following = project.mdo("logs chatty --local --follow --json").begins();
    let (events, lines) = (10, 6_000);
    let input: Vec<String> =
        (0..events).map(|number| json!({"lines": lines, "first": number * lines}).to_string()).collect();
    project.mdo("invoke chatty - --local").reads(&input.join("\n")).succeeds();
    following.until_it_prints(events, "duration_ms");
    following.signal("INT");
    let (status, stdout, stderr) = following.ends();
    assert_eq!((status, stderr.as_str()), (0, ""));
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for line in stdout.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        if let Some(message) = entry["message"].as_str() {
            *seen.entry(message.to_owned()).or_default() += 1;
        }
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).take(5).collect();
    assert_eq!((seen.len(), wrong), (events * lines, vec![]));
    // It went beyond one file.
    assert!(fs::exists(project.path(".mdo/stages/dev/logs/chatty.1.jsonl")).unwrap());
    assert!(seen.contains_key("line 0") && seen.contains_key(&format!("line {}", events * lines - 1)));
}

#[test]
fn a_question_that_makes_no_sense_is_refused_with_the_way_out() {
    let project = TestProject::local_with_echo();
    project
        .mdo("logs nope --local")
        .exits(2)
        .complains("error: no function matches `nope`\n  help: the project has echo\n");
    for (arguments, complaint) in [
        (
            "logs --local --since soon",
            "invalid value 'soon' for '--since <TIME>': write 90s, 10m, 2h or 1d for so long ago, or a time in UTC: 12:30, 2026-11-27, 2026-11-27T12:30:00Z",
        ),
        ("logs --local --since 1h --until 2h", "is after --until"),
        ("logs --local --filter /(/", "invalid value '/(/' for '--filter"),
        ("logs --local --filter=", "it has to contain something"),
        ("logs --local --follow --until 1m", "'--follow' cannot be used with '--until <TIME>'"),
        ("logs --local --level loud", "invalid value 'loud' for '--level <LEVEL>'"),
    ] {
        project.mdo(arguments).exits(2).says(complaint);
    }
    project
        .mdo("logs --local --request nope --since 2026-11-27")
        .exits(1)
        .complains("error: no line names nope since 2026-11-27T00:00:00.000Z\n  help: --since looks further back; an id of API Gateway's own is found where a function logs it\n");
    project
        .mdo("logs --local --since 2026-11-27")
        .succeeds()
        .complains("note: nothing was logged since 2026-11-27T00:00:00.000Z\n");
}
