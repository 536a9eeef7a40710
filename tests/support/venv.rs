//! Virtual environments below `target/`, each made once by one process while others wait for it. It knows no test and no other support.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python of a virtual environment in `folder` that holds `requirements`, made with the Python `base`.
///
/// # Errors
///
/// One line that says what is missing, or where pip's output is.
pub fn with_packages(folder: &Path, base: &Path, requirements: &[&str]) -> Result<PathBuf, String> {
    let _lock = lock(folder)?;
    let python = folder.join("venv/bin/python");
    let stamp = folder.join("stamp");
    let wanted = format!("{} {}", base.display(), requirements.join(" "));
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && python.exists() {
        return Ok(python);
    }
    step(folder, Command::new(base).args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]);
    step(folder, pip.args(requirements))?;
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(python)
}

/// Waits until no other process installs into a folder; held until it is dropped.
pub fn lock(folder: &Path) -> Result<File, String> {
    let explain = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(explain)?;
    let lock = File::create(folder.join("lock")).map_err(explain)?;
    lock.lock().map_err(explain)?;
    Ok(lock)
}

/// Runs one step of an installation with its output in `folder/install.log`.
pub fn step(folder: &Path, command: &mut Command) -> Result<(), String> {
    let path = folder.join("install.log");
    let log = File::create(&path).and_then(|log| Ok((log.try_clone()?, log)));
    let (output, errors) = log.map_err(|error| format!("{}: {error}", path.display()))?;
    let status = command.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => {
            let last = tail(&path).lines().last().unwrap_or_default().to_owned();
            Err(format!("cannot install it: {last} (all of it: {})", path.display()))
        }
        Err(error) => Err(format!("cannot run {:?}: {error}", command.get_program())),
    }
}

/// The last lines of a log file.
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
