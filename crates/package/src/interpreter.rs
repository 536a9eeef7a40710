//! Finds the interpreter of a managed runtime on this machine: exactly the version that is declared, and only one that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use mdo_model::project::Interpreter;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Stamp;

/// How long a program is given to tell its version.
const PROBE: Duration = Duration::from_secs(10);

/// How often an executable that somebody still writes to is tried again, and after what pause.
const BUSY_TRIES: usize = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The oldest minor version of Python that is worth naming: what is older, Lambda has no more.
const OLDEST_NAMED: u32 = 11;

/// What decides where interpreters are looked for, so that tests can give something else.
#[derive(Clone, Debug)]
struct Machine {
    /// Environment variables.
    variables: BTreeMap<&'static str, OsString>,
}

/// Where Homebrew is on the systems that it is made for, unless it says so itself.
const PREFIXES: &[&str] = &["/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"];

/// The variables that decide where interpreters are looked for.
const VARIABLES: [&str; 11] = [
    "PATH",
    "HOME",
    "MDO_PYTHON",
    "MDO_NODE",
    "PYENV_ROOT",
    "UV_PYTHON_INSTALL_DIR",
    "XDG_DATA_HOME",
    "NVM_DIR",
    "FNM_DIR",
    "VOLTA_HOME",
    "HOMEBREW_PREFIX",
];

/// The interpreter of a project's virtual environment.
const VENV: &str = ".venv/bin/python";

/// A version of an interpreter: 3.13.0.
type Version = [u32; 3];

/// The program that `MDO_PYTHON` or `MDO_NODE` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As it was named.
    pub program: PathBuf,
    /// What it is, when it runs.
    pub is: Option<Interpreter>,
}

/// Why there is no interpreter of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// What was looked for.
    pub interpreter: Interpreter,
    /// The versions that are there instead, oldest first.
    pub found: Vec<String>,
    /// The program that was named, when it is the reason.
    pub given: Option<Given>,
}

impl NotFound {
    /// What to do about it.
    pub fn help(&self) -> String {
        let variable = self.interpreter.variable();
        let (install, program) = match self.interpreter {
            Interpreter::Python { minor } => {
                (format!("uv python install 3.{minor}"), format!("/path/to/python3.{minor}"))
            }
            Interpreter::Node { major } => {
                (format!("nvm install {major} or fnm install {major}"), "/path/to/node".to_owned())
            }
        };
        match self.given {
            Some(_) => format!("set {variable}={program}, or unset it"),
            None => format!("{install}, or set {variable}={program}"),
        }
    }
}

/// Reads after `function sample_producer runs on python3.13, and `.
impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(Given { program, is }) = &self.given {
            write!(f, "{} is {}, which is ", self.interpreter.variable(), program.display())?;
            return match is {
                Some(other) => write!(f, "{other}"),
                None => write!(f, "no {} that runs", self.interpreter.language()),
            };
        }
        write!(f, "this machine has no {}", self.interpreter)?;
        match self.found.as_slice() {
            [] => Ok(()),
            found => write!(f, " (found {})", found.join(", ")),
        }
    }
}

impl std::error::Error for NotFound {}

/// The program of CPython 3 at a minor version: 13 for 3.13.
///
/// It is what `MDO_PYTHON` names if that is of this version. Else it is looked for in the `.venv` of the folder `root`, on `PATH`, and where pyenv, uv and Homebrew install it.
///
/// # Errors
/// When there is none that runs.
pub fn find_python(minor: u32, root: &Path) -> Result<PathBuf, NotFound> {
    find_interpreter(Interpreter::Python { minor }, root)
}

/// The program of an interpreter, for the project in the folder `root`. It is the program itself, not a shim that leads to it.
///
/// What was found is remembered as long as the process lives and the program stays as it is; what was not is looked for again.
///
/// # Errors
/// When there is none that runs.
pub fn find_interpreter(interpreter: Interpreter, root: &Path) -> Result<PathBuf, NotFound> {
    type Question = (Interpreter, PathBuf, bool);
    static FOUND: Mutex<BTreeMap<Question, (PathBuf, Stamp)>> = Mutex::new(BTreeMap::new());
    let found = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let stamp = |program: &Path| Some(Stamp::of(&fs::metadata(program).ok()?));
    // A virtual environment may be made meanwhile, and comes before what was found without it.
    let question = (interpreter, root.to_owned(), root.join(VENV).is_file());
    if let Some((program, then)) = found().get(&question)
        && stamp(program).is_some_and(|now| now == *then)
    {
        return Ok(program.clone());
    }
    let program = Machine::this().find(interpreter, root)?;
    if let Some(stamp) = stamp(&program) {
        found().insert(question, (program.clone(), stamp));
    }
    Ok(program)
}

/// What `MDO_PYTHON` or `MDO_NODE` names, whichever is the language's.
pub fn given(language: Interpreter) -> Option<Given> {
    let (program, runs) = Machine::this().given(language)?;
    let is = runs.first().map(|([major, minor, _], _)| match language {
        Interpreter::Python { .. } => Interpreter::Python { minor: *minor },
        Interpreter::Node { .. } => Interpreter::Node { major: *major },
    });
    Some(Given { program, is })
}

impl Machine {
    fn this() -> Self {
        let variables = VARIABLES.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        Self { variables: variables.collect() }
    }

    fn find(&self, interpreter: Interpreter, root: &Path) -> Result<PathBuf, NotFound> {
        let mut found = BTreeSet::new();
        if let Some((given, runs)) = self.given(interpreter) {
            if let Some((_, program)) = runs.iter().find(|(version, _)| is_version(interpreter, *version)) {
                return Ok(program.clone());
            }
            if runs.is_empty() {
                let given = Some(Given { program: given, is: None });
                return Err(NotFound { interpreter, found: Vec::new(), given });
            }
            found.extend(runs.into_iter().map(|(version, _)| version));
        }
        let candidates = match interpreter {
            Interpreter::Python { minor } => self.pythons(minor, root),
            Interpreter::Node { major } => self.nodes(major),
        };
        for candidate in candidates.into_iter().filter(|candidate| candidate.is_file()) {
            let Some((version, program)) = probe(interpreter, &candidate) else { continue };
            if is_version(interpreter, version) {
                return Ok(program);
            }
            found.insert(version);
        }
        found.extend(self.installed(interpreter));
        let is_worth_naming = |[major, minor, _]: &Version| {
            interpreter.language() != "Python" || (*major, *minor) >= (3, OLDEST_NAMED)
        };
        let found = found.into_iter().filter(is_worth_naming).map(written).collect();
        Err(NotFound { interpreter, found, given: None })
    }

    /// What the language's variable names, with every program of that name that runs.
    fn given(&self, interpreter: Interpreter) -> Option<(PathBuf, Vec<(Version, PathBuf)>)> {
        let given = self.variables.get(interpreter.variable()).filter(|given| !given.is_empty())?;
        let given = PathBuf::from(given);
        // A name without a folder is one on PATH, as for a shell.
        let candidates = match given.components().count() {
            1 => self.on_path(&given.to_string_lossy()),
            _ => vec![given.clone()],
        };
        let candidates = candidates.iter().filter(|candidate| candidate.is_file());
        let runs = candidates.filter_map(|candidate| probe(interpreter, candidate)).collect();
        Some((given, runs))
    }

    fn pythons(&self, minor: u32, root: &Path) -> Vec<PathBuf> {
        let name = format!("python3.{minor}");
        let mut candidates = vec![root.join(VENV)];
        candidates.extend(self.on_path(&name));
        let wanted = |version: &Version| version[..2] == [3, minor];
        candidates.extend(self.pyenv().filter(|(version, _)| wanted(version)).map(|(_, program)| program));
        candidates.extend(self.uv().filter(|(version, _)| wanted(version)).map(|(_, program)| program));
        for prefix in self.homebrew() {
            candidates.push(prefix.join("bin").join(&name));
            candidates.push(prefix.join(format!("opt/python@3.{minor}/bin/{name}")));
        }
        candidates.extend(self.on_path("python3"));
        candidates.extend(self.on_path("python"));
        candidates
    }

    fn nodes(&self, major: u32) -> Vec<PathBuf> {
        let mut candidates = self.on_path("node");
        candidates
            .extend(self.node_folders().filter(|(version, _)| version[0] == major).map(|(_, node)| node));
        for prefix in self.homebrew() {
            candidates.push(prefix.join(format!("opt/node@{major}/bin/node")));
            candidates.push(prefix.join("bin/node"));
        }
        candidates
    }

    /// What is installed at a version that is known from the name of its folder alone.
    fn installed(&self, interpreter: Interpreter) -> BTreeSet<Version> {
        match interpreter {
            Interpreter::Python { .. } => self.pyenv().chain(self.uv()).map(|(version, _)| version).collect(),
            Interpreter::Node { .. } => self.node_folders().map(|(version, _)| version).collect(),
        }
    }

    fn pyenv(&self) -> impl Iterator<Item = (Version, PathBuf)> + use<> {
        let versions = self.folder("PYENV_ROOT", ".pyenv").map(|root| root.join("versions"));
        below(versions, "", "bin/python3")
    }

    fn uv(&self) -> impl Iterator<Item = (Version, PathBuf)> + use<> {
        let own = self.variables.get("UV_PYTHON_INSTALL_DIR").map(PathBuf::from);
        let data = || Some(self.folder("XDG_DATA_HOME", ".local/share")?.join("uv/python"));
        below(own.or_else(data), "cpython-", "bin/python3")
    }

    fn node_folders(&self) -> impl Iterator<Item = (Version, PathBuf)> + use<> {
        let nvm = self.folder("NVM_DIR", ".nvm").map(|root| root.join("versions/node"));
        let fnm = self.variables.get("FNM_DIR").map(PathBuf::from);
        let fnm = fnm.or_else(|| Some(self.folder("XDG_DATA_HOME", ".local/share")?.join("fnm")));
        let mac_fnm = self.home().map(|home| home.join("Library/Application Support/fnm/node-versions"));
        let volta = self.folder("VOLTA_HOME", ".volta").map(|root| root.join("tools/image/node"));
        below(nvm, "v", "bin/node")
            .chain(below(fnm.map(|root| root.join("node-versions")), "v", "installation/bin/node"))
            .chain(below(mac_fnm, "v", "installation/bin/node"))
            .chain(below(volta, "", "bin/node"))
    }

    fn homebrew(&self) -> Vec<PathBuf> {
        match self.variables.get("HOMEBREW_PREFIX") {
            Some(own) => vec![own.into()],
            None => PREFIXES.iter().map(PathBuf::from).collect(),
        }
    }

    fn home(&self) -> Option<PathBuf> {
        self.variables.get("HOME").map(PathBuf::from)
    }

    /// The folder that a variable names, or one below the home folder.
    fn folder(&self, variable: &str, usual: &str) -> Option<PathBuf> {
        let given = self.variables.get(variable).map(PathBuf::from);
        given.or_else(|| Some(self.home()?.join(usual)))
    }

    fn on_path(&self, name: &str) -> Vec<PathBuf> {
        let path = self.variables.get("PATH").cloned().unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(name)).collect()
    }
}

/// The versions in a folder that are named for themselves, `v22.20.0` or `cpython-3.13.1-linux-…`: newest first.
fn below(
    folder: Option<PathBuf>,
    prefix: &'static str,
    program: &'static str,
) -> impl Iterator<Item = (Version, PathBuf)> {
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut versions: Vec<(Version, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.split(['-', '+']).next()?;
            Some((parse(version)?, entry.path().join(program)))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev()
}

fn parse(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}

fn written([major, minor, patch]: Version) -> String {
    format!("{major}.{minor}.{patch}")
}

fn is_version(interpreter: Interpreter, version: Version) -> bool {
    match interpreter {
        Interpreter::Python { minor } => version[..2] == [3, minor],
        Interpreter::Node { major } => version[0] == major,
    }
}

/// Runs a program to hear which version it is, and where it is. `None` when it does not run.
fn probe(interpreter: Interpreter, program: &Path) -> Option<(Version, PathBuf)> {
    let script = match interpreter {
        Interpreter::Python { .. } => {
            "import sys; print(*sys.version_info[:3], sep='.'); print(sys.executable)"
        }
        Interpreter::Node { .. } => "console.log(process.versions.node); console.log(process.execPath)",
    };
    let mut command = Command::new(program);
    match interpreter {
        // Neither the environment nor site-packages have a say.
        Interpreter::Python { .. } => command.args(["-I", "-S", "-c", script]),
        Interpreter::Node { .. } => command.args(["-e", script]).env_remove("NODE_OPTIONS"),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let child = spawn(&mut command).ok()?;
    let group = Pid::from_child(&child);
    let (sender, output) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = output.recv_timeout(PROBE) else {
        // Whoever waits for it ends with it.
        let _ = kill_process_group(group, Signal::KILL);
        return None;
    };
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let (version, own) = (parse(lines.next()?)?, PathBuf::from(lines.next()?));
    own.is_absolute().then_some((version, own))
}

/// Starts a program; one that is being installed at this very moment is tried again.
fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
    command.spawn()
}

#[cfg(test)]
mod tests;
