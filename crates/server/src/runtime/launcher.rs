//! How a function's process is started: the `bootstrap` of its package, or an interpreter with our client of the Runtime API.
//!
//! The clients are handed over as an argument instead of as a file: nothing has to be written, kept complete or removed, the function's
//! temporary folder is empty as on Lambda, and what it starts with `multiprocessing` does not import a second client.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf, absolute};

use mdo_model::project::Interpreter;

use super::environment::RUNTIME_DIR;

/// The name of the executable of an OS-only runtime, at the package's root.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// What every start runs, as one text.
const PYTHON: &str = concat!(
    include_str!("clients/python/start.py"),
    include_str!("clients/python/documents.py"),
    include_str!("clients/python/context.py"),
    include_str!("clients/python/modules.py"),
    include_str!("clients/python/main.py"),
);
/// What it runs when it is needed: compiling takes time.
const PYTHON_WHEN_NEEDED: [&str; 2] =
    [include_str!("clients/python/logs.py"), include_str!("clients/python/errors.py")];
const NODE: &str = include_str!("clients/node.cjs");

/// A program with what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program: an absolute path, or a name where none was found.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Environment variables, unless the function sets them itself.
    pub environment: BTreeMap<String, OsString>,
    /// Search paths: these folders come before what the function itself sets.
    pub paths: BTreeMap<String, Vec<PathBuf>>,
}

impl Launcher {
    /// The package's own `bootstrap`.
    pub fn bootstrap(code: &Path) -> Self {
        Self {
            program: made_absolute(code).join(BOOTSTRAP),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            paths: BTreeMap::new(),
        }
    }

    /// An interpreter that runs the handler of the package in `code`.
    ///
    /// `dependencies` are folders of modules, which come after the package's own: what Lambda has below `/opt`.
    pub fn interpreter(
        interpreter: Interpreter,
        program: PathBuf,
        code: &Path,
        dependencies: &[PathBuf],
    ) -> Self {
        let code = made_absolute(code);
        let (mut arguments, mut paths) = (Vec::new(), BTreeMap::new());
        match interpreter {
            Interpreter::Python { .. } => {
                // Unbuffered, without the packages of this machine, and UTF-8 whatever its locales are.
                arguments.extend(["-u", "-s", "-S", "-X", "utf8", "-c", PYTHON].map(OsString::from));
                arguments.extend(PYTHON_WHEN_NEEDED.map(OsString::from));
                // As arguments: on PYTHONPATH, a module of the function would come before the client's own of the standard library.
                arguments.push(code.clone().into());
                arguments.extend(dependencies.iter().map(|folder| folder.clone().into()));
            }
            Interpreter::Node { .. } => {
                arguments.extend(["-e", NODE].map(OsString::from));
                paths.insert("NODE_PATH".to_owned(), dependencies.to_vec());
            }
        }
        let mut environment = BTreeMap::from([
            // An interpreter of this machine finds its own libraries by itself.
            ("LD_LIBRARY_PATH".to_owned(), joined(&[code.clone(), code.join("lib"), "/opt/lib".into()])),
        ]);
        if let Some(folder) = program.parent().filter(|folder| folder.is_absolute()) {
            let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/bin"].map(PathBuf::from);
            environment.insert("PATH".to_owned(), joined(&[&[folder.to_owned()][..], &usual].concat()));
        }
        if matches!(interpreter, Interpreter::Python { .. }) {
            // The package is shared by all sandboxes, and on Lambda nobody can write to it.
            environment.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".into());
            // As on Lambda, for what the function starts: neither the package nor its dependencies.
            environment.insert("PYTHONPATH".to_owned(), RUNTIME_DIR.into());
        }
        Self { program, arguments, environment, paths }
    }

    /// A search path of the function: its launcher's folders, then its own.
    pub(super) fn path(&self, name: &str, own: Option<&str>) -> OsString {
        let folders = self.paths.get(name).into_iter().flatten().cloned();
        let own = own.into_iter().flat_map(std::env::split_paths);
        joined(&folders.chain(own).collect::<Vec<_>>())
    }
}

/// A program by its name on this process's `PATH`; the name alone where it is not there.
pub fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    found.map_or_else(|| name.into(), |program| made_absolute(&program))
}

fn made_absolute(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Folders as one search path. A folder with a colon in its name cannot be in one, and is left out.
fn joined(folders: &[PathBuf]) -> OsString {
    let sayable = folders.iter().filter(|folder| !folder.as_os_str().to_string_lossy().contains(':'));
    std::env::join_paths(sayable).unwrap_or_default()
}
