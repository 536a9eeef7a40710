//! From flags to a plan: packages the functions while the provider is being read, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use globset::Glob;
use mdo_engine::{Observed, Packages, Scope};
use mdo_model::project::{FunctionName, Settings, nearest};
use mdo_model::stack::{self, Kind, Plan, ResourceId, Selection, Stack};
use mdo_package::{Destination, Package};

use super::DEV_ENVIRONMENT;
use super::adoption;
use super::arguments::Target;
use super::attached;
use super::closed_runtimes::check_closed_runtimes;
use super::derivative;
use super::derivatives::{self, Derivatives};
use super::hosting::{self, HostedImage};
use super::ingredients::Make;
use super::interpreters::check_interpreters;
use super::oversized::check_environment_sizes;
use super::packaging::{Packaging, package_functions};
use super::renamed::say_if_renamed;
use super::session::Session;
use crate::output::{self, Failure, Sizes, exit_code};

/// A plan, and what is needed to make it real.
pub(super) struct Planned {
    pub plan: Plan,
    pub observed: Observed,
    pub packages: Packages,
    /// The same with what is known of each zip.
    pub packaged: BTreeMap<FunctionName, Package>,
    /// How large what is new is.
    pub sizes: Sizes,
    /// Where the stack lives, for people.
    pub location: String,
    /// From the first step to the plan.
    pub took: Duration,
    /// The image of a hosted stage, held for its files.
    pub image: Option<HostedImage>,
}

/// Plans the way from what is live to what the files and flags ask for.
pub(super) async fn plan(session: &Session, target: &Target) -> Result<Planned, Failure> {
    let start = Instant::now();
    let selection = select(&session.settings, &target.functions)?;
    // This machine serves the functions in its own way, however the stage is hosted elsewhere.
    if session.settings.server.is_some() && !session.is_local() {
        return hosting::plan(session, target).await;
    }
    check_interpreters(session, &selection).await?;
    if target.locks {
        derivative::lock_first(&session.settings, &selection).await?;
    }
    let derivatives = Derivatives::of(&session.settings, &selection)?;
    let mut inputs = derivatives.inputs();
    let adopt_api = target.adopt_api.clone();
    let scope = Scope { derivatives: inputs.clone(), adopt_api, ..session.scope(target.adopt) };
    let packaging = package_functions(Packaging {
        project: &session.project,
        settings: &session.settings,
        packaged: &target.packaged,
        selection: &selection,
        destination: destination(session),
        may_be_elsewhere: false,
    });
    let observing = session.observe(&scope);
    let nothing = Observed::default();
    let (packages, observed) = if check_required_environment(session, target, &selection, &nothing).is_ok() {
        let packaging = async {
            // A build may take minutes: before it begins, credentials that have expired have to be told.
            if builds(&session.settings, &selection) {
                session.provider.reached().await;
            }
            packaging.await
        };
        tokio::try_join!(packaging, observing)?
    } else {
        // Whether it is live and kept has to be known before a build that may take minutes.
        let observed = observing.await?;
        check_required_environment(session, target, &selection, &observed)?;
        (packaging.await?, observed)
    };
    let code = packages.iter().map(|(name, package)| (name.clone(), package.sha256)).collect();
    let make = Make::of(session);
    let mut built = BTreeMap::new();
    if session.is_local() {
        built = derivatives.build_all(make).await?;
        inputs = built.iter().map(|(id, built)| (id.clone(), built.inputs)).collect();
    }
    let desired = stack::desired(&session.settings, &code, &inputs);
    check_completable(session, &selection, &observed)?;
    adoption::say(session, &observed);
    let is_live = |name: &FunctionName| observed.stack.functions.contains_key(name);
    check_closed_runtimes(session, &scope, &selection, is_live).await?;
    let shared = shared(session, &scope, &desired, &observed).await?;
    let names = session.settings.names();
    let unset = unset(target, &observed);
    let plan = stack::plan(&names, desired, &observed.stack, &selection, &unset, &shared)
        .with_origins(&session.settings);
    check_environment_sizes(&plan)?;
    if !session.is_local() {
        built = derivatives.build_for(&plan, make).await?;
    }
    for (id, built) in &built {
        for warning in &built.warnings {
            output::once(&format!("warning: derivative {}: {warning}", id.name));
        }
    }
    attached::check(session, &packages, &derivatives.known(&built), &observed.unzipped)?;
    say_if_new(session, &observed).await?;
    say_if_renamed(session);
    output::moves(&plan).iter().for_each(|note| output::once(note));
    let sizes = Sizes {
        functions: packages.iter().map(|(name, package)| (name.clone(), package.size)).collect(),
        derivatives: derivatives.sizes(&built, &plan),
        image: None,
    };
    Ok(Planned {
        plan,
        observed,
        sizes,
        packages: Packages {
            functions: packages.iter().map(|(name, package)| (name.clone(), package.path.clone())).collect(),
            derivatives: built.iter().map(|(id, built)| (id.clone(), derivatives::package(built))).collect(),
            ..Packages::default()
        },
        packaged: packages,
        image: None,
        location: session.provider.location().await?,
        took: start.elapsed(),
    })
}

/// What other stages share with this one, as far as this one would delete any of it. Who deletes nothing needs not ask.
pub(super) async fn shared(
    session: &Session,
    scope: &Scope,
    desired: &Stack,
    observed: &Observed,
) -> Result<BTreeSet<ResourceId>, Failure> {
    let names = session.settings.names();
    let (before, after) = (observed.stack.resources(&names), desired.resources(&names));
    let goes = |id: &&ResourceId| !after.contains_key(*id);
    // Derivatives are, too, but no deploy takes one away.
    let is_project_wide = |id: &&ResourceId| {
        matches!(
            id.kind,
            Kind::Role
                | Kind::Api
                | Kind::Function
                | Kind::LogGroup
                | Kind::ServerRole
                | Kind::Repository
                | Kind::LoadBalancer
        )
    };
    if !before.keys().filter(goes).any(|id| is_project_wide(&id)) {
        return Ok(BTreeSet::new());
    }
    let all = Scope { thorough: true, ..scope.clone() };
    Ok(session.observe(&all).await?.shared)
}

/// A deploy of some functions completes the others' routes from what the stage serves, which has to be known.
fn check_completable(session: &Session, selection: &Selection, observed: &Observed) -> Result<(), Failure> {
    let is_known = observed.stack.stage.as_ref().is_none_or(|stage| stage.deployed_by_mdo);
    if *selection == Selection::All || is_known {
        return Ok(());
    }
    let stage = &session.settings.stage;
    Err(Failure::with_help(
        exit_code::FAILED,
        format!(
            "cannot determine which routes stage {stage} serves: somebody else has deployed it since mdo did"
        ),
        format!("deploy all functions once: mdo deploy{}", session.flags()),
    ))
}

/// The variables that go where no file sets them.
pub(super) fn unset(target: &Target, observed: &Observed) -> BTreeSet<String> {
    if !target.forgets {
        return target.unset();
    }
    let functions = observed.stack.functions.values();
    functions.flat_map(|function| function.configuration.environment.keys().cloned()).collect()
}

/// Says that a stage is new where the project has others: it may be a mistyped one.
pub(super) async fn say_if_new(session: &Session, observed: &Observed) -> Result<(), Failure> {
    let Stack { role, functions, api, stage, server, .. } = &observed.stack;
    let is_new = functions.is_empty() && stage.is_none() && server.is_none();
    // Where stages share neither role nor API, asking makes no call.
    let is_shared = role.is_some() || api.is_some() || session.settings.knows_hosting;
    let asks = is_shared || session.is_local();
    if is_new && asks {
        let others = session.other_stages().await?;
        if !others.is_empty() {
            let name = &session.settings.stage;
            output::once(&format!("note: stage {name} is new{others}"));
        }
    }
    Ok(())
}

/// Checks that what a function requires is set by files or flags, or live and kept.
pub(super) fn check_required_environment(
    session: &Session,
    target: &Target,
    selection: &Selection,
    observed: &Observed,
) -> Result<(), Failure> {
    let unset = unset(target, observed);
    let kept = |name: &FunctionName| -> BTreeSet<String> {
        let live = observed.stack.environment(name).into_iter().flat_map(BTreeMap::keys);
        live.filter(|key| !unset.contains(*key)).cloned().collect()
    };
    let live = session.settings.functions.keys().map(|name| (name.clone(), kept(name))).collect();
    let mut settings = session.settings.clone();
    settings.functions.retain(|name, _| selection.contains(name));
    let ways = ways_to_set(session, target);
    Ok(session.project.check_required_environment(&settings, &live, ways.as_deref())?)
}

/// How a variable can be set on this machine: `mdo dev` reads a file by itself, and it alone. `None` for AWS.
fn ways_to_set(session: &Session, target: &Target) -> Option<String> {
    if let Some(own) = &target.own_env_file {
        let own = own.display();
        return Some(format!(
            "write {{}}=… in {own}, or set it with -s, in another environment file (-E), or under \"environment\" in function.json"
        ));
    }
    session.is_local().then(|| {
        format!(
            "set it with -s {{}}=…, in an environment file (-E), or under \"environment\" in function.json; only mdo dev reads \
             {DEV_ENVIRONMENT} by itself"
        )
    })
}

/// The functions that the patterns name; all of them when there is no pattern.
pub(super) fn select(settings: &Settings, patterns: &[String]) -> Result<Selection, Failure> {
    if patterns.is_empty() {
        return Ok(Selection::All);
    }
    let mut selected = BTreeSet::new();
    for pattern in patterns {
        if let Some((variable, _)) = pattern.split_once('=') {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("`{variable}=…` is not the name of a function"),
                format!("set an environment variable with -s {variable}=…"),
            ));
        }
        let glob = Glob::new(pattern)
            .map_err(|error| {
                Failure::new(exit_code::USAGE, format!("`{pattern}` is not a glob: {}", error.kind()))
            })?
            .compile_matcher();
        let before = selected.len();
        selected.extend(settings.functions.keys().filter(|name| glob.is_match(name.as_str())).cloned());
        if selected.len() == before && !selected.iter().any(|name| glob.is_match(name.as_str())) {
            return Err(no_such_function(settings, pattern));
        }
    }
    Ok(Selection::Only(selected))
}

/// The failure for a function that the project does not have.
pub(super) fn no_such_function(settings: &Settings, name: &str) -> Failure {
    let names: Vec<&str> = settings.functions.keys().map(FunctionName::as_str).collect();
    let message = format!("no function matches `{name}`");
    match nearest(name, names.iter().copied()) {
        Some(near) => Failure::with_help(exit_code::USAGE, message, format!("did you mean `{near}`?")),
        None if names.is_empty() => {
            Failure::with_help(exit_code::USAGE, message, "the project has no function")
        }
        None => {
            Failure::with_help(exit_code::USAGE, message, format!("the project has {}", names.join(", ")))
        }
    }
}

/// Whether any function has a hook to run before it is packaged.
fn builds(settings: &Settings, selection: &Selection) -> bool {
    let mut chosen = settings.functions.iter().filter(|(name, _)| selection.contains(name));
    chosen.any(|(_, function)| function.build_hook.is_some())
}

/// What takes the zips.
fn destination(session: &Session) -> Destination {
    match &session.settings.artifacts {
        _ if session.is_local() => Destination::Local,
        Some(_) => Destination::LambdaWithBucket,
        None => Destination::Lambda,
    }
}
