//! Plans that move a live stack without reading any file: other keys, the way back to what was live before, and versions on trial.

use std::collections::BTreeMap;
use std::fmt;

use super::Server;
use super::change::{Action, change};
use super::diff::{FieldChange, diff};
use super::identity::Kind;
use super::plan::{Plan, difference};
use super::resource::{Canary, Definition, Function, Key, Resource, Stack};
use crate::project::{FunctionName, KeyName, Names, Tags};

/// Plans the way from the keys of a live stack to `keys`. Nothing else changes but a server, which is told of its keys.
pub fn plan_keys(names: &Names, live: &Stack, keys: BTreeMap<KeyName, Key>) -> Plan {
    let before = Stack { keys: live.keys.clone(), server: live.server.clone(), ..Stack::default() };
    let opening = keys.iter().filter(|(_, key)| key.enabled).map(|(name, _)| name.clone()).collect();
    let told = |server: &Server| Server { keys: opening, ..server.clone() };
    let server = live.server.as_ref().map(told);
    difference(names, &before, &Stack { keys, server, ..Stack::default() })
}

/// Plans the way back to what `earlier` ran, with everything that was frozen with it. What is not frozen, the number of tasks for
/// instance, stays as it is live; so do the keys, for a key that was taken away since must not open anything again.
pub fn rollback(names: &Names, live: &Stack, earlier: &Server) -> Plan {
    let server = live.server.as_ref().map(|live| live.with_revision(earlier));
    let before = Stack { server: live.server.clone(), ..Stack::default() };
    difference(names, &before, &Stack { server, ..Stack::default() })
}

/// Plans the way back to versions that were live before, and to the routes that were served with them where those differ. Who may call a
/// function, and its reserved concurrency, are no part of a version, and stay.
pub fn rollback_functions(
    names: &Names,
    live: &Stack,
    earlier: &BTreeMap<FunctionName, Function>,
    definition: Option<&Definition>,
) -> Plan {
    let mut after = Stack { stage: live.stage.clone(), ..Stack::default() };
    let mut before = Stack { stage: live.stage.clone(), ..Stack::default() };
    for (name, frozen) in earlier {
        let Some(function) = live.functions.get(name) else { continue };
        before.functions.insert(name.clone(), function.clone());
        after.functions.insert(name.clone(), function.with_version(frozen));
    }
    if let (Some(stage), Some(definition)) = (&mut after.stage, definition) {
        stage.definition = definition.clone();
    }
    difference(names, &before, &after)
}

/// Plans the end of every trial of these functions: with what was on trial, or with what was live all the time.
pub fn end_canary(names: &Names, live: &BTreeMap<FunctionName, Function>, takes: bool) -> Plan {
    let mut after = Stack::default();
    let mut before = Stack::default();
    for (name, function) in live {
        let Some(canary) = &function.canary else { continue };
        let next = match takes {
            true => function.with_version(&canary.next),
            false => Function { canary: None, ..function.clone() },
        };
        before.functions.insert(name.clone(), function.clone());
        after.functions.insert(name.clone(), next);
    }
    difference(names, &before, &after)
}

/// Why a plan cannot be tried with a part of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOnTrial {
    /// Routes change, and a stage serves one set of them.
    Routes,
    /// A function goes, and nothing would answer in its place.
    Deletion(String),
    /// No function that is live changes.
    Nothing,
    /// Servers host the stage.
    Server,
}

impl fmt::Display for NotOnTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes => {
                f.write_str("the routes change: a stage serves one set of routes, whichever version answers")
            }
            Self::Deletion(name) => {
                write!(f, "function {name} would be deleted: half of that is not possible")
            }
            Self::Nothing => f.write_str("no function that is live changes: there is nothing to try"),
            Self::Server => {
                f.write_str("the stage is hosted by servers, which are replaced one after the other")
            }
        }
    }
}

impl Plan {
    /// The same plan with each function that changes answered by its new version for `percent` of the requests, and by the live one for
    /// the others. New functions are created as they are, and what is tried so already goes on.
    ///
    /// # Errors
    /// When there is nothing to try, or what changes cannot be had for a part of the requests.
    pub fn on_trial(mut self, percent: u8) -> Result<Self, NotOnTrial> {
        let mut is_tried = false;
        let mut going_on = Vec::new();
        for one in &mut self.changes {
            match (one.id.kind, one.action, &one.before, &one.after) {
                (Kind::Server, ..) => return Err(NotOnTrial::Server),
                (Kind::Stage, Action::Update | Action::Delete, ..) if one.touches_definition() => {
                    return Err(NotOnTrial::Routes);
                }
                (Kind::Function, Action::Delete, ..) => {
                    return Err(NotOnTrial::Deletion(one.id.name.clone()));
                }
                (
                    Kind::Function,
                    Action::Update,
                    Some(Resource::Function(before)),
                    Some(Resource::Function(after)),
                ) if !before.freezes_as(after) => {
                    is_tried = true;
                    let running = before.canary.clone();
                    let running =
                        running.filter(|tried| tried.percent == percent && tried.next.freezes_as(after));
                    let next = || Function { canary: None, tags: Tags::default(), ..after.as_ref().clone() };
                    let canary = running.unwrap_or_else(|| Box::new(Canary { percent, next: next() }));
                    let trial = Function {
                        concurrency: after.concurrency,
                        invokers: after.invokers.clone(),
                        tags: after.tags.clone(),
                        canary: Some(canary),
                        ..before.as_ref().clone()
                    };
                    let (before, trial) = (one.before.clone(), Resource::Function(Box::new(trial)));
                    match change(one.id.clone(), before.as_ref(), Some(&trial)) {
                        Some(mut tried) => {
                            tried.needs = std::mem::take(&mut one.needs);
                            *one = tried;
                        }
                        None => going_on.push(one.id.clone()),
                    }
                }
                _ => {}
            }
        }
        self.changes.retain(|one| !going_on.contains(&one.id));
        if is_tried { Ok(self) } else { Err(NotOnTrial::Nothing) }
    }
}

/// What of a function another one has otherwise, field by field.
pub fn function_changes(before: &Function, after: &Function) -> Vec<FieldChange> {
    let value = |function: &Function| serde_json::to_value(function).unwrap_or_default();
    diff(&value(before), &value(after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Sha256;
    use crate::project::{FunctionConfiguration, Secret, Security};
    use crate::stack::{ApiRoute, ApiStage, Invoker, Recording, Selection, plan};

    fn names() -> Names {
        Names { project: "shop".parse().unwrap(), stage: "dev".parse().unwrap() }
    }

    fn function(code: &str, greeting: &str) -> Function {
        let environment = [("GREETING".to_owned(), Secret::new(greeting))].into();
        Function {
            configuration: FunctionConfiguration { environment, ..FunctionConfiguration::default() },
            role: "shop_lambda_function".into(),
            concurrency: Some(3),
            code: Some(Sha256::of(code.as_bytes())),
            derivatives: BTreeMap::new(),
            invokers: [Invoker::Api].into(),
            owned: true,
            canary: None,
            tags: Default::default(),
        }
    }

    fn stack(function: Function, routes: &[&str]) -> Stack {
        let target =
            ApiRoute { function: "cart".parse().unwrap(), security: Security::Open, timeout_ms: 29_000 };
        let routes = routes.iter().map(|route| (route.parse().unwrap(), target.clone()));
        let definition = Definition { routes: routes.collect(), ..Definition::default() };
        Stack {
            functions: [("cart".parse().unwrap(), function)].into(),
            stage: Some(ApiStage {
                definition,
                deployed_by_mdo: true,
                variables: BTreeMap::new(),
                throttle: None,
                quota: None,
                recording: Recording::default(),
                tags: Default::default(),
            }),
            ..Stack::default()
        }
    }

    fn planned(before: &Stack, after: Stack) -> Plan {
        plan(&names(), after, before, &Selection::All, &BTreeSet::new(), &BTreeSet::new())
    }

    fn function_of(plan: &Plan) -> &Function {
        match &plan.changes[0].after {
            Some(Resource::Function(function)) => function,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rollback_takes_what_a_version_froze_and_leaves_the_rest() {
        let live = stack(function("new", "new"), &["GET /cart", "GET /more"]);
        let frozen = Function { concurrency: None, invokers: BTreeSet::new(), ..function("old", "old") };
        let earlier = [("cart".parse().unwrap(), frozen)].into();
        let plan = rollback_functions(&names(), &live, &earlier, None);
        assert_eq!(plan.changes.len(), 1);
        assert_eq!(function_of(&plan), &function("old", "old"));

        let routes = stack(function("old", "old"), &["GET /cart"]).stage.unwrap().definition;
        let plan = rollback_functions(&names(), &live, &earlier, Some(&routes));
        let kinds: Vec<Kind> = plan.changes.iter().map(|change| change.id.kind).collect();
        // The stage moves when the function answers as it did.
        assert_eq!(kinds, [Kind::Function, Kind::Stage]);
        let same = [("cart".parse().unwrap(), function("new", "new"))].into();
        assert!(rollback_functions(&names(), &live, &same, None).is_empty());
    }

    #[test]
    fn a_trial_begins_beside_what_is_live_and_ends_one_way_or_the_other() {
        let live = stack(function("old", "old"), &["GET /cart"]);
        let next = stack(function("new", "new"), &["GET /cart"]);
        let trial = planned(&live, next.clone()).on_trial(10).unwrap();
        let tried = function_of(&trial).clone();
        assert!(tried.freezes_as(&function("old", "old")));
        let canary = tried.canary.as_ref().unwrap();
        assert_eq!((canary.percent, &canary.next), (10, &function("new", "new")));

        let running = [("cart".parse().unwrap(), tried)].into();
        assert_eq!(function_of(&end_canary(&names(), &running, true)), &function("new", "new"));
        assert_eq!(function_of(&end_canary(&names(), &running, false)), &function("old", "old"));
        let none = [("cart".parse().unwrap(), function("old", "old"))].into();
        assert!(end_canary(&names(), &none, true).is_empty());
    }

    #[test]
    fn what_cannot_be_had_by_halves_is_no_trial() {
        let live = stack(function("old", "old"), &["GET /cart"]);
        let why = |after: Stack| planned(&live, after).on_trial(10).unwrap_err();
        assert_eq!(why(stack(function("new", "new"), &["GET /cart", "GET /more"])), NotOnTrial::Routes);
        assert_eq!(why(live.clone()), NotOnTrial::Nothing);
        let slower = Function { concurrency: Some(1), ..function("old", "old") };
        assert_eq!(why(stack(slower, &["GET /cart"])), NotOnTrial::Nothing);
        let gone = Stack { functions: BTreeMap::new(), ..live.clone() };
        assert_eq!(why(gone), NotOnTrial::Deletion("cart".into()));
    }
}
