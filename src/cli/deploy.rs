//! `mdo deploy`: makes the stack what the files and flags ask for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use mdo_engine::apply::Report;
use mdo_model::project::{FunctionName, Method, Route, Security};
use mdo_model::stack::{ApiRoute, DEFAULT_KEY, Definition, Kind, Plan, Resource, Stack};

use super::adoption;
use super::alarms::AlarmArgs;
use super::applying::{self, Execution, RunOptions};
use super::arguments::Target;
use super::canary::{self, Watching};
use super::consent::Consent;
use super::derivative;
use super::foreign_policies;
use super::interrupt::Interrupt;
use super::planning::{self, Planned};
use super::renamed::note_deployed;
use super::saved::SavedPlan;
use super::session::Session;
use super::typed::{program, shell_word};
use super::undoing;
use crate::output::{self, Failure, Heading, exit_code};

/// Create or update everything: functions, API, stage, key, warm rules
#[derive(Debug, Parser)]
#[command(mut_arg("alarm", |arg| arg.requires("canary")), after_help = "Examples:
  mdo deploy -s N_CLASSES=2
  mdo deploy --stage prod 'sample_*' --yes
  mdo deploy --stage prod --canary 10% --alarm shop-errors --for 10m
  mdo deploy --local                     here; `mdo dev` also serves it")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Do not ask before something is deleted, or a rollback undone; needed for that where there is no terminal to ask at
    #[arg(long, short = 'y')]
    yes: bool,
    /// Delete keys that no route needs any more; their values are lost for good
    #[arg(long)]
    delete_keys: bool,
    /// Keep the log groups of functions that go, with the logs in them
    #[arg(long)]
    keep_logs: bool,
    /// Let what changes answer so many of a hundred requests, and what is live the others; see `mdo canary`
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "no_wait")]
    canary: Option<u8>,
    #[command(flatten)]
    alarms: AlarmArgs,
    /// Make just what a plan says that `mdo plan --out FILE` wrote, or nothing; does not ask. Takes the same -s, -E and --unset
    #[arg(long, value_name = "FILE", conflicts_with = "canary")]
    plan: Option<PathBuf>,
    /// Do not wait until the new tasks of a hosted stage serve
    #[arg(long)]
    no_wait: bool,
    /// The server program for the image of a hosted stage [default: the one in a release build, else mdo-server beside mdo]
    #[arg(long, value_name = "FILE")]
    server_program: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// How many resources may be worked on at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut start = Instant::now();
    let reviewed = args.plan.as_deref().map(SavedPlan::read).transpose()?;
    let mut target = Target { server_program: args.server_program, ..args.target };
    if let Some(reviewed) = &reviewed {
        target.place.stage.get_or_insert_with(|| reviewed.stage.clone());
    }
    let mut session = Session::open(&target.place, &target.overrides()).await?;
    session.look_up(&target.functions).await?;
    let alarms = args.alarms.watched(&session)?;
    let mut planned = planning::plan(&session, &target).await?;
    planned.packages.leaves_rollouts = args.no_wait;
    if args.keep_logs {
        planned.plan = planned.plan.keeping_logs();
    }
    if let Some(reviewed) = &reviewed {
        reviewed.check(&session, &planned.plan, &planned.location)?;
    }
    if let Some(percent) = args.canary {
        planned.plan = canary::on_trial(&session, planned.plan, percent)?;
    }
    canary::check_none_runs(&session, &planned.observed, &planned.plan)?;
    if let Some(alarms) = &alarms {
        alarms.check().await?;
    }
    if planned.plan.is_empty() {
        unchanged(&session, &planned, args.json);
        derivative::remove_unused_builds(&session.settings).await;
        return Ok(());
    }
    let execution = planned.execution(&session);
    applying::show(&execution, args.json);
    // What was reviewed was agreed to.
    let yes = args.yes || reviewed.is_some();
    check_losses(&session, &planned, args.delete_keys || reviewed.is_some())?;
    foreign_policies::check(&session, &planned.plan).await?;
    let asked = Instant::now();
    Consent { yes }.to_delete(&session, &planned.plan).await?;
    undoing::check(&session, (&planned.plan, &planned.observed), yes).await?;
    adoption::check(&session, &planned.observed, yes).await?;
    // The time that a person takes to answer is not the deploy's.
    start += asked.elapsed();
    let (json, concurrency) = (args.json, args.concurrency.into());
    let watching = alarms.map(|alarms| {
        let functions = Some(functions(&planned.plan));
        Watching {
            session: &session,
            alarms,
            functions,
            start,
            interrupt,
            json,
            documents: RefCell::default(),
        }
    });
    let documents = watching.as_ref().map(|watching| &watching.documents);
    let options = RunOptions { verb: "Deployed", json, documents, concurrency, start, interrupt };
    let deployed = applying::run(&execution, &options).await.map(drop);
    if deployed.is_ok() {
        note_deployed(&session);
        derivative::remove_unused_builds(&session.settings).await;
        if !json {
            say_next_steps(&session, &planned, args.canary.is_some() && watching.is_none());
        }
        if args.no_wait && planned.plan.changes.iter().any(|change| change.id.kind == Kind::Server) {
            output::message(&goes_on(&session));
        }
    }
    match watching {
        Some(watching) => watching.decide(deployed).await,
        None => deployed,
    }
}

/// The functions that a plan changes.
fn functions(plan: &Plan) -> BTreeSet<FunctionName> {
    let functions = plan.changes.iter().filter(|change| change.id.kind == Kind::Function);
    functions.filter_map(|change| change.id.name.parse().ok()).collect()
}

/// Says where to go from here; of a trial also how somebody ends it.
fn say_next_steps(session: &Session, planned: &Planned, somebody_ends_it: bool) {
    if let Some(endpoint) = session.provider.endpoint() {
        if session.is_local() {
            output::data(&format!("  serve mdo dev{}\n", session.stage_flag()));
        }
        output::data(&closing(session, planned, &endpoint));
    }
    if somebody_ends_it {
        let flags = session.flags();
        output::data(&format!("  then  mdo canary finish{flags}, or mdo canary abort{flags}\n"));
    }
}

impl Planned {
    /// What applying the plan needs.
    pub(super) fn execution<'a>(&'a self, session: &'a Session) -> Execution<'a> {
        Execution {
            provider: session.provider.as_ref(),
            plan: &self.plan,
            packages: &self.packages,
            sizes: &self.sizes,
            location: &self.location,
        }
    }
}

/// Reads `10%`, or `10`.
fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<u8>();
    number.ok().filter(|number| (1..=99).contains(number)).ok_or_else(|| "write 1% to 99%".to_owned())
}

/// Refuses what a deploy does not do by accident: to take a whole stage away, or keys, whose values nobody can bring back.
fn check_losses(session: &Session, planned: &Planned, may_delete_keys: bool) -> Result<(), Failure> {
    let stage = &session.settings.stage;
    let destroy = format!("mdo destroy{}", session.flags());
    let goes = |kind: Kind| planned.plan.losses().filter(move |change| change.id.kind == kind);
    let runs_nothing = session.settings.functions.is_empty() && planned.image.is_none();
    if runs_nothing && planned.plan.deletions().next().is_some() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("this would delete everything at stage {stage}: the project has no function"),
            format!("bring functions/ back (is it another branch?), or remove the stage: {destroy}"),
        ));
    }
    let keys: Vec<&str> = goes(Kind::Key).map(|change| change.id.name.as_str()).collect();
    if !keys.is_empty() && !may_delete_keys {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("this would delete the keys {}: no route at stage {stage} is left", keys.join(", ")),
            format!("bring a route back, pass --delete-keys, or remove the whole stage: {destroy}"),
        ));
    }
    Ok(())
}

fn unchanged(session: &Session, planned: &Planned, json: bool) {
    let calls = session.provider.calls();
    if json {
        let report = Report { finished: Vec::new(), warnings: Vec::new(), took: planned.took };
        output::json(&output::PlanDocument::of_run(&planned.plan, &report, session.provider.as_ref()));
    } else {
        let heading = Heading { names: &planned.plan.names, location: &planned.location };
        output::data(&output::nothing_to_do(&heading, &planned.plan, planned.took, calls));
    }
}

/// What is said where nobody waits for a hosted stage.
pub(super) fn goes_on(session: &Session) -> String {
    format!("note: tasks are still being replaced; see how far it is: mdo list{}", session.flags())
}

/// Where to go from here: the URLs, the key, and a line to paste.
pub(super) fn closing(session: &Session, planned: &Planned, endpoint: &str) -> String {
    let stack = after(planned);
    let Some(served) = stack.served() else {
        return String::new();
    };
    let keyed = stack.keys.keys().any(|key| key.as_str() == DEFAULT_KEY);
    let show_key = format!("{} key show {DEFAULT_KEY}{}", program(), session.flags());
    domain(session) + &next_steps(endpoint, served, keyed.then_some(&show_key))
}

/// The record that leads a domain of one's own to the load balancer. mdo writes none.
fn domain(session: &Session) -> String {
    let wanted = session.settings.server.as_ref().and_then(|server| server.domain.as_ref());
    match (wanted, session.provider.site().load_balancer) {
        (Some(domain), Some(balancer)) => format!("  dns   {domain}  CNAME  {balancer}\n"),
        _ => String::new(),
    }
}

/// How many URLs are listed in the end.
const LISTED_URLS: usize = 10;

fn next_steps(endpoint: &str, definition: &Definition, show_key: Option<&String>) -> String {
    let mut text = String::new();
    let paths: BTreeSet<_> = definition.routes.keys().map(Route::path).collect();
    for path in paths.iter().take(LISTED_URLS) {
        text.push_str(&format!("  url   {endpoint}{path}\n"));
    }
    if let Some(more) = paths.len().checked_sub(LISTED_URLS).filter(|more| *more > 0) {
        text.push_str(&format!("        and {more} more: mdo list\n"));
    }
    if let Some(show_key) = show_key {
        text.push_str(&format!("  key   {show_key}\n"));
    }
    if let Some((route, target)) = best_route(definition) {
        let key = show_key.filter(|_| target.security == Security::Key);
        let key = key.map(|show| format!("-H \"x-api-key: $({show})\" ")).unwrap_or_default();
        let method = if by_get(route) { String::new() } else { format!("-X {} ", route.method().as_str()) };
        let globs = if has_parameters(route) { "--globoff " } else { "" };
        let url = shell_word(&format!("{endpoint}{}", route.path()));
        text.push_str(&format!("  try   curl {method}{globs}{key}{url}\n"));
    }
    text
}

/// The route that can be called as it stands, if there is one: by GET, and without parameters.
pub(super) fn best_route(definition: &Definition) -> Option<(&Route, &ApiRoute)> {
    definition.routes.iter().min_by_key(|(route, _)| (has_parameters(route), !by_get(route)))
}

fn has_parameters(route: &Route) -> bool {
    route.path().contains('{')
}

fn by_get(route: &Route) -> bool {
    matches!(route.method(), Method::Get | Method::Any)
}

/// What is served and the keys as they are when the plan is done.
fn after(planned: &Planned) -> Stack {
    let observed = &planned.observed.stack;
    let mut stack = Stack {
        stage: observed.stage.clone(),
        keys: observed.keys.clone(),
        server: observed.server.clone(),
        ..Stack::default()
    };
    for change in &planned.plan.changes {
        match (&change.after, change.id.name.parse()) {
            (Some(Resource::Stage(stage)), _) => stack.stage = Some(stage.clone()),
            (Some(Resource::Server(server)), _) => stack.server = Some(server.as_ref().clone()),
            (None, _) if change.id.kind == Kind::Stage => stack.stage = None,
            (None, _) if change.id.kind == Kind::Server => stack.server = None,
            (Some(Resource::Key(key)), Ok(name)) => {
                stack.keys.insert(name, key.clone());
            }
            _ => {}
        }
    }
    stack
}
