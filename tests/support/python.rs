//! Finds a Python that LocalStack runs on, and installs LocalStack into a virtual environment once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::emulator::say;
use super::venv::{lock, step};

/// What the virtual environment is made from: a change in one of these installs anew.
const INGREDIENTS: [&str; 3] = ["requirements.txt", "pyproject.toml", "mdo_localstack.py"];
const NAMES: [&str; 5] = ["python3.13", "python3.12", "python3.14", "python3", "python"];

/// The Python of `folder/venv`, which holds what `sources` asks for.
///
/// One process installs while others wait for it.
///
/// # Errors
///
/// One line that says what is missing, or where pip's output is.
pub fn installed(sources: &Path, folder: &Path) -> Result<PathBuf, String> {
    let explain = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    let _lock = lock(folder)?;

    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let stamp = folder.join("stamp");
    let wanted = fingerprint(sources)?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && is_recent(&python) {
        return Ok(python);
    }
    let _ = fs::remove_file(&stamp);
    if !is_recent(&python) {
        let base = find().ok_or(
            "the emulator needs Python 3.12 or newer on PATH or in ~/.pyenv/versions; \
             MDO_TEST_NO_EMULATOR=1 skips its tests",
        )?;
        say(&format!("installing the emulator into {} (a minute or two, once)", venv.display()));
        step(folder, Command::new(base).args(["-m", "venv", "--clear"]).arg(&venv))?;
    }
    let pip = || {
        let mut command = Command::new(&python);
        command.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
        command
    };
    step(folder, pip().arg("-r").arg(sources.join("requirements.txt")))?;
    // A build leaves files beside its sources, so it gets a copy.
    let plugin = folder.join("plugin");
    let _ = fs::remove_dir_all(&plugin);
    fs::create_dir_all(&plugin).map_err(explain)?;
    for name in INGREDIENTS {
        fs::copy(sources.join(name), plugin.join(name)).map_err(explain)?;
    }
    step(folder, pip().args(["--force-reinstall", "--no-deps"]).arg(&plugin))?;
    fs::write(&stamp, wanted).map_err(explain)?;
    Ok(python)
}

fn fingerprint(sources: &Path) -> Result<String, String> {
    let mut hash = Sha256::new();
    for name in INGREDIENTS {
        let path = sources.join(name);
        hash.update(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn find() -> Option<PathBuf> {
    let mut candidates: Vec<PathBuf> = NAMES.map(PathBuf::from).into();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if let Some(versions) = home.and_then(|home| fs::read_dir(home.join(".pyenv/versions")).ok()) {
        let mut found: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin/python3")).collect();
        found.sort();
        candidates.extend(found.into_iter().rev());
    }
    candidates.into_iter().find(|candidate| is_recent(candidate))
}

fn is_recent(python: &Path) -> bool {
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))";
    let mut command = Command::new(python);
    command.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
