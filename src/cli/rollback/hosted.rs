//! A hosted stage's way back: to an earlier revision of what its tasks run.

use std::sync::Arc;
use std::time::Instant;

use mdo_engine::{Cause, LiveRevisions, Observed, Packages, Revisions};
use mdo_model::stack::{self, Plan};

use super::Args;
use crate::cli::applying::{self, Execution, RunOptions};
use crate::cli::deploy;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;
use crate::output::{self, Failure, exit_code};

/// Goes back to the revision that is asked for.
pub(super) async fn run(
    args: &Args,
    session: &Session,
    observed: &Observed,
    (start, interrupt): (Instant, &Interrupt),
) -> Result<(), Failure> {
    if !args.functions.is_empty() {
        let message = "a hosted stage goes back as a whole: its functions are in one image";
        return Err(Failure::with_help(
            exit_code::USAGE,
            message,
            format!("mdo rollback{}", session.flags()),
        ));
    }
    let missing = || Failure::new(exit_code::FAILED, "this provider keeps no revisions");
    let revisions = session.connection.revisions.clone().ok_or_else(missing)?;
    let known = revisions.revisions().await?;
    let (number, plan) = match args.to.map(u32::try_from) {
        Some(number) => {
            let number = number.unwrap_or(u32::MAX);
            (
                number,
                plan_to(session, observed, &revisions, number).await.map_err(|error| named(error, &known))?,
            )
        }
        None => earlier(session, observed, &revisions, &known, args.steps).await?,
    };
    let location = session.provider.location().await?;
    let packages = Packages { leaves_rollouts: args.no_wait, ..Packages::default() };
    let execution = Execution::of(session, &plan, &packages, &location);
    if plan.is_empty() {
        let why = format!("nothing to do: revision {number} says what runs");
        applying::show_nothing(&execution, args.json, &why);
        return Ok(());
    }
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
        output::message(&deploy::goes_on(session));
    }
    output::message("note: the next `mdo deploy` brings again what the files say, and asks before");
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
    let before = known.numbers.iter().filter(|number| known.stands_for.is_none_or(|live| **number < live));
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
