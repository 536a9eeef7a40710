//! `mdo invoke`: runs events through a function, the console's Test button.

use std::io::{BufReader, IsTerminal};
use std::time::Duration;

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_model::project::{FunctionName, Settings};
use mdo_package::derivative::missing_module_help;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, channel};

use super::arguments::StackArgs;
use super::names;
use super::planning::no_such_function;
use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// Run one event through a function and print what it answers
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo invoke sample_producer
  mdo invoke sample_producer '{\"queryStringParameters\": {\"n\": \"5\"}}' --logs
  mdo invoke sample_producer @event.json
  cat events.jsonl | mdo invoke sample_producer       one answer per line")]
pub(super) struct Args {
    /// The function
    #[arg(add = ArgValueCandidates::new(names::functions))]
    function: String,
    /// The event: a JSON document, `@FILE` that holds one, or `-` for one or more on standard input [default: what is piped
    /// in, else {}]
    payload: Option<String>,
    /// Print the end of the function's log to standard error
    #[arg(long)]
    logs: bool,
    #[command(flatten)]
    place: StackArgs,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Input { mut events, is_stream, otherwise } = input(args.payload.as_deref())?;
    let session = Session::open_live(&args.place).await?;
    let function = function(&session.settings, &args.function)?;
    if session.settings.server.is_some() && !session.is_local() {
        return Err(hosted(&session, &function));
    }
    let (mut count, mut failed) = (0, false);
    while let Some(event) = next(&mut events, if count == 0 { otherwise } else { None }).await {
        count += 1;
        let event = event.map_err(|error| unreadable(count, &error))?;
        let invocation = session.connection.invoke.invoke(&function, event.get().as_bytes()).await?;
        output::data(&format!("{}\n", answer(&invocation.payload, is_stream)));
        if args.logs {
            output::message(invocation.log_tail.trim_end());
        }
        if let Some(failure) = invocation.failure() {
            let help = if args.logs { "" } else { "; --logs shows its log" };
            output::message(&format!("error: function {function} failed ({failure}){help}"));
            if let Some(help) = missing_module_help(&failure.to_string()) {
                output::message(&format!("  help: {help}"));
            }
            failed = true;
        }
        // Each further event would run for nobody.
        if output::is_unread() {
            break;
        }
    }
    match (count, failed) {
        (0, _) => Err(Failure::new(exit_code::USAGE, "standard input holds no JSON document")),
        (_, true) => Err(Failure::reported(exit_code::FAILED)),
        (_, false) => Ok(()),
    }
}

fn function(settings: &Settings, name: &str) -> Result<FunctionName, Failure> {
    if name.contains(['*', '?', '[']) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("`{name}` is a pattern: invoke runs one function"),
            "name the function",
        ));
    }
    let function: Option<FunctionName> = name.parse().ok();
    function
        .filter(|name| settings.functions.contains_key(name))
        .ok_or_else(|| no_such_function(settings, name))
}

/// Servers take requests alone.
fn hosted(session: &Session, function: &FunctionName) -> Failure {
    let stage = &session.settings.stage;
    Failure::with_help(
        exit_code::USAGE,
        format!("stage {stage} is hosted by servers, which take requests and no events"),
        format!(
            "`mdo list{}` shows its URLs; on this machine: mdo invoke {function} --local --stage {stage}",
            session.flags()
        ),
    )
}

/// Events as they come.
type Events = Receiver<serde_json::Result<Box<RawValue>>>;

/// Where the events come from.
struct Input {
    events: Events,
    is_stream: bool,
    /// The event when there is none.
    otherwise: Option<&'static str>,
}

/// How long standard input may say nothing before it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(2);

fn input(payload: Option<&str>) -> Result<Input, Failure> {
    let one = |events| Input { events, is_stream: false, otherwise: None };
    Ok(match payload {
        None if std::io::stdin().is_terminal() => one(single("{}")?),
        // Something that is piped in is meant, even without a word about it.
        None => Input { events: stream(), is_stream: true, otherwise: Some("{}") },
        Some("-" | "@-") => Input { events: stream(), is_stream: true, otherwise: None },
        Some(payload) => match payload.strip_prefix('@') {
            Some(file) => one(single(&read(file)?)?),
            None => one(single(payload)?),
        },
    })
}

fn read(file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read the event in {file}: {error}");
        Failure::with_help(exit_code::USAGE, message, "name a file that holds one JSON document: @event.json")
    })
}

/// The next event; `otherwise` at the end, if that is where it begins.
async fn next(events: &mut Events, otherwise: Option<&str>) -> Option<serde_json::Result<Box<RawValue>>> {
    let event = match (tokio::time::timeout(SILENCE, events.recv()).await, otherwise) {
        (Ok(event), _) => event,
        (Err(_), Some(_)) => {
            output::message("note: waiting for an event on standard input; for none: < /dev/null");
            events.recv().await
        }
        (Err(_), None) => events.recv().await,
    };
    event.or_else(|| Some(serde_json::from_str(otherwise?)))
}

/// The one JSON document of the argument.
fn single(payload: &str) -> Result<Events, Failure> {
    let documents = serde_json::Deserializer::from_str(payload).into_iter();
    let mut documents: Vec<Box<RawValue>> = documents
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(exit_code::USAGE, format!("the event is not JSON: {error}")))?;
    let event = match (documents.pop(), documents.len()) {
        (Some(event), 0) => event,
        (None, _) => return Err(Failure::new(exit_code::USAGE, "the event holds no JSON document")),
        (Some(_), _) => {
            return Err(Failure::with_help(
                exit_code::USAGE,
                "the event is more than one JSON document",
                "pass a stream of events on standard input, with `-`",
            ));
        }
    };
    let (sender, events) = channel(1);
    // There is room for one.
    let _ = sender.try_send(Ok(event));
    Ok(events)
}

/// The JSON documents of standard input, each as soon as it is complete.
fn stream() -> Events {
    let (sender, events) = channel(1);
    // A thread of its own: nobody waits for it when the input does not end.
    std::thread::spawn(move || {
        let input = BufReader::new(std::io::stdin());
        for event in serde_json::Deserializer::from_reader(input).into_iter() {
            let is_last = event.is_err();
            if sender.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    });
    events
}

/// The failure of a document that cannot be read. Once others were run, the command is not refused as a whole: it has failed.
fn unreadable(count: usize, error: &serde_json::Error) -> Failure {
    if error.is_io() {
        return Failure::new(exit_code::FAILED, format!("cannot read standard input: {error}"));
    }
    let (code, before) = match count - 1 {
        0 => (exit_code::USAGE, String::new()),
        before => (exit_code::FAILED, format!("; the {before} before it were run")),
    };
    Failure::new(code, format!("document {count} of standard input is not JSON: {error}{before}"))
}

/// An answer as it is printed: of a stream, each on a line of its own.
fn answer(payload: &[u8], is_stream: bool) -> String {
    let text = String::from_utf8_lossy(payload).trim_end().to_owned();
    let one_line = || serde_json::from_str::<serde_json::Value>(&text).ok().map(|value| value.to_string());
    if is_stream && text.contains('\n') { one_line().unwrap_or(text) } else { text }
}
