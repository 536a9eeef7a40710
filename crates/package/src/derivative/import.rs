//! Imports the top-level modules of a tree once, with the runtime's own Python.

use std::process::Command;
use std::sync::atomic::Ordering;

use mdo_model::project::Architecture;

use super::build::{Built, runs_here};
use super::error::DerivativeError;
use super::runtime::PythonRuntime;
use super::{Event, Observe, Tools, bytecode};

/// How the lines begin that the script writes; modules may print as well.
const MARK: &str = "mdo-import ";

/// Says before each module that it begins, so that a crash can be told. A system with another libc cannot load the wheels.
const SCRIPT: &str = r#"
import importlib, os, sys
tree, glibc, *modules = sys.argv[1:]
try:
    found = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
except (AttributeError, IndexError, OSError, ValueError):
    found = "0.0"
if glibc != "any" and tuple(map(int, found.split("."))) < tuple(map(int, glibc.split("."))):
    print("mdo-import elsewhere", flush=True)
    sys.exit()
sys.path.insert(0, tree)
for module in modules:
    print("\nmdo-import begin", module, flush=True)
    try:
        importlib.import_module(module)
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print("\nmdo-import failed", module, text, flush=True)
    print("\nmdo-import end", module, flush=True)
print("\nmdo-import done", flush=True)
os._exit(0)
"#;

/// What came of importing the modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// This machine cannot run the tree, or has no Python of the runtime's version.
    NotHere,
    /// All were imported, but for those that are named with the reason: `numpy: ImportError: …`.
    Tried {
        /// The modules that were imported.
        modules: Vec<String>,
        /// Those that could not be.
        failed: Vec<String>,
    },
}

/// Imports each top-level module of a derivative once. A module that is never needed may fail, so nothing is an error.
///
/// # Errors
/// When the interpreter cannot be started, or nobody waits any more.
pub fn import(
    name: &str,
    built: &Built,
    runtime: PythonRuntime,
    architecture: Architecture,
    tools: &Tools,
    observe: Observe,
) -> Result<Imported, DerivativeError> {
    let python = match bytecode::runtime_python(name, "importing it", runtime, tools) {
        Ok(python) if runs_here(architecture) => python,
        Ok(_) | Err(DerivativeError::NoRuntimePython { .. }) => return Ok(Imported::NotHere),
        Err(error) => return Err(error),
    };
    observe(Event::Importing);
    let mut command = Command::new(python);
    let glibc = runtime.manylinux().trim_start_matches("manylinux_").replace('_', ".");
    command.args(["-I", "-B", "-c", SCRIPT]).arg(&built.tree).arg(glibc).args(&built.modules);
    let mut report = Report::default();
    let status = crate::process::run(command, tools.abandoned, &mut |line| match line.strip_prefix(MARK) {
        Some(line) => report.read(line),
        None => observe(Event::Said(line)),
    })
    .map_err(|source| DerivativeError::Start { program: python.to_owned(), source })?;
    if tools.abandoned.load(Ordering::Relaxed) {
        return Err(DerivativeError::Abandoned { name: name.to_owned() });
    }
    Ok(report.finish(&crate::error::outcome(status)))
}

#[derive(Default)]
struct Report {
    elsewhere: bool,
    begun: Option<String>,
    modules: Vec<String>,
    failed: Vec<String>,
}

impl Report {
    fn read(&mut self, line: &str) {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "elsewhere" => self.elsewhere = true,
            "begin" => self.begun = Some(rest.to_owned()),
            "failed" => {
                self.begun = None;
                let (module, why) = rest.split_once(' ').unwrap_or((rest, ""));
                self.failed.push(format!("{module}: {why}"));
            }
            "end" => self.modules.extend(self.begun.take()),
            _ => {}
        }
    }

    fn finish(mut self, outcome: &str) -> Imported {
        if self.elsewhere {
            return Imported::NotHere;
        }
        if let Some(module) = self.begun.take() {
            self.failed.push(format!("{module}: Python ended with {outcome}"));
        }
        Imported::Tried { modules: self.modules, failed: self.failed }
    }
}
