//! The order of changes: what each needs to be done first.

use std::collections::BTreeMap;

use super::change::{Action, Change};
use super::identity::{Kind, ResourceId};

/// Fills in what each change needs, and sorts the changes so that each stands after those that it needs.
pub(super) fn ordered(mut changes: Vec<Change>) -> Vec<Change> {
    let actions: BTreeMap<_, _> = changes.iter().map(|change| (change.id.clone(), change.action)).collect();
    for change in &mut changes {
        change.needs = needs(&change.id, change.action, &actions);
    }
    let mut sorted: Vec<Change> = Vec::with_capacity(changes.len());
    while !changes.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|change| change.needs.iter().all(|id| sorted.iter().any(|done| done.id == *id)));
        if ready.is_empty() {
            sorted.extend(waiting);
            break;
        }
        sorted.extend(ready);
        changes = waiting;
    }
    sorted
}

fn needs(id: &ResourceId, action: Action, actions: &BTreeMap<ResourceId, Action>) -> Vec<ResourceId> {
    let wants = |other: &ResourceId, other_action: Action| {
        use Action::{Create, Delete, Update};
        use Kind::{
            Api, Derivative, Function, Key, LoadBalancer, LogGroup, Permissions, Repository, Role, Server,
            ServerRole, Stage, WarmRule,
        };
        let same_name = other.name == id.name;
        let other_goes = other_action == Delete;
        match (id.kind, action, other.kind) {
            // Creation and update: from what is called towards who calls it.
            (Permissions, Create | Update, Role) => !other_goes,
            (Function, Create | Update, Role | Permissions | Api | Derivative) => !other_goes,
            (Stage, Create | Update, Api) => true,
            // A live stage moves to the new definition only once the new functions can answer.
            (Stage, Update, Function) => !other_goes,
            (Key, Create | Update, Stage) => true,
            (WarmRule, Create | Update, Function) => same_name,
            // Tasks are told the digests of the keys, and a load balancer has to know whom it asks.
            (Server, Create | Update, ServerRole | Repository | LoadBalancer | Key) => !other_goes,
            // Whichever way a stage is hosted from now on, it answers before the other way goes.
            (Stage | WarmRule, Delete, Server) => !other_goes,
            (Server, Delete, Stage) => !other_goes,
            (ServerRole | Repository | LoadBalancer, Delete, Server) => true,
            (Key, Delete, Server) => true,
            // Deletion: from who calls towards what is called.
            (Function, Delete, Api | Stage) => true,
            (Function, Delete, WarmRule) => same_name,
            // A function that still runs would make its log group again.
            (LogGroup, Delete, Function) => same_name,
            // A version that still answers may need them.
            (Permissions, Delete, Function) => true,
            (Role, Delete, Permissions) => true,
            (Role | Derivative, Delete, Function) => true,
            (Api, Delete, Stage | Key) => true,
            (Key, Delete, Stage) => true,
            _ => false,
        }
    };
    actions
        .iter()
        .filter(|(other, other_action)| *other != id && wants(other, **other_action))
        .map(|(other, _)| other.clone())
        .collect()
}
