//! `mdo warm`: the rules that keep functions warm, in the files and on the provider.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_engine::logs::{Millis, now};
use mdo_engine::metrics::{Extent, Grid, Measurement};
use mdo_engine::{Observed, Packages, Ping, Recent};
use mdo_model::project::{self, FunctionName, Rate, Warm};
use mdo_model::stack::{self, Invoker, Selection, Stack, WarmRule};
use serde_json::{Value, json};

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::consent::Consent;
use super::interrupt::Interrupt;
use super::names;
use super::planning;
use super::replace::replace;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// A day, in milliseconds: what evidence is looked for in.
const DAY: Millis = 24 * 60 * 60 * 1000;

/// Keep functions warm, stop doing so, or show what keeps them warm
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo warm                               rule, state, rate and last runs
  mdo warm sample_producer --rate 5m
  mdo warm --off")]
pub(super) struct Args {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    /// How often to ping, 1 to 10 minutes: 5m, '5 minutes'
    #[arg(long)]
    rate: Option<Rate>,
    /// How many sandboxes to keep warm, 1 to 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    concurrency: Option<u8>,
    /// Stop keeping them warm
    #[arg(long, conflicts_with_all = ["rate", "concurrency"])]
    off: bool,
    /// Do not ask before rules are deleted; needed for that where there is no terminal to ask at
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let session = Session::open_live(&args.place).await?;
    let selection = planning::select(&session.settings, &args.functions)?;
    if args.rate.is_none() && args.concurrency.is_none() && !args.off {
        return show(&session, &selection, args.json).await;
    }
    change(&session, &selection, &args, interrupt).await
}

async fn show(session: &Session, selection: &Selection, as_json: bool) -> Result<(), Failure> {
    let observed = session.observe(&session.scope(false)).await?;
    let names = session.settings.names();
    let chosen = session.settings.functions.keys().filter(|name| selection.contains(name));
    let chosen: BTreeSet<FunctionName> = chosen.cloned().collect();
    let now = now();
    let has_rules = observed.stack.warm_rules.keys().any(|name| chosen.contains(name));
    let evidence = if has_rules { measured(session, &chosen, now).await } else { None };
    let mut entries = Vec::new();
    let mut last_runs = Vec::new();
    let mut rows = Vec::new();
    for name in &chosen {
        let rule = observed.stack.warm_rules.get(name);
        let recent = match rule {
            Some(_) => session.connection.pings.pings(name).await?,
            None => Recent::default(),
        };
        let state = match rule {
            Some(rule) if rule.enabled => "enabled",
            Some(_) => "disabled",
            None => "no rule",
        };
        let rate = rule.and_then(|rule| rule.rate).map(|rate| rate.to_string());
        let concurrency = rule.map_or(0, |rule| rule.concurrency);
        rows.push(vec![
            name.to_string(),
            state.to_owned(),
            rate.unwrap_or_else(|| "-".to_owned()),
            rule.map_or_else(|| "-".to_owned(), |_| format!("{concurrency} at once")),
            rule.map_or_else(|| "-".to_owned(), |_| names.warm_rule(name)),
        ]);
        let said = evidence.as_ref().filter(|_| rule.is_some());
        let said = said.map(|measured| output::evidence(name, measured, now)).unwrap_or_default();
        last_runs.push(
            said + &listed("pings", &recent.pings) + &listed("runs, requests among them", &recent.runs),
        );
        let evidence = evidence.as_ref().filter(|_| rule.is_some());
        entries.push(output::WarmEntry::new(&names, name, state, rule, &recent, evidence));
    }
    let location = session.provider.location().await?;
    if as_json {
        output::json(&output::WarmDocument::new(&names, session.provider.as_ref(), entries));
    } else {
        let table = output::table(&rows);
        let lines = table.split_inclusive('\n').zip(last_runs);
        let text: String = lines.map(|(line, runs)| format!("{line}{runs}")).collect();
        output::data(&format!("{}{text}", Heading { names: &names, location: &location }));
    }
    Ok(())
}

/// What was measured of the last day. Where that cannot be read, the rules are shown all the same.
async fn measured(session: &Session, chosen: &BTreeSet<FunctionName>, now: Millis) -> Option<Measurement> {
    let metrics = session.connection.metrics.as_ref();
    let measured = metrics.measure(chosen, Grid::covering(now - DAY, now), Extent::Warmth).await;
    let told = |why: &str| output::once(&format!("warning: {why}"));
    match measured {
        Ok(measured) => {
            measured.notes.iter().for_each(|note| told(note));
            Some(measured)
        }
        Err(error) => {
            told(&format!("what the rules are worth is not known: {error}"));
            None
        }
    }
}

/// The last five of them under a line that says what they are.
fn listed(what: &str, runs: &[Ping]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let lines = runs.iter().take(5).map(|run| format!("    {}  {}\n", run.at, run.outcome));
    format!("    last {what}\n{}", lines.collect::<String>())
}

async fn change(
    session: &Session,
    selection: &Selection,
    args: &Args,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let start = Instant::now();
    if session.settings.server.is_some() && !session.is_local() && !args.off {
        let stage = &session.settings.stage;
        let message = format!(
            "stage {stage} is hosted by servers, which do not go cold: there is nothing to keep warm"
        );
        return Err(Failure::with_help(
            exit_code::USAGE,
            message,
            "more tasks are more of `tasks` in project.toml",
        ));
    }
    let mut chosen: Vec<FunctionName> =
        session.settings.functions.keys().filter(|name| selection.contains(name)).cloned().collect();
    check_files_agree(session, &chosen, args)?;
    let edits = edits(session, &chosen, args)?;
    let observed = session.observe(&session.scope(false)).await?;
    if args.off && args.functions.is_empty() {
        // Where all are meant, one that is not deployed here has no rule to lose.
        chosen.retain(|name| observed.stack.functions.contains_key(name));
    }
    for name in &chosen {
        if !observed.stack.functions.contains_key(name) {
            return Err(Failure::with_help(
                exit_code::FAILED,
                format!("function {name} is not deployed at stage {}", session.settings.stage),
                format!("mdo deploy{} creates it with the warm rule of its function.json", session.flags()),
            ));
        }
    }
    let desired = desired(session, &observed, &chosen, args);
    let names = session.settings.names();
    let nothing = (BTreeSet::new(), BTreeSet::new());
    let plan = stack::plan(&names, desired, &observed.stack, &Selection::All, &nothing.0, &nothing.1);
    let location = session.provider.location().await?;
    if plan.is_empty() {
        let calls = session.provider.calls();
        if args.json {
            output::json(&output::PlanDocument::new(&plan, session.provider.as_ref()));
        } else {
            let heading = Heading { names: &names, location: &location };
            output::data(&output::nothing_to_do(&heading, &plan, start.elapsed(), calls));
        }
        say_who_else(session, &edits);
        return write(session, edits);
    }
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    applying::show(&execution, args.json);
    say_who_else(session, &edits);
    Consent { yes: args.yes }.to_delete(session, &plan).await?;
    let verb = if args.off { "Stopped" } else { "Warmed" };
    applying::run(
        &execution,
        &RunOptions { verb, json: args.json, documents: None, concurrency: 16, start, interrupt },
    )
    .await?;
    // The files say so once it is so.
    write(session, edits)
}

/// Says which files are to be written, and that what they hold is for every stage.
fn say_who_else(session: &Session, edits: &[(PathBuf, String)]) {
    if edits.is_empty() {
        return;
    }
    let others: Vec<_> = session.project.stages().filter(|stage| **stage != session.settings.stage).collect();
    let others = others.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let others = if others.is_empty() { "every other stage".to_owned() } else { others };
    let files: Vec<_> = edits.iter().map(|(path, _)| shown(session, path)).collect();
    let files = files.join(", ");
    output::message(&format!("note: `warm` of {files} applies to {others} too from the next deploy there"));
}

/// Writes the files, and says which.
fn write(session: &Session, edits: Vec<(PathBuf, String)>) -> Result<(), Failure> {
    for (path, content) in edits {
        replace(&path, &content)?;
        output::message(&format!("note: wrote `warm` into {}", shown(session, &path)));
    }
    Ok(())
}

/// A file of the project as messages call it.
fn shown(session: &Session, path: &Path) -> String {
    path.strip_prefix(session.project.root()).unwrap_or(path).display().to_string()
}

/// Checks that function.json is where the rules come from, and that there is a rate for each.
fn check_files_agree(session: &Session, chosen: &[FunctionName], args: &Args) -> Result<(), Failure> {
    let stage = &session.settings.stage;
    let overridden = |name| session.project.overrides_warm(stage, name);
    if let Some(table) = chosen.iter().find_map(overridden) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!(
                "project.toml has warm rules of its own for stage {stage}, which weigh more than function.json"
            ),
            format!("change `warm` of {table} and deploy: mdo deploy{}", session.flags()),
        ));
    }
    let without_rate = |name: &&FunctionName| session.settings.functions[*name].warm.is_none();
    match chosen.iter().find(without_rate).filter(|_| args.rate.is_none() && !args.off) {
        None => Ok(()),
        Some(name) => Err(Failure::with_help(
            exit_code::USAGE,
            format!("function {name} has no warm rule yet"),
            "pass --rate, such as --rate 5m",
        )),
    }
}

/// What each function.json becomes, so that the next deploy agrees.
fn edits(session: &Session, chosen: &[FunctionName], args: &Args) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut edits = Vec::new();
    for name in chosen {
        let path = session.settings.functions[name].folder.join("function.json");
        let text = std::fs::read_to_string(&path)?;
        let wanted = wanted(session, name, args);
        let current = serde_json::from_str::<Value>(&text).ok().and_then(|file| file.get("warm").cloned());
        if current == wanted.map(|warm| json!(warm)) {
            continue;
        }
        let edited = project::set_key(&text, "warm", wanted.as_ref())
            .map_err(|error| Failure::new(exit_code::USAGE, format!("{}: {error}", path.display())))?;
        edits.push((path, edited));
    }
    Ok(edits)
}

fn wanted(session: &Session, name: &FunctionName, args: &Args) -> Option<Warm> {
    let current = session.settings.functions[name].warm.filter(|_| !args.off);
    let rate = args.rate.or(current.map(|warm| warm.rate))?;
    let concurrency = args.concurrency.or(current.map(|warm| warm.concurrency)).unwrap_or(1);
    Some(Warm { rate, concurrency })
}

/// What is live, with other warm rules.
fn desired(session: &Session, observed: &Observed, chosen: &[FunctionName], args: &Args) -> Stack {
    let mut desired = observed.stack.clone();
    let names = session.settings.names();
    for name in chosen {
        let warm = wanted(session, name, args);
        match warm {
            Some(warm) => {
                let tags = session.settings.stage_tags.clone();
                let rule = WarmRule { tags, ..stack::warm_rule(&names, name, warm) };
                desired.warm_rules.insert(name.clone(), rule)
            }
            None => desired.warm_rules.remove(name),
        };
        if let Some(function) = desired.functions.get_mut(name) {
            if warm.is_some() {
                function.invokers.insert(Invoker::WarmRule);
            } else {
                function.invokers.remove(&Invoker::WarmRule);
            }
        }
    }
    desired
}
