//! `mdo invoke`: runs events through a function, the console's Test button.

use std::io::Read;

use clap::Parser;
use serde_json::value::RawValue;

use super::arguments::Place;
use super::planning::no_such_function;
use super::session::Session;
use crate::output::{self, Failure, exit_code};
use crate::project::FunctionName;

/// Run one event through a function and print what it answers
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo invoke sample_producer
  mdo invoke sample_producer '{\"queryStringParameters\": {\"n_samples\": \"5\"}}' --logs
  cat events.jsonl | mdo invoke sample_producer -     one answer per line")]
pub(super) struct Args {
    /// The function
    function: String,
    /// The event, a JSON document; `-` reads one or more from standard input
    #[arg(default_value = "{}")]
    payload: String,
    /// Print the end of the function's log to standard error
    #[arg(long)]
    logs: bool,
    #[command(flatten)]
    place: Place,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let events = events(&args.payload)?;
    let session = Session::open_live(&args.place).await?;
    let function: FunctionName =
        args.function.parse().map_err(|_| no_such_function(&session.settings, &args.function))?;
    if !session.settings.functions.contains_key(&function) {
        return Err(no_such_function(&session.settings, &args.function));
    }
    let mut failed = false;
    for event in &events {
        let invocation = session.provider.invoke(&function, event.get().as_bytes()).await?;
        let mut answer = String::from_utf8_lossy(&invocation.payload).into_owned();
        answer.truncate(answer.trim_end().len());
        output::data(&format!("{answer}\n"));
        if args.logs {
            output::talk(invocation.log_tail.trim_end());
        }
        if let Some(error) = &invocation.error {
            let help = if args.logs { "" } else { "; --logs shows its log" };
            output::talk(&format!("error: function {function} failed ({error}){help}"));
            failed = true;
        }
    }
    if failed { Err(Failure::reported(exit_code::FAILED)) } else { Ok(()) }
}

/// The JSON documents of the argument, or of standard input for `-`.
fn events(payload: &str) -> Result<Vec<Box<RawValue>>, Failure> {
    let mut text = payload.to_owned();
    let source = if payload == "-" { "standard input" } else { "the event" };
    if payload == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text).map_err(|error| {
            Failure::new(exit_code::USAGE, format!("standard input cannot be read: {error}"))
        })?;
    }
    let events: Vec<Box<RawValue>> = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(exit_code::USAGE, format!("{source} is not JSON: {error}")))?;
    match (payload, events.len()) {
        (_, 0) => Err(Failure::new(exit_code::USAGE, format!("{source} holds no JSON document"))),
        ("-", _) | (_, 1) => Ok(events),
        _ => Err(Failure::with_help(
            exit_code::USAGE,
            "the event is more than one JSON document",
            "pass a stream of events on standard input, with `-`",
        )),
    }
}
