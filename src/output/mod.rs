//! Renders plans, events and results: for people, or as JSON. Nothing else prints.

pub mod exit_code;
mod failure;
mod human;
mod json;
mod progress;
mod text;

pub use failure::Failure;
pub use human::{Heading, deployed, nothing_to_do, plan, report};
pub use json::{plan_document, report_document};
pub use progress::Progress;
pub use text::table;

use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

/// Why data did not reach standard output, if it did not.
static LOST: OnceLock<String> = OnceLock::new();

/// Writes data to standard output, with colours only on a terminal that wants them.
///
/// A reader that went away (`mdo list | head -1`) is not an error; for others see [`lost`].
pub fn data(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    if let Err(error) = written.as_ref()
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.get_or_init(|| error.to_string());
    }
}

/// Why data did not reach standard output, a full disk for instance; `None` if all did.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Writes a JSON document to standard output.
pub fn json(document: &serde_json::Value) {
    data(&format!("{document:#}\n"));
}

/// Writes talk to standard error.
pub fn talk(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}
