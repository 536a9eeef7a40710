//! What is served, as the console's first page shows it: no value of a key or of a variable is in it.

use std::collections::BTreeMap;

use mdo_engine::Ping;
use mdo_engine::logs::{Millis, now};
use mdo_model::project::{FunctionName, Quota, Security, Throttle};
use mdo_server::gateway::today;
use serde::Serialize;

use super::notices::Told;
use crate::live::{Live, ServedStack};
use crate::state::{StoredFunction, StoredKey};

/// What is served.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    project: String,
    stage: String,
    /// The base URL of the stage.
    url: String,
    routes: Vec<RouteEntry>,
    functions: Vec<FunctionEntry>,
    throttle: Option<Throttle>,
    quota: Option<Quota>,
    keys: Vec<KeyEntry>,
    warm_rules: Vec<RuleEntry>,
    told: Told,
}

#[derive(Debug, Serialize)]
struct RouteEntry {
    method: &'static str,
    path: String,
    function: String,
    security: Security,
}

#[derive(Debug, Serialize)]
struct FunctionEntry {
    name: String,
    version: u64,
    description: String,
    runtime: String,
    handler: String,
    architecture: String,
    /// In MB.
    memory: u32,
    /// In seconds.
    timeout: u32,
    /// The names of its variables.
    environment: Vec<String>,
}

#[derive(Debug, Serialize)]
struct KeyEntry {
    name: String,
    /// Why it opens nothing, where it does not.
    closed: Option<&'static str>,
    /// Requests in the present period of the quota.
    used: Option<u32>,
}

#[derive(Debug, Serialize)]
struct RuleEntry {
    function: String,
    /// In minutes; null for another schedule.
    rate: Option<u8>,
    concurrency: u8,
    enabled: bool,
    /// When it fires next, in milliseconds since 1970.
    next: Option<Millis>,
    /// The last firings, newest first.
    pings: Vec<PingEntry>,
}

/// A firing.
#[derive(Clone, Debug, Serialize)]
struct PingEntry {
    at: String,
    outcome: String,
}

/// The last firings of each rule, read anew when a rule has fired.
#[derive(Debug, Default)]
pub(super) struct Firings {
    seen: Option<u64>,
    of: BTreeMap<FunctionName, Vec<Ping>>,
}

/// How many firings are shown.
const PINGS: usize = 5;

impl Firings {
    fn of(&mut self, live: &Live, stack: &ServedStack, fired: u64) -> &BTreeMap<FunctionName, Vec<Ping>> {
        if self.seen != Some(fired) || !stack.warm_rules.keys().all(|name| self.of.contains_key(name)) {
            let pings = |name: &FunctionName| {
                let pings = live.provider.store.pings(name).unwrap_or_default();
                (name.clone(), pings.into_iter().take(PINGS).collect())
            };
            self.of = stack.warm_rules.keys().map(pings).collect();
            self.seen = Some(fired);
        }
        &self.of
    }
}

impl Overview {
    /// What is served at this moment.
    pub(super) fn new(
        live: &Live,
        stack: &ServedStack,
        told: Told,
        firings: &mut Firings,
        port: u16,
    ) -> Self {
        let names = &live.provider.names;
        let routes = stack.front.definition.iter().flat_map(|definition| &definition.routes);
        let plan = stack.state.stage.as_ref();
        Self {
            project: names.project.to_string(),
            stage: names.stage.to_string(),
            url: format!("http://127.0.0.1:{port}/{}", names.stage),
            routes: routes
                .map(|(route, target)| RouteEntry {
                    method: route.method().as_str(),
                    path: route.path().to_owned(),
                    function: target.function.to_string(),
                    security: target.security,
                })
                .collect(),
            functions: stack
                .state
                .functions
                .iter()
                .filter_map(|(name, stored)| function(name, stored))
                .collect(),
            throttle: plan.and_then(|plan| plan.throttle),
            quota: plan.and_then(|plan| plan.quota),
            keys: keys(live, stack),
            warm_rules: rules(live, stack, firings.of(live, stack, told.pings)),
            told,
        }
    }
}

fn function(name: &FunctionName, stored: &StoredFunction) -> Option<FunctionEntry> {
    let configuration = &stored.live()?.function.configuration;
    Some(FunctionEntry {
        name: name.to_string(),
        version: stored.alias,
        description: configuration.description.clone(),
        runtime: configuration.runtime.clone(),
        handler: configuration.handler.clone(),
        architecture: configuration.architecture.to_string(),
        memory: configuration.memory,
        timeout: configuration.timeout,
        environment: configuration.environment.keys().cloned().collect(),
    })
}

fn keys(live: &Live, stack: &ServedStack) -> Vec<KeyEntry> {
    let used = live.lock_meter().used(today()).map(|(_, used)| used);
    let closed = |key: &StoredKey| match (key.resource.enabled, key.resource.linked) {
        (false, _) => Some("disabled"),
        (true, false) => Some("without the usage plan"),
        (true, true) => None,
    };
    let keys = stack.state.keys.iter().map(|(name, key)| KeyEntry {
        name: name.to_string(),
        closed: closed(key),
        used: used.as_ref().map(|used| used.get(name).copied().unwrap_or_default()),
    });
    keys.collect()
}

fn rules(live: &Live, stack: &ServedStack, firings: &BTreeMap<FunctionName, Vec<Ping>>) -> Vec<RuleEntry> {
    let (due, now) = (live.due(), now());
    let rules = stack.warm_rules.iter().map(|(function, rule)| {
        let pings = firings.get(function).into_iter().flatten();
        let ping = |ping: &Ping| PingEntry { at: ping.at.clone(), outcome: ping.outcome.clone() };
        let next = due.get(function).filter(|_| rule.enabled);
        let next = next.map(|due| now + Millis::try_from(due.as_millis()).unwrap_or_default());
        RuleEntry {
            function: function.to_string(),
            rate: rule.rate.map(|rate| rate.minutes()),
            concurrency: rule.concurrency,
            enabled: rule.enabled,
            // Whole seconds: the same moment is the same number at every look.
            next: next.map(|next| (next + 500).div_euclid(1_000) * 1_000),
            pings: pings.map(ping).collect(),
        }
    });
    rules.collect()
}
