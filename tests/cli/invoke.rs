//! `mdo invoke --local`: events in, answers out, and what is said when one fails.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::project::TestProject;

fn deployed() -> TestProject {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local -s GREETING=hello").succeeds();
    project
}

fn seen(answer: &str) -> Value {
    let answer: Value = serde_json::from_str(answer).unwrap();
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[test]
fn an_event_is_answered_on_standard_output() {
    let output = deployed().mdo_with(&["invoke", "echo", r#"{"say": "hi"}"#, "--local"]).succeeds();
    assert_eq!(
        seen(&output.stdout),
        json!({"function": "shop_echo", "version": "1", "memory": "128", "greeting": "hello", "edition": "first", "say": "hi"})
    );
}

#[test]
fn without_an_event_it_is_an_empty_object() {
    assert_eq!(seen(&deployed().mdo("invoke echo --local").succeeds().stdout)["say"], Value::Null);
}

#[test]
fn a_stream_of_events_is_answered_line_by_line() {
    let project = deployed();
    let events = "{\"say\": 1}\n{\"say\":\n2} {\"say\": 3}";
    let output = project.mdo("invoke echo - --local").reads(events).succeeds();
    let said: Vec<Value> = output.stdout.lines().map(|line| seen(line)["say"].clone()).collect();
    assert_eq!(said, [1, 2, 3]);
}

#[test]
fn an_event_is_answered_before_the_next_one_comes_and_by_the_same_sandbox() {
    let project = deployed();
    let mut invoke = Command::new(env!("CARGO_BIN_EXE_mdo"))
        .args(["invoke", "echo", "-", "--local", "--logs"])
        .current_dir(project.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut events, mut answers) =
        (invoke.stdin.take().unwrap(), BufReader::new(invoke.stdout.take().unwrap()).lines());
    for say in ["one", "two"] {
        events.write_all(format!("{{\"say\": {say:?}}}").as_bytes()).unwrap();
        assert_eq!(seen(&answers.next().unwrap().unwrap())["say"], say);
    }
    drop(events);
    let output = invoke.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!((log.matches("REPORT ").count(), log.matches("Init Duration").count()), (2, 1), "{log}");
}

#[test]
fn what_is_piped_in_is_the_event_without_a_word_about_it() {
    let project = deployed();
    let output = project.mdo("invoke echo --local").reads("{\"say\": 1}\n{\"say\": 2}\n").succeeds();
    let said: Vec<Value> = output.stdout.lines().map(|line| seen(line)["say"].clone()).collect();
    assert_eq!(said, [1, 2]);
    project.mdo("invoke echo --local").reads("{bad").exits(2).complains(
        "error: document 1 of standard input is not JSON: key must be a string at line 1 column 2\n",
    );
}

#[test]
fn an_event_in_a_file_is_named_with_an_at() {
    let project = deployed();
    project.write("event.json", "{\"say\": \"hi\"}\n");
    assert_eq!(seen(&project.mdo("invoke echo @event.json --local").succeeds().stdout)["say"], "hi");
    project.mdo("invoke echo @none.json --local").exits(2).complains(
        "error: cannot read the event in none.json: No such file or directory (os error 2)
  help: name a file that holds one JSON document: @event.json
",
    );
}

#[test]
fn an_endless_stream_ends_with_its_reader() {
    let project = deployed();
    let script = r#"yes '{}' | "$0" invoke echo - --local | head -2"#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_mdo")])
        .current_dir(project.folder())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    let full = r#"yes '{}' | "$0" invoke echo - --local > /dev/full"#;
    let output = Command::new("sh")
        .args(["-c", full, env!("CARGO_BIN_EXE_mdo")])
        .current_dir(project.folder())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot write standard output: No space left on device (os error 28)\n"
    );
}

#[test]
fn the_log_goes_to_standard_error() {
    let project = deployed();
    let output = project.mdo_with(&["invoke", "echo", r#"{"say": "hi"}"#, "--local", "--logs"]).exits(0);
    assert_eq!(output.stdout.lines().count(), 1);
    let log: Vec<&str> = output.stderr.lines().map(|line| line.split(" RequestId").next().unwrap()).collect();
    assert_eq!(log, ["START", "handling hi", "END", "REPORT"]);
}

#[test]
fn a_failing_function_fails_the_command_after_every_event() {
    let project = deployed();
    let events = r#"{"say": "fail"} {"say": "on"}"#;
    let output = project.mdo("invoke echo - --local").reads(events).exits(1);
    output.complains("error: function echo failed (Told: told to fail); --logs shows its log\n");
    let answers: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(answers[0], r#"{"errorType": "Told", "errorMessage": "told to fail"}"#);
    assert_eq!(seen(answers[1])["say"], "on");
    assert_eq!(answers.len(), 2);
}

#[test]
fn unknown_functions_and_stages_are_named() {
    let project = deployed();
    project
        .mdo("invoke ecko --local")
        .exits(2)
        .prints("")
        .complains("error: no function matches `ecko`\n  help: did you mean `echo`?\n");
    project.mdo("invoke echo --local --stage bob").exits(1).complains(
        "error: there is no function echo at stage bob on this machine
  help: deploy it first: mdo deploy --local --stage bob
",
    );
}

#[test]
fn what_is_no_event_is_refused() {
    let project = deployed();
    for (event, complaint) in [
        ("{bad", "error: the event is not JSON: key must be a string at line 1 column 2\n"),
        ("", "error: the event holds no JSON document\n"),
        (
            "{} {}",
            "error: the event is more than one JSON document\n  help: pass a stream of events on standard input, with `-`\n",
        ),
    ] {
        project.mdo_with(&["invoke", "echo", event, "--local"]).exits(2).prints("").complains(complaint);
    }
    project.mdo("invoke echo - --local").exits(2).complains("error: standard input holds no JSON document\n");
    project
        .mdo("invoke echo - --local")
        .reads_bytes(b"\xff\xfe")
        .exits(2)
        .complains("error: document 1 of standard input is not JSON: expected value at line 1 column 1\n");
    let output = project.mdo("invoke echo - --local").reads("{\"say\": 1} {bad").exits(1);
    assert_eq!(seen(&output.stdout)["say"], 1);
    output.complains(
        "error: document 2 of standard input is not JSON: key must be a string at line 1 column 13; the 1 before it were run\n",
    );
    project
        .mdo("invoke ech* --local")
        .exits(2)
        .complains("error: `ech*` is a pattern: invoke runs one function\n  help: name the function\n");
}
