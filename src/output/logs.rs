//! Entries of logs as people read them, and as JSON lines.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use mdo_engine::logs::{Level, LogEntry, LogEntryBody, LogReport, LogRequest};
use mdo_model::project::FunctionName;

use super::documents::LogDocument;
use super::text::milliseconds;
use super::{data, utc};

/// One for each function, in turn. Red and yellow mean something.
const COLOURS: [AnsiColor; 4] = [AnsiColor::Cyan, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue];

/// What stands where a function's name does of what no function has written.
const NOBODY: &str = "-";

/// Prints entries of logs.
pub(crate) struct LogPrinter {
    is_json: bool,
    functions: Vec<FunctionName>,
    width: usize,
    /// The day of the last entry, which the times are of.
    day: String,
}

impl LogPrinter {
    /// A printer for entries of `functions`. A day is told where it is another one than that of `now`, as RFC 3339.
    pub(crate) fn new(is_json: bool, functions: &BTreeSet<FunctionName>, now: String) -> Self {
        let width = functions.iter().map(|name| name.as_str().chars().count()).max().unwrap_or(1);
        Self { is_json, functions: functions.iter().cloned().collect(), width, day: day(&now) }
    }

    /// Prints some entries.
    pub(crate) fn print<'a>(&mut self, entries: impl Iterator<Item = &'a LogEntry>) {
        let mut text = String::new();
        for entry in entries {
            if self.is_json {
                let document = serde_json::to_value(LogDocument::new(entry)).unwrap_or_default();
                let _ = writeln!(text, "{document}");
            } else {
                self.write(entry, &mut text);
            }
        }
        if !text.is_empty() {
            data(&text);
        }
    }

    fn write(&mut self, entry: &LogEntry, text: &mut String) {
        let at = utc(entry.at);
        let day = day(&at);
        if day != self.day {
            let _ = writeln!(text, "{day}");
            self.day = day;
        }
        // Writing to a string cannot fail.
        let name = entry.function.as_ref().map_or(NOBODY, FunctionName::as_str);
        let colour = entry.function.as_ref().and_then(|name| self.functions.binary_search(name).ok());
        let colour = colour.map_or(Style::new(), |at| COLOURS[at % COLOURS.len()].on_default());
        let width = self.width;
        let head = format!("{}  {colour}{name:<width$}{colour:#}  ", at.get(11..23).unwrap_or(&at));
        let indent = at.get(11..23).map_or(at.len(), str::len) + 2 + width.max(name.chars().count()) + 2;
        let style = style(entry.level());
        match &entry.body {
            LogEntryBody::Lines(lines) => {
                for (number, line) in lines.iter().enumerate() {
                    let line = visible(line);
                    match number {
                        0 => drop(writeln!(text, "{head}{style}{line}{style:#}")),
                        _ => drop(writeln!(text, "{:indent$}{style}{line}{style:#}", "")),
                    }
                }
            }
            LogEntryBody::Run(report, request) => {
                let id = id(entry);
                let _ = writeln!(text, "{head}{style}{}{style:#}{id}", run(report, request.as_ref()));
            }
            LogEntryBody::Request(request) => {
                let id = id(entry);
                let _ = writeln!(text, "{head}{style}{}{style:#}{id}", refused(request));
            }
        }
    }
}

fn id(entry: &LogEntry) -> String {
    let dim = Style::new().dimmed();
    entry.request_id.as_ref().map(|id| format!("  {dim}{id}{dim:#}")).unwrap_or_default()
}

fn style(level: Level) -> Style {
    match level {
        Level::Error => AnsiColor::Red.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Info => Style::new(),
        Level::Debug => Style::new().dimmed(),
    }
}

/// `200 · 12.3 ms · 45 MB · cold 210 ms`.
fn run(report: &LogReport, request: Option<&LogRequest>) -> String {
    let end = match (request.map(|request| request.status), &report.status) {
        (Some(Some(status)), _) => status.to_string(),
        (Some(None), _) => "not answered".to_owned(),
        (None, Some(status)) => status.clone(),
        (None, None) => "done".to_owned(),
    };
    let mut text = format!("{end} · {}", milliseconds(report.duration_ms));
    if let Some(memory) = report.max_memory_mb.filter(|memory| *memory > 0) {
        let _ = write!(text, " · {memory} MB");
    }
    if let Some(init) = report.init_ms {
        let _ = write!(text, " · cold {}", milliseconds(init));
    }
    if let Some(request) = request {
        let _ = write!(text, " · {} {}", request.method, visible(&request.path));
        text.extend(request.why.as_ref().map(|why| format!(" · {why}")));
        text.extend(request.key.as_ref().map(|key| format!(" · key {key}")));
    }
    text
}

/// `403 · GET /dev/none · no such route`.
fn refused(request: &LogRequest) -> String {
    let status = request.status.map_or_else(|| "not answered".to_owned(), |status| status.to_string());
    let took = milliseconds(request.took_ms);
    let mut text = format!("{status} · {took} · {} {}", request.method, visible(&request.path));
    text.extend(request.why.as_ref().map(|why| format!(" · {why}")));
    text.extend(request.key.as_ref().map(|key| format!(" · key {key}")));
    text
}

/// A line without colours of its own and what else would steer a terminal: who writes to a log is not always a friend.
fn visible(line: &str) -> String {
    let line = anstream::adapter::strip_str(line).to_string();
    let is_harmless = |letter: char| letter == '\t' || !letter.is_control();
    if line.chars().all(is_harmless) {
        return line;
    }
    let mut visible = String::with_capacity(line.len());
    for letter in line.chars() {
        match letter {
            letter if is_harmless(letter) => visible.push(letter),
            letter => visible.extend(letter.escape_default()),
        }
    }
    visible
}

fn day(at: &str) -> String {
    at.get(..10).unwrap_or(at).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_writes_does_not_steer_the_terminal() {
        assert_eq!(visible("\u{1b}[32mINFO\u{1b}[0m ready"), "INFO ready");
        assert_eq!(visible("a\u{7}b\tc"), "ab\tc");
        assert_eq!(visible("a\u{9b}31mb"), "a\\u{9b}31mb");
    }

    #[test]
    fn a_run_is_one_line() {
        let report = LogReport {
            duration_ms: 12.34,
            billed_ms: Some(13.0),
            max_memory_mb: Some(45),
            init_ms: Some(210.4),
            status: None,
        };
        assert_eq!(run(&report, None), "done · 12.3 ms · 45 MB · cold 210 ms");
        let request = LogRequest {
            method: "GET".into(),
            path: "/dev/shop".into(),
            status: Some(200),
            key: Some("alice".into()),
            ..LogRequest::default()
        };
        let all = "200 · 12.3 ms · 45 MB · cold 210 ms · GET /dev/shop · key alice";
        assert_eq!(run(&report, Some(&request)), all);
        let timeout =
            LogReport { duration_ms: 3000.0, status: Some("timeout".into()), ..LogReport::default() };
        assert_eq!(run(&timeout, None), "timeout · 3000 ms");
        assert_eq!(utc(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }
}
