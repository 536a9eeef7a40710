//! `mdo destroy`: removes everything that the project owns at a stage, and nothing else.

use std::cell::RefCell;
use std::time::Instant;

use clap::Parser;
use mdo_engine::{Packages, Scope};
use mdo_model::project::StageName;
use mdo_model::stack;

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::consent::Consent;
use super::foreign_policies;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{self, Failure, Heading, PlanDocument, exit_code};

/// Remove everything that the project owns at a stage, and nothing else
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo destroy --stage alice
  mdo destroy --all --yes                every stage, and at last API and role

At a terminal, mdo asks for the name of the stage before it removes anything.")]
pub(super) struct Args {
    #[command(flatten)]
    place: StackArgs,
    /// Remove every stage
    #[arg(long, conflicts_with = "stage")]
    all: bool,
    /// Do not ask; needed where there is no terminal to ask at
    #[arg(long, short = 'y')]
    yes: bool,
    /// Keep the log groups, with the logs in them
    #[arg(long)]
    keep_logs: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let session = Session::open_live(&args.place).await?;
    if !args.all {
        return destroy(&session, &args, None, interrupt).await.map(drop);
    }
    let mut stages = session.provider.stages().await?;
    if stages.is_empty() {
        // What is left when the last stage is gone, the role for instance, is found from any stage.
        stages.push(session.settings.stage.clone());
    }
    if stages.len() > 1 {
        foreign_policies::check_all(&session).await?;
    }
    let documents = RefCell::new(Vec::new());
    let outcome = destroy_each(stages, &args, &documents, interrupt).await;
    if !args.json {
        return outcome;
    }
    // What was done is told, whatever became of the rest.
    let names = session.settings.names();
    let failure = outcome.as_ref().err();
    let stages = documents.into_inner();
    output::json(&output::DestroyAllDocument::new(&names, session.provider.as_ref(), stages, failure));
    outcome.map_err(applying::said)
}

/// Destroys one stage after the other. Once one is gone, a refusal of the next is no refusal of the whole.
async fn destroy_each(
    stages: Vec<StageName>,
    args: &Args,
    documents: &RefCell<Vec<PlanDocument>>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut has_destroyed = false;
    for stage in stages {
        let place = StackArgs { stage: Some(stage), ..args.place.clone() };
        let session = Session::open_live(&place).await?;
        match destroy(&session, args, Some(documents), interrupt).await {
            Ok(destroyed) => has_destroyed |= destroyed,
            Err(failure) if has_destroyed && failure.code == exit_code::USAGE => {
                return Err(Failure { code: exit_code::PARTLY_APPLIED, ..failure });
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Destroys a stage. False where there was nothing to destroy.
async fn destroy(
    session: &Session,
    args: &Args,
    documents: Option<&RefCell<Vec<PlanDocument>>>,
    interrupt: &Interrupt,
) -> Result<bool, Failure> {
    let start = Instant::now();
    let observed = session.observe(&Scope { thorough: true, ..session.scope(false) }).await?;
    let names = session.settings.names();
    let plan = stack::destroy(&names, &observed.stack, &observed.shared);
    let plan = if args.keep_logs { plan.keeping_logs() } else { plan };
    let location = session.provider.location().await?;
    if plan.is_empty() {
        if args.json {
            applying::publish(&documents, PlanDocument::new(&plan, session.provider.as_ref()));
        } else {
            let others = session.other_stages().await?;
            let heading = Heading { names: &names, location: &location };
            output::data(&format!("{heading}  nothing to destroy{others}\n"));
        }
        return Ok(false);
    }
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    applying::show(&execution, args.json);
    foreign_policies::check(session, &plan).await?;
    Consent { yes: args.yes }.to_destroy(session, &plan).await?;
    let options =
        RunOptions { verb: "Destroyed", json: args.json, documents, concurrency: 16, start, interrupt };
    applying::run(&execution, &options).await.map(|_| true)
}
