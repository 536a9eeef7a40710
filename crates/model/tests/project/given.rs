//! A project on disk, written file by file, and what its messages look like without it.

use std::fs;
use std::path::PathBuf;

use mdo_model::project::{Assignment, FunctionName, Overrides, Problems, Project, Settings};
use tempfile::TempDir;
use time::Date;
use time::macros::date;

/// The day of these tests: what runtimes are warned of depends on it.
pub(crate) const TODAY: Date = date!(2026 - 11 - 26);

/// A project on disk, written file by file.
pub(crate) struct Given {
    pub folder: TempDir,
}

impl Given {
    /// An empty folder.
    pub(crate) fn nothing() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// A folder with a `project.toml`.
    pub(crate) fn project(text: &str) -> Self {
        Self::nothing().file("project.toml", text)
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
        self
    }

    pub(crate) fn function(self, name: &str, text: &str) -> Self {
        self.file(&format!("functions/{name}/function.json"), text)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn load(&self) -> Result<Project, Problems> {
        Project::load(self.folder.path())
    }

    pub(crate) fn settings(&self, stage: &str, overrides: &Overrides) -> Result<Settings, Problems> {
        self.load()?.settings(&stage.parse().expect("a stage's name"), overrides)
    }

    pub(crate) fn at(&self, stage: &str) -> Settings {
        self.settings(stage, &Overrides::default()).expect("a valid project")
    }

    pub(crate) fn warnings(&self) -> String {
        let project = self.load().expect("a valid project");
        let lines: Vec<String> =
            project.warnings(TODAY).iter().map(|warning| warning.render("warning")).collect();
        lines.join("\n")
    }

    #[track_caller]
    pub(crate) fn fails_with(&self, expected: &str) {
        let problems = self.load().expect_err("problems");
        assert_eq!(self.plain(&problems), unindented(expected));
    }

    #[track_caller]
    pub(crate) fn settings_fail_with(&self, stage: &str, overrides: &Overrides, expected: &str) {
        let problems = self.settings(stage, overrides).expect_err("problems");
        assert_eq!(self.plain(&problems), unindented(expected));
    }

    pub(crate) fn plain(&self, problems: &Problems) -> String {
        problems.to_string().replace(&self.folder.path().display().to_string(), "ROOT")
    }
}

/// The text without the margin that its first line has.
pub(crate) fn unindented(text: &str) -> String {
    let text = text.trim_start_matches('\n').trim_end();
    let margin = text.len() - text.trim_start().len();
    text.lines().map(|line| line.get(margin..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn set(pairs: &[&str]) -> Overrides {
    let set = pairs.iter().map(|pair| pair.parse::<Assignment>().expect("NAME=value")).collect();
    Overrides { set, ..Overrides::default() }
}

pub(crate) fn name(text: &str) -> FunctionName {
    text.parse().expect("a function's name")
}

pub(crate) fn revealed<'a>(settings: &'a Settings, function: &str, variable: &str) -> Option<&'a str> {
    settings.functions[&name(function)].configuration.environment.get(variable).map(|value| value.reveal())
}

pub(crate) const MINIMAL: &str = "name = \"ml_api\"\n";
