//! A project as the user wrote it, and what can be asked of it without merging anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use time::Date;

use super::document::Document;
use super::loaded_function::LoadedFunction;
use super::manifest::{Manifest, StageTable};
use super::problem::{Place, Problem};
use super::{FunctionName, ProjectName, StageName, check};

/// A project as written: valid, with nothing merged yet.
#[derive(Clone, Debug)]
pub struct Project {
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) document: Document,
    pub(super) functions: BTreeMap<FunctionName, LoadedFunction>,
    pub(super) default_stage: StageName,
}

impl Project {
    /// The folder that holds `project.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The project's name.
    pub fn name(&self) -> &ProjectName {
        &self.manifest.name
    }

    /// The stage of a command that names none.
    pub fn default_stage(&self) -> &StageName {
        &self.default_stage
    }

    /// The table of `project.toml` that decides on the warm rule of a function at a stage, in place of its function.json.
    pub fn overrides_warm(&self, stage: &StageName, function: &FunctionName) -> Option<String> {
        let table = self.manifest.stages.get(stage)?;
        let own = table.functions.get(function).filter(|own| own.warm.is_some());
        let own = own.map(|_| format!("[stages.{stage}.functions.{function}]"));
        own.or_else(|| table.warm.is_some().then(|| format!("[stages.{stage}]")))
    }

    /// The stages that `project.toml` has overrides for.
    pub fn stages(&self) -> impl Iterator<Item = &StageName> {
        self.manifest.stages.keys()
    }

    /// Whether `project.toml` says how any stage is hosted. Where it does not, nobody needs to look for servers.
    pub(super) fn knows_hosting(&self) -> bool {
        let says = |table: &StageTable| table.hosting.is_some();
        self.document.place(&["server"]).is_some() || self.manifest.stages.values().any(says)
    }

    /// The functions, by name.
    pub fn functions(&self) -> impl Iterator<Item = &FunctionName> {
        self.functions.keys()
    }

    /// What works `today` and will not for long.
    pub fn warnings(&self, today: Date) -> Vec<Problem> {
        check::warnings(self, today)
    }

    /// Where a function's setting was written: the value of `key` in its `function.json`, else in `[defaults]`.
    ///
    /// `key` may be a path with dots, such as `hooks.build`.
    pub fn place(&self, function: &FunctionName, key: &str) -> Option<Place> {
        let path: Vec<&str> = key.split('.').collect();
        let in_defaults: Vec<&str> = std::iter::once("defaults").chain(path.iter().copied()).collect();
        let function = self.functions.get(function)?;
        function.document.place(&path).or_else(|| self.document.place(&in_defaults))
    }
}
