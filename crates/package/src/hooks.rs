//! Runs a function's build and clean hooks; knows nothing of what they make.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::process::{Command, ExitStatus};

use super::{PackageError, Source, process};

/// How many of a failed hook's last lines its error shows.
const SHOWN_LINES: usize = 20;

/// One of a function's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Makes the code, before it is packaged.
    Build,
    /// Removes what the build made.
    Clean,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build => "build",
            Self::Clean => "clean",
        })
    }
}

/// Runs the build hook, if there is one, passing each line that it prints to `observe`.
///
/// It runs with `sh -c` in the function's folder, without input, with `MDO_FUNCTION`, `MDO_ARCHITECTURE` and
/// `MDO_RUNTIME` set.
///
/// # Errors
/// [`PackageError::Hook`] when it fails, [`PackageError::HookStart`] when it cannot be started.
pub fn build(source: &Source, observe: &mut dyn FnMut(&str)) -> Result<(), PackageError> {
    run_if_declared(source, Hook::Build, source.build_hook, observe)
}

/// Runs the clean hook, if there is one, exactly as [`build`] runs the build hook.
///
/// # Errors
/// As [`build`].
pub(super) fn clean(source: &Source, observe: &mut dyn FnMut(&str)) -> Result<(), PackageError> {
    run_if_declared(source, Hook::Clean, source.clean_hook, observe)
}

fn run_if_declared(
    source: &Source,
    hook: Hook,
    command: Option<&str>,
    observe: &mut dyn FnMut(&str),
) -> Result<(), PackageError> {
    let Some(command) = command else {
        return Ok(());
    };
    let mut tail = VecDeque::new();
    let status = run(source, command, &mut |line| {
        observe(line);
        tail.push_back(line.to_owned());
        if tail.len() > SHOWN_LINES {
            tail.pop_front();
        }
    })
    .map_err(|error| PackageError::HookStart {
        function: source.function.to_owned(),
        hook,
        command: command.to_owned(),
        folder: source.folder.to_owned(),
        source: error,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(PackageError::Hook {
        function: source.function.to_owned(),
        hook,
        command: command.to_owned(),
        folder: source.folder.to_owned(),
        status,
        output: tail.into(),
    })
}

fn run(source: &Source, command: &str, observe: &mut dyn FnMut(&str)) -> io::Result<ExitStatus> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(source.folder);
    without_callers_build(&mut shell);
    shell
        .env("MDO_FUNCTION", source.function)
        .env("MDO_ARCHITECTURE", source.architecture.as_str())
        .env("MDO_RUNTIME", source.runtime);
    process::run(shell, source.abandoned, observe)
}

/// Removes what the cargo or make that started mdo says about *its* build.
///
/// A `cargo build` in the hook would otherwise see other `CARGO_*` values than the same command typed by hand, and
/// rebuild everything; a `make` would look for a job server that it does not have. What a person sets to
/// configure cargo (`CARGO_HOME`, `CARGO_TARGET_DIR`, `RUSTFLAGS`, `RUSTUP_*` …) stays. The names are those of
/// <https://doc.rust-lang.org/cargo/reference/environment-variables.html>.
fn without_callers_build(shell: &mut Command) {
    let started_by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let job_server = matches!(name, "MAKEFLAGS" | "MFLAGS" | "CARGO_MAKEFLAGS")
            && value.to_string_lossy().contains("--jobserver");
        if job_server || (started_by_cargo && describes_a_build(name)) {
            shell.env_remove(name);
        }
    }
}

fn describes_a_build(name: &str) -> bool {
    const NAMES: [&str; 21] = [
        "CARGO",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_MAKEFLAGS",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_LINKS",
        "CARGO_MANIFEST_PATH",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_RUSTC_CURRENT_DIR",
        "CARGO_TARGET_TMPDIR",
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "TARGET",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_BIN_EXE_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
