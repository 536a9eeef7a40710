//! Every kind of fault that a call can meet.

use std::time::Duration;

use crate::support::disturbance::{Disturbance, Moment};
use crate::support::proxy::Fault;

/// One kind of fault.
#[derive(Clone)]
pub(super) struct Kind {
    pub name: &'static str,
    pub disturbance: Disturbance,
    /// What is done to the process while the call is halted, if it is.
    pub stop: Option<Stop>,
    /// Which operations have to get over it, so that the command ends with 0.
    pub survives: fn(&str) -> bool,
    /// Whether a call may have been made though it is answered by an error or not at all.
    pub leaves_open: bool,
}

/// How a command is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Kill,
    Interrupt,
    InterruptTwice,
    Terminate,
}

/// All of them. A further one joins by being listed.
pub(super) fn all() -> Vec<Kind> {
    let error = |status, code, message| Fault::error(status, code, message);
    let for_good = |fault| Disturbance::Answer(fault, usize::MAX);
    let once = |fault| Disturbance::Answer(fault, 1);
    let internal = error(500, "InternalFailure", "The request processing has failed");
    let busy = error(
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: x",
    );
    let concurrent = error(
        409,
        "ConflictException",
        "Unable to complete operation due to concurrent modification. Please try again later.",
    );
    let stale = error(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction API to retrieve it",
    );
    let not_ready = error(
        400,
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    );
    let denied = Fault::denied("service:Action on resource: x");
    let halted = |name, moment, stop| Kind {
        name,
        disturbance: Disturbance::Halt(moment),
        stop: Some(stop),
        survives: nothing,
        leaves_open: true,
    };
    let kind = |name, disturbance, survives| {
        let leaves_open = !matches!(disturbance, Disturbance::Answer(..));
        Kind { name, disturbance, stop: None, survives, leaves_open }
    };
    vec![
        kind("500 for good", for_good(internal.clone()), nothing),
        kind("500 once", once(internal.clone()), reads),
        kind("500 after it was done", Disturbance::AnswerAfter(internal), reads),
        kind("429 once", once(Fault::throttled()), everything),
        kind("429 with Retry-After", once(Fault::throttled().with_header("Retry-After", "1")), everything),
        kind("403 denied", for_good(denied), nothing),
        kind("409 busy", once(busy), updates_of_functions),
        kind("409 concurrent modification", once(concurrent), nothing),
        kind("412 stale revision", once(stale), nothing),
        kind("role not ready", Disturbance::Answer(not_ready, 2), needs_the_role),
        kind("503 with HTML", once(Fault::Page(503)), reads),
        kind("dropped before", once(Fault::Reset), reads),
        kind("dropped after", Disturbance::DropAfter, reads),
        kind("truncated answer", Disturbance::Truncate, reads),
        kind("connection refused", Disturbance::Refuse, nothing),
        kind("outage of 2 s", Disturbance::Outage(Duration::from_secs(2)), nothing),
        halted("kill -9 before", Moment::Before, Stop::Kill),
        halted("kill -9 after", Moment::After, Stop::Kill),
        halted("SIGINT", Moment::Before, Stop::Interrupt),
        halted("second SIGINT", Moment::Before, Stop::InterruptTwice),
        halted("SIGTERM", Moment::Before, Stop::Terminate),
    ]
}

fn nothing(_: &str) -> bool {
    false
}

fn everything(_: &str) -> bool {
    true
}

fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
}

fn updates_of_functions(operation: &str) -> bool {
    ["UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion"].contains(&operation)
}

fn needs_the_role(operation: &str) -> bool {
    operation == "CreateFunction"
}
