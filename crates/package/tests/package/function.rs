//! A function's folder, built as a sentence, and what its package holds.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mdo_model::project::Architecture;
use mdo_package::{Destination, Package, PackageError, Source};
use tempfile::TempDir;

use super::elf::{Elf, X86_64};

/// A function's folder beside an artifact folder, and what its function.json would say.
pub(crate) struct Function {
    pub home: TempDir,
    pub runtime: &'static str,
    pub handler: &'static str,
    architecture: Architecture,
    build: Option<String>,
    clean: Option<String>,
    destination: Destination,
    has_layers: bool,
}

impl Function {
    /// An empty folder for `provided.al2023` on x86_64.
    pub(crate) fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("sample_producer")).unwrap();
        Self {
            home,
            runtime: "provided.al2023",
            handler: "bootstrap",
            architecture: Architecture::X86_64,
            build: None,
            clean: None,
            destination: Destination::Lambda,
            has_layers: false,
        }
    }

    /// A folder with a bootstrap that would start.
    pub(crate) fn ready() -> Self {
        Self::empty().executable("bootstrap", Elf::program(X86_64).bytes())
    }

    pub(crate) fn python(handler: &'static str) -> Self {
        let mut function = Self::empty();
        function.runtime = "python3.13";
        function.handler = handler;
        function
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("sample_producer")
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.home.path().join("artifacts")
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        self
    }

    pub(crate) fn executable(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder().join(name);
        let function = self.file(name, content);
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        function
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        symlink(target, self.folder().join(name)).unwrap();
        self
    }

    pub(crate) fn runtime(mut self, runtime: &'static str) -> Self {
        self.runtime = runtime;
        self
    }

    pub(crate) fn for_arm(mut self) -> Self {
        self.architecture = Architecture::Arm64;
        self
    }

    pub(crate) fn with_bucket(mut self) -> Self {
        self.destination = Destination::LambdaWithBucket;
        self
    }

    pub(crate) fn for_this_machine(mut self) -> Self {
        self.destination = Destination::Local;
        self
    }

    pub(crate) fn with_layers(mut self) -> Self {
        self.has_layers = true;
        self
    }

    pub(crate) fn build_hook(mut self, command: &str) -> Self {
        self.build = Some(command.to_owned());
        self
    }

    pub(crate) fn clean_hook(mut self, command: &str) -> Self {
        self.clean = Some(command.to_owned());
        self
    }

    pub(crate) fn with_source<T>(&self, use_it: impl FnOnce(&Source) -> T) -> T {
        use_it(&Source {
            function: "sample_producer",
            folder: &self.folder(),
            runtime: self.runtime,
            handler: self.handler,
            architecture: self.architecture,
            project_ignore: None,
            has_layers: self.has_layers,
            destination: self.destination,
            abandoned: &AtomicBool::new(false),
            build_hook: self.build.as_deref(),
            clean_hook: self.clean.as_deref(),
        })
    }

    pub(crate) fn package(&self) -> Result<Package, PackageError> {
        self.with_source(|source| mdo_package::package(source, &self.artifacts()))
    }

    /// The names in the package.
    pub(crate) fn names(&self) -> Vec<String> {
        entries(&self.package().unwrap().path).into_iter().map(|(name, _)| name).collect()
    }

    /// The names in the package, with the project's own ignore file.
    pub(crate) fn names_within(&self, project_ignore: &Path) -> Vec<String> {
        let package = self.with_source(|source| {
            let source = Source { project_ignore: Some(project_ignore), ..*source };
            mdo_package::package(&source, &self.artifacts())
        });
        entries(&package.unwrap().path).into_iter().map(|(name, _)| name).collect()
    }

    /// What the preflight says: each problem and its help.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let error = self.package().unwrap_err();
        error.problems().iter().map(|problem| (problem.to_string(), problem.help().unwrap())).collect()
    }

    #[track_caller]
    pub(crate) fn refused(&self, problem: &str, help: &str) {
        assert_eq!(self.problems(), [(problem.to_owned(), help.to_owned())]);
        assert!(!self.artifacts().exists(), "a refused package leaves nothing");
    }
}

/// The entries of a zip with their modes.
pub(crate) fn entries(zip: &Path) -> Vec<(String, u32)> {
    let mut zip = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    (0..zip.len())
        .map(|at| {
            let entry = zip.by_index(at).unwrap();
            (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap())
        })
        .collect()
}

pub(crate) fn content(zip: &Path, name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    let mut content = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}
