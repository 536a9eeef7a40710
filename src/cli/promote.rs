//! `mdo promote`: gives a stage the code of another one, with its own environment and settings.

mod hosted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_engine::{Observed, Packages, Scope};
use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, FunctionName, StageName};
use mdo_model::stack::{self, Selection};

use super::applying::{self, Execution, RunOptions};
use super::arguments::{Environment, StackArgs, Target};
use super::consent::Consent;
use super::interrupt::Interrupt;
use super::names;
use super::oversized::check_environment_sizes;
use super::session::Session;
use super::{canary, planning, undoing};
use crate::output::{self, Failure, exit_code};

/// How many resources may be worked on at once.
const CONCURRENCY: usize = 16;

/// Give a stage the code that another stage runs
///
/// Nothing is built, and nothing of this folder is sent: the code is what the other stage serves, byte for byte. Environment, memory, routes
/// and whatever else the files say of a stage are the stage's own. What is live and in no file stays. Of stages that servers host, it is the
/// image that moves, and with it what is in it: routes, memory and timeouts of its functions.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo promote dev prod
  mdo promote stage prod sample_producer -s N_CLASSES=3")]
pub(super) struct Args {
    /// The stage whose code it is
    #[arg(value_name = "FROM", add = ArgValueCandidates::new(names::stages))]
    from: StageName,
    /// The stage that gets it
    #[arg(value_name = "TO", add = ArgValueCandidates::new(names::stages))]
    to: StageName,
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    #[command(flatten)]
    environment: Environment,
    /// The AWS region [default: project.toml, else the SDK's own chain]
    #[arg(long)]
    region: Option<String>,
    /// The profile of the AWS credentials; '' for none [default: project.toml, else the SDK's own chain]
    #[arg(long)]
    profile: Option<String>,
    /// Do not ask before something is deleted, or a rollback undone
    #[arg(long, short = 'y')]
    yes: bool,
    /// Show what would change; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// What a stage serves of each function: the version and its code.
type Served = BTreeMap<FunctionName, (u64, Sha256)>;

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    if args.from == args.to {
        let message = format!("stage {} has its own code already", args.to);
        return Err(Failure::with_help(exit_code::USAGE, message, "name two stages: mdo promote dev prod"));
    }
    let place = |stage: &StageName| StackArgs {
        stage: Some(stage.clone()),
        local: false,
        region: args.region.clone(),
        profile: args.profile.clone(),
    };
    let source = Session::open_live(&place(&args.from)).await?;
    let target = Target {
        functions: args.functions.clone(),
        place: place(&args.to),
        environment: args.environment.clone(),
        ..Target::default()
    };
    let mut session = Session::open(&target.place, &target.overrides()).await?;
    session.look_up(&target.functions).await?;
    if are_hosted(&source, &session)? {
        return hosted::run(&args, (&source, &session), &target, (start, interrupt)).await;
    }
    let selection = planning::select(&session.settings, &target.functions)?;
    let from = source.observe(&source.scope(false)).await?;
    check_place(&source, &session).await?;
    let served = served(&source, &session, &from, &selection)?;
    let inputs = inputs(&session, &from, &served)?;
    let scope = Scope { derivatives: inputs.clone(), ..session.scope(false) };
    let observed = session.observe(&scope).await?;
    planning::check_required_environment(&session, &target, &selection, &observed)?;
    let code = served.iter().map(|(name, (_, code))| (name.clone(), *code)).collect();
    let desired = stack::desired(&session.settings, &code, &inputs);
    let shared = planning::shared(&session, &scope, &desired, &observed).await?;
    let names = session.settings.names();
    let unset = planning::unset(&target, &observed);
    let selection = match selection {
        // What the other stage does not run is not taken away here.
        Selection::All => Selection::Only(served.keys().cloned().collect()),
        only => only,
    };
    let plan = stack::plan(&names, desired, &observed.stack, &selection, &unset, &shared)
        .with_origins(&session.settings);
    check_environment_sizes(&plan)?;
    canary::check_none_runs(&session, &observed, &plan)?;
    let location = session.provider.location().await?;
    let packages = Packages {
        versions: served.into_iter().map(|(name, (version, _))| (name, version)).collect(),
        ..Packages::default()
    };
    let execution = Execution::of(&session, &plan, &packages, &location);
    carry_out(&args, "code", (&session, &observed), &execution, (start, interrupt)).await
}

/// Shows what a promotion changes, asks where that is owed, and does it. `what` is what the stages have in common then.
async fn carry_out(
    args: &Args,
    what: &str,
    (session, observed): (&Session, &Observed),
    execution: &Execution<'_>,
    (mut start, interrupt): (Instant, &Interrupt),
) -> Result<(), Failure> {
    if execution.plan.is_empty() {
        let why = format!("nothing to do: the stages run the same {what}");
        applying::show_nothing(execution, args.json, &why);
        return Ok(());
    }
    if args.dry_run {
        applying::show_dry(execution, args.json);
        return Ok(());
    }
    if !args.json {
        output::data(&format!("stage {} gets the {what} of stage {}\n\n", args.to, args.from));
    }
    applying::show(execution, args.json);
    let asked = Instant::now();
    Consent { yes: args.yes }.to_delete(session, execution.plan).await?;
    undoing::check(session, (execution.plan, observed), args.yes).await?;
    // The time that a person takes to answer is not the command's.
    start += asked.elapsed();
    let options = RunOptions {
        verb: "Promoted",
        json: args.json,
        documents: None,
        concurrency: CONCURRENCY,
        start,
        interrupt,
    };
    applying::run(execution, &options).await.map(drop)
}

/// Whether servers host both stages. Code moves between functions of Lambda, and images between servers.
fn are_hosted(source: &Session, session: &Session) -> Result<bool, Failure> {
    let hosted = [source, session].map(|session| session.settings.server.is_some());
    let [from, to] = [source, session].map(|session| &session.settings.stage);
    let message = match hosted {
        [true, true] => return Ok(true),
        [false, false] => return Ok(false),
        [true, false] => format!(
            "stage {from} is hosted by servers, and stage {to} is not: an image is no code of functions"
        ),
        [false, true] => format!(
            "stage {to} is hosted by servers, and stage {from} is not: the code of functions is no image"
        ),
    };
    let help = format!("deploy the commit that stage {from} runs: mdo deploy{}", session.flags());
    Err(Failure::with_help(exit_code::USAGE, message, help))
}

/// Both stages have to be stages of the same functions.
async fn check_place(source: &Session, session: &Session) -> Result<(), Failure> {
    let (from, to) = (source.provider.location().await?, session.provider.location().await?);
    if from == to {
        return Ok(());
    }
    let (a, b) = (&source.settings.stage, &session.settings.stage);
    let message = format!("stage {a} is in {from}, and stage {b} in {to}: they share no code");
    let help = format!("deploy the commit that stage {a} runs: mdo deploy{}", session.flags());
    Err(Failure::with_help(exit_code::USAGE, message, help))
}

/// What the source stage serves of the functions that are meant.
fn served(
    source: &Session,
    session: &Session,
    from: &Observed,
    selection: &Selection,
) -> Result<Served, Failure> {
    let mut served = Served::new();
    for name in session.settings.functions.keys().filter(|name| selection.contains(name)) {
        let version = from.functions.get(name).and_then(|live| live.version.as_ref()?.parse().ok());
        let code = from.stack.functions.get(name).and_then(|function| function.code);
        if let Some(found) = version.zip(code) {
            served.insert(name.clone(), found);
        } else if matches!(selection, Selection::Only(_)) {
            let message = format!("function {name} is not deployed at stage {}", source.settings.stage);
            return Err(Failure::new(exit_code::FAILED, message));
        }
    }
    if served.is_empty() {
        let message = format!("nothing is deployed at stage {}", source.settings.stage);
        return Err(Failure::with_help(exit_code::FAILED, message, format!("mdo deploy{}", source.flags())));
    }
    Ok(served)
}

/// The derivatives that the source's functions run with, for those of the target.
fn inputs(
    session: &Session,
    from: &Observed,
    served: &Served,
) -> Result<BTreeMap<DerivativeId, Sha256>, Failure> {
    let mut inputs = BTreeMap::new();
    for (name, settings) in session.settings.functions.iter().filter(|(name, _)| served.contains_key(*name)) {
        let run_with = &from.stack.functions[name].derivatives;
        let known: BTreeSet<_> = run_with.keys().collect();
        for id in settings.derivative_ids() {
            match run_with.get(&id.name).copied().flatten() {
                Some(found) => drop(inputs.insert(id, found)),
                None => {
                    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                    let has = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    let message = format!(
                        "function {name} wants derivative {}, and what is promoted runs with {has}",
                        id.name
                    );
                    let help = format!("deploy it instead: mdo deploy{}", session.flags());
                    return Err(Failure::with_help(exit_code::FAILED, message, help));
                }
            }
        }
    }
    Ok(inputs)
}
