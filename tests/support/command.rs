//! Runs the real `mdo` and checks what it says: output, errors and exit code.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::project::TestProject;
use super::proxy::Proxy;
use super::running::Running;
use super::serving::Serving;

/// A command line of `mdo` that is about to run.
pub struct Mdo<'a> {
    project: &'a TestProject,
    command: Command,
    shown: String,
    input: Vec<u8>,
}

/// The longest that a run may take: one may install what a derivative is made of.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs a command at a terminal of its own, and ends as it does.
const AT_A_TERMINAL: &str =
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// What a run came to.
pub struct Output {
    shown: String,
    root: String,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
    /// The exit code; -1 when a signal ended it.
    pub status: i32,
}

impl<'a> Mdo<'a> {
    pub(super) fn new<'b>(project: &'a TestProject, arguments: impl Iterator<Item = &'b str>) -> Mdo<'a> {
        let arguments: Vec<&str> = arguments.collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdo"));
        command
            .args(&arguments)
            .current_dir(project.folder())
            .env_clear()
            .env("PATH", path())
            .envs(project.environment());
        Mdo { project, command, shown: format!("mdo {}", arguments.join(" ")), input: Vec::new() }
    }

    /// Makes its calls through a proxy.
    #[must_use]
    pub fn through(mut self, proxy: &Proxy) -> Self {
        self.command.env("AWS_ENDPOINT_URL", proxy.url());
        self
    }

    /// Runs in a folder below the project's.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        self.command.current_dir(self.project.path(path));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs without an environment variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives it this on standard input.
    #[must_use]
    pub fn reads(mut self, input: &str) -> Self {
        self.input = input.as_bytes().to_vec();
        self
    }

    /// Gives it this on standard input, be it text or not.
    #[must_use]
    pub fn reads_bytes(mut self, input: &[u8]) -> Self {
        self.input = input.to_vec();
        self
    }

    /// Runs it at a terminal, at which the input is typed. What the terminal shows is its standard output.
    #[must_use]
    pub fn at_a_terminal(mut self) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", AT_A_TERMINAL]).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().current_dir(self.command.get_current_dir().unwrap());
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = command;
        self
    }

    /// Starts `mdo dev`, and waits until it serves.
    pub fn serves(self) -> Serving {
        Serving::start(self.command, self.shown)
    }

    /// Starts it without waiting for its end; what it says on standard error can be read.
    pub fn starts(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts it, and hears what it says while it runs.
    pub fn begins(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(self.command.spawn().unwrap())
    }

    /// Runs it to its end, whatever that is.
    pub fn runs(mut self) -> Output {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut reads = child.stdin.take().unwrap();
        let running = Running::new(child);
        // A command that reads nothing may be gone by now.
        let _ = reads.write_all(&self.input);
        drop(reads);
        let (status, stdout, stderr) = running.ends_within(LONGEST);
        let output = Output {
            shown: self.shown,
            root: self.project.folder().display().to_string(),
            stdout,
            stderr: without_known_warnings(&stderr),
            status,
        };
        let mut said = self.project.said();
        said.push_str(&output.stdout);
        said.push_str(&output.stderr);
        drop(said);
        output
    }

    /// Runs it and proves that it ends with an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Output {
        let output = self.runs();
        assert_eq!(output.status, code, "{}", output.transcript());
        output
    }

    /// Runs it and proves that it does what it is asked for, and says nothing on standard error but what it
    /// waits for, notes, and the steps of building derivatives.
    #[track_caller]
    pub fn succeeds(self) -> Output {
        let output = self.exits(0);
        let is_expected = |line: &&str| {
            line.contains(": waiting, ")
                || ["note: ", "  derivative ", "  waiting for AWS "]
                    .iter()
                    .any(|start| line.starts_with(start))
        };
        let other: Vec<&str> = output.stderr.lines().filter(|line| !is_expected(line)).collect();
        assert!(other.is_empty(), "{}", output.transcript());
        output
    }

    /// Runs it, proves that it succeeds, and reads the one JSON document that it prints.
    #[track_caller]
    pub fn json(self) -> Value {
        self.succeeds().document()
    }
}

/// The functions of these tests are shell scripts, which mdo warns of each time.
pub fn without_known_warnings(stderr: &str) -> String {
    let is_known = |line: &&str| line.contains(": bootstrap is a script for /bin/sh; ");
    stderr.split_inclusive('\n').filter(|line| !is_known(line)).collect()
}

impl Output {
    /// The one JSON document on standard output.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.transcript()))
    }

    /// Standard output with `_` in place of times and of numbers of calls.
    pub fn timeless(&self) -> String {
        timeless(&self.stdout)
    }

    /// Proves what all of standard output is, with `_` for times and `ROOT` for the project's folder.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        assert_eq!(self.timeless().replace(&self.root, "ROOT"), text, "{}", self.transcript());
        self
    }

    /// Proves what all of standard error is, with `ROOT` for the project's folder.
    #[track_caller]
    pub fn complains(&self, text: &str) -> &Self {
        assert_eq!(self.stderr.replace(&self.root, "ROOT"), text, "{}", self.transcript());
        self
    }

    /// Proves that either output holds a text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "no {text:?}:\n{}",
            self.transcript()
        );
        self
    }

    /// Everything about the run, for a failed assertion.
    pub fn transcript(&self) -> String {
        format!("$ {}\n{}{}[exit {}]", self.shown, self.stdout, self.stderr, self.status)
    }
}

/// The tests' own path with `mdo` on it, as where it is installed.
fn path() -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_mdo")).parent().unwrap();
    format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default())
}

fn timeless(text: &str) -> String {
    let masked = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 1..words.len() {
            let (before, after) = words.split_at_mut(at);
            let (number, unit) = (&mut before[at - 1], after[0].trim_end_matches(['.', ',', ';', ')', '\n']));
            let is_time = unit == "s" && number.contains('.');
            if (is_time || unit == "calls" || unit == "call") && number.parse::<f64>().is_ok() {
                "_".clone_into(number);
            }
        }
        words.join(" ")
    };
    text.split('\n').map(masked).collect::<Vec<_>>().join("\n")
}

#[test]
fn times_and_numbers_of_calls_are_masked_and_nothing_else() {
    assert_eq!(timeless("in 0.6 s with 17 calls.\n  128 MB, 30 s"), "in _ s with _ calls.\n  128 MB, 30 s");
    assert_eq!(timeless("(checked 6 in 1.0 s with 9 calls); kept"), "(checked 6 in _ s with _ calls); kept");
}
