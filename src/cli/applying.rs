//! From a plan to a report: runs the plan, and says what came of it.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Instant;

use mdo_engine::apply::{self, Report};
use mdo_engine::{Outcome, Packages, Provider};
use mdo_model::stack::Plan;

use super::assigned;
use super::interrupt::Interrupt;
use super::session::Session;
use super::typed;
use crate::output::{self, Failure, Heading, PlanDocument, Progress, Sizes, exit_code};

/// What the first signal says while a plan is run.
pub(super) const FINISHING: &str =
    "interrupted: finishing what was begun; press Ctrl-C again to stop at once";

/// How a plan is run.
pub(super) struct RunOptions<'a> {
    /// What has been done when all is done: `Deployed`.
    pub verb: &'a str,
    /// Whether standard output is one JSON document.
    pub json: bool,
    /// Where that document goes instead, when it is one of several in a larger one.
    pub documents: Option<&'a RefCell<Vec<PlanDocument>>>,
    /// How many changes may be under way at once.
    pub concurrency: usize,
    /// When the command began.
    pub start: Instant,
    /// What a signal does while it is run.
    pub interrupt: &'a Interrupt,
}

/// What [`run`] runs.
pub(super) struct Execution<'a> {
    pub provider: &'a dyn Provider,
    pub plan: &'a Plan,
    pub packages: &'a Packages,
    /// How large what is new is.
    pub sizes: &'a Sizes,
    /// Where the stack lives, for people.
    pub location: &'a str,
}

/// The sizes of a plan that brings nothing new along.
static NOTHING_NEW: LazyLock<Sizes> = LazyLock::new(Sizes::default);

impl<'a> Execution<'a> {
    /// A plan that brings nothing along whose size is worth telling.
    pub(super) fn of(
        session: &'a Session,
        plan: &'a Plan,
        packages: &'a Packages,
        location: &'a str,
    ) -> Self {
        Self { provider: session.provider.as_ref(), plan, packages, sizes: &NOTHING_NEW, location }
    }
}

/// Says of a plan without changes why there is nothing to do.
pub(super) fn show_nothing(execution: &Execution<'_>, json: bool, why: &str) {
    if json {
        output::json(&PlanDocument::new(execution.plan, execution.provider));
    } else {
        let heading = Heading { names: &execution.plan.names, location: execution.location };
        output::data(&format!("{heading}  {why}\n"));
    }
}

/// Shows a plan that is not run.
pub(super) fn show_dry(execution: &Execution<'_>, json: bool) {
    if json {
        output::json(&PlanDocument::new(execution.plan, execution.provider));
    } else {
        show(execution, json);
    }
}

/// Shows the plan before it is run.
pub(super) fn show(execution: &Execution<'_>, json: bool) {
    if !json {
        let heading = Heading { names: &execution.plan.names, location: execution.location };
        output::data(&output::plan(&heading, execution.plan, execution.sizes));
        output::data(&output::floor(execution.provider.floor(execution.plan)));
        output::data(&output::cost(execution.plan));
        output::data("\n");
    }
}

/// Runs the plan, and prints what came of it, all but the closing lines of success.
pub(super) async fn run(execution: &Execution<'_>, options: &RunOptions<'_>) -> Result<Report, Failure> {
    let progress = Progress::new(execution.plan.names.clone(), options.json);
    output::events::planned(execution.plan, execution.provider);
    let interrupt = options.interrupt;
    interrupt.begin(FINISHING);
    let report = apply::apply(
        execution.provider,
        execution.plan,
        execution.packages,
        options.concurrency,
        interrupt.token.clone(),
        &|event| {
            progress.on(event);
        },
    )
    .await;
    let calls = execution.provider.calls();
    if options.json {
        publish(&options.documents, PlanDocument::of_run(execution.plan, &report, execution.provider));
    } else {
        let text = output::report(execution.plan, &report, &typed::command());
        if report.is_complete() {
            output::data(&text);
            say_warnings(&report);
            output::data(&format!("\n{}", output::deployed(options.verb, options.start.elapsed(), calls)));
        } else {
            output::message(text.trim_end());
            say_warnings(&report);
        }
    }
    output::annotate_report(&report);
    match code(&report) {
        exit_code::DONE => Ok(report),
        code => Err(Failure::reported(code)),
    }
}

fn say_warnings(report: &Report) {
    output::warnings(report).iter().for_each(|warning| output::once(warning));
}

/// Prints a document, or adds it to the larger one.
pub(super) fn publish(documents: &Option<&RefCell<Vec<PlanDocument>>>, document: PlanDocument) {
    match documents {
        Some(documents) => documents.borrow_mut().push(document),
        None => output::json(&document),
    }
}

/// A failure without the values of the command line.
pub(super) fn hidden(failure: Failure) -> Failure {
    failure.rewritten(assigned::hide)
}

/// Says a failure for people whose document is printed, unless it was reported already.
pub(super) fn said(failure: Failure) -> Failure {
    if !failure.is_reported() {
        output::failure(&failure);
    }
    Failure::reported(failure.code)
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
