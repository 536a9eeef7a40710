//! `mdo rollback`: makes a hosted stage run what it ran before.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use mdo_engine::{Cause, LiveRevisions, Observed, Packages, Revisions};
use mdo_model::stack::{self, Plan};

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// Go back to what a hosted stage ran before
///
/// Image, routes, environment and size go back together, as one revision froze them. Keys stay as they are, so that one that was
/// deleted since opens nothing again. Nothing is built or sent. Revisions that say the same as the one that runs are passed by.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo rollback --stage prod
  mdo rollback --stage prod --to 12

The next `mdo deploy` brings again what the files say.")]
pub(super) struct Args {
    #[command(flatten)]
    place: StackArgs,
    /// The revision to go back to
    #[arg(long, value_name = "REVISION", conflicts_with = "steps")]
    to: Option<u32>,
    /// How many revisions to go back
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Do not wait until the tasks serve
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(&args.place).await?;
    let observed = session.provider.observe(&session.scope(false)).await?;
    if observed.stack.server.is_none() {
        return Err(not_hosted(&session));
    }
    let revisions = session.connection.revisions.clone().ok_or_else(|| not_hosted(&session))?;
    let known = revisions.revisions().await?;
    let (number, plan) = match args.to {
        Some(number) => (
            number,
            plan_to(&session, &observed, &revisions, number).await.map_err(|error| named(error, &known))?,
        ),
        None => earlier(&session, &observed, &revisions, &known, args.steps).await?,
    };
    let location = session.provider.location().await?;
    let heading = Heading { names: &plan.names, location: &location };
    if plan.is_empty() {
        if args.json {
            output::json(&output::PlanDocument::new(&plan, session.provider.as_ref()));
        } else {
            output::data(&format!("{heading}  nothing to do: revision {number} says what runs\n"));
        }
        return Ok(());
    }
    let packages = Packages { leaves_rollouts: args.no_wait, ..Packages::default() };
    let execution = Execution {
        provider: session.provider.as_ref(),
        plan: &plan,
        packages: &packages,
        sizes: &output::Sizes::default(),
        location: &location,
    };
    if !args.json {
        let live = known.live.map(|live| format!("from revision {live} ")).unwrap_or_default();
        output::data(&format!("going back {live}to revision {number}\n\n"));
    }
    applying::show(&execution, args.json);
    let options = RunOptions {
        verb: "Rolled back",
        json: args.json,
        documents: None,
        concurrency: 1,
        start,
        interrupt,
    };
    applying::run(&execution, &options).await?;
    if args.no_wait {
        output::message(&super::deploy::goes_on(&session));
    }
    output::message("note: the next `mdo deploy` brings again what the files say");
    Ok(())
}

/// The plan to the revision that lies so many steps before the one that runs.
async fn earlier(
    session: &Session,
    observed: &Observed,
    revisions: &Arc<dyn Revisions>,
    known: &LiveRevisions,
    steps: u32,
) -> Result<(u32, Plan), Failure> {
    let before = known.numbers.iter().filter(|number| known.live.is_none_or(|live| **number < live));
    let mut found = 0;
    for &number in before {
        match plan_to(session, observed, revisions, number).await {
            Ok(plan) if plan.is_empty() => {}
            Ok(plan) => {
                found += 1;
                if found == steps {
                    return Ok((number, plan));
                }
            }
            Err(error) if error.cause == Cause::Invalid => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stage = &session.settings.stage;
    let message = match found {
        0 => format!("stage {stage} has run nothing else before"),
        1 => format!("stage {stage} can go back by 1 revision, not by {steps}"),
        _ => format!("stage {stage} can go back by {found} revisions, not by {steps}"),
    };
    Err(Failure::new(exit_code::FAILED, message))
}

async fn plan_to(
    session: &Session,
    observed: &Observed,
    revisions: &Arc<dyn Revisions>,
    number: u32,
) -> Result<Plan, mdo_engine::Error> {
    let earlier = revisions.revision(number).await?;
    Ok(stack::rollback(&session.settings.names(), &observed.stack, &earlier))
}

/// A failure about a revision that somebody has named.
fn named(error: mdo_engine::Error, known: &LiveRevisions) -> Failure {
    let numbers: Vec<String> = known.numbers.iter().map(ToString::to_string).collect();
    let help = format!("there are {}", numbers.join(", "));
    match error.cause {
        Cause::Gone | Cause::Invalid => Failure::with_help(exit_code::USAGE, error.message, help),
        _ => error.into(),
    }
}

fn not_hosted(session: &Session) -> Failure {
    let stage = &session.settings.stage;
    let (message, help) = if session.is_local() {
        (
            "this machine keeps no earlier revision".to_owned(),
            "check out the earlier revision of the project, and run `mdo dev`".to_owned(),
        )
    } else if session.settings.server.is_some() {
        (format!("no server answers stage {stage} yet"), format!("mdo deploy{}", session.flags()))
    } else {
        (
            format!("stage {stage} is served by Lambda, where mdo cannot go back yet"),
            format!(
                "check out the earlier revision of the project, and run `mdo deploy{}`: code and environment of a function change together",
                session.flags()
            ),
        )
    };
    Failure::with_help(exit_code::FAILED, message, help)
}
