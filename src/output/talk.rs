//! How much is said, in which colours, and what is written down of it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anstyle::Style;
use clap::{Args, ValueEnum};
use mdo_engine::CallTrace;

use super::{Failure, events, exit_code, utc_seconds};

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Talk")]
pub(crate) struct TalkArgs {
    /// Say each call to the provider and how long it took
    #[arg(short = 'v', long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Say no notes and warnings
    #[arg(short = 'q', long, global = true)]
    quiet: bool,
    /// Write what is said and each call into a file too, at its end; no secret is in it
    #[arg(long, value_name = "FILE", global = true)]
    log_file: Option<PathBuf>,
    /// Write what happens into a file while it does, one JSON object a line; `-` for standard output, in place of anything else there
    #[arg(long, value_name = "FILE", global = true)]
    events: Option<PathBuf>,
    /// When to use colours; NO_COLOR is heard
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    color: ColorChoice,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// What was asked for.
struct Talk {
    is_verbose: bool,
    is_quiet: bool,
    log: Option<Mutex<File>>,
}

static TALK: OnceLock<Talk> = OnceLock::new();

/// Puts in force what the command line says, before anything is said. `command` tells the command as it was typed, without values, and
/// `json` whether standard output is to be one JSON document.
///
/// # Errors
/// When the log or the events cannot be written, or two want standard output.
pub(crate) fn set_talk(args: &TalkArgs, command: impl Fn() -> String, json: bool) -> Result<(), Failure> {
    match args.color {
        // What the environment says counts.
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    let log = args.log_file.as_deref().map(open).transpose()?.map(Mutex::new);
    let talk = Talk { is_verbose: args.verbose, is_quiet: args.quiet, log };
    drop(TALK.set(talk));
    if args.log_file.is_some() {
        note_down(&format!("{}  (mdo {})", command(), env!("CARGO_PKG_VERSION")));
    }
    match &args.events {
        Some(path) if json && path == Path::new(events::STDOUT) => Err(Failure::with_help(
            exit_code::USAGE,
            "`--json` and `--events -` both want standard output",
            "give `--events` a file",
        )),
        Some(path) => events::open(path, command()),
        None => Ok(()),
    }
}

/// As [`set_talk`], for a command line that could not be read: who follows events or the log is told why.
pub(crate) fn follow_unparsed(command: impl Fn() -> String, json: bool) {
    let args = TalkArgs {
        verbose: false,
        quiet: false,
        log_file: given("--log-file"),
        events: given("--events"),
        color: ColorChoice::Auto,
    };
    if let Err(failure) = set_talk(&args, command, json) {
        super::message(&failure.text());
    }
}

/// The value of a flag as it stands in the command line.
fn given(flag: &str) -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(flag) {
            Some("") => return arguments.next().map(PathBuf::from),
            Some(value) if value.starts_with('=') => return Some(PathBuf::from(&value[1..])),
            _ => {}
        }
    }
    None
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| {
        let text = format!("cannot write the log {}: {error}", path.display());
        Failure::with_help(exit_code::USAGE, text, "name a file that you may write to")
    })
}

/// Writes down how the command ended.
pub(crate) fn log_end(exit_code: u8) {
    note_down(&format!("exit code {exit_code}"));
}

/// Says one call, where that is asked for.
pub(crate) fn trace(call: &CallTrace<'_>) {
    let Some(talk) = TALK.get().filter(|talk| talk.is_verbose || talk.log.is_some()) else { return };
    let CallTrace { operation, on, took, outcome } = call;
    let took = took.as_secs_f64() * 1e3;
    let on = if on.is_empty() { String::new() } else { format!(" {on}") };
    let line = format!("{operation}{on}  {took:.0} ms  {outcome}");
    note_down(&line);
    if talk.is_verbose {
        let dim = Style::new().dimmed();
        super::write_message(&format!("  {dim}{line}{dim:#}"));
    }
}

/// Whether more is said than most people want.
pub(super) fn is_verbose() -> bool {
    TALK.get().is_some_and(|talk| talk.is_verbose)
}

/// Whether notes and warnings are left out.
pub(super) fn is_quiet(text: &str) -> bool {
    let is_minor = text.starts_with("note: ") || text.starts_with("warning: ");
    is_minor && TALK.get().is_some_and(|talk| talk.is_quiet)
}

/// Writes a line into the log, if there is one. A full disk takes nothing from the command.
pub(super) fn note_down(text: &str) {
    if let Some(log) = TALK.get().and_then(|talk| talk.log.as_ref()) {
        let text = anstream::adapter::strip_str(text).to_string();
        let line = format!("{} {}\n", utc_seconds(SystemTime::now()), text.trim_end());
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = log.write_all(line.as_bytes());
    }
}
