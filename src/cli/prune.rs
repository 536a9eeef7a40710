//! `mdo prune`: removes what deploys have left behind and no stage runs with.

use std::time::Instant;

use clap::Parser;
use mdo_engine::Packages;
use mdo_model::stack::{self, LiveVersions};

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::consent::Consent;
use super::interrupt::Interrupt;
use super::session::Session;
use crate::output::{Failure, count};

/// How many versions are removed at once. Their quota is small.
const CONCURRENCY: usize = 4;

/// Remove old versions, deployments, images and packages that no stage of the project runs with
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo prune --dry-run                    what would go, and what that frees
  mdo prune --keep 2 --yes               in CI

What any stage runs with stays, and so do the newest versions: of each layer, and of what each stage \
has made of each function, of the API and of its servers. `mdo rollback` goes back to those. An image goes \
where no revision of servers that stays needs it, and a package in the bucket of [artifacts] where no version is made of it.")]
pub(super) struct Args {
    #[command(flatten)]
    place: StackArgs,
    /// How many of the newest versions of each stay, in use or not
    #[arg(long, value_name = "N", default_value_t = 5)]
    keep: u16,
    /// Show what would go; remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal to ask at
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut start = Instant::now();
    let session = Session::open_live(&args.place).await?;
    let live = match &session.connection.versions {
        Some(versions) => versions.live_versions().await?,
        None => LiveVersions::default(),
    };
    let plan = stack::prune(&session.settings.names(), &live, args.keep.into());
    let location = session.provider.location().await?;
    let packages = Packages::default();
    let execution = Execution::of(&session, &plan, &packages, &location);
    if plan.is_empty() {
        let checked = match session.connection.versions {
            Some(_) => format!(" (checked {})", count(plan.checked, "version")),
            None => " on this machine".to_owned(),
        };
        applying::show_nothing(&execution, args.json, &format!("nothing to prune{checked}"));
        return Ok(());
    }
    if args.dry_run {
        applying::show_dry(&execution, args.json);
        return Ok(());
    }
    applying::show(&execution, args.json);
    let asked = Instant::now();
    Consent { yes: args.yes }.to_prune(&session, &plan).await?;
    // The time that a person takes to answer is not the command's.
    start += asked.elapsed();
    let options = RunOptions {
        verb: "Pruned",
        json: args.json,
        documents: None,
        concurrency: CONCURRENCY,
        start,
        interrupt,
    };
    applying::run(&execution, &options).await.map(drop)
}
