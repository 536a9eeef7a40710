//! `mdo history`: what was deployed, when, from what and by whom, and what of it is live where.

use std::collections::BTreeMap;

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_engine::{ApiDeployment, FunctionHistory};
use mdo_model::project::FunctionName;

use super::arguments::StackArgs;
use super::names;
use super::planning;
use super::session::Session;
use crate::output::{self, Failure, Heading, exit_code};

/// Show what was deployed before: versions, their source and deployer, and what is live where
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo history
  mdo history sample_producer --limit 50
  mdo history --json

`mdo rollback` goes back to a version.")]
pub(super) struct Args {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    /// How many of the newest versions of each function are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let session = Session::open_live(&args.place).await?;
    let selection = planning::select(&session.settings, &args.functions)?;
    let observed = session.observe(&session.scope(false)).await?;
    let names = session.settings.names();
    if observed.stack.server.is_some() {
        return hosted(&session, &args).await;
    }
    let known = session.settings.functions.keys().chain(observed.stack.functions.keys());
    let chosen: Vec<&FunctionName> = known.filter(|name| selection.contains(name)).collect();
    let history = session.connection.history.as_ref();
    let each = chosen.into_iter().map(async |name| {
        let mut found = history.versions(name).await?;
        if let Some(found) = &mut found {
            found.versions.truncate(args.limit);
        }
        Ok::<_, Failure>(found.map(|found| (name.clone(), found)))
    });
    let functions: BTreeMap<FunctionName, FunctionHistory> =
        futures::future::try_join_all(each).await?.into_iter().flatten().collect();
    let mut deployments = history.deployments().await?;
    deployments.truncate(args.limit);
    let location = session.provider.location().await?;
    if args.json {
        let provider = session.provider.as_ref();
        output::json(&output::HistoryDocument::new(&names, provider, &functions, &deployments));
        return Ok(());
    }
    let mut text = Heading { names: &names, location: &location }.to_string();
    if functions.is_empty() {
        text.push_str("  nothing was deployed here\n");
    }
    for (name, found) in &functions {
        text.push_str(&format!("\n  {name}\n{}", output::table(&versions(found))));
    }
    if !deployments.is_empty() {
        text.push_str(&format!("\n  api\n{}", output::table(&api(&deployments))));
    }
    output::data(&text);
    Ok(())
}

fn versions(found: &FunctionHistory) -> Vec<Vec<String>> {
    let row = |version: &mdo_engine::PublishedVersion| {
        let serving = found.live.iter().filter_map(|(alias, share)| match share.canary {
            Some((number, percent)) if number == version.number => Some(format!("{percent} % of {alias}")),
            _ if share.version == version.number => Some(format!("live at {alias}")),
            _ => None,
        });
        vec![
            format!("  {}", version.number),
            version.published.as_deref().map(moment).unwrap_or_default(),
            version.stage.as_ref().map(ToString::to_string).unwrap_or_default(),
            version.source.clone().unwrap_or_default(),
            version.deployer.clone().unwrap_or_default(),
            serving.collect::<Vec<_>>().join(", "),
        ]
    };
    found.versions.iter().map(row).collect()
}

fn api(deployments: &[ApiDeployment]) -> Vec<Vec<String>> {
    let row = |deployment: &ApiDeployment| {
        let serving: Vec<String> =
            deployment.serving.iter().map(|stage| format!("live at {stage}")).collect();
        let by_hand = || "not by mdo".to_owned();
        vec![
            format!("  {}", deployment.id),
            deployment.created.as_deref().map(moment).unwrap_or_default(),
            deployment.stage.as_ref().map_or_else(by_hand, ToString::to_string),
            serving.join(", "),
        ]
    };
    deployments.iter().map(row).collect()
}

/// `2026-11-27 12:30:00` of a time in RFC 3339.
fn moment(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

/// A hosted stage has revisions, which tell less.
async fn hosted(session: &Session, args: &Args) -> Result<(), Failure> {
    let missing = || Failure::new(exit_code::FAILED, "this provider keeps no revisions");
    let revisions = session.connection.revisions.clone().ok_or_else(missing)?;
    let mut known = revisions.revisions().await?;
    known.numbers.truncate(args.limit);
    let names = session.settings.names();
    let location = session.provider.location().await?;
    if args.json {
        let provider = session.provider.as_ref();
        output::json(&output::HistoryDocument::of_revisions(&names, provider, &known));
        return Ok(());
    }
    let row = |number: &u32| {
        let live = if known.live == Some(*number) { "live" } else { "" };
        vec![format!("revision {number}"), live.to_owned()]
    };
    let rows: Vec<Vec<String>> = known.numbers.iter().map(row).collect();
    output::data(&format!("{}\n{}", Heading { names: &names, location: &location }, output::table(&rows)));
    Ok(())
}
