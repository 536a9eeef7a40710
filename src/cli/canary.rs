//! `mdo canary`: versions that answer a part of the requests on trial, and the end of it.

mod watching;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use mdo_engine::{Observed, Packages};
use mdo_model::project::FunctionName;
use mdo_model::stack::{self, Function, Plan};

use super::alarms::AlarmArgs;
use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

pub(super) use watching::Watching;

/// How many functions are moved at once.
const CONCURRENCY: usize = 16;

/// Show what is on trial, let it answer all requests, or none
///
/// `mdo deploy --canary 10%` lets new versions answer so many of a hundred requests, and the live ones the others.
#[derive(Debug, Parser)]
#[command(mut_arg("alarm", |arg| arg.required_if_eq("end", "watch")), after_help = "Examples:
  mdo deploy --canary 10% --stage prod
  mdo canary --stage prod                what is on trial
  mdo canary finish --stage prod
  mdo canary abort --stage prod
  mdo canary watch --alarm shop-errors --for 10m --stage prod")]
pub(super) struct Args {
    /// How the trial ends [default: it goes on, and is shown]
    #[arg(value_enum)]
    end: Option<Asked>,
    #[command(flatten)]
    alarms: AlarmArgs,
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// How a trial is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// What is on trial answers all requests
    Finish,
    /// What was live before answers all requests again
    Abort,
    /// As the alarms say that --alarm names
    Watch,
}

/// How a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Finish,
    Abort,
}

impl End {
    /// How its plan is run.
    fn options(self, start: Instant, interrupt: &Interrupt, json: bool) -> RunOptions<'_> {
        let verb = if self == Self::Finish { "Finished" } else { "Aborted" };
        RunOptions { verb, json, documents: None, concurrency: CONCURRENCY, start, interrupt }
    }
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    if !args.alarms.alarm.is_empty() && args.end != Some(Asked::Watch) {
        let help = "mdo canary watch --alarm NAME --for 10m";
        return Err(Failure::with_help(exit_code::USAGE, "--alarm is for `mdo canary watch`", help));
    }
    let session = Session::open_live(&args.place).await?;
    let alarms = args.alarms.watched(&session)?;
    let observed = session.observe(&session.scope(false)).await?;
    let tried = tried(&observed);
    if let Some(alarms) = alarms {
        if tried.is_empty() {
            return Err(nothing(&session));
        }
        alarms.check().await?;
        let documents = RefCell::default();
        let watching = Watching {
            session: &session,
            alarms,
            functions: None,
            start,
            interrupt,
            json: args.json,
            documents,
        };
        return watching.decide(Ok(())).await;
    }
    let how = match args.end {
        Some(Asked::Finish) => End::Finish,
        Some(Asked::Abort) => End::Abort,
        Some(Asked::Watch) | None => return show(&session, &observed, args.json).await,
    };
    end(&session, &tried, how, &how.options(start, interrupt, args.json)).await
}

/// The functions of which a version is on trial.
fn tried(observed: &Observed) -> BTreeMap<FunctionName, Function> {
    let functions = observed.stack.functions.iter().filter(|(_, function)| function.canary.is_some());
    functions.map(|(name, function)| (name.clone(), function.clone())).collect()
}

/// Ends these trials.
async fn end(
    session: &Session,
    tried: &BTreeMap<FunctionName, Function>,
    how: End,
    options: &RunOptions<'_>,
) -> Result<(), Failure> {
    let plan = stack::end_canary(&session.settings.names(), tried, how == End::Finish);
    let location = session.provider.location().await?;
    if plan.is_empty() {
        return Err(nothing(session));
    }
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    applying::show(&execution, options.json);
    applying::run(&execution, options).await.map(drop)
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

/// Refuses to go over a trial: it would end, one way or the other, without a word. One that was cut short before it began is none.
pub(super) fn check_none_runs(session: &Session, observed: &Observed, plan: &Plan) -> Result<(), Failure> {
    let Some((name, function)) = tried(observed).into_iter().find(|(name, function)| {
        function.canary.as_ref().is_some_and(|canary| canary.percent > 0)
            && plan.changes.iter().any(|change| change.id.name == name.as_str() && change.before.is_some())
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
