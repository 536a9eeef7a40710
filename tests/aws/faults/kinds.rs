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
    /// Which operations can meet it.
    pub meets: fn(&str) -> bool,
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
        meets: everything,
        survives: nothing,
        leaves_open: true,
    };
    let kind = |name, disturbance, survives| {
        let leaves_open = !matches!(disturbance, Disturbance::Answer(..));
        Kind { name, disturbance, stop: None, meets: everything, survives, leaves_open }
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

/// Those that a hosted stage can meet: those of its registry too, and those that ECS and EC2 have of their own.
pub(super) fn of_servers() -> Vec<Kind> {
    let times = |name, (status, code, message), times, meets, survives| Kind {
        name,
        disturbance: Disturbance::Answer(Fault::error(status, code, message), times),
        stop: None,
        meets,
        survives,
        leaves_open: false,
    };
    let linked =
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    let used = "resource sg-1 has a dependent object";
    let mut all = all();
    for kind in &mut all {
        if ["409 ", "412 ", "role not"].iter().any(|start| kind.name.starts_with(start)) {
            kind.meets = of_aws;
        }
    }
    all.retain(|kind| kind.name != "409 busy" && kind.name != "role not ready");
    all.extend([
        times(
            "service-linked role unknown",
            (400, "InvalidParameterException", linked),
            2,
            creates_the_service,
            everything,
        ),
        times("role not valid", (400, "ClientException", "Role is not valid"), 1, needs_our_role, everything),
        times(
            "former service draining",
            (400, "InvalidParameterException", "Unable to Start a service that is still Draining."),
            2,
            creates_the_service,
            everything,
        ),
        times(
            "cluster unknown",
            (400, "ClusterNotFoundException", "Cluster not found."),
            usize::MAX,
            writes_the_service,
            nothing,
        ),
        times(
            "service not active",
            (400, "ServiceNotActiveException", "Service was not ACTIVE."),
            usize::MAX,
            changes_the_service,
            nothing,
        ),
        times(
            "tasks left",
            (400, "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."),
            2,
            deletes_the_cluster,
            everything,
        ),
        times(
            "target group in use",
            (400, "ResourceInUse", "Target group is currently in use by a listener or a rule"),
            2,
            deletes_the_target_group,
            everything,
        ),
        times("interfaces left", (400, "DependencyViolation", used), 2, deletes_a_security_group, everything),
    ]);
    all
}

fn of_aws(operation: &str) -> bool {
    ["Blob", "Manifest", "Upload"].iter().all(|part| !operation.contains(part))
}

fn creates_the_service(operation: &str) -> bool {
    operation == "CreateService"
}

fn needs_our_role(operation: &str) -> bool {
    creates_the_service(operation) || operation == "RegisterTaskDefinition"
}

fn deletes_the_cluster(operation: &str) -> bool {
    operation == "DeleteCluster"
}

fn deletes_the_target_group(operation: &str) -> bool {
    operation == "DeleteTargetGroup"
}

fn changes_the_service(operation: &str) -> bool {
    operation == "UpdateService"
}

fn writes_the_service(operation: &str) -> bool {
    creates_the_service(operation) || changes_the_service(operation)
}

fn deletes_a_security_group(operation: &str) -> bool {
    operation == "DeleteSecurityGroup"
}

fn nothing(_: &str) -> bool {
    false
}

fn everything(_: &str) -> bool {
    true
}

fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head"].iter().any(|verb| operation.starts_with(verb))
}

fn updates_of_functions(operation: &str) -> bool {
    ["UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion"].contains(&operation)
}

fn needs_the_role(operation: &str) -> bool {
    operation == "CreateFunction"
}
