//! The difference between the desired and the observed stack, as data that can be printed, counted and applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::desired::Selection;
use super::diff::{FieldChange, diff};
use super::resource::{ApiStage, Kind, Resource, ResourceId, Stack};
use crate::project::{FunctionName, Names};

/// What has to change, in an order that respects every dependency.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the provider calls things.
    pub names: Names,
    /// The changes, each after those that it needs.
    pub changes: Vec<Change>,
    /// What is live, in no file, and stays.
    pub kept: Vec<Kept>,
    /// How many resources were compared.
    pub checked: usize,
}

/// One resource that has to change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource.
    pub id: ResourceId,
    /// What happens to it.
    pub action: Action,
    /// The fields that differ; on creation and deletion, all of them.
    pub fields: Vec<FieldChange>,
    /// The changes of this plan that must be usable before this one can be done.
    pub needs: Vec<ResourceId>,
    /// The resource as observed; `None` on creation.
    pub before: Option<Resource>,
    /// The resource as desired; `None` on deletion.
    pub after: Option<Resource>,
}

impl Change {
    /// Whether the field at `path`, or a field below it, differs.
    pub fn touches(&self, path: &str) -> bool {
        self.fields.iter().any(|field| {
            field.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are plain words")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// Something live that no file sets and that a deploy leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The resource that it belongs to.
    #[serde(serialize_with = "as_text")]
    pub resource: ResourceId,
    /// What is kept: the name of an environment variable, or of a key.
    pub name: String,
}

fn as_text<S: Serializer>(id: &ResourceId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// How many resources are created, updated and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are plain words")]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub delete: usize,
}

impl Plan {
    /// Counts the changes by action.
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            create: count(Action::Create),
            update: count(Action::Update),
            delete: count(Action::Delete),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The change of a resource, if it has one.
    pub fn change(&self, id: &ResourceId) -> Option<&Change> {
        self.changes.iter().find(|change| change.id == *id)
    }
}

/// Plans the way from `observed` to `desired`.
///
/// Environment variables that are live but not desired are kept, unless `unset` names them; so are keys other than the
/// default one. With a selection, functions that it does not name stay as they are observed, with their routes and
/// rules.
pub fn plan(
    names: &Names,
    mut desired: Stack,
    observed: &Stack,
    selection: &Selection,
    unset: &BTreeSet<String>,
) -> Plan {
    if let Selection::Only(selected) = selection {
        restrict(&mut desired, observed, selected);
    }
    let kept = keep(&mut desired, observed, unset);
    let before = observed.resources(names);
    let after = desired.resources(names);
    let ids: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changes =
        ids.iter().filter_map(|id| change((*id).clone(), before.get(*id), after.get(*id))).collect();
    Plan { names: names.clone(), changes: ordered(changes), kept, checked: ids.len() }
}

/// Plans the removal of everything observed, but for what other stages use too.
pub fn destroy(names: &Names, observed: &Stack, shared: &BTreeSet<ResourceId>) -> Plan {
    let all = observed.resources(names);
    let checked = all.len();
    let changes = all
        .into_iter()
        .filter(|(id, _)| id.kind == Kind::Function || !shared.contains(id))
        .filter_map(|(id, before)| change(id, Some(&before), None))
        .collect();
    Plan { names: names.clone(), changes: ordered(changes), kept: Vec::new(), checked }
}

/// Puts what is observed in place of what is desired for every function that is not selected.
fn restrict(desired: &mut Stack, observed: &Stack, selected: &BTreeSet<FunctionName>) {
    desired.functions.retain(|name, _| selected.contains(name));
    desired.warm_rules.retain(|name, _| selected.contains(name));
    let others = |name: &&FunctionName| !selected.contains(*name);
    for name in observed.functions.keys().filter(others) {
        desired.functions.insert(name.clone(), observed.functions[name].clone());
    }
    for name in observed.warm_rules.keys().filter(others) {
        desired.warm_rules.insert(name.clone(), observed.warm_rules[name].clone());
    }
    if let Some(api) = &mut desired.api {
        api.routes.retain(|_, route| selected.contains(&route.function));
    }
    if let Some(live) = &observed.api {
        let api = desired.api.get_or_insert_with(|| live.clone());
        api.foreign.clear();
        let unselected = live.routes.iter().filter(|(_, route)| !selected.contains(&route.function));
        for (route, target) in unselected {
            api.routes.entry(route.clone()).or_insert_with(|| target.clone());
        }
    }
    desired.api = desired.api.take().filter(|api| !api.routes.is_empty());
    match (&mut desired.role, &observed.role) {
        (Some(role), Some(live)) => role.grants.extend(live.grants.iter().cloned()),
        (role, live) => *role = role.take().or_else(|| live.clone()),
    }
    match (&desired.api, &mut desired.stage) {
        (Some(api), Some(stage)) => stage.definition = api.digest(),
        (Some(api), None) => {
            desired.stage =
                observed.stage.clone().map(|stage| ApiStage { definition: api.digest(), ..stage });
        }
        (None, _) => desired.stage = None,
    }
    if desired.api.is_some() {
        for (name, key) in &observed.keys {
            desired.keys.entry(name.clone()).or_insert_with(|| key.clone());
        }
    }
}

/// Carries over what is live, in no file, and not to be removed.
fn keep(desired: &mut Stack, observed: &Stack, unset: &BTreeSet<String>) -> Vec<Kept> {
    let mut kept = Vec::new();
    for (name, function) in &mut desired.functions {
        let Some(live) = observed.functions.get(name) else {
            continue;
        };
        for (key, value) in &live.configuration.environment {
            if !function.configuration.environment.contains_key(key) && !unset.contains(key) {
                function.configuration.environment.insert(key.clone(), value.clone());
                kept.push(Kept { resource: ResourceId::new(Kind::Function, name), name: key.clone() });
            }
        }
    }
    // The role is that of every stage, and another stage's functions may need what this one's do not.
    if let (Some(role), Some(live)) = (&mut desired.role, &observed.role) {
        role.grants.extend(live.grants.iter().cloned());
    }
    if let Some(stage) = &desired.stage {
        let alias = stage.variables.get("alias").cloned().unwrap_or_default();
        for (name, key) in &observed.keys {
            if !desired.keys.contains_key(name) {
                desired.keys.insert(name.clone(), key.clone());
                kept.push(Kept { resource: ResourceId::new(Kind::Stage, &alias), name: name.to_string() });
            }
        }
    }
    kept
}

fn change(id: ResourceId, before: Option<&Resource>, after: Option<&Resource>) -> Option<Change> {
    let value = |resource: Option<&Resource>| {
        resource.and_then(|resource| serde_json::to_value(resource).ok()).unwrap_or(Value::Null)
    };
    let action = match (before, after) {
        (None, Some(_)) => Action::Create,
        (Some(_), None) => Action::Delete,
        _ => Action::Update,
    };
    let fields = diff(&value(before), &value(after));
    (before != after && !fields.is_empty()).then(|| Change {
        id,
        action,
        fields,
        needs: Vec::new(),
        before: before.cloned(),
        after: after.cloned(),
    })
}

/// Fills in what each change needs, and sorts the changes so that each stands after those that it needs.
fn ordered(mut changes: Vec<Change>) -> Vec<Change> {
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
        use Kind::{Api, Function, Key, Role, Stage, WarmRule};
        let same_name = other.name == id.name;
        let other_goes = other_action == Delete;
        match (id.kind, action, other.kind) {
            // Creation and update: from what is called towards who calls it.
            (Function, Create | Update, Role | Api) => !other_goes,
            (Stage, Create | Update, Api) => true,
            // A live stage moves to the new definition only once the new functions can answer.
            (Stage, Update, Function) => !other_goes,
            (Key, Create | Update, Stage) => true,
            (WarmRule, Create | Update, Function) => same_name,
            // Deletion: from who calls towards what is called.
            (Function, Delete, Api | Stage) => true,
            (Function, Delete, WarmRule) => same_name,
            (Role, Delete, Function) => true,
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
