//! `mdo status`: how the functions of a stage are doing, what that costs, and pictures of it.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_engine::logs::{Millis, now};
use mdo_engine::metrics::{Extent, Grid, Measurement};
use mdo_model::project::FunctionName;

use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::logs::{Moment, moment};
use super::names;
use super::planning;
use super::replace;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// A day, in milliseconds.
const DAY: Millis = 24 * 60 * 60 * 1000;

/// How far back is looked at most, in days.
const LONGEST: Millis = 30;

/// What stands for standard output.
const STDOUT: &str = "-";

/// Show how the functions of a stage are doing, and what that costs
///
/// For each function: how often it was invoked, failed and was throttled, how long events took, cold starts, and how many ran at once.
/// For the stage: its requests, the keys against throttle and quota, what the warm rules prevent and cost, and money. On AWS these are
/// the metrics of CloudWatch, which come in some minutes late; with --local they are counted from the log that `mdo dev` keeps.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo status                             the last 24 hours
  mdo status sample_producer --since 2h
  mdo status --local --watch
  mdo status --svg status.svg            the same as pictures
  mdo status --json | jq '.functions[].errors'")]
pub(super) struct Args {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    /// From when on: 90s, 10m, 2h, 1d, or a time in UTC: 12:30, 2026-11-27, 2026-11-27T12:30:00Z [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Moment>,
    /// Up to when, written as --since is [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with = "watch")]
    until: Option<Moment>,
    /// Draw it into a file as SVG, or into standard output with `-`
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Show it again and again until Ctrl-C: here every two seconds, on AWS every minute
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text; with --watch one a line
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let draws_to_stdout = args.svg.as_deref() == Some(Path::new(STDOUT));
    if draws_to_stdout && (args.json || args.watch) {
        let other = if args.json { "--json" } else { "--watch" };
        let message = format!("--svg - takes standard output, and so does {other}");
        return Err(Failure::with_help(exit_code::USAGE, message, "draw into a file: --svg status.svg"));
    }
    span(&args)?;
    let session = Session::open_live(&args.place).await?;
    let selection = planning::select(&session.settings, &args.functions)?;
    let chosen = session.settings.functions.keys().filter(|name| selection.contains(name));
    let chosen: BTreeSet<FunctionName> = chosen.cloned().collect();
    if !args.watch {
        return show(&session, &args, &chosen).await;
    }
    interrupt.begin_quietly();
    let rhythm = session.connection.metrics.rhythm();
    while !output::is_unread() {
        tokio::select! {
            () = interrupt.token.cancelled() => break,
            shown = show(&session, &args, &chosen) => shown?,
        }
        tokio::select! {
            () = interrupt.token.cancelled() => break,
            () = tokio::time::sleep(rhythm) => {}
        }
    }
    Ok(())
}

/// From when to when is looked.
fn span(args: &Args) -> Result<(Millis, Millis), Failure> {
    let now = now();
    let until = args.until.map_or(now, |until| until.at(now));
    let since = args.since.map_or(until - DAY, |since| since.at(now));
    if since >= until {
        let message = format!("--since {} is not before --until {}", output::utc(since), output::utc(until));
        return Err(Failure::new(exit_code::USAGE, message));
    }
    if until - since > LONGEST * DAY {
        let message = format!("--since reaches back {LONGEST} days at most");
        return Err(Failure::with_help(exit_code::USAGE, message, "write 7d, for instance"));
    }
    Ok((since, until))
}

/// Measures once and shows what came of it.
async fn show(session: &Session, args: &Args, chosen: &BTreeSet<FunctionName>) -> Result<(), Failure> {
    let (since, until) = span(args)?;
    let measuring = session.connection.metrics.measure(chosen, Grid::covering(since, until), Extent::Whole);
    let measured = output::patiently("reading what was measured", measuring).await?;
    for note in &measured.notes {
        output::once(&format!("warning: {note}"));
    }
    let names = session.settings.names();
    let location = session.provider.location().await?;
    if let Some(file) = &args.svg {
        let heading = Heading { names: &names, location: &location };
        let picture = mdo_charts::svg(&measured, heading.to_string().trim_end());
        if file.as_path() == Path::new(STDOUT) {
            output::data(&picture);
            return Ok(());
        }
        replace::write(file, &picture)?;
    }
    let provider = session.provider.as_ref();
    match (args.json, args.watch) {
        (true, false) => output::json(&output::StatusDocument::new(&names, provider, &measured, until)),
        (true, true) => output::json_line(&output::StatusDocument::new(&names, provider, &measured, until)),
        (false, _) => print(args, &Heading { names: &names, location: &location }, &measured, until),
    }
    Ok(())
}

fn print(args: &Args, heading: &Heading<'_>, measured: &Measurement, until: Millis) {
    let text = output::status(heading, measured, until);
    if !args.watch {
        output::data(&text);
    } else if std::io::stdout().is_terminal() {
        output::clear_terminal();
        output::data(&text);
    } else {
        output::data(&format!("{text}\n"));
    }
}
