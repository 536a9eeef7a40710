//! A hosted stage as people read it: what is new, what it costs, and what a server does without.

use mdo_model::project::{Container, Entry, Settings, Tasks};
use mdo_model::stack::{
    Action, CostChange, Kind, LoadBalancer, MonthlyCost, PRICES_IN, PRICES_OF, Plan, Recording, Server,
};

use super::text::count;

/// What a new load balancer is.
pub(super) fn load_balancer(load_balancer: &LoadBalancer) -> String {
    match &load_balancer.entry {
        Some(Entry::Https(_)) => "HTTPS, and plain HTTP is sent on to it".to_owned(),
        Some(Entry::Http) => "plain HTTP: keys and answers travel in clear".to_owned(),
        None => String::new(),
    }
}

/// What a new server is.
pub(super) fn server(server: &Server) -> String {
    let routes = server.definition.routes.iter();
    let routes: Vec<String> =
        routes.map(|(route, target)| format!("{route} ({})", target.security)).collect();
    let routes = if routes.is_empty() { String::new() } else { format!("; {}", routes.join(", ")) };
    format!("{}{routes}", size(server))
}

/// `2 tasks of 0.25 vCPU, 512 MB, x86_64`; `2 to 10 tasks of …, scaled at 60 % of the processor`.
pub(crate) fn size(server: &Server) -> String {
    let Tasks { min, max, cpu } = server.tasks;
    let tasks = if cpu.is_some() { format!("{min} to {max} tasks") } else { count(min.into(), "task") };
    let scaled = cpu.map(|cpu| format!(", scaled at {cpu} % of the processor")).unwrap_or_default();
    format!("{tasks} of {}, {}{scaled}", server.size, server.architecture)
}

/// A line that says what a plan's server costs a month, where the plan changes that.
pub(crate) fn cost(plan: &Plan) -> String {
    let Some(CostChange { before, after, spot, tasks, shares_load_balancer }) = plan.cost() else {
        return String::new();
    };
    let was = before.map(|before| format!("{} → ", range(before))).unwrap_or_default();
    let less = if spot { ", less on Spot" } else { "" };
    let shared = if shares_load_balancer { " that the hosted stages share" } else { "" };
    format!(
        "  costs about {was}{} a month{less}: ${:.0} for the load balancer{shared}, ${:.0} for {}; traffic and logs aside, at prices of {PRICES_IN} in {PRICES_OF}\n",
        range(after),
        after.load_balancer,
        after.least - after.load_balancer,
        count(tasks.into(), "task"),
    )
}

fn range(cost: MonthlyCost) -> String {
    match (cost.least.round(), cost.most.round()) {
        (least, most) if least == most => format!("${least}"),
        (least, most) => format!("${least} to ${most}"),
    }
}

/// Says that clients have to be told another address, where a stage moves from one hosting to the other.
pub(crate) fn moves(plan: &Plan) -> Option<String> {
    let of =
        |kind: Kind| plan.changes.iter().find(|change| change.id.kind == kind).map(|change| change.action);
    let stage = &plan.names.stage;
    match (of(Kind::Stage), of(Kind::Server)) {
        (Some(Action::Delete), Some(Action::Create)) => Some(format!(
            "note: stage {stage} gets the address of the load balancer; the one that clients have now ends when that serves"
        )),
        (Some(Action::Create), Some(Action::Delete)) => Some(format!(
            "note: stage {stage} gets an address of API Gateway; the load balancer's ends when that serves"
        )),
        _ => None,
    }
}

/// What the files say that a server does without, and what it does not keep to exactly: one line each.
pub(crate) fn notes(settings: &Settings) -> Vec<String> {
    let Some(server) = &settings.server else { return Vec::new() };
    if !matches!(server.container, Container::Functions { .. }) {
        return Vec::new();
    }
    let mut notes = Vec::new();
    let mut left_out =
        |what: &str, why: &str, is_set: &dyn Fn(&mdo_model::project::FunctionSettings) -> bool| {
            let functions: Vec<&str> = settings
                .functions
                .iter()
                .filter(|(_, function)| is_set(function))
                .map(|(name, _)| name.as_str())
                .collect();
            if !functions.is_empty() {
                notes.push(format!("note: {what} of {} {why}", functions.join(", ")));
            }
        };
    left_out("the warm rule", "is left out: a server does not go cold", &|function| function.warm.is_some());
    left_out("the role", "is left out: a server's functions have its `task_role`", &|function| {
        function.role.is_some()
    });
    left_out(
        "`permissions`",
        "is left out: a server's functions have those of its `task_role`",
        &|function| !function.permissions.is_empty(),
    );
    left_out("the network", "is left out: a server's functions are in its `subnets`", &|function| {
        function.configuration.vpc.is_some()
    });
    if settings.api.recording != Recording::default() {
        notes.push(
            "note: `tracing` and `access_logs` of the API are left out: a server logs each request itself"
                .to_owned(),
        );
    }
    let Tasks { min, max, .. } = server.tasks;
    if let (Some(throttle), true) = (settings.api.throttle, max > min) {
        notes.push(format!(
            "note: {} requests/s are divided among {}: with {max} tasks up to {} requests/s get through",
            throttle.rate,
            count(min.into(), "task"),
            throttle.rate * f64::from(max) / f64::from(min),
        ));
    }
    notes
}
