//! `mdo logs`: what the functions of a stage have logged, and what they log.

pub(super) mod moment;
mod request;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::ArgValueCandidates;
use mdo_engine::logs::{
    Fold, Following, Level, LogEntry, LogEntryBody, LogQuery, LogSource, Logs, Millis, Reading, now,
};
use mdo_model::project::FunctionName;
use regex_lite::Regex;

pub(super) use self::moment::Moment;
use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::names;
use super::planning;
use super::session::Session;
use crate::output::{self, Failure, LogPrinter, exit_code};

/// Show what functions have logged, all of them in order of time
///
/// Each event of a function ends with one line: how it was answered, how long it ran, the memory of its sandbox, and the cold start
/// before it. On AWS these are the lines of CloudWatch; with --local those of `mdo dev` and `mdo invoke --local`, kept in .mdo.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo logs                               the last ten minutes
  mdo logs sample_producer --follow
  mdo logs --since 2h --level warn
  mdo logs --filter timeout --since 1d
  mdo logs --filter '/status=5\\d\\d/'
  mdo logs --request 8d2f5f27-3b5c-4b3e-9a52-0c3a1f0d9d11
  mdo logs --follow --json | jq -r .message")]
pub(super) struct Args {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    /// Go on until Ctrl-C, with what is logged from now on
    #[arg(long, short = 'f', conflicts_with = "until")]
    follow: bool,
    /// From when on: 90s, 10m, 2h, 1d, or a time in UTC: 12:30, 2026-11-27, 2026-11-27T12:30:00Z
    /// [default: 10m; with --request 1d]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Moment>,
    /// Up to when, written as --since is [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Moment>,
    /// Only lines that contain a text, or match a regular expression between slashes
    #[arg(long, value_name = "TEXT|/REGEX/", value_parser = filter)]
    filter: Option<Filter>,
    /// Only what is at least so serious; a line that says no level is info
    #[arg(long, value_parser = level_parser())]
    level: Option<Level>,
    /// Only what belongs to one event: an id that a function was given, or one that its lines name
    #[arg(long, value_name = "ID", conflicts_with_all = ["follow", "filter"])]
    request: Option<String>,
    #[command(flatten)]
    place: StackArgs,
    /// Print JSON lines: a document for each entry
    #[arg(long)]
    pub json: bool,
}

fn level_parser() -> impl TypedValueParser<Value = Level> {
    // Each of them is a level's own word.
    PossibleValuesParser::new(["debug", "info", "warn", "error"]).map(|name| name.parse().unwrap_or_default())
}

/// What lines are chosen by.
#[derive(Clone, Debug)]
enum Filter {
    Text(String),
    Pattern(Regex),
}

fn filter(text: &str) -> Result<Filter, String> {
    if text.is_empty() {
        return Err("it has to contain something".to_owned());
    }
    match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some(pattern) => Regex::new(pattern).map(Filter::Pattern).map_err(|error| error.to_string()),
        None => Ok(Filter::Text(text.to_owned())),
    }
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let now = now();
    let since = args.since.map_or(now - moment::default_span(args.request.is_some()), |since| since.at(now));
    let until = args.until.map_or(now, |until| until.at(now));
    if since > until {
        let message = format!("--since {} is after --until {}", told(since), told(until));
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let session = Session::open_live(&args.place).await?;
    let selection = planning::select(&session.settings, &args.functions)?;
    let chosen = session.settings.functions.keys().filter(|name| selection.contains(name));
    let chosen: BTreeSet<FunctionName> = chosen.cloned().collect();
    let logs = Arc::clone(&session.connection.logs);
    let whole = args.functions.is_empty();
    let sources = logs.sources(&chosen, whole).await?;
    let wanted =
        Wanted { functions: (!whole).then(|| chosen.clone()), filter: args.filter, level: args.level };
    let mut printer = LogPrinter::new(args.json, &chosen, told(now));
    let view = View { logs, sources, wanted };
    if let Some(id) = &args.request {
        return request::run(&view, id, (since, until), &mut printer).await;
    }
    let query = LogQuery { since, until, text: view.wanted.text(), stream: None };
    if args.follow {
        interrupt.begin_quietly();
        return view.follow(query, &mut printer, interrupt).await;
    }
    if view.print(query, &mut printer).await? == 0 {
        let back = if args.since.is_none() { "; --since 1d looks further back" } else { "" };
        output::message(&format!("note: nothing was logged since {}{back}", told(since)));
    }
    Ok(())
}

/// What is looked at.
struct View {
    logs: Arc<dyn Logs>,
    sources: Vec<LogSource>,
    wanted: Wanted,
}

/// Which entries are shown.
struct Wanted {
    /// `None` for whatever there is.
    functions: Option<BTreeSet<FunctionName>>,
    filter: Option<Filter>,
    level: Option<Level>,
}

impl Wanted {
    /// The text that the provider may look for.
    fn text(&self) -> Option<String> {
        match &self.filter {
            Some(Filter::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn has(&self, entry: &LogEntry) -> bool {
        let is_chosen = match (&self.functions, &entry.function) {
            (None, _) => true,
            (Some(functions), Some(function)) => functions.contains(function),
            (Some(_), None) => false,
        };
        let matches = match (&self.filter, &entry.body) {
            (Some(Filter::Pattern(pattern)), LogEntryBody::Lines(lines)) => {
                lines.iter().any(|line| pattern.is_match(line))
            }
            (Some(Filter::Pattern(_)), _) => false,
            (Some(Filter::Text(_)) | None, _) => true,
        };
        is_chosen && matches && self.level.is_none_or(|level| entry.level() >= level)
    }
}

impl View {
    fn reading(&self, query: LogQuery) -> Reading {
        Reading::new(Arc::clone(&self.logs), &self.sources, query)
    }

    /// Prints entries, and answers how many were shown.
    fn show(&self, entries: Vec<LogEntry>, printer: &mut LogPrinter) -> usize {
        let shown = entries.iter().filter(|entry| self.wanted.has(entry));
        let count = shown.clone().count();
        printer.print(shown);
        count
    }

    /// Prints everything that is asked for, and answers how much that was.
    async fn print(&self, query: LogQuery, printer: &mut LogPrinter) -> Result<usize, Failure> {
        let mut fold = Fold::default();
        let mut reading = self.reading(query);
        let mut count = 0;
        loop {
            let batch = reading.next().await?;
            let Some(latest) = batch.last().map(|event| event.at) else { break };
            batch.into_iter().for_each(|event| fold.push(event));
            count += self.show(fold.ready_before(latest), printer);
            if output::is_unread() {
                return Ok(count);
            }
        }
        Ok(count + self.show(fold.finish(), printer))
    }

    /// Prints what is there, and what comes, until the user ends it or nobody reads any more.
    async fn follow(
        &self,
        query: LogQuery,
        printer: &mut LogPrinter,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let mut following = Following::new(Arc::clone(&self.logs), self.sources.clone(), query);
        while !output::is_unread() {
            let look = following.look(now(), |entries| {
                self.show(entries, printer);
                if output::is_unread() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            tokio::select! {
                () = interrupt.token.cancelled() => return Ok(()),
                looked = look => looked?,
            }
            tokio::select! {
                () = interrupt.token.cancelled() => break,
                () = tokio::time::sleep(self.logs.rhythm()) => {}
            }
        }
        self.show(following.finish(), printer);
        Ok(())
    }
}

/// A moment as RFC 3339 in UTC.
fn told(at: Millis) -> String {
    output::utc(at)
}
