//! `mdo derivative`: the prebuilt dependencies of Python functions.

mod build;
mod create;
mod list;
mod lock;
mod pin;
mod push;
mod several;
mod unused;

use std::collections::BTreeSet;

use clap::{Parser, Subcommand};
use mdo_model::project::{
    Architecture, DERIVATIVES, DerivativeId, DerivativeName, FunctionName, Overrides, Project, Settings,
    nearest, takes_derivatives,
};
use mdo_package::derivative::PythonRuntime;

pub(super) use self::lock::lock_first;
pub(super) use self::unused::remove_unused_builds;
use super::arguments::StackArgs;
use super::ingredients::runtime_of;
use super::session;
use crate::output::{Failure, exit_code};

/// The runtime of a derivative that no function has yet.
const DEFAULT_RUNTIME: &str = "python3.13";

/// Create, lock, build, list, push and pin the dependencies of Python functions
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo derivative create sklearn scikit-learn --function sample_producer
  mdo derivative lock sklearn --upgrade
  mdo derivative build sklearn

Derivatives are built with uv (pip install uv), for Lambda's platform, on any machine.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a derivative's requirements, lock and build it, and give it to a function
    Create {
        /// The derivative's name
        name: DerivativeName,
        /// What it holds, as pip writes it: `scikit-learn`, `numpy>=2`; nothing where its folder has a pyproject.toml
        #[arg(value_name = "PACKAGE")]
        packages: Vec<String>,
        /// The function that runs with it
        #[arg(long, short = 'f', value_name = "FUNCTION")]
        function: Option<FunctionName>,
        /// The runtime to lock for; without it that of the functions, or python3.13
        #[arg(long, value_name = "RUNTIME")]
        runtime: Option<PythonRuntime>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Pin the versions that requirements.in or pyproject.toml come to, with hashes, in requirements.txt
    Lock {
        /// The derivatives; without a name, all of them
        names: Vec<DerivativeName>,
        /// Give up pinned versions for newer ones
        #[arg(long)]
        upgrade: bool,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Build what a deploy would publish, and import its modules once where this machine can
    Build {
        /// The derivatives; without a name, all of them
        names: Vec<DerivativeName>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// List the derivatives of the project with the functions that run with them
    List {
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Put a derivative as one zip into the project's bucket, for others to fetch
    Push {
        /// The derivative
        name: DerivativeName,
        #[command(flatten)]
        place: StackArgs,
    },
    /// Fetch and check a prebuilt zip, and write its SHA-256 into project.toml
    Pin {
        /// The derivative
        name: DerivativeName,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    /// Whether standard output has to be one JSON document.
    pub(super) fn json(&self) -> bool {
        match self.verb {
            Verb::Create { json, .. }
            | Verb::Lock { json, .. }
            | Verb::Build { json, .. }
            | Verb::List { json }
            | Verb::Pin { json, .. } => json,
            Verb::Push { .. } => false,
        }
    }
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Create { name, packages, function, runtime, json } => {
            create::run(&name, &packages, function.as_ref(), runtime, json).await
        }
        Verb::Lock { names, upgrade, json } => lock::run(&names, upgrade, json).await,
        Verb::Build { names, json } => build::run(&names, json).await,
        Verb::List { json } => list::run(json),
        Verb::Push { name, place } => push::run(&name, &place).await,
        Verb::Pin { name, json } => pin::run(&name, json).await,
    }
}

/// The project with its settings. Derivatives are every stage's.
fn open() -> Result<(Project, Settings), Failure> {
    let project = session::load()?;
    let settings = project.resolve(&project.default_stage().clone(), &Overrides::default())?;
    Ok((project, settings))
}

/// The derivatives that are named; all of them where none is.
fn chosen(settings: &Settings, names: &[DerivativeName]) -> Result<BTreeSet<DerivativeName>, Failure> {
    if names.is_empty() {
        return Ok(settings.derivatives.keys().cloned().collect());
    }
    for name in names {
        if !settings.derivatives.contains_key(name) {
            return Err(unknown(settings, name));
        }
    }
    Ok(names.iter().cloned().collect())
}

fn unknown(settings: &Settings, name: &DerivativeName) -> Failure {
    let near = nearest(name.as_str(), settings.derivatives.keys().map(DerivativeName::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`mdo derivative create {name} PACKAGE…` makes it, in {DERIVATIVES}/{name}"),
    };
    Failure::with_help(exit_code::USAGE, format!("there is no derivative `{name}`"), help)
}

/// The runtimes and architectures that a derivative is for: those of the functions that have it, or the usual one.
fn ids_of(settings: &Settings, name: &DerivativeName) -> BTreeSet<DerivativeId> {
    let of_functions: BTreeSet<_> = settings
        .functions
        .values()
        .flat_map(|function| function.derivative_ids())
        .filter(|id| id.name == *name)
        .collect();
    if !of_functions.is_empty() {
        return of_functions;
    }
    let runtime = usual_runtime(settings);
    BTreeSet::from([DerivativeId { name: name.clone(), runtime, architecture: Architecture::default() }])
}

/// The runtime of the project's Python functions: the oldest, which the others can follow.
fn usual_runtime(settings: &Settings) -> String {
    let runtimes = settings.functions.values().map(|function| &function.configuration.runtime);
    let python = runtimes.filter(|runtime| takes_derivatives(runtime));
    let oldest = python.filter_map(|runtime| runtime.parse::<PythonRuntime>().ok()).min();
    oldest.map_or_else(|| DEFAULT_RUNTIME.to_owned(), |runtime| runtime.to_string())
}

/// The oldest runtime that a lock has to serve.
fn oldest_runtime(settings: &Settings, name: &DerivativeName) -> Result<PythonRuntime, Failure> {
    let runtimes: Vec<_> = ids_of(settings, name).iter().map(runtime_of).collect::<Result<_, _>>()?;
    runtimes.into_iter().min().ok_or_else(|| unknown(settings, name))
}
