//! A project at a stage, and the provider where it lives: what nearly every verb starts with.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use mdo_engine::{Observed, Provider, Scope};
use mdo_model::project::{Overrides, Problems, Project, Settings, StageName};
use time::{Date, OffsetDateTime};

use super::arguments::StackArgs;
use super::connect::{Connection, Location, connect};
use super::origin;
use crate::output::{self, Complaint, ErrorCode, Failure, exit_code};

/// A project at a stage and its provider.
pub(super) struct Session {
    pub project: Project,
    pub settings: Settings,
    pub connection: Connection,
    pub provider: Arc<dyn Provider>,
}

impl Session {
    /// Reads the project that the current folder belongs to, and connects to the provider.
    pub(super) async fn open(place: &StackArgs, overrides: &Overrides) -> Result<Self, Failure> {
        let project = load()?;
        let stage = place.stage.as_ref().unwrap_or_else(|| project.default_stage());
        let settings = project.resolve(stage, overrides)?;
        Self::connect(place, project, settings).await
    }

    /// As [`Session::open`], for verbs that set no environment.
    pub(super) async fn open_live(place: &StackArgs) -> Result<Self, Failure> {
        Self::open(place, &place.overrides()).await
    }

    async fn connect(place: &StackArgs, project: Project, settings: Settings) -> Result<Self, Failure> {
        let location = if place.local { Location::Local } else { Location::Aws };
        let root = settings.root.clone();
        let origin = Box::new(move || origin::find(&root));
        let connection = connect(location, &settings, origin).await?;
        let provider = Arc::clone(&connection.provider);
        Ok(Self { project, settings, connection, provider })
    }

    /// The scope of all functions of the files.
    pub(super) fn scope(&self, adopt: bool) -> Scope {
        let functions: BTreeSet<_> = self.settings.functions.keys().cloned().collect();
        Scope { functions, adopt, ..Scope::default() }
    }

    /// What is live at the stage.
    pub(super) async fn observe(&self, scope: &Scope) -> Result<Observed, Failure> {
        let what = format!("reading what is live at stage {}", self.settings.stage);
        Ok(output::patiently(&what, self.provider.observe(scope)).await?)
    }

    /// The other stages at which the project has anything, as the end of a sentence: `; the project has dev, prod`. Empty where
    /// there is none.
    pub(super) async fn other_stages(&self) -> Result<String, Failure> {
        let stages = self.provider.stages().await?;
        let others: Vec<&str> =
            stages.iter().filter(|stage| **stage != self.settings.stage).map(StageName::as_str).collect();
        Ok(if others.is_empty() { String::new() } else { format!("; the project has {}", others.join(", ")) })
    }

    /// Whether the stack is on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.connection.local.is_some()
    }

    /// The flags that lead to this stack again, each with a blank before it.
    pub(super) fn flags(&self) -> String {
        let local = if self.is_local() { " --local" } else { "" };
        format!("{local}{}", self.stage_flag())
    }

    /// The flag that leads to this stage again with a blank before it; empty for the default one.
    pub(super) fn stage_flag(&self) -> String {
        let stage = &self.settings.stage;
        if self.project.default_stage() == stage { String::new() } else { format!(" --stage {stage}") }
    }
}

/// Reads the project that the current folder belongs to, and says its warnings.
pub(super) fn load() -> Result<Project, Failure> {
    let project = Project::load(&Project::find(&current_folder()?)?)?;
    for warning in project.warnings(today()) {
        output::warn(&warning);
    }
    Ok(project)
}

/// The folder that the command runs in.
pub(super) fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::with_help(
            exit_code::FAILED,
            format!("cannot determine the current directory: {error}"),
            "it may have been removed: change to one that exists",
        )
    })
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let complaint = |problem| Complaint::of_problem(ErrorCode::Configuration, problem);
        Self { complaints: problems.into_iter().map(complaint).collect(), code: exit_code::USAGE }
    }
}

/// The day, in UTC.
pub(super) fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// The region that the environment names, for commands that ask the SDK for nothing.
pub(super) fn region_of_environment() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}
