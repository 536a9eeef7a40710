//! `mdo logs` on AWS: of log groups that all stages write to, each stage's own lines, and no line lost or doubled while following.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::command::Output;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

const GROUP: &str = "/aws/lambda/shop_echo";

fn documents(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs `mdo logs` until it shows so many ends of events: they come to CloudWatch some time after the answer.
fn logged(project: &TestProject, arguments: &str, runs: usize) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let entries = documents(&project.mdo(&format!("logs {arguments} --json")).succeeds());
        let count = entries.iter().filter(|entry| !entry["run"].is_null()).count();
        if count >= runs || Instant::now() > end {
            return entries;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn messages(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry["message"].as_str()).map(str::trim_end).collect()
}

#[test]
fn each_stage_has_its_own_lines_of_the_log_that_they_share() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.mdo("deploy").succeeds();
    // Of stages that serve the very same version nobody could tell the lines apart.
    project.mdo("deploy --stage prod -s GREETING=prod").succeeds();
    project.mdo_with(&["invoke", "echo", r#"{"say": "in dev"}"#]).succeeds();
    project.mdo_with(&["invoke", "echo", r#"{"say": "in prod"}"#, "--stage", "prod"]).succeeds();
    project.mdo_with(&["invoke", "echo", r#"{"say": "fail"}"#]).exits(1);

    let dev = logged(&project, "", 2);
    assert_eq!(messages(&dev), ["handling in dev", "handling fail"], "{dev:#?}");
    assert_eq!(messages(&logged(&project, "--stage prod", 1)), ["handling in prod"]);
    let run = dev.iter().find(|entry| !entry["run"].is_null()).unwrap();
    assert_eq!(run["request_id"], dev[0]["request_id"]);
    let id = run["request_id"].as_str().unwrap();
    let of_request = documents(&project.mdo(&format!("logs --request {id} --json")).succeeds());
    assert_eq!(of_request, dev[..2]);
    assert_eq!(messages(&logged(&project, "--filter dev", 0)), ["handling in dev"]);
    assert_eq!(messages(&logged(&project, "--filter /f[a]il/", 0)), ["handling fail"]);

    // A deploy that follows is the stage's as well, also for who asks for the first time.
    project.set_edition("echo", "second");
    project.mdo("deploy").succeeds();
    project.mdo_with(&["invoke", "echo", r#"{"say": "again"}"#]).succeeds();
    assert_eq!(messages(&logged(&project, "", 3)), ["handling in dev", "handling fail", "handling again"]);
}

#[test]
fn nothing_was_logged_where_nothing_is_deployed() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let output = project.mdo("logs --since 2026-11-27").succeeds();
    output.prints("").complains("note: nothing was logged since 2026-11-27T00:00:00.000Z\n");
}

/// A thousand lines a second: for five seconds, and for a minute with `MDO_SLOW=1`.
#[test]
fn who_follows_a_thousand_lines_a_second_loses_none_and_gets_none_twice() {
    let Some(emulator) = Emulator::shared() else { return };
    let seconds = if std::env::var_os("MDO_SLOW").is_some() { 60 } else { 5 };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    live.call("logs", "create_log_group", json!({"logGroupName": GROUP}));
    let streams = ["2026/11/27/[1]aaaa", "2026/11/27/[1]bbbb"];
    for stream in streams {
        live.call("logs", "create_log_stream", json!({"logGroupName": GROUP, "logStreamName": stream}));
    }
    let mut following = project.mdo("logs --follow --json --since 1m").begins();
    let begin = Instant::now();
    for second in 0..seconds {
        // Every fifth second the lines of one sandbox come six seconds late.
        for (stream, late) in [(streams[0], 0), (streams[1], if second % 5 == 4 { 6_000 } else { 0 })] {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
            let at = u64::try_from(now).unwrap() - late - 500;
            let events: Vec<Value> = (0..500)
                .map(|line| json!({"timestamp": at + line, "message": format!("{stream} {second} {line}")}))
                .collect();
            let put = json!({"logGroupName": GROUP, "logStreamName": stream, "logEvents": events});
            live.call("logs", "put_log_events", put);
        }
        thread::sleep(Duration::from_secs(second + 1).saturating_sub(begin.elapsed()));
    }
    let lines = usize::try_from(seconds).unwrap() * 1_000;
    following.until_it_prints(lines, "message");
    // What were told twice would come with one of the next looks.
    thread::sleep(Duration::from_secs(5));
    following.signal("INT");
    let (status, stdout, stderr) = following.ends();
    assert_eq!((status, stderr.as_str()), (0, ""));
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for line in stdout.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        *seen.entry(entry["message"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).take(5).collect();
    assert_eq!((seen.len(), wrong), (lines, vec![]));
}
