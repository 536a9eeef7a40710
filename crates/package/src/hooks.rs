//! Runs a function's build and clean hooks; knows nothing of what they make.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{PackageError, Source};

/// How many of a failed hook's last lines its error shows.
const SHOWN_LINES: usize = 20;

/// How often a silent hook is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// How long the output of an ended hook is still awaited, when a process that it left behind holds the pipe.
const GRACE: Duration = Duration::from_millis(250);

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
    let (reader, writer) = io::pipe()?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(source.folder)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    without_callers_build(&mut shell);
    shell
        .env("MDO_FUNCTION", source.function)
        .env("MDO_ARCHITECTURE", source.architecture.as_str())
        .env("MDO_RUNTIME", source.runtime);
    let mut child = Reaped(shell.spawn()?);
    // The command holds our ends of the pipe's writer: as long as it lives, the reader sees no end.
    drop(shell);
    forward(&lines_of(reader), &mut child, source.abandoned, observe)?;
    child.0.wait()
}

/// A child that is never left behind as a zombie, even when an observer panics.
struct Reaped(Child);

impl Reaped {
    /// Ends the shell with all that it has started.
    fn end(&self) {
        // A failure means that nobody is left.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.end();
            let _ = self.0.wait();
        }
    }
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(64);
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            if sender.send(shown(&line)).is_err() {
                break;
            }
            line.clear();
        }
    });
    lines
}

/// What a terminal would show of a line: after carriage returns, its last state.
fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    line.rsplit('\r').next().unwrap_or(line).to_owned()
}

fn forward(
    lines: &Receiver<String>,
    child: &mut Reaped,
    abandoned: &AtomicBool,
    observe: &mut dyn FnMut(&str),
) -> io::Result<()> {
    let mut ended: Option<Instant> = None;
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => observe(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if abandoned.load(Ordering::Relaxed) {
            child.end();
        }
        if ended.is_none() && child.0.try_wait()?.is_some() {
            ended = Some(Instant::now());
        }
        if ended.is_some_and(|at| at.elapsed() > GRACE) {
            return Ok(());
        }
    }
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
