//! Renders plans, events and results: for people, or as JSON. Nothing else prints.

mod annotation;
mod documents;
pub(crate) mod events;
pub(crate) mod exit_code;
mod explanation;
mod failure;
mod fields;
mod hosted;
mod human;
mod logs;
mod progress;
mod status;
mod talk;
mod text;

pub(crate) use annotation::{Severity, annotate, annotate_failure, annotate_report, failure, warn};
pub(crate) use documents::{
    Check, CheckState, DerivativeBuildDocument, DerivativeCreateDocument, DerivativeEntry,
    DerivativeListDocument, DerivativeListEntry, DerivativeLockDocument, DerivativePinDocument,
    DestroyAllDocument, DoctorDocument, ExplainDocument, FailureDocument, HistoryDocument, ImageDocument,
    KeysDocument, ListDocument, LockEntry, PartPolicy, PlanDocument, PolicyDocument, PolicyPart,
    StatusDocument, TrialDocument, TrialOutcome, UsageDocument, WarmDocument, WarmEntry, ZipState, schema,
};
pub(crate) use failure::{Complaint, ErrorCode, Failure};
pub(crate) use hosted::{cost, moves, notes, size as server_size};
pub(crate) use human::{
    DerivativeSize, Heading, Sizes, deployed, floor, markdown, nothing_to_do, plan, report, warnings,
};
pub(crate) use logs::LogPrinter;
pub(crate) use mdo_model::thousands;
pub(crate) use progress::{Progress, Steps, patiently};
pub(crate) use status::{evidence, status};
pub(crate) use talk::{TalkArgs, follow_unparsed, log_end, set_talk, trace};
use text::utc_now;
pub(crate) use text::{count, table, utc, utc_seconds};

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Which data was not written, and why, if it was not.
static LOST: OnceLock<String> = OnceLock::new();

/// Whether nobody reads standard output any more.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Writes data to standard output, with colours only on a terminal that wants them.
///
/// A reader that went away (`mdo list | head -1`) is not an error, see [`is_unread`]; for others see [`lost`].
pub(crate) fn data(text: &str) {
    match events::take_stdout() {
        // Who reads the events wants nothing else there.
        true => write_message(text.strip_suffix('\n').unwrap_or(text)),
        false => write_data(text),
    }
}

fn write_data(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => UNREAD.store(true, Ordering::Relaxed),
        Err(error) => lose(&format!("standard output: {error}")),
        Ok(()) => {}
    }
}

/// Notes what could not be written, and why.
fn lose(what: &str) {
    let _ = LOST.set(what.to_owned());
}

/// Whether more data would reach nobody: the reader went away, or the disk is full.
pub(crate) fn is_unread() -> bool {
    UNREAD.load(Ordering::Relaxed) || lost().is_some()
}

/// Which data was not written, and why, as in `standard output: No space left on device`; `None` if all was.
pub(crate) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Writes a JSON document to standard output.
pub(crate) fn json(document: &impl serde::Serialize) {
    // A `Value` sorts its keys, so that the order of fields does not count.
    let document = serde_json::to_value(document).unwrap_or_default();
    data(&format!("{document:#}\n"));
}

/// Writes a JSON document to standard output, as one line of many.
pub(crate) fn json_line(document: &impl serde::Serialize) {
    let document = serde_json::to_value(document).unwrap_or_default();
    data(&format!("{document}\n"));
}

/// Takes away what a terminal shows, so that the next data stands at its top.
pub(crate) fn clear_terminal() {
    data("\x1b[H\x1b[2J");
}

/// Writes a question to standard error; the answer is typed on the same line.
pub(crate) fn prompt(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Says on standard error what is being waited for.
pub(crate) fn notice(text: &str) {
    message(&format!("  {text}"));
}

/// What [`once`] has said.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Writes a warning or a note to standard error, unless this process has written the very same one before: neither the run of
/// a plan nor a reload of `mdo dev` repeats what was said already.
pub(crate) fn once(text: &str) {
    if is_new(text) {
        message(text);
    }
}

/// Whether this is not said yet; it counts as said from now on.
fn is_new(text: &str) -> bool {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
}

/// Says a message on standard error, and writes it down where a log is asked for.
pub(crate) fn message(text: &str) {
    talk::note_down(text);
    events::said(text);
    if !talk::is_quiet(text) {
        write_message(text);
    }
}

/// Says some messages on standard error, all of them at once.
pub(crate) fn messages(texts: &[String]) {
    for text in texts {
        talk::note_down(text);
        events::said(text);
    }
    let said: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !talk::is_quiet(text)).collect();
    if !said.is_empty() {
        write_message(&said.join("\n"));
    }
}

/// Writes a message to standard error, in one piece: whoever writes there too comes before or after it.
fn write_message(text: &str) {
    progress::above_lines(|| {
        let mut stderr = anstream::stderr().lock();
        let _ = stderr.write_all(format!("{text}\n").as_bytes());
    });
}
