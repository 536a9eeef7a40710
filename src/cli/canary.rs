//! `mdo canary`: versions that answer a part of the requests on trial, and the end of it.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use mdo_engine::{Observed, Packages};
use mdo_model::project::FunctionName;
use mdo_model::stack::{self, Function, Plan};

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// How many functions are moved at once.
const CONCURRENCY: usize = 16;

/// Show what is on trial, let it answer all requests, or none
///
/// `mdo deploy --canary 10%` lets new versions answer so many of a hundred requests, and the live ones the others.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo deploy --canary 10% --stage prod
  mdo canary --stage prod                what is on trial
  mdo canary finish --stage prod
  mdo canary abort --stage prod")]
pub(super) struct Args {
    /// How the trial ends [default: it goes on, and is shown]
    #[arg(value_enum)]
    end: Option<End>,
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// How a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum End {
    /// What is on trial answers all requests
    Finish,
    /// What was live before answers all requests again
    Abort,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(&args.place).await?;
    let observed = session.provider.observe(&session.scope(false)).await?;
    let tried = tried(&observed);
    match args.end {
        Some(how) => end(&session, &tried, how, (start, interrupt, args.json)).await,
        None => show(&session, &observed, args.json).await,
    }
}

/// The functions of which a version is on trial.
fn tried(observed: &Observed) -> BTreeMap<FunctionName, Function> {
    let functions = observed.stack.functions.iter().filter(|(_, function)| function.canary.is_some());
    functions.map(|(name, function)| (name.clone(), function.clone())).collect()
}

/// Ends every trial of the stage.
async fn end(
    session: &Session,
    tried: &BTreeMap<FunctionName, Function>,
    how: End,
    (start, interrupt, json): (Instant, &Interrupt, bool),
) -> Result<(), Failure> {
    let plan = stack::end_canary(&session.settings.names(), tried, how == End::Finish);
    let location = session.provider.location().await?;
    if plan.is_empty() {
        return Err(nothing(session));
    }
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    applying::show(&execution, json);
    let verb = if how == End::Finish { "Finished" } else { "Aborted" };
    let options = RunOptions { verb, json, documents: None, concurrency: CONCURRENCY, start, interrupt };
    applying::run(&execution, &options).await.map(drop)
}

fn nothing(session: &Session) -> Failure {
    let stage = &session.settings.stage;
    let help = format!("mdo deploy --canary 10%{}", session.flags());
    Failure::with_help(exit_code::FAILED, format!("nothing is on trial at stage {stage}"), help)
}

async fn show(session: &Session, observed: &Observed, json: bool) -> Result<(), Failure> {
    let names = session.settings.names();
    if json {
        output::json(&output::ListDocument::new(&names, session.provider.as_ref(), observed));
        return Ok(());
    }
    let location = session.provider.location().await?;
    output::data(&Heading { names: &names, location: &location }.to_string());
    let row = |(name, function): (&FunctionName, &Function)| {
        let percent = function.canary.as_ref()?.percent;
        let facts = observed.functions.get(name).cloned().unwrap_or_default();
        let version = |version: Option<String>| format!("version {}", version.as_deref().unwrap_or("?"));
        Some(vec![
            name.to_string(),
            format!("{} answers {} %", version(facts.version), 100 - percent),
            format!("{} answers {percent} %", version(facts.canary)),
        ])
    };
    let rows: Vec<Vec<String>> = observed.stack.functions.iter().filter_map(row).collect();
    if rows.is_empty() {
        output::data("  nothing is on trial\n");
    } else {
        output::data(&format!("\n{}", output::table(&rows)));
    }
    Ok(())
}

/// Makes a deploy a trial.
///
/// # Errors
/// When what changes cannot be had for a part of the requests.
pub(super) fn on_trial(session: &Session, plan: Plan, percent: u8) -> Result<Plan, Failure> {
    let local =
        session.is_local().then_some("this machine serves one version of a function at a time".to_owned());
    let plan = local.map_or_else(|| plan.on_trial(percent).map_err(|why| why.to_string()), Err);
    plan.map_err(|why| {
        let help = format!("deploy it as a whole: mdo deploy{}; nothing was changed", session.flags());
        Failure::with_help(exit_code::USAGE, format!("this cannot be tried with {percent} %: {why}"), help)
    })
}

/// Refuses to go over a trial: it would end, one way or the other, without a word.
pub(super) fn check_none_runs(session: &Session, observed: &Observed, plan: &Plan) -> Result<(), Failure> {
    let Some((name, function)) = tried(observed).into_iter().find(|(name, _)| {
        plan.changes.iter().any(|change| change.id.name == name.as_str() && change.before.is_some())
    }) else {
        return Ok(());
    };
    let (stage, flags) = (&session.settings.stage, session.flags());
    let percent = function.canary.map(|canary| canary.percent).unwrap_or_default();
    let message =
        format!("a version of function {name} answers {percent} % of the requests at stage {stage} on trial");
    let help = format!("end the trial first: mdo canary finish{flags}, or mdo canary abort{flags}");
    Err(Failure::with_help(exit_code::USAGE, message, help))
}
