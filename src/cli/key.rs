//! `mdo key`: the API keys on the stage's usage plan.

mod rotation;
mod usage;
mod value;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use clap_complete::ArgValueCandidates;
use mdo_engine::Packages;
use mdo_model::project::KeyName;
use mdo_model::stack::{self, DEFAULT_KEY, Key, Plan, Stack};

use super::applying::{self, Execution, RunOptions};
use super::arguments::StackArgs;
use super::consent::Consent;
use super::interrupt::Interrupt;
use super::names;
use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// Create, list, show, rotate, disable, enable and delete API keys of a stage
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo key create alice
  mdo key rotate alice --overlap 2d
  mdo key usage alice --since 7d
  curl -H \"x-api-key: $(mdo key show alice)\" https://…
  mdo key delete alice --stage prod")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a key on the stage's usage plan
    Create {
        /// The key's short name; its full name is {project}-{stage}-{name}
        name: KeyName,
        /// Give it a value that exists elsewhere already, from a file, or from standard input with `-`
        #[arg(long, value_name = "FILE")]
        value_from: Option<PathBuf>,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Give a key another value; the old one opens for some time yet
    Rotate {
        /// The key's short name
        #[arg(default_value = DEFAULT_KEY, add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        /// How long the old value opens beside the new one
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration)]
        overlap: Duration,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Delete the keys whose end has come, as the next deploy does
    Expire {
        #[command(flatten)]
        place: StackArgs,
    },
    /// Show how many requests a key has made, day by day
    Usage {
        /// The key's short name
        #[arg(default_value = DEFAULT_KEY, add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        /// How far back, in days: 7d, 30d
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
        since: Duration,
        #[command(flatten)]
        place: StackArgs,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// List the keys of the stage, without their values
    List {
        #[command(flatten)]
        place: StackArgs,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print the value of a key, and nothing else
    Show {
        /// The key's short name
        #[arg(default_value = DEFAULT_KEY, add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Switch a key off: requests with it are refused until it is enabled again, deploys included
    Disable {
        /// The key's short name
        #[arg(add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Switch a key on again
    Enable {
        /// The key's short name
        #[arg(add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Delete a key; its value is lost for good
    Delete {
        /// The key's short name
        #[arg(add = ArgValueCandidates::new(names::keys))]
        name: KeyName,
        /// Do not ask; needed where there is no terminal to ask at
        #[arg(long, short = 'y')]
        yes: bool,
        #[command(flatten)]
        place: StackArgs,
    },
}

impl Args {
    /// Whether standard output has to be one JSON document.
    pub(super) fn json(&self) -> bool {
        matches!(self.verb, Verb::List { json: true, .. } | Verb::Usage { json: true, .. })
    }
}

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    match args.verb {
        Verb::Create { name, value_from, place } => {
            create(&name, value_from.as_deref(), &place, interrupt).await
        }
        Verb::Rotate { name, overlap, place } => rotation::rotate(&name, overlap, &place, interrupt).await,
        Verb::Expire { place } => rotation::expire(&place, interrupt).await,
        Verb::Usage { name, since, place, json } => usage::show(&name, since, &place, json).await,
        Verb::List { place, json } => list(&place, json).await,
        Verb::Show { name, place } => {
            let session = Session::open_live(&place).await?;
            let value = session.connection.keys.key_value(&name).await?;
            output::data(&format!("{}\n", value.reveal()));
            Ok(())
        }
        Verb::Disable { name, place } => switch(&name, false, &place, interrupt).await,
        Verb::Enable { name, place } => switch(&name, true, &place, interrupt).await,
        Verb::Delete { name, yes, place } => delete(&name, yes, &place, interrupt).await,
    }
}

async fn create(
    name: &KeyName,
    value_from: Option<&Path>,
    place: &StackArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let start = Instant::now();
    let value = value_from.map(value::read).transpose()?;
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    // A key that is on and opens nothing is one whose creation was cut short: the same command again finishes it.
    if live.keys.get(name).is_some_and(|key| !key.enabled || live.opens(name)) {
        return Err(Failure::with_help(
            exit_code::FAILED,
            format!("there is a key `{name}` at stage {} already", session.settings.stage),
            format!("mdo key show {name}{} prints its value", session.flags()),
        ));
    }
    // A server knows its keys itself.
    let tags = session.settings.stage_tags.clone();
    let plan = plan_with(&session, &live, name, Some(Key { tags, ..Key::open(live.stage.is_some()) }));
    let keys = value.map(|value| (name.clone(), value)).into_iter().collect();
    let packages = Packages { keys, ..Packages::default() };
    change_with(&session, &plan, &packages, ("Created", start), interrupt).await?;
    output::data(&format!("  show  mdo key show {name}{}\n", session.flags()));
    Ok(())
}

/// Switches a key on or off. Off is its owner's word: no deploy switches it on again.
async fn switch(
    name: &KeyName,
    enabled: bool,
    place: &StackArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    let key = Key { enabled, ..require(&session, &live, name)?.clone() };
    let plan = plan_with(&session, &live, name, Some(key));
    let state = if enabled { "on" } else { "off" };
    if plan.is_empty() {
        output::data(&format!("key {name} is switched {state} already\n"));
        return Ok(());
    }
    let verb = if enabled { "Switched on" } else { "Switched off" };
    change(&session, &plan, verb, start, interrupt).await
}

/// The plan that makes one key of a live stack another, or takes it away.
fn plan_with(session: &Session, live: &Stack, name: &KeyName, key: Option<Key>) -> Plan {
    let mut keys = live.keys.clone();
    match key {
        Some(key) => keys.insert(name.clone(), key),
        None => keys.remove(name),
    };
    stack::plan_keys(&session.settings.names(), live, keys)
}

async fn delete(name: &KeyName, yes: bool, place: &StackArgs, interrupt: &Interrupt) -> Result<(), Failure> {
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    require(&session, &live, name)?;
    let plan = plan_with(&session, &live, name, None);
    Consent { yes }.to_delete(&session, &plan).await?;
    change(&session, &plan, "Deleted", Instant::now(), interrupt).await?;
    if name.as_str() == DEFAULT_KEY {
        output::message("note: the next deploy creates the default key anew, with another value");
    }
    Ok(())
}

/// The key of a name; a failure that lists the keys where there is none.
fn require<'a>(session: &Session, live: &'a Stack, name: &KeyName) -> Result<&'a Key, Failure> {
    live.keys.get(name).ok_or_else(|| {
        let known: Vec<&str> = live.keys.keys().map(KeyName::as_str).collect();
        let known = if known.is_empty() { "no key".to_owned() } else { known.join(", ") };
        Failure::with_help(
            exit_code::FAILED,
            format!("there is no key `{name}` at stage {}", session.settings.stage),
            format!("the stage has {known}"),
        )
    })
}

async fn list(place: &StackArgs, json: bool) -> Result<(), Failure> {
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    let names = session.settings.names();
    if json {
        // Which account it is may not be known yet.
        session.provider.location().await?;
        output::json(&output::KeysDocument::new(&names, session.provider.as_ref(), &live));
        return Ok(());
    }
    let row = |(name, key): (&KeyName, &Key)| {
        let state = match (key.enabled, live.opens(name), &live.server) {
            (false, ..) => "disabled",
            (true, true, _) => "enabled",
            (true, false, Some(_)) => {
                "opens nothing: the server was not told of it; the next deploy tells it"
            }
            (true, false, None) => "opens nothing: it is not on the usage plan; the next deploy puts it back",
        };
        let state = match &key.ends {
            Some(end) if end.has_passed => format!("{state}, was to end at {}", end.at),
            Some(end) => format!("{state}, ends at {}", end.at),
            None => state.to_owned(),
        };
        vec![name.to_string(), names.key(name), state]
    };
    output::data(&output::table(&live.keys.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

/// What is live; a failure when the stage has no API yet.
async fn observe(session: &Session) -> Result<Stack, Failure> {
    let observed = session.observe(&session.scope(false)).await?;
    if observed.stack.served().is_none() {
        let stage = &session.settings.stage;
        let others = session.other_stages().await?;
        return Err(Failure::with_help(
            exit_code::FAILED,
            format!("nothing is deployed at stage {stage}: a key needs the usage plan of a deployed stage"),
            format!("mdo deploy{} makes it{others}", session.flags()),
        ));
    }
    Ok(observed.stack)
}

async fn change(
    session: &Session,
    plan: &Plan,
    verb: &str,
    start: Instant,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    change_with(session, plan, &Packages::default(), (verb, start), interrupt).await
}

async fn change_with(
    session: &Session,
    plan: &Plan,
    packages: &Packages,
    (verb, start): (&str, Instant),
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let location = session.provider.location().await?;
    let execution = Execution::of(session, plan, packages, &location);
    applying::run(
        &execution,
        &RunOptions { verb, json: false, documents: None, concurrency: 1, start, interrupt },
    )
    .await
    .map(|_| ())
}
