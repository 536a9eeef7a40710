//! The container engine of this machine: whichever of docker, podman, finch and buildah works here. Everything here blocks.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::output::{self, Failure, exit_code};

/// Names the engine, as a program or its path.
const NAMED: &str = "MDO_CONTAINER_ENGINE";

/// Further options of every `run` and `build`, separated by blanks.
const OPTIONS: &str = "MDO_CONTAINER_OPTIONS";

/// What is looked for, in this order. Buildah builds and runs nothing.
const ENGINES: [&str; 4] = ["docker", "podman", "finch", "buildah"];

/// How many of its last lines are kept for a failure.
const LAST: usize = 20;

/// How long the last words of a command that has ended are waited for.
const LINGERS: Duration = Duration::from_secs(1);

/// What an engine is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Build,
    Run,
}

/// A container engine that works.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    program: String,
    options: Vec<String>,
}

impl Engine {
    /// Finds an engine.
    ///
    /// # Errors
    /// When none works, with what each says of it.
    pub(super) fn find(purpose: Purpose) -> Result<Self, Failure> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let options = variable(OPTIONS).unwrap_or_default();
        let options: Vec<String> = options.split_whitespace().map(str::to_owned).collect();
        let named = variable(NAMED);
        let candidates: Vec<&str> = match &named {
            Some(named) => vec![named],
            None => {
                ENGINES.into_iter().filter(|name| purpose == Purpose::Build || *name != "buildah").collect()
            }
        };
        let mut reasons = Vec::new();
        for program in candidates {
            if purpose == Purpose::Run && name_of(program) == "buildah" {
                reasons.push(format!("{program}: builds images and does not run them"));
                continue;
            }
            match answers(program) {
                Ok(()) => return Ok(Self { program: program.to_owned(), options }),
                Err(reason) => reasons.push(format!("{program}: {reason}")),
            }
        }
        let what = if purpose == Purpose::Build { "builds" } else { "runs" };
        let help = match named {
            Some(_) => format!("{NAMED} names it: name one that works, or unset it"),
            None => format!("install podman or docker, or name an engine in {NAMED}"),
        };
        let message = format!("no container engine {what} images here ({})", reasons.join("; "));
        Err(Failure::with_help(exit_code::USAGE, message, help))
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        name_of(&self.program)
    }

    /// A command of it.
    pub(super) fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).stdin(Stdio::null());
        command
    }

    /// A command of it with the user's own options.
    pub(super) fn command_with_options(&self, verb: &str) -> Command {
        let mut command = self.command(verb);
        command.args(&self.options);
        command
    }

    /// Runs a command to its end, and says what it says. It is ended when nobody waits any more.
    ///
    /// # Errors
    /// When it cannot be started, fails, or was abandoned.
    pub(super) fn finish(&self, command: &mut Command, abandoned: &AtomicBool) -> Result<(), Failure> {
        let doing = command.get_args().next().unwrap_or_default().to_string_lossy().into_owned();
        let mut talking = self.begin(command)?;
        loop {
            if let Some(status) = talking.child.try_wait().map_err(anyhow::Error::from)? {
                talking.hear_the_end();
                return match status.success() {
                    true => Ok(()),
                    false => Err(Failure::with_help(
                        exit_code::FAILED,
                        format!("`{} {doing}` ended with {status}", self.name()),
                        "what it said stands above",
                    )),
                };
            }
            if abandoned.load(Ordering::Relaxed) {
                let _ = talking.child.kill();
                let _ = talking.child.wait();
                return Err(Failure::new(exit_code::INTERRUPTED, "interrupted"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a command whose lines are said as they come.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn begin(&self, command: &mut Command) -> Result<Talking, Failure> {
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| {
            Failure::new(exit_code::FAILED, format!("cannot start {}: {error}", self.program))
        })?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as _),
            child.stderr.take().map(|out| Box::new(out) as _),
        ];
        let listening: Vec<_> = outputs
            .into_iter()
            .flatten()
            .map(|output| {
                let (name, said) = (self.name().to_owned(), Arc::clone(&said));
                thread::spawn(move || listen(&name, output, &said))
            })
            .collect();
        Ok(Talking { child, said, listening })
    }
}

/// A command that runs, and the last lines that it has said.
pub(super) struct Talking {
    pub child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
    listening: Vec<JoinHandle<()>>,
}

impl Talking {
    /// Waits until everything is said that was written before its end. What it has left running may hold its outputs open.
    fn hear_the_end(&self) {
        let began = Instant::now();
        while self.listening.iter().any(|thread| !thread.is_finished()) && began.elapsed() < LINGERS {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last lines that it has said before its end.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.hear_the_end();
        self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn listen(name: &str, output: impl Read, said: &Mutex<VecDeque<String>>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        output::message(&format!("  {name}: {text}"));
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_back(text);
        if said.len() > LAST {
            said.pop_front();
        }
        line.clear();
    }
}

/// The name of a program without its folder.
fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Whether a program is there and works: docker is often there without its daemon.
fn answers(program: &str) -> Result<(), String> {
    let version = Command::new(program).arg("version").stdin(Stdio::null()).output();
    match version {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("not found".to_owned()),
        Err(error) => Err(error.to_string()),
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, status, .. }) => {
            let said = String::from_utf8_lossy(&stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty());
            Err(last.map_or_else(|| status.to_string(), |line| line.trim().to_owned()))
        }
    }
}
