//! Arguments that several verbs share.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Args;
use clap_complete::ArgValueCandidates;
use mdo_model::project::{ApiId, Assignment, FunctionName, Overrides, PIPED, Secret, StageName};
use mdo_package::Package;

use super::names;
use crate::output;

/// Where a stack lives.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct StackArgs {
    /// The stage: dev, stage, prod or a personal name [default: default_stage of project.toml, else dev]
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(names::stages))]
    pub stage: Option<StageName>,
    /// Use the embedded provider: the stack on this machine
    #[arg(long)]
    pub local: bool,
    /// The AWS region [default: project.toml, else the SDK's own chain]
    #[arg(long, conflicts_with = "local")]
    pub region: Option<String>,
    /// The profile of the AWS credentials; '' for none [default: project.toml, else the SDK's own chain]
    #[arg(long, conflicts_with = "local")]
    pub profile: Option<String>,
}

/// Environment variables of the functions.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Environment {
    /// Set an environment variable of the functions; may be repeated
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<Assignment>,
    /// Read environment variables from a file, dotenv or JSON, or from standard input with `-`; may be repeated
    #[arg(short = 'E', long = "env-file", value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Remove an environment variable that is live but in no file; may be repeated
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
}

/// Everything that decides which stack is asked for.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Target {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    pub functions: Vec<String>,
    #[command(flatten)]
    pub place: StackArgs,
    #[command(flatten)]
    pub environment: Environment,
    /// Take over resources of our names that mdo did not make
    #[arg(long)]
    pub adopt: bool,
    /// Take over the REST API with this id, whatever its name: URL and keys stay as clients know them
    #[arg(long, value_name = "ID", conflicts_with = "local")]
    pub adopt_api: Option<ApiId>,
    /// Whether variables that are live and in no file go. What this machine serves is what the files say.
    #[arg(skip)]
    pub forgets: bool,
    /// The packages of functions whose folders have not changed since: neither built nor packaged again.
    #[arg(skip)]
    pub packaged: BTreeMap<FunctionName, Package>,
    /// The environment file that `mdo dev` reads by itself; no flag sets it.
    #[arg(skip)]
    pub own_env_file: Option<PathBuf>,
    /// The server program for the image of a hosted stage; `None` finds it.
    #[arg(skip)]
    pub server_program: Option<PathBuf>,
    /// Whether derivatives that were never locked are locked on the way. A deploy pins nothing that nobody has committed.
    #[arg(skip)]
    pub locks: bool,
}

impl StackArgs {
    /// What the flags say over the files, without any environment variable.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides { region: self.region.clone(), profile: self.profile.clone(), ..Overrides::default() }
    }
}

impl Target {
    /// What the flags say over the files.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            own_env_file: self.own_env_file.clone(),
            env_files: self.environment.env_file.clone(),
            piped: piped(&self.environment.env_file),
            set: self.environment.set.clone(),
            unset: self.unset(),
            ..self.place.overrides()
        }
    }

    /// The environment variables to remove.
    pub(super) fn unset(&self) -> BTreeSet<String> {
        self.environment.unset.iter().cloned().collect()
    }
}

/// What standard input holds, where one of these files is `-`. It is read once, however often files are read anew. What is no text
/// has no variables.
pub(super) fn piped(env_files: &[PathBuf]) -> Option<Secret> {
    static READ: OnceLock<Secret> = OnceLock::new();
    let is_asked_for = env_files.iter().any(|file| file == Path::new(PIPED));
    is_asked_for.then(|| {
        let read = || {
            if std::io::stdin().is_terminal() {
                output::message("note: reading variables from standard input, as NAME=value; Ctrl-D ends it");
            }
            Secret::new(std::io::read_to_string(std::io::stdin()).unwrap_or_default())
        };
        READ.get_or_init(read).clone()
    })
}
