//! From a plan to a report: asks where that is due, runs the plan, and says what came of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Instant;

use mdo_engine::apply::{self, Report};
use mdo_engine::{Outcome, Packages, Provider};
use mdo_model::project::FunctionName;
use mdo_model::stack::Plan;
use serde_json::Value;

use super::interrupt::Interrupt;
use crate::output::{self, Failure, Heading, Progress, exit_code};

/// How a plan is run.
pub(super) struct Manner<'a> {
    /// What has been done when all is done: `Deployed`.
    pub verb: &'a str,
    /// Whether standard output is one JSON document.
    pub json: bool,
    /// Where that document goes instead, when it is one of several in a larger one.
    pub documents: Option<&'a RefCell<Vec<Value>>>,
    /// How many changes may be under way at once.
    pub concurrency: usize,
    /// When the command began.
    pub start: Instant,
    /// What a signal does while it is run.
    pub interrupt: &'a Interrupt,
}

/// What [`run`] runs.
pub(super) struct Work<'a> {
    pub provider: &'a dyn Provider,
    pub plan: &'a Plan,
    pub packages: &'a Packages,
    /// The zips' sizes in bytes.
    pub sizes: &'a BTreeMap<FunctionName, u64>,
    /// Where the stack lives, for people.
    pub place: &'a str,
}

/// Whether the user, if one sits at a terminal, agrees.
pub(super) async fn agreed(question: &str, assume: bool) -> Result<bool, Failure> {
    if assume || !is_interactive() {
        return Ok(true);
    }
    let prompt = format!("{question} [y/N] ");
    // Elsewhere, so that a signal is noticed meanwhile.
    let answer = tokio::task::spawn_blocking(move || ask(&prompt)).await.map_err(anyhow::Error::from)??;
    Ok(answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_ascii_lowercase().as_str())))
}

/// What a person types; `None` at the end of the input.
pub(super) fn ask(prompt: &str) -> Result<Option<String>, Failure> {
    output::prompt(prompt);
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line)? == 0 {
        output::message("");
        return Ok(None);
    }
    Ok(Some(line.trim().to_owned()))
}

/// Whether a person can be asked.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Shows the plan before it is run.
pub(super) fn show(work: &Work<'_>, json: bool) {
    if !json {
        let heading = Heading { names: &work.plan.names, place: work.place };
        output::data(&output::plan(&heading, work.plan, work.sizes));
        output::data("\n");
    }
}

/// Runs the plan, and prints what came of it, all but the closing lines of success.
pub(super) async fn run(work: &Work<'_>, manner: &Manner<'_>) -> Result<Report, Failure> {
    let progress = Progress::new(work.plan.names.clone(), manner.json);
    let interrupt = manner.interrupt;
    interrupt.begin("interrupted: finishing what was begun; press Ctrl-C again to stop at once");
    let report = apply::apply(
        work.provider,
        work.plan,
        work.packages,
        manner.concurrency,
        interrupt.token.clone(),
        &|event| {
            progress.on(event);
        },
    )
    .await;
    let calls = work.provider.calls();
    if manner.json {
        let url = work.provider.endpoint();
        let name = work.provider.name();
        tell(&manner.documents, output::report_document(work.plan, &report, name, calls, url.as_deref()));
    } else {
        let text = output::report(work.plan, &report);
        if report.is_complete() {
            output::data(&text);
            output::data(&format!("\n{}", output::deployed(manner.verb, manner.start.elapsed(), calls)));
        } else {
            output::message(text.trim_end());
        }
    }
    match code(&report) {
        exit_code::DONE => Ok(report),
        code => Err(Failure::reported(code)),
    }
}

/// Prints a document, or adds it to the larger one.
pub(super) fn tell(documents: &Option<&RefCell<Vec<Value>>>, document: Value) {
    match documents {
        Some(documents) => documents.borrow_mut().push(document),
        None => output::json(&document),
    }
}

fn code(report: &Report) -> u8 {
    let failure = report.finished.iter().find_map(|change| match &change.outcome {
        Outcome::Failed(error) => Some(Failure::from(error.clone()).code),
        _ => None,
    });
    let interrupted = report.finished.iter().any(|change| matches!(change.outcome, Outcome::Interrupted));
    match failure {
        _ if report.is_complete() => exit_code::DONE,
        None if interrupted => exit_code::INTERRUPTED,
        _ if report.is_begun() => exit_code::PARTLY_APPLIED,
        Some(code) => code,
        None => exit_code::FAILED,
    }
}
