//! The way back of functions: which versions the stage had before, and which routes with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use mdo_engine::{ApiDeployment, Cause, FunctionHistory, History, Observed, Packages, PublishedVersion};
use mdo_model::project::FunctionName;
use mdo_model::stack::{self, Definition, Function};

use super::Args;
use crate::cli::applying::{self, Execution, RunOptions};
use crate::cli::interrupt::Interrupt;
use crate::cli::planning;
use crate::cli::session::Session;
use crate::output::{self, Failure, exit_code};

/// How many functions are moved at once.
const CONCURRENCY: usize = 16;

/// Where functions go back to: the version, and what it froze.
type Back = BTreeMap<FunctionName, (u64, Function)>;

/// Goes back to what is asked for.
pub(super) async fn run(
    args: &Args,
    session: &Session,
    observed: &Observed,
    (start, interrupt): (Instant, &Interrupt),
) -> Result<(), Failure> {
    let chosen = chosen(args, session, observed)?;
    let mut past = Past::read(session, observed, &chosen).await?;
    let back = match args.to {
        Some(number) => to_version(&past, number).await?,
        None if args.functions.is_empty() => undo_deploys(&mut past, args.steps).await?,
        None => each_back(&past, args.steps).await?,
    };
    let names = session.settings.names();
    let definition = match args.keep_routes {
        true => None,
        false => earlier_routes(session, observed, &past, &back).await?,
    };
    let earlier = back.iter().map(|(name, (_, frozen))| (name.clone(), frozen.clone())).collect();
    let plan = stack::rollback_functions(&names, &observed.stack, &earlier, definition.as_ref());
    let location = session.provider.location().await?;
    let packages = Packages::default();
    let execution = Execution::of(session, &plan, &packages, &location);
    if plan.is_empty() {
        applying::show_nothing(&execution, args.json, "nothing to do: that is what runs");
        return Ok(());
    }
    if !args.json {
        for (name, (version, _)) in &back {
            let live = observed.functions.get(name).and_then(|live| live.version.clone());
            let live = live.unwrap_or_default();
            output::data(&format!("{name} goes back from version {live} to version {version}\n"));
        }
        output::data("\n");
    }
    applying::show(&execution, args.json);
    let options = RunOptions {
        verb: "Rolled back",
        json: args.json,
        documents: None,
        concurrency: CONCURRENCY,
        start,
        interrupt,
    };
    applying::run(&execution, &options).await?;
    output::message("note: the next `mdo deploy` brings again what the files say, and asks before");
    Ok(())
}

/// The functions that are meant: those that are named, or all that are live.
fn chosen(args: &Args, session: &Session, observed: &Observed) -> Result<BTreeSet<FunctionName>, Failure> {
    let selection = planning::select(&session.settings, &args.functions)?;
    let live = observed.stack.functions.keys();
    let chosen: BTreeSet<FunctionName> = live.filter(|name| selection.contains(name)).cloned().collect();
    if chosen.is_empty() {
        let (named, stage) = (args.functions.join(", "), &session.settings.stage);
        return Err(Failure::new(
            exit_code::FAILED,
            format!("function {named} is not deployed at stage {stage}"),
        ));
    }
    if let Some((name, _)) = observed
        .stack
        .functions
        .iter()
        .find(|(name, function)| chosen.contains(*name) && function.canary.is_some())
    {
        let message = format!("a version of function {name} is on trial at stage {}", session.settings.stage);
        let help = format!("end the trial: mdo canary abort{}", session.flags());
        return Err(Failure::with_help(exit_code::FAILED, message, help));
    }
    Ok(chosen)
}

/// What the stage has served before.
struct Past<'a> {
    session: &'a Session,
    history: &'a dyn History,
    functions: BTreeMap<FunctionName, FunctionPast>,
}

/// The versions of a function that are the stage's.
struct FunctionPast {
    /// Newest first.
    own: Vec<PublishedVersion>,
    /// All of them.
    all: FunctionHistory,
    live: u64,
    /// What is live now.
    function: Function,
}

impl<'a> Past<'a> {
    async fn read(
        session: &'a Session,
        observed: &Observed,
        chosen: &BTreeSet<FunctionName>,
    ) -> Result<Self, Failure> {
        let history = session.connection.history.as_ref();
        let stage = session.settings.stage.as_str();
        let each = chosen.iter().map(async |name| {
            let Some(all) = history.versions(name).await? else { return Ok(None) };
            let Some(live) = all.live.get(stage).map(|share| share.version) else { return Ok(None) };
            let own = all.own(stage).cloned().collect();
            let function = observed.stack.functions[name].clone();
            Ok::<_, Failure>(Some((name.clone(), FunctionPast { own, all, live, function })))
        });
        let functions = futures::future::try_join_all(each).await?.into_iter().flatten().collect();
        Ok(Self { session, history, functions })
    }

    /// The version so many steps before the one that is live; what froze the same as its successor is passed by.
    async fn back(&self, name: &FunctionName, steps: u32) -> Result<(u64, Function), Failure> {
        let past = &self.functions[name];
        let before = past.own.iter().filter(|version| version.number < past.live);
        let (mut found, mut last) = (0, past.function.clone());
        for version in before {
            let frozen = match self.history.frozen(name, version.number).await {
                Err(error) if error.cause == Cause::Gone => continue,
                frozen => frozen?,
            };
            if !frozen.freezes_as(&last) {
                found += 1;
                if found == steps {
                    return Ok((version.number, frozen));
                }
                last = frozen;
            }
        }
        let stage = &self.session.settings.stage;
        let message = match found {
            0 => {
                format!("function {name} has run nothing else at stage {stage} before version {}", past.live)
            }
            1 => format!("function {name} can go back by 1 version at stage {stage}, not by {steps}"),
            _ => format!("function {name} can go back by {found} versions at stage {stage}, not by {steps}"),
        };
        let help = format!("mdo history {name}{}", self.session.flags());
        Err(Failure::with_help(exit_code::FAILED, message, help))
    }
}

/// The version that is named; it has to be one function's, and this stage's.
async fn to_version(past: &Past<'_>, number: u64) -> Result<Back, Failure> {
    let stage = &past.session.settings.stage;
    let (1, Some((name, function))) = (past.functions.len(), past.functions.iter().next()) else {
        let names: Vec<&str> = past.functions.keys().map(FunctionName::as_str).collect();
        return Err(Failure::with_help(
            exit_code::USAGE,
            "--to names a version of one function",
            format!("name it, one of {}: mdo rollback FUNCTION --to {number}", names.join(", ")),
        ));
    };
    let known = function.all.versions.iter().find(|version| version.number == number);
    match known.map(|version| version.stage.as_ref()) {
        None => {
            let numbers: Vec<String> =
                function.own.iter().map(|version| version.number.to_string()).collect();
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("there is no version {number} of function {name}"),
                format!("stage {stage} has had {}", numbers.join(", ")),
            ));
        }
        Some(Some(other)) if other != stage && number != function.live => {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!(
                    "version {number} of function {name} is of stage {other}, with that stage's environment"
                ),
                format!("its code comes with this stage's own environment by: mdo promote {other} {stage}"),
            ));
        }
        Some(_) => {}
    }
    let frozen = past.history.frozen(name, number).await?;
    Ok(BTreeMap::from([(name.clone(), (number, frozen))]))
}

/// Each of the functions so many steps back.
async fn each_back(past: &Past<'_>, steps: u32) -> Result<Back, Failure> {
    let each = past.functions.keys().map(async |name| Ok((name.clone(), past.back(name, steps).await?)));
    futures::future::try_join_all(each).await.map(|back| back.into_iter().collect())
}

/// What the last deploys changed, undone: of the functions that are live, those that the newest deploy made go back, once for each step.
async fn undo_deploys(past: &mut Past<'_>, steps: u32) -> Result<Back, Failure> {
    let mut back = Back::new();
    for _ in 0..steps {
        let live = |past: &FunctionPast| past.own.iter().find(|version| version.number == past.live).cloned();
        let all: Vec<(FunctionName, PublishedVersion)> =
            past.functions.iter().filter_map(|(name, past)| Some((name.clone(), live(past)?))).collect();
        let newest = all
            .iter()
            .max_by_key(|(_, version)| version.published.clone())
            .map(|(_, version)| version.clone());
        let Some(newest) = newest else { break };
        // Versions of an earlier mdo do not say which deploy made them.
        let is_of_it = |version: &PublishedVersion| match &newest.run {
            Some(run) => version.run.as_ref() == Some(run),
            None => version.published == newest.published,
        };
        for (name, _) in all.iter().filter(|(_, version)| is_of_it(version)) {
            let (number, frozen) = past.back(name, 1).await?;
            if let Some(past) = past.functions.get_mut(name) {
                (past.live, past.function) = (number, frozen.clone());
            }
            back.insert(name.clone(), (number, frozen));
        }
    }
    Ok(back)
}

/// The routes that were served with the earlier versions, where they are not those of now.
///
/// # Errors
/// When they were others and cannot be known: API Gateway does not tell them of a deployment.
async fn earlier_routes(
    session: &Session,
    observed: &Observed,
    past: &Past<'_>,
    back: &Back,
) -> Result<Option<Definition>, Failure> {
    let Some(served) = observed.stack.served() else { return Ok(None) };
    let stage = &session.settings.stage;
    let deployments: Vec<ApiDeployment> = past.history.deployments().await?;
    let own = |deployment: &&ApiDeployment| deployment.stage.as_ref() == Some(stage);
    // What came after an earlier version was made with what came after it.
    let next = back.iter().filter_map(|(name, (number, _))| {
        let later = past.functions[name].own.iter().filter(|version| version.number > *number);
        later.filter_map(|version| version.published.clone()).min()
    });
    let Some(until) = next.min() else { return Ok(None) };
    let before = deployments.iter().filter(own).find(|deployment| {
        deployment.created.as_deref().is_some_and(|created| seconds(created) < seconds(&until))
    });
    let Some(digest) = before.and_then(|deployment| deployment.digest.as_ref()) else { return Ok(None) };
    if *digest == served.digest() {
        return Ok(None);
    }
    let of_files = stack::definition(&session.settings);
    if let Some(definition) = of_files.filter(|definition| definition.digest() == *digest) {
        return Ok(Some(definition));
    }
    let at = before.and_then(|deployment| deployment.created.clone()).unwrap_or_default();
    Err(Failure::with_help(
        exit_code::FAILED,
        format!("stage {stage} served other routes then, deployed at {at}, and AWS does not tell which"),
        "check out the project as it was then and run this again, or leave the routes as they are with --keep-routes",
    ))
}

/// A time to the second, in a form that is ordered: what says less than that is not later.
fn seconds(time: &str) -> &str {
    time.get(..19).unwrap_or(time)
}
