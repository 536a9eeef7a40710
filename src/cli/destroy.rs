//! `mdo destroy`: removes everything that the project owns at a stage, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use clap::Parser;
use mdo_engine::{Packages, Scope};
use mdo_model::stack;
use serde_json::{Value, json};

use super::applying::{self, Manner, Work};
use super::arguments::Place;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// Remove everything that the project owns at a stage, and nothing else
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo destroy --stage alice
  mdo destroy --all --yes                every stage, and with the last one the API, the functions and the role")]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Remove every stage
    #[arg(long, conflicts_with = "stage")]
    all: bool,
    /// Do not ask; needed on AWS where there is no terminal to ask at
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    if !args.yes && !applying::is_interactive() && !args.place.local {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "destroy asks first, and there is no terminal to ask at",
            "pass --yes if you mean it",
        ));
    }
    let session = Session::open_live(&args.place).await?;
    if !args.all {
        return destroy(&session, &args, None, interrupt).await;
    }
    let mut stages = session.provider.stages().await?;
    if stages.is_empty() {
        // What is left when the last stage is gone, the role for instance, is found from any stage.
        stages.push(session.settings.stage.clone());
    }
    let documents = RefCell::new(Vec::new());
    let all = async {
        for stage in stages {
            let place = Place { stage: Some(stage), ..args.place.clone() };
            destroy(&Session::open_live(&place).await?, &args, Some(&documents), interrupt).await?;
        }
        Ok::<_, Failure>(())
    };
    let outcome = all.await;
    if args.json {
        // What was done is told, whatever became of the rest.
        output::json(&json!({
            "version": 1,
            "project": session.settings.project,
            "provider": session.provider.name(),
            "stages": documents.into_inner(),
        }));
    }
    outcome
}

async fn destroy(
    session: &Session,
    args: &Args,
    documents: Option<&RefCell<Vec<Value>>>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let start = Instant::now();
    let observed = session.provider.observe(&Scope { thorough: true, ..session.scope(false) }).await?;
    let names = session.settings.names();
    let plan = stack::destroy(&names, &observed.stack, &observed.shared);
    let place = session.provider.location().await?;
    if plan.is_empty() {
        if args.json {
            applying::tell(&documents, output::plan_document(&plan, session.provider.name()));
        } else {
            output::data(&format!("{}  nothing to destroy\n", Heading { names: &names, place: &place }));
        }
        return Ok(());
    }
    let work = Work {
        provider: session.provider.as_ref(),
        plan: &plan,
        packages: &Packages::new(),
        sizes: &BTreeMap::new(),
        place: &place,
    };
    applying::show(&work, args.json);
    let question = format!("Destroy stage {} of {}?", names.stage, names.project);
    if !applying::agreed(&question, args.yes).await? {
        let message = format!("stage {} was not destroyed; nothing of it was changed", names.stage);
        return Err(Failure::new(exit_code::FAILED, message));
    }
    let manner = Manner { verb: "Destroyed", json: args.json, documents, concurrency: 16, start, interrupt };
    applying::run(&work, &manner).await.map(|_| ())
}
