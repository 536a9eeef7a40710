//! A project with one derivative, built as a sentence.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mdo_model::project::Architecture;
use mdo_package::derivative::{
    self, Built, DerivativeError, Lock, LockOptions, Locked, Packing, PythonRuntime, Recipe, Tools,
};
use tempfile::TempDir;

use super::uv::{python, uv};
use super::wheel::{self, Wheel};

/// A folder with wheels, and with a uv.toml that lets uv look nowhere else.
pub(crate) struct Project {
    pub home: TempDir,
    pub recipe: Recipe,
    pub abandoned: AtomicBool,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project = Self::on_the_network();
        let (wheels, cache) = (project.wheels(), project.home.path().join("uv-cache"));
        fs::create_dir_all(&wheels).unwrap();
        let settings = format!("no-index = true\nfind-links = [{wheels:?}]\ncache-dir = {cache:?}\n");
        fs::write(project.home.path().join("uv.toml"), settings).unwrap();
        project
    }

    /// One whose packages come from where uv usually has them from.
    pub(crate) fn on_the_network() -> Self {
        let recipe = Recipe {
            name: "sklearn".into(),
            lock: String::new(),
            runtime: python().runtime,
            architecture: Architecture::X86_64,
            exclude: Vec::new(),
            source: Vec::new(),
            bytecode: true,
        };
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("derivatives/sklearn")).unwrap();
        Self { home, recipe, abandoned: AtomicBool::new(false) }
    }

    /// A project with a distribution of everything that is dropped, and one that it needs.
    pub(crate) fn colours() -> Self {
        let colours = Wheel::module("colours", "1.0")
            .requires("shades")
            .file("colours/tests/test_all.py", "assert True\n")
            .file("colours/__init__.pyi", "")
            .file("colours/__pycache__/__init__.cpython-27.pyc", "of another host")
            .file("colours-1.0.data/scripts/paint", "#!python\n")
            .file("colours-1.0.dist-info/entry_points.txt", "[console_scripts]\nmix = colours:mix\n");
        Self::new()
            .wheel(colours)
            .wheel(Wheel::pure("shades", "0.3").file("shades.py", "DARK = frozenset({'a', 'b', 'c'})\n"))
            .wants("colours\n")
            .locked()
    }

    pub(crate) fn wheels(&self) -> PathBuf {
        self.home.path().join("wheels")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("derivatives/sklearn")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.home.path().join(".mdo/derivatives")
    }

    pub(crate) fn wheel(self, wheel: Wheel) -> Self {
        wheel.write(&self.wheels());
        self
    }

    pub(crate) fn wants(self, requirements: &str) -> Self {
        fs::write(self.folder().join("requirements.in"), requirements).unwrap();
        self
    }

    /// Lets uv have the wheels that are there now from an index, with their hashes.
    pub(crate) fn indexed(self) -> Self {
        let (index, cache) =
            (wheel::index(&self.wheels()), tempfile::tempdir_in(self.home.path()).unwrap().keep());
        let settings = format!("index-url = {index:?}\ncache-dir = {cache:?}\n");
        fs::write(self.home.path().join("uv.toml"), settings).unwrap();
        self
    }

    /// Wants packages as a project of Python's own tools, on any Python from 3.12 on.
    pub(crate) fn wants_as_project(self, dependencies: &[&str]) -> Self {
        let text = format!(
            "[project]\nname = \"paint\"\nversion = \"1\"\nrequires-python = \">=3.12\"\ndependencies = {dependencies:?}\n\n\
             [dependency-groups]\ndev = [\"shades\"]\n"
        );
        fs::write(self.folder().join("pyproject.toml"), text).unwrap();
        self
    }

    /// Locks, and builds from that lock from now on.
    pub(crate) fn locked(mut self) -> Self {
        self.lock().unwrap_or_else(|error| panic!("{error}"));
        self.recipe.lock = self.lock_text(self.recipe.runtime).unwrap();
        self
    }

    pub(crate) fn lock_text(&self, runtime: PythonRuntime) -> Result<String, DerivativeError> {
        Lock::read("sklearn", &self.folder())?.text(runtime).map(str::to_owned)
    }

    pub(crate) fn tools(&self) -> Tools<'_> {
        Tools {
            uv: uv(),
            python: &python().program,
            runtime_python: Some(&python().program),
            abandoned: &self.abandoned,
        }
    }

    pub(crate) fn lock(&self) -> Result<Locked, DerivativeError> {
        self.lock_with(false)
    }

    pub(crate) fn lock_with(&self, upgrade: bool) -> Result<Locked, DerivativeError> {
        let options = LockOptions { runtime: self.recipe.runtime, upgrade };
        derivative::lock("sklearn", &self.folder(), &options, &self.tools(), &mut |_| {})
    }

    pub(crate) fn build(&self) -> Result<Built, DerivativeError> {
        self.pack(Packing::OneZip)
    }

    pub(crate) fn pack(&self, packing: Packing) -> Result<Built, DerivativeError> {
        derivative::build(&self.recipe, &self.cache(), packing, &self.tools(), &mut |_| {})
    }

    /// A shell script that stands in for a program.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Checks the whole text of the error and of its help.
    pub(crate) fn refused(&self, error: &str, help: &str) {
        let found = self.build().unwrap_err();
        assert_eq!(self.shown(&found), error);
        assert_eq!(found.help().unwrap_or_default(), help);
        let left = fs::read_dir(self.cache()).into_iter().flatten().count();
        assert_eq!(left, 0, "a failed build leaves nothing");
    }

    /// The text of an error, without the places of this test.
    pub(crate) fn shown(&self, error: &DerivativeError) -> String {
        let home = self.home.path().display().to_string();
        error.to_string().replace(&home, "~").replace(&self.recipe.runtime.to_string(), "python3.X")
    }
}

/// The names of the files below a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        for child in fs::read_dir(folder).unwrap() {
            let child = child.unwrap();
            let name = format!("{prefix}{}", child.file_name().to_str().unwrap());
            if child.file_type().unwrap().is_dir() {
                walk(&child.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}

/// A runtime that is not the one of this machine's Python.
pub(crate) fn another(runtime: PythonRuntime) -> PythonRuntime {
    PythonRuntime::ALL.into_iter().rev().find(|other| *other != runtime).unwrap()
}
