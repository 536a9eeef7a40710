//! What was looked at and found, one line each: well, worth looking into, or in the way.

use anstyle::AnsiColor;
use mdo_model::project::{Place, Problem};

use crate::output::{self, Check, CheckState, DoctorDocument, Failure, Severity, exit_code};

/// What was looked at so far.
#[derive(Default)]
pub(super) struct Checks {
    all: Vec<Check>,
    /// The exit code that what stops asks for.
    code: u8,
}

impl Checks {
    /// Adds what was found of something.
    pub(super) fn add(
        &mut self,
        name: &str,
        state: CheckState,
        detail: impl Into<String>,
        help: Option<String>,
    ) {
        self.placed(name, state, &detail.into(), None, help);
    }

    /// Adds what was found at a place, and annotates it where it is not well.
    fn placed(
        &mut self,
        name: &str,
        state: CheckState,
        message: &str,
        place: Option<&Place>,
        help: Option<String>,
    ) {
        let severity = match state {
            CheckState::Ok => None,
            CheckState::Warning => Some(Severity::Warning),
            CheckState::Failed => Some(Severity::Error),
        };
        if let Some(severity) = severity {
            let named = message.starts_with(name);
            let text = if named { message.to_owned() } else { format!("{name}: {message}") };
            output::annotate(severity, &text, place, help.as_deref());
        }
        self.all.push(Check { name: name.to_owned(), state, detail: at(message, place), help });
    }

    /// Adds something that is well.
    pub(super) fn ok(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, CheckState::Ok, detail, None);
    }

    /// Adds what the files may have to be changed for.
    pub(super) fn warned(&mut self, name: &str, warnings: impl IntoIterator<Item = Problem>) {
        for warning in warnings {
            self.placed(name, CheckState::Warning, &warning.message, warning.place.as_ref(), warning.help);
        }
    }

    /// Adds each complaint of a failure: it stops, or is only worth a word. `otherwise` is the exit code where it is not one of access.
    pub(super) fn failed(&mut self, name: &str, failure: &Failure, state: CheckState, otherwise: u8) {
        for complaint in &failure.complaints {
            self.placed(name, state, &complaint.message, complaint.place.as_ref(), complaint.help.clone());
        }
        if state == CheckState::Failed {
            let code = if failure.code == exit_code::ACCESS { exit_code::ACCESS } else { otherwise };
            self.code = self.code.max(code);
        }
    }

    /// Prints everything.
    ///
    /// # Errors
    /// When something stops.
    pub(super) fn finish(self, json: bool) -> Result<(), Failure> {
        let Self { all, code } = self;
        if json {
            output::json(&DoctorDocument::new(all));
        } else {
            show(&all);
        }
        match code {
            exit_code::DONE => Ok(()),
            code => Err(Failure::reported(code)),
        }
    }
}

/// A message with the place that it is about.
fn at(message: &str, place: Option<&Place>) -> String {
    place.map_or_else(|| message.to_owned(), |place| format!("{message}, at {place}"))
}

fn show(checks: &[Check]) {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { name, state, detail, help } in checks {
        let (word, colour) = match state {
            CheckState::Ok => ("ok", AnsiColor::Green),
            CheckState::Warning => ("warning", AnsiColor::Yellow),
            CheckState::Failed => ("failed", AnsiColor::Red),
        };
        let style = colour.on_default();
        text.push_str(&format!("  {style}{word:<7}{style:#}  {name:<width$}  {detail}\n"));
        if let Some(help) = help {
            text.push_str(&format!("  {:7}  {:width$}  help: {help}\n", "", ""));
        }
    }
    output::data(&text);
}
