//! `mdo dev`: the whole stack on this machine, until Ctrl-C.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_local::{
    Activity, DEFAULT_PORT, HostName, Limits, Observer, ServeOptions, Server, Teller, Told, give_back_code,
};
use mdo_model::project::{FunctionName, KeyName, Names, Project, StageName, left_out};
use mdo_model::stack::{Action, Change, Kind};
use mdo_package::Package;

use super::applying::{self, RunOptions};
use super::arguments::{Environment, StackArgs, Target};
use super::consulting;
use super::derivative;
use super::interrupt::Interrupt;
use super::lookup::Values;
use super::names;
use super::planning::{self, Planned};
use super::session::{self, Session};
use super::watch::Watch;
use super::{DEV_ENVIRONMENT, deploy, schema, trial};
use crate::output::{self, Failure, Heading, exit_code};

/// Run the whole stack on this machine: API, key, warm pings
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo dev -s N_CLASSES=2
  mdo dev --stage alice --port 8080

Variables in the project's .env are set too, below -E and -s. A function is reloaded when a file in \
its folder changes. Ctrl-C ends it.")]
pub(super) struct Args {
    /// The stage [default: default_stage of project.toml, else dev]
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(names::stages))]
    stage: Option<StageName>,
    #[command(flatten)]
    environment: Environment,
    /// The port on 127.0.0.1; 0 lets the system choose
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// A further name that the server goes by, and whose pages may call the API; may be repeated
    #[arg(long, value_name = "NAME[:PORT]")]
    host: Vec<HostName>,
    /// End a sandbox that has had no event for so long, so that the next event starts cold, as on AWS after some minutes
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    idle: Duration,
    /// Let a sandbox stand still between events, as Lambda does: what it does in the background waits for the next event
    #[arg(long)]
    freeze: bool,
    /// Forget how much of its quota each key has used
    #[arg(long)]
    reset_usage: bool,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    let mut target = Target {
        place: StackArgs { stage: args.stage, local: true, ..StackArgs::default() },
        environment: args.environment,
        forgets: true,
        locks: true,
        ..Target::default()
    };
    let own = own_environment()?;
    target.own_env_file = Some(own.clone());
    let mut session = Session::open(&target.place, &target.overrides()).await?;
    let mut values = Values::new();
    session.look_up_beside(&target.functions, &mut values).await?;
    if trial::is_of_ones_own(&session.settings) {
        let port = Some(args.port).filter(|port| *port != 0);
        return trial::run(
            &session.project,
            &session.settings,
            None,
            trial::How { port, ends: false },
            interrupt,
        )
        .await;
    }
    say_what_is_left_out(&own);
    let mut pinned = PinnedStage::new(&session, &mut target);
    // Before anything is changed: a port that is taken is most often that of another `mdo dev`.
    if let Some(url) = session.connection.local.as_ref().and_then(|local| local.served_at()) {
        output::message(&format!("note: another mdo dev serves stage {}, at {url}", session.settings.stage));
    }
    let listener = Server::bind(args.port).await?;
    schema::write_for_editors(session.project.root())?;
    let watched = [std::slice::from_ref(&own), &target.environment.env_file[..]].concat();
    let mut files = Watch::start(session.project.root(), &watched, built(&session))?;
    let planned = planning::plan(&session, &target).await?;
    files.built_first();
    keeps_keys(&session, &planned)?;
    interrupt.begin("ending: finishing requests in flight; press Ctrl-C again to stop at once");
    if planned.plan.is_empty() {
        let heading = Heading { names: &planned.plan.names, location: &planned.location };
        output::data(&output::nothing_to_do(&heading, &planned.plan, planned.took, 0));
    } else {
        apply(&session, &planned, start, interrupt).await?;
    }
    derivative::remove_unused_builds(&session.settings).await;
    let provider =
        session.connection.local.as_ref().ok_or_else(|| anyhow::anyhow!("dev serves this machine"))?;
    if args.reset_usage {
        provider.reset_usage()?;
    }
    let limits = Limits { idle: args.idle, freezes: args.freeze, ..Limits::default() };
    let options = ServeOptions { hosts: args.host, planner: Some(consulting::planner(&session)), limits };
    let server = Server::serve(provider, listener, options, observer()).await?;
    output::data(&format!("\nServing {} until Ctrl-C.\n", server.url()));
    output::data(&deploy::closing(&session, &planned, &server.url()));
    output::data(&format!("  page  {}\n{}\n", server.console_url(), used(&server)));
    if args.open
        && let Err(error) = open::that_detached(server.console_url())
    {
        output::message(&format!("warning: cannot open a browser: {error}"));
    }
    target.packaged = planned.packaged;
    give_back_code();
    follow(files, (target, values), &mut pinned, &own, &server, interrupt).await;
    server.shutdown().await;
    Ok(())
}

/// The project's own environment file for this machine, whether or not it is there. Every flag weighs more.
fn own_environment() -> Result<PathBuf, Failure> {
    let folder = session::current_folder()?;
    let file = Project::find(&folder)?.join(DEV_ENVIRONMENT);
    Ok(file.strip_prefix(&folder).map(Path::to_owned).unwrap_or(file))
}

/// Says once which variables of the file no function gets.
fn say_what_is_left_out(own: &Path) {
    left_out(own).iter().for_each(|note| output::once(&note.render("note")));
}

async fn apply(
    session: &Session,
    planned: &Planned,
    start: Instant,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let execution = planned.execution(session);
    applying::show(&execution, false);
    applying::run(
        &execution,
        &RunOptions { verb: "Applied", json: false, documents: None, concurrency: 16, start, interrupt },
    )
    .await
    .map(|_| ())
}

/// The stack that is served until the end, whatever project.toml says meanwhile: another stage has other keys, and another port.
struct PinnedStage {
    names: Names,
    /// Whether the stage was the default one, and nobody was told yet that there is another default.
    follows_default: bool,
}

impl PinnedStage {
    /// Holds on to the stage that was found.
    fn new(session: &Session, target: &mut Target) -> Self {
        let names = session.settings.names();
        let named = target.place.stage.replace(names.stage.clone());
        Self { names, follows_default: named.is_none() }
    }

    /// Says once that the default is another stage now. A failure when the project is another one.
    fn check(&mut self, session: &Session) -> Result<(), Failure> {
        let Names { project, stage } = &self.names;
        let default = session.project.default_stage();
        if default != stage && std::mem::take(&mut self.follows_default) {
            output::message(&format!(
                "warning: default_stage is {default} now, and this serves {stage} until it ends; to serve {default}: mdo dev \
                 --stage {default}"
            ));
        }
        if session.project.name() == project {
            return Ok(());
        }
        Err(Failure::with_help(
            exit_code::FAILED,
            format!(
                "project.toml names the project {} now: mdo dev serves {project}",
                session.project.name()
            ),
            "end mdo dev and start it again to serve it under its new name",
        ))
    }
}

/// The folders of the functions that are built: what a build fills is no source.
fn built(session: &Session) -> BTreeSet<PathBuf> {
    let built = session.settings.functions.values().filter(|function| function.build_hook.is_some());
    built.map(|function| function.folder.clone()).collect()
}

/// Serves what the files say, until the user ends it.
async fn follow(
    mut files: Watch,
    (mut target, mut values): (Target, Values),
    pinned: &mut PinnedStage,
    own: &Path,
    server: &Server,
    interrupt: &Interrupt,
) {
    let mut is_mistaken = false;
    let mut zips = Zips::default();
    loop {
        zips.keep_only(&target.packaged);
        let edits = tokio::select! {
            () = interrupt.token.cancelled() => return,
            edits = files.changed() => edits,
        };
        // What was edited is packaged anew, until that has worked.
        target.packaged.retain(|name, _| !edits.packaging && !edits.functions.contains(name.as_str()));
        say_what_is_left_out(own);
        match reload(&mut files, (&mut target, &mut values), pinned, server, interrupt).await {
            Ok(Reloaded::Stopped) => {}
            Err(failure) => {
                is_mistaken = true;
                server.edited(Some(failure.text()));
                if !failure.is_reported() {
                    output::message(&format!("{}\n  still serving the last good version", failure.text()));
                }
            }
            Ok(reloaded) => {
                server.edited(None);
                if is_mistaken && reloaded == Reloaded::Unchanged {
                    output::message("files are valid again; nothing to reload");
                }
                is_mistaken = false;
            }
        }
    }
}

/// The zips that were served by this process.
#[derive(Default)]
struct Zips(BTreeSet<PathBuf>);

impl Zips {
    /// Removes those that nothing serves any more, once they are so old that no other command has just made them too.
    fn keep_only(&mut self, packaged: &BTreeMap<FunctionName, Package>) {
        const FRESH: Duration = Duration::from_secs(60);
        self.0.extend(packaged.values().map(|package| package.path.clone()));
        self.0.retain(|path| {
            let is_served = packaged.values().any(|package| package.path == *path);
            let modified = std::fs::metadata(path).and_then(|data| data.modified());
            let is_fresh = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < FRESH));
            is_served || is_fresh || std::fs::remove_file(path).is_err() && path.exists()
        });
    }
}

/// What came of reading the files anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reloaded {
    /// Something else is served now.
    Changed,
    /// What is served is what the files say.
    Unchanged,
    /// A file was edited meanwhile, or the user ends it.
    Stopped,
}

/// Reads the files anew, applies what changed, and serves it.
async fn reload(
    files: &mut Watch,
    (target, values): (&mut Target, &mut Values),
    pinned: &mut PinnedStage,
    server: &Server,
    interrupt: &Interrupt,
) -> Result<Reloaded, Failure> {
    let start = Instant::now();
    let mut session = Session::open(&target.place, &target.overrides()).await?;
    pinned.check(&session)?;
    session.look_up_beside(&target.functions, values).await?;
    files.note_built(built(&session));
    let planned = tokio::select! {
        planned = planning::plan(&session, target) => planned,
        // A build may take minutes.
        () = interrupt.token.cancelled() => return Ok(Reloaded::Stopped),
        () = files.edited() => return Ok(Reloaded::Stopped),
    };
    files.built();
    let planned = planned?;
    target.packaged.clone_from(&planned.packaged);
    if planned.plan.is_empty() {
        return Ok(Reloaded::Unchanged);
    }
    keeps_keys(&session, &planned)?;
    apply(&session, &planned, start, interrupt).await?;
    server.reload().await?;
    server.reloaded(planned.plan.changes.iter().map(|change| told(change, &planned.plan.names)).collect());
    Ok(Reloaded::Changed)
}

/// A change in a line.
fn told(change: &Change, names: &Names) -> String {
    let (sign, fields) = match change.action {
        Action::Create => ('+', Vec::new()),
        Action::Update => ('~', change.fields.iter().map(|field| field.path.as_str()).collect()),
        Action::Delete => ('-', Vec::new()),
    };
    let what = format!("{sign} {} {}", change.id.kind, change.id.full_name(names));
    if fields.is_empty() { what } else { format!("{what}: {}", fields.join(", ")) }
}

/// A failure when keys would go. Files come back when a branch is switched; the values of keys do not.
fn keeps_keys(session: &Session, planned: &Planned) -> Result<(), Failure> {
    let loses = planned.plan.losses().any(|change| change.id.kind == Kind::Key);
    if !loses {
        return Ok(());
    }
    Err(Failure::with_help(
        exit_code::FAILED,
        "this would delete the stage's keys: the files no longer define an API",
        format!("bring the functions back, or remove the stack for good: mdo destroy{}", session.flags()),
    ))
}

/// How much of the quota each key has used, a line for each that has used any.
fn used(server: &Server) -> String {
    let Some((quota, used)) = server.used() else { return String::new() };
    let line = |(key, used): (KeyName, u32)| {
        let (used, limit, period) =
            (output::thousands(used.into()), output::thousands(quota.limit.into()), quota.period);
        format!("  used  {used} of {limit} requests a {period} by key {key}; --reset-usage begins anew\n")
    };
    used.into_iter().map(line).collect()
}

/// Prints what the server tells, in order and without making it wait.
fn observer() -> Observer {
    let teller = Teller::start(|lines: &[Told<Activity>]| {
        output::messages(&lines.iter().map(ToString::to_string).collect::<Vec<_>>());
    });
    Arc::new(move |event: Activity| event.tell(&teller))
}
