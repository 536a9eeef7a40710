//! `mdo plan`: what a deploy would change; changes nothing.

use std::path::PathBuf;

use clap::Parser;

use super::adoption;
use super::arguments::Target;
use super::foreign_policies;
use super::planning;
use super::saved::SavedPlan;
use super::session::Session;
use super::undoing;
use crate::output::{self, Failure, Heading, exit_code};

/// Show what a deploy would change; change nothing
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo plan --stage prod
  mdo plan --local -s N_CLASSES=2
  mdo plan --json --exit-code            in CI: exit code 3 if anything changes
  mdo plan --stage prod --out prod.plan  to be reviewed, then:
  mdo deploy --plan prod.plan            just that, or nothing")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// Write the plan into a file too, for `mdo deploy --plan FILE`; no secret is in it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print Markdown, for a comment on a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// The server program for the image of a hosted stage [default: the one in a release build, else mdo-server beside mdo]
    #[arg(long, value_name = "FILE")]
    server_program: Option<PathBuf>,
    /// Exit with 3 when something would change
    #[arg(long)]
    exit_code: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut session = Session::open(&args.target.place, &args.target.overrides()).await?;
    session.look_up(&args.target.functions).await?;
    let target = Target { server_program: args.server_program, ..args.target };
    let planned = planning::plan(&session, &target).await?;
    if let Some(file) = &args.out {
        SavedPlan::write(&session, &planned.plan, &planned.location, file)?;
    }
    let heading = Heading { names: &planned.plan.names, location: &planned.location };
    if args.json {
        let taken = planned.observed.taken_over.as_ref();
        let lost = taken.map(|taken| adoption::lost_routes(&session, taken)).unwrap_or_default();
        let document = output::PlanDocument::new(&planned.plan, session.provider.as_ref());
        output::json(&document.taking_over(taken, lost));
    } else if args.markdown {
        output::data(&output::markdown(&heading, &planned.plan, &planned.sizes));
    } else if planned.plan.is_empty() {
        let calls = session.provider.calls();
        output::data(&output::nothing_to_do(&heading, &planned.plan, planned.took, calls));
    } else {
        output::data(&output::plan(&heading, &planned.plan, &planned.sizes));
        output::data(&output::floor(session.provider.floor(&planned.plan)));
        output::data(&output::cost(&planned.plan));
    }
    undoing::say(&session, &planned.plan, &planned.observed);
    foreign_policies::say(&session, &planned.plan).await;
    if args.exit_code && !planned.plan.is_empty() {
        return Err(Failure::reported(exit_code::CHANGES_PENDING));
    }
    Ok(())
}
