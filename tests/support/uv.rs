//! The uv and the Python of the tests of derivatives: uv is installed once, from PyPI, into `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use mdo_package::derivative::PythonRuntime;

const UV: &str = "uv==0.13.9";

/// A Python on this machine, and the runtime of its version.
pub(crate) struct Python {
    pub program: PathBuf,
    pub runtime: PythonRuntime,
}

/// The newest Python from 3.12 on that runs.
pub(crate) fn python() -> &'static Python {
    static FOUND: LazyLock<Python> = LazyLock::new(|| {
        let found = candidates().into_iter().find_map(|program| {
            let answer = answer(&program)?;
            let (runtime, program) = answer.split_once(' ')?;
            let runtime: PythonRuntime = runtime.parse().ok()?;
            (runtime.minor() >= 12).then_some(Python { program: program.into(), runtime })
        });
        found.expect("these tests need Python 3.12 or newer on PATH or in ~/.pyenv/versions")
    });
    &FOUND
}

/// The uv program.
pub(crate) fn uv() -> &'static Path {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("uv");
        install(&folder)
    });
    &INSTALLED
}

fn candidates() -> Vec<PathBuf> {
    let names = ["python3.13", "python3.12", "python3.14", "python3.15", "python3"];
    let mut candidates = names.map(PathBuf::from).to_vec();
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|entry| entry.path().join("bin/python3")).collect();
    found.sort();
    candidates.extend(found.into_iter().rev());
    candidates
}

/// The runtime's name and the interpreter itself, as it says: a shim may lead nowhere.
fn answer(program: &Path) -> Option<String> {
    let script = "import sys, venv, ensurepip; print('python%d.%d' % sys.version_info[:2], sys.executable)";
    let output = Command::new(program).args(["-c", script]).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// One process installs while others wait for it.
fn install(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let venv = folder.join("venv");
    let stamp = folder.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == UV) && venv.join("bin/uv").exists() {
        return venv.join("bin/uv");
    }
    step(Command::new(&python().program).args(["-m", "venv", "--clear"]).arg(&venv));
    step(Command::new(venv.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        UV,
    ]));
    fs::write(&stamp, UV).unwrap();
    venv.join("bin/uv")
}

fn step(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "cannot install {UV}: {}", String::from_utf8_lossy(&output.stderr));
}
