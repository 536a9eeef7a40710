//! Every case of the table through our client and through Lambda's own: answers, error documents, types of errors and log lines are equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use mdo_server::runtime::{InvokeContext, Launcher};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cases::{self, Case};
use crate::function::{Function, Outcome, folder};
use crate::installed::{Python, pythons};

/// How many cases run at a time.
const AT_ONCE: usize = 4;

/// Lambda's own client, with the frames that it writes log events in on Lambda. What reads them there makes an event of each, beside
/// those of the lines of its outputs; here, where all is one pipe, what reads them begins a line for each.
const LAMBDAS: &str = r"
import os, sys
from awslambdaric import __main__, bootstrap
class Output(bootstrap.Unbuffered):
    ends = '\n'
    def write(self, text):
        super().write(text)
        Output.ends = text[-1:] or Output.ends
    def writelines(self, texts):
        for text in texts: self.write(text)
class Frames:
    def write(self, frame):
        text, begin = frame[16:].decode(), '' if Output.ends == '\n' else '\n'
        kept.write(begin + text.replace('\xa0', ' ').removesuffix('\n') + '\n')
    def close(self): pass
def enter(sink):
    global kept
    sink.file, kept = Frames(), sys.stdout
    return sink
bootstrap.Unbuffered, bootstrap.FramedTelemetryLogSink.__enter__ = Output, enter
os.environ['_LAMBDA_TELEMETRY_LOG_FD'] = '0'
__main__.main(sys.argv)
";

#[tokio::test(flavor = "multi_thread")]
async fn our_client_does_what_lambdas_own_does() {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (python, case) in pythons().iter().flat_map(|python| cases::all().map(move |case| (python, case))) {
        let turns = Arc::clone(&turns);
        running.spawn(async move {
            let _turn = turns.acquire().await;
            differences(python, case).await
        });
    }
    let differences: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(differences.is_empty(), "{} differences\n\n{}", differences.len(), differences.join("\n\n"));
}

async fn differences(python: &Python, case: &Case) -> Vec<String> {
    let folder =
        folder(&[("sample.py", case.code), ("pkg/sub/deep.py", case.code), ("pkg/broken.py", "import")]);
    let ours = Function::new(&folder, &python.runtime, case.handler, |code| {
        Launcher::interpreter(python.interpreter, python.program.clone(), code, &[])
    });
    let lambdas = Function::new(&folder, &python.runtime, case.handler, |code| {
        let mut launcher = Launcher::interpreter(python.interpreter, python.program.clone(), code, &[]);
        launcher.arguments = ["-u", "-s", "-c", LAMBDAS, case.handler].map(Into::into).into();
        launcher
    });
    let ours = tell(&outcomes(ours, case).await);
    let lambdas = tell(&outcomes(lambdas, case).await);
    let name = format!("{}, {}", case.name, python.runtime);
    let mut differences = Vec::new();
    if ours != lambdas {
        differences.push(format!("{name}\n--- Lambda's own client\n{lambdas}\n--- ours\n{ours}"));
    }
    if !ours.contains(case.says) {
        differences.push(format!("{name}: nobody says {:?}\n{ours}", case.says));
    }
    differences
}

async fn outcomes(function: Function, case: &Case) -> Vec<Outcome> {
    let variables = case.environment.iter();
    let function = variables.fold(function, |function, (name, value)| function.set(name, value));
    let runtime = function.start();
    let mut outcomes = Vec::new();
    for event in case.events {
        let context = InvokeContext {
            trace_id: Some(
                "Root=1-5e1b4151-43a0913a12345678901234567;Parent=53995c3f42cd8ad8;Sampled=1".into(),
            ),
            client_context: case.client_context.map(Into::into),
            cognito_identity: case.identity.map(Into::into),
            ..InvokeContext::default()
        };
        outcomes.push(function.run_in(&runtime, event, context).await);
    }
    runtime.retire().await;
    outcomes
}

/// Everything that is compared, as text.
fn tell(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let payload = match outcome.result.error {
            None => String::from_utf8_lossy(&outcome.result.payload).into_owned(),
            Some(_) => serde_json::to_string_pretty(&without_frames_of_clients(outcome.payload())).unwrap(),
        };
        let payload = without_counts(&payload);
        text += &format!("error type: {:?}\n{}\n", outcome.error_type(), shortened(&payload));
        for line in without_client_frames(&outcome.lines) {
            text += &format!("| {}\n", comparable(&line));
        }
    }
    text
}

fn shortened(text: &str) -> String {
    let characters = text.chars().count();
    if characters < 20_000 { text.to_owned() } else { format!("{:.100}… {characters}", text) }
}

/// Traces of Lambda's client begin with its own frames; ours leaves them out.
fn without_frames_of_clients(mut document: Value) -> Value {
    if let Some(frames) = document.get_mut("stackTrace").and_then(Value::as_array_mut) {
        frames.retain(|frame| !frame.as_str().is_some_and(is_of_client));
    }
    document
}

fn is_of_client(line: &str) -> bool {
    line.contains("/awslambdaric/") || line.contains("File \"<string>\"")
}

/// What Lambda's client alone says: of updates of Lambda's runtimes, which there are none of here, and, too late to be in the log for
/// sure, of an answer that was refused: its client's line, and the last one of the trace that it dies with.
const LAMBDAS_OWN: [&str; 3] = [
    "LAMBDA_WARNING",
    "LAMBDA_RUNTIME Failed to post handler success response",
    "RuntimeError: Failed to post invocation response",
];

/// The same in the log, where the line of code and the marks below it follow.
fn without_client_frames(lines: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut skips = false;
    for line in lines {
        let is_frame = line.trim_start().starts_with("File \"");
        skips = is_frame && is_of_client(line) || skips && !is_frame && line.starts_with("    ");
        if !skips && !LAMBDAS_OWN.iter().any(|text| line.contains(text)) {
            kept.push(line.clone());
        }
    }
    // Where there was no frame but the client's, nothing is left below the heading.
    let is_empty_trace = |at: usize| {
        let next: Option<&String> = kept.get(at + 1);
        kept[at].starts_with("Traceback (most") && !next.is_some_and(|line| line.contains("File \""))
    };
    (0..kept.len()).filter(|at| !is_empty_trace(*at)).map(|at| kept[at].clone()).collect()
}

/// A line without what differs from run to run: times, and how much of a resource was used.
fn comparable(line: &str) -> String {
    if line.starts_with("REPORT ") || line.starts_with("INIT_REPORT ") {
        let (report, status) = line.split_once("\tStatus: ").unwrap_or((line, ""));
        return format!("{} {status}", report.split(' ').next().unwrap());
    }
    without_counts(&without_times(line))
}

/// Digits of what looks like a time are zeros.
fn without_times(line: &str) -> String {
    let bytes = line.as_bytes();
    let mut text = String::new();
    let mut at = 0;
    while at < line.len() {
        let end = at + "2026-11-26T21:05:35".len();
        let is_time = line.get(at..end).is_some_and(|part| {
            part.bytes().zip("0000-00-00T00:00:00".bytes()).all(|(letter, form)| match form {
                b'0' => letter.is_ascii_digit(),
                form => letter == form,
            })
        });
        if is_time {
            let millis =
                bytes[end..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
            text += "<time>";
            at = end + millis;
            continue;
        }
        let letter = line[at..].chars().next().unwrap();
        text.push(letter);
        at += letter.len_utf8();
    }
    text
}

/// How deep a recursion comes depends on how deep its caller is.
fn without_counts(text: &str) -> String {
    match text.split_once("[Previous line repeated ") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
            format!("{before}[Previous line repeated <n>{}", without_counts(after))
        }
        None => text.to_owned(),
    }
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names = BTreeMap::new();
    for case in cases::all() {
        assert_eq!(names.insert(case.name, ()), None, "{}", case.name);
    }
}
