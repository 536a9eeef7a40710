//! `mdo rollback`: makes a stage run what it ran before.

mod functions;
mod hosted;

use std::time::Instant;

use clap::Parser;
use clap_complete::ArgValueCandidates;

use super::arguments::StackArgs;
use super::interrupt::Interrupt;
use super::names;
use super::session::Session;
use crate::output::{Failure, exit_code};

/// Go back to what a stage ran before
///
/// Code and environment of a function go back together, as a version froze them; nothing is built or sent, and no request fails. Without
/// a name, what the last deploy changed goes back. Twice is two back. Of a hosted stage, image, routes, environment and size go back, as
/// one revision froze them. Keys and warm rules stay as they are.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo rollback                           undo the last deploy
  mdo rollback sample_producer --to 12
  mdo rollback --stage prod --steps 2

The next `mdo deploy` brings again what the files say, and asks before. \
`mdo history` lists the versions.")]
pub(super) struct Args {
    /// The functions, as names or globs [default: those that the last deploy changed]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    #[command(flatten)]
    place: StackArgs,
    /// The version of the function, or the revision of the hosted stage, to go back to
    #[arg(long, value_name = "VERSION", conflicts_with = "steps")]
    to: Option<u64>,
    /// How many versions, or revisions, to go back
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Leave the routes as they are, also where they were others with the earlier version
    #[arg(long)]
    keep_routes: bool,
    /// Do not wait until the tasks of a hosted stage serve
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(&args.place).await?;
    let observed = session.observe(&session.scope(false)).await?;
    if observed.stack.server.is_some() {
        return hosted::run(&args, &session, &observed, (start, interrupt)).await;
    }
    if observed.stack.functions.is_empty() {
        let others = session.other_stages().await?;
        let message = format!("nothing is deployed at stage {}{others}", session.settings.stage);
        return Err(Failure::with_help(exit_code::FAILED, message, format!("mdo deploy{}", session.flags())));
    }
    functions::run(&args, &session, &observed, (start, interrupt)).await
}
