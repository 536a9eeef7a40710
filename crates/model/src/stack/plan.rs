//! The difference between the desired and the observed stack, as data that can be printed, counted and applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::change::{Action, Change, change};
use super::desired::Selection;
use super::identity::{Kind, ResourceId};
use super::order::ordered;
use super::resource::{Key, Resource, Stack};
use crate::project::{FunctionName, Names, Secret, Settings};

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
    /// Whether log groups stay where what writes to them goes.
    pub keeps_logs: bool,
}

/// Something live that no file sets and that a deploy leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What kind of thing is kept.
    pub kind: KeptKind,
    /// The resource that it belongs to.
    #[serde(serialize_with = "as_text")]
    pub resource: ResourceId,
    /// What is kept: the name of an environment variable, or of a key.
    pub name: String,
}

/// What a deploy may leave alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptKind {
    /// An environment variable that no file sets.
    Variable,
    /// A key that somebody has created.
    Key,
    /// That a key is switched off.
    DisabledKey,
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
/// default one, and that a key is switched off. With a selection, functions that it does not name stay as they are
/// observed, with their routes and rules. What other stages share stays, whatever this one asks for.
pub fn plan(
    names: &Names,
    mut desired: Stack,
    observed: &Stack,
    selection: &Selection,
    unset: &BTreeSet<String>,
    shared: &BTreeSet<ResourceId>,
) -> Plan {
    if let Selection::Only(selected) = selection {
        restrict(&mut desired, observed, selected);
    }
    let kept = keep(&mut desired, observed, unset);
    let mut plan = difference(names, observed, &desired);
    plan.changes.retain(|change| {
        // A derivative stays for the versions that were published with it, whichever function has it now.
        change.after.is_some() || (change.id.kind != Kind::Derivative && is_this_stages(&change.id, shared))
    });
    for change in &mut plan.changes {
        change.lives_on = lives_on(change, shared);
    }
    Plan { changes: ordered(plan.changes), kept, ..plan }
}

/// Plans the way from one stack to another, and keeps nothing.
pub(super) fn difference(names: &Names, before: &Stack, after: &Stack) -> Plan {
    let (before, after) = (before.resources(names), after.resources(names));
    let ids: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changes =
        ids.iter().filter_map(|id| change((*id).clone(), before.get(*id), after.get(*id))).collect();
    let changes = ordered(changes);
    Plan { names: names.clone(), changes, kept: Vec::new(), checked: ids.len(), keeps_logs: false }
}

/// Plans the removal of everything observed, but for what other stages use too.
pub fn destroy(names: &Names, observed: &Stack, shared: &BTreeSet<ResourceId>) -> Plan {
    let all = observed.resources(names);
    let checked = all.len();
    let changes = all
        .into_iter()
        .filter(|(id, _)| is_this_stages(id, shared))
        .filter_map(|(id, before)| change(id, Some(&before), None))
        .map(|change| Change { lives_on: lives_on(&change, shared), ..change })
        .collect();
    Plan { names: names.clone(), changes: ordered(changes), kept: Vec::new(), checked, keeps_logs: false }
}

/// Whether a resource may go with this stage. Of a function that other stages have, its alias here does.
fn is_this_stages(id: &ResourceId, shared: &BTreeSet<ResourceId>) -> bool {
    id.kind == Kind::Function || !shared.contains(id)
}

fn lives_on(change: &Change, shared: &BTreeSet<ResourceId>) -> bool {
    change.action == Action::Delete && shared.contains(&change.id)
}

impl Plan {
    /// The same plan without deleting any log group, nor the logs in it.
    #[must_use]
    pub fn keeping_logs(mut self) -> Self {
        self.changes.retain(|change| (change.id.kind, change.action) != (Kind::LogGroup, Action::Delete));
        self.keeps_logs = true;
        self
    }

    /// Tells of each variable where its value is kept, if it is kept elsewhere.
    #[must_use]
    pub fn with_origins(mut self, settings: &Settings) -> Self {
        for change in &mut self.changes {
            let own = change.id.name.clone();
            for field in change.fields.iter_mut().filter(|field| !field.after.is_null()) {
                let Some((function, variable)) = field.variable() else { continue };
                let function = function.unwrap_or(&own).parse::<FunctionName>().ok();
                let function = function.and_then(|name| settings.functions.get(&name));
                let referred = function.and_then(|function| function.referred.get(variable));
                field.from = referred.map(|referred| referred.reference.clone());
            }
        }
        self
    }

    /// Whether a resource is made by this plan.
    pub fn creates(&self, id: &ResourceId) -> bool {
        self.changes.iter().any(|change| change.id == *id && change.action == Action::Create)
    }

    /// The changes that delete something that somebody may miss: all deletions but those of keys whose end has come.
    pub fn losses(&self) -> impl Iterator<Item = &Change> {
        let has_ended =
            |change: &&Change| matches!(&change.before, Some(Resource::Key(key)) if key.has_ended());
        self.deletions().filter(move |change| !has_ended(change))
    }

    /// The changes that delete something.
    pub fn deletions(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action == Action::Delete)
    }
}

/// Puts what is observed in place of what is desired for every function that is not selected.
fn restrict(desired: &mut Stack, observed: &Stack, selected: &BTreeSet<FunctionName>) {
    let is_other = |name: &FunctionName| !selected.contains(name);
    restrict_map(&mut desired.functions, &observed.functions, is_other);
    restrict_map(&mut desired.log_groups, &observed.log_groups, is_other);
    restrict_map(&mut desired.warm_rules, &observed.warm_rules, is_other);
    if let Some(stage) = &mut desired.stage {
        stage.definition.routes.retain(|_, route| selected.contains(&route.function));
    }
    if let Some(live) = &observed.stage {
        let stage = desired.stage.get_or_insert_with(|| live.clone());
        let others = live.definition.routes.iter().filter(|(_, route)| is_other(&route.function));
        let mut routes: BTreeMap<_, _> =
            others.map(|(route, target)| (route.clone(), target.clone())).collect();
        let own = stage.definition.routes.iter().filter(|(_, route)| !is_other(&route.function));
        routes.extend(own.map(|(route, target)| (route.clone(), target.clone())));
        stage.definition.routes = routes;
    }
    desired.stage = desired.stage.take().filter(|stage| !stage.definition.routes.is_empty());
    desired.api = match &desired.stage {
        Some(_) => desired.api.take().or_else(|| observed.api.clone()),
        None => None,
    };
    match (&mut desired.role, &observed.role) {
        (Some(role), Some(live)) => role.grants.extend(live.grants.iter().cloned()),
        (role, live) => *role = role.take().or_else(|| live.clone()),
    }
    match (&mut desired.permissions, &observed.permissions) {
        (Some(permissions), Some(live)) => permissions.extend(live),
        (permissions, live) => *permissions = permissions.take().or_else(|| live.clone()),
    }
    if desired.stage.is_some() {
        for (name, key) in &observed.keys {
            desired.keys.entry(name.clone()).or_insert_with(|| key.clone());
        }
    }
}

fn restrict_map<T: Clone>(
    desired: &mut BTreeMap<FunctionName, T>,
    observed: &BTreeMap<FunctionName, T>,
    is_other: impl Fn(&FunctionName) -> bool,
) {
    desired.retain(|name, _| !is_other(name));
    let others = observed.iter().filter(|(name, _)| is_other(name));
    desired.extend(others.map(|(name, live)| (name.clone(), live.clone())));
}

/// Carries over what is live, in no file, and not to be removed.
fn keep(desired: &mut Stack, observed: &Stack, unset: &BTreeSet<String>) -> Vec<Kept> {
    let mut kept = Vec::new();
    for (name, function) in &mut desired.functions {
        let Some(live) = observed.functions.get(name) else {
            continue;
        };
        let environment = &mut function.configuration.environment;
        let resource = ResourceId::new(Kind::Function, name);
        keep_environment(environment, &live.configuration.environment, unset, &resource, &mut kept);
    }
    if let (Some(server), Some(live)) = (&mut desired.server, &observed.server) {
        for (name, function) in &mut server.functions {
            let Some(live) = live.functions.get(name) else { continue };
            let resource = ResourceId::new(Kind::Function, name);
            keep_environment(&mut function.environment, &live.environment, unset, &resource, &mut kept);
        }
    }
    if let (Some(stage), Some(live)) = (&mut desired.stage, &observed.stage) {
        stage.recording = stage.recording.or(&live.recording);
    }
    if let (Some(role), Some(live)) = (&mut desired.server_role, &observed.server_role) {
        role.secrets.extend(live.secrets.iter().cloned());
    }
    // The role is that of every stage, and another stage's functions may need what this one's do not.
    if let (Some(role), Some(live)) = (&mut desired.role, &observed.role) {
        role.grants.extend(live.grants.iter().cloned());
        role.boundary = role.boundary.take().or_else(|| live.boundary.clone());
    }
    if desired.stage.is_some() || desired.server.is_some() {
        let is_hosted = desired.server.is_some();
        let of_server = desired.server.as_ref().map(|server| &server.tags);
        let tags = desired.stage.as_ref().map(|stage| &stage.tags).or(of_server).cloned().unwrap_or_default();
        for (name, live) in &observed.keys {
            let kind = match (desired.keys.get_mut(name), live.enabled) {
                (Some(_), true) => continue,
                (Some(key), false) => {
                    key.enabled = false;
                    KeptKind::DisabledKey
                }
                // Whoever ended it has said so.
                (None, _) if live.has_ended() => continue,
                (None, _) => {
                    // One that lost its place on the usage plan gets it back.
                    desired
                        .keys
                        .insert(name.clone(), Key { linked: true, tags: tags.clone(), ..live.clone() });
                    KeptKind::Key
                }
            };
            let resource = ResourceId::new(Kind::Key, name);
            kept.push(Kept { kind, resource, name: name.to_string() });
        }
        if is_hosted {
            link_to_server(desired, observed);
        }
    }
    kept
}

/// A server knows its keys itself, so that it does not matter whether a usage plan holds them too.
fn link_to_server(desired: &mut Stack, observed: &Stack) {
    for (name, key) in &mut desired.keys {
        key.linked = observed.keys.get(name).is_some_and(|live| live.linked);
    }
    if let Some(server) = &mut desired.server {
        let enabled = desired.keys.iter().filter(|(_, key)| key.enabled).map(|(name, _)| name.clone());
        server.keys = enabled.collect();
    }
}

fn keep_environment(
    desired: &mut BTreeMap<String, Secret>,
    live: &BTreeMap<String, Secret>,
    unset: &BTreeSet<String>,
    function: &ResourceId,
    kept: &mut Vec<Kept>,
) {
    for (key, value) in live {
        if !desired.contains_key(key) && !unset.contains(key) {
            desired.insert(key.clone(), value.clone());
            kept.push(Kept { kind: KeptKind::Variable, resource: function.clone(), name: key.clone() });
        }
    }
}
