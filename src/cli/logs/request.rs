//! What belongs to one event: where its id is written, and everything that the sandboxes there wrote for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mdo_engine::logs::{Fold, LogBody, LogEntry, LogEntryBody, LogQuery, LogSource, Millis, Reading};
use mdo_model::project::FunctionName;

use super::{View, told};
use crate::output::{Failure, LogPrinter, exit_code};

/// How long a function may run at most, in milliseconds: what belongs to one event is no further apart.
const LONGEST: Millis = 15 * 60 * 1000;

/// A sandbox's part of a log, and when it named the id first and last.
type Places = BTreeMap<(Option<FunctionName>, Arc<str>), (Millis, Millis)>;

/// Prints everything of one event.
///
/// # Errors
/// When nothing names it.
pub(super) async fn run(
    view: &View,
    id: &str,
    (since, until): (Millis, Millis),
    printer: &mut LogPrinter,
) -> Result<(), Failure> {
    let query = LogQuery { since, until, text: Some(id.to_owned()), stream: None };
    let places = places(view, query).await?;
    if places.is_empty() {
        let message = format!("no line names {id} since {}", told(since));
        let help = "--since looks further back; an id of API Gateway's own is found where a function logs it";
        return Err(Failure::with_help(exit_code::FAILED, message, help));
    }
    let mut events = Vec::new();
    for ((function, stream), (first, last)) in places {
        // Of a hosted stage one log has all functions, and a request of this machine's API is in the log of the one that it called.
        let is_of = |source: &&LogSource| {
            source.function.is_none() || function.is_none() || source.function == function
        };
        let sources: Vec<LogSource> = view.sources.iter().filter(is_of).cloned().collect();
        let (since, until) = (first - LONGEST, last + LONGEST);
        let query = LogQuery { since, until, text: None, stream: Some(stream) };
        let mut reading = Reading::new(Arc::clone(&view.logs), &sources, query);
        loop {
            let batch = reading.next().await?;
            if batch.is_empty() {
                break;
            }
            events.extend(batch);
        }
    }
    let mut told = BTreeSet::new();
    events.retain(|event| told.insert((event.function.clone(), event.id.clone())));
    events.sort_by_key(|event| event.at);
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.push(event));
    let entries = fold.finish();
    let names = |entry: &LogEntry| match &entry.body {
        LogEntryBody::Lines(lines) => lines.iter().any(|line| line.contains(id)),
        _ => false,
    };
    let named = entries.iter().filter(|entry| names(entry)).filter_map(|entry| entry.request_id.clone());
    let ids: BTreeSet<Arc<str>> = named.chain([Arc::from(id)]).collect();
    let belongs =
        |entry: &LogEntry| names(entry) || entry.request_id.as_ref().is_some_and(|id| ids.contains(id));
    view.show(entries.into_iter().filter(belongs).collect(), printer);
    Ok(())
}

/// Where the id is written.
async fn places(view: &View, query: LogQuery) -> Result<Places, Failure> {
    let mut places = Places::new();
    let mut reading = view.reading(query);
    loop {
        let batch = reading.next().await?;
        if batch.is_empty() {
            return Ok(places);
        }
        for event in batch {
            // The requests of this machine's API are told by no sandbox.
            let is_request = matches!(event.body, LogBody::Request(_));
            let function = event.function.filter(|_| !is_request || !event.stream.is_empty());
            let place = places.entry((function, event.stream)).or_insert((event.at, event.at));
            *place = (place.0.min(event.at), place.1.max(event.at));
        }
    }
}
