//! Errors and warnings as GitHub's annotations, where a workflow of GitHub runs the command: it shows them in the run, and at the lines
//! of a pull request. They say what the message beside them says, and nothing more.

use std::env;
use std::path::Path;

use mdo_engine::apply::Report;
use mdo_model::project::{Place, Problem, Project};

use super::failure::Failure;
use super::{human, is_new, message, write_message};

/// How bad it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Severity {
    Error,
    Warning,
}

/// Says why a command fails.
pub(crate) fn failure(failure: &Failure) {
    message(&failure.text());
    if super::talk::is_verbose() {
        let mut words: Vec<String> =
            failure.complaints.iter().map(|complaint| complaint.code.word()).collect();
        words.dedup();
        words
            .iter()
            .for_each(|word| message(&format!("  code: {word}, which `mdo explain {word}` describes")));
    }
    annotate_failure(failure);
}

/// Annotates what has been said of a failure.
pub(crate) fn annotate_failure(failure: &Failure) {
    for complaint in &failure.complaints {
        annotate(Severity::Error, &complaint.told(), complaint.place.as_ref(), complaint.help.as_deref());
    }
}

/// Annotates each change that failed.
pub(crate) fn annotate_report(report: &Report) {
    for (message, help) in human::failures(report) {
        annotate(Severity::Error, &message, None, help);
    }
}

/// Says a warning of a file, unless this process has said it before.
pub(crate) fn warn(problem: &Problem) {
    let text = problem.render("warning");
    if is_new(&text) {
        message(&text);
        annotate(Severity::Warning, &problem.message, problem.place.as_ref(), problem.help.as_deref());
    }
}

/// Writes an annotation to standard error, which GitHub reads as well as standard output.
pub(crate) fn annotate(severity: Severity, message: &str, place: Option<&Place>, help: Option<&str>) {
    if env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    let quiet = matches!(severity, Severity::Warning) && super::talk::is_quiet("warning: ");
    if !quiet {
        write_message(&command(severity, message, place, help));
    }
}

fn command(severity: Severity, message: &str, place: Option<&Place>, help: Option<&str>) -> String {
    let name = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let (properties, at) = match place.map(|place| (place, in_checkout(&place.file))) {
        Some((Place { line, column, .. }, Some(file))) => {
            (format!(" file={},line={line},col={column}", property(&file)), String::new())
        }
        // Standard input, for instance, which GitHub shows no line of.
        Some((place, None)) => (String::new(), format!(", at {place}")),
        None => (String::new(), String::new()),
    };
    format!("::{name}{properties}::{}", data(&format!("{message}{at}{help}")))
}

/// A file by its path in what GitHub has checked out; `None` where it is not there.
fn in_checkout(file: &str) -> Option<String> {
    let here = env::current_dir().ok()?;
    let root = Project::find(&here).unwrap_or_else(|_| here.clone());
    let path = [root, here].iter().map(|folder| folder.join(file)).find(|path| path.is_file())?;
    let path = path.canonicalize().ok()?;
    let named = env::var_os("GITHUB_WORKSPACE").and_then(|folder| Path::new(&folder).canonicalize().ok());
    // A container of a job may not know it.
    let checkout =
        named.or_else(|| path.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned))?;
    Some(path.strip_prefix(checkout).ok()?.display().to_string())
}

/// A message as GitHub reads it: a line, whatever is in it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at the next comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_github_is_escaped() {
        assert_eq!(data("100 %\r\n::error::a, b: c"), "100 %25%0D%0A::error::a, b: c");
        assert_eq!(property("a,b:c%\n.json"), "a%2Cb%3Ac%25%0A.json");
    }

    #[test]
    fn what_has_no_file_says_its_place_in_words() {
        let place = Place { file: "no/such, file".to_owned(), line: 2, column: 3 };
        assert_eq!(
            command(Severity::Warning, "this\nis odd", Some(&place), Some("look")),
            "::warning::this%0Ais odd, at no/such, file:2:3%0Ahelp: look"
        );
    }
}
