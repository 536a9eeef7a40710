//! What is live at a stage: functions and routes, keys, warm rules.

use std::collections::BTreeMap;

use mdo_engine::metrics::Measurement;
use mdo_engine::{DayUsage, ForeignPolicy, LiveFunction, Observed, Ping, Provider, Recent};
use mdo_model::project::{FunctionName, KeyName, Names, Rate};
use mdo_model::stack::{self, Function, Key, Stack};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Head, word};
use crate::output::text::whole;
use crate::output::utc;

/// What is live at a stage: `list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListDocument {
    #[serde(flatten)]
    head: Head,
    /// The id of the project's API; null where there is none, and on this machine.
    api_id: Option<String>,
    /// The base URL of the stage, where it serves anything.
    url: Option<String>,
    /// The functions; of a hosted stage none, for they are in its image.
    functions: Vec<FunctionEntry>,
    /// What answers a hosted stage; null where Lambda does.
    server: Option<ServerEntry>,
    /// What the stage serves, by route; empty where it serves nothing.
    routes: BTreeMap<String, RouteEntry>,
    /// The names of the keys.
    keys: Vec<String>,
    /// The policies that somebody has given the project's roles by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    foreign_policies: Vec<ForeignPolicyEntry>,
}

/// A policy that mdo has not written.
#[derive(Debug, Serialize, JsonSchema)]
struct ForeignPolicyEntry {
    /// The role.
    role: String,
    /// The policy's name.
    name: String,
    /// The ARN of a managed policy; null for an inline one.
    arn: Option<String>,
}

/// A function that is live.
#[derive(Debug, Serialize, JsonSchema)]
struct FunctionEntry {
    /// Its short name.
    name: String,
    /// What the provider calls it.
    full_name: String,
    /// The version that the stage's alias points at.
    version: Option<String>,
    /// When it was last changed, as RFC 3339 in UTC.
    modified: Option<String>,
    /// The version that a rollback has gone back from, as long as nothing newer was deployed.
    rolled_back_from: Option<String>,
    /// The version that answers a part of the requests on trial.
    canary: Option<CanaryEntry>,
    runtime: String,
    architecture: Value,
    /// In MB.
    memory: u32,
    /// In seconds.
    timeout: u32,
    /// The names of its environment variables.
    environment: Vec<String>,
    /// Its warm rule.
    warm: Option<WarmRuleEntry>,
}

/// A version on trial.
#[derive(Debug, Serialize, JsonSchema)]
struct CanaryEntry {
    version: Option<String>,
    /// How many of a hundred requests it answers.
    percent: u8,
}

/// What answers a hosted stage.
#[derive(Debug, Serialize, JsonSchema)]
struct ServerEntry {
    /// The digest of its image, or its reference where the image is elsewhere.
    image: String,
    /// The revision that its tasks are to run.
    revision: Option<u32>,
    /// The revision that a rollback has gone back from, as long as nothing newer was deployed.
    rolled_back_from: Option<u32>,
    /// How many tasks are wanted at this moment.
    wanted: u32,
    /// How many run.
    running: u32,
    /// Whether tasks are being replaced.
    rolling: bool,
    /// The processor of each task, in vCPU.
    vcpu: f64,
    /// The memory of each task, in MB.
    memory: u32,
    architecture: Value,
    /// The functions in the image, each with the names of its environment variables.
    functions: BTreeMap<String, Vec<String>>,
    /// The name of the load balancer in the DNS.
    load_balancer: Option<String>,
}

/// A warm rule that is live.
#[derive(Debug, Serialize, JsonSchema)]
struct WarmRuleEntry {
    /// What the provider calls it.
    name: String,
    /// How often it fires, as `5m`; null for a schedule that mdo would not write.
    rate: Value,
    /// How many pings it sends at once.
    concurrency: u8,
    /// Whether it fires at all.
    enabled: bool,
    /// The event that it sends.
    input: Value,
}

/// What a route calls.
#[derive(Debug, Serialize, JsonSchema)]
struct RouteEntry {
    /// The function.
    function: String,
    /// `key`, `open` or `iam`.
    security: Value,
    /// The integration timeout in milliseconds.
    timeout_ms: u32,
}

impl ListDocument {
    /// What was observed of the stage.
    pub(crate) fn new(names: &Names, provider: &dyn Provider, observed: &Observed) -> Self {
        let stack = &observed.stack;
        let function = |(name, function): (&FunctionName, &Function)| {
            FunctionEntry::new(names, name, function, observed.functions.get(name), stack)
        };
        let entry = |target: &stack::ApiRoute| RouteEntry {
            function: target.function.to_string(),
            security: word(target.security),
            timeout_ms: target.timeout_ms,
        };
        let routes = stack.served().into_iter().flat_map(|definition| &definition.routes);
        Self {
            head: Head::new(names, provider),
            api_id: provider.site().api_id,
            url: provider.endpoint().filter(|_| stack.served().is_some()),
            functions: stack.functions.iter().map(function).collect(),
            server: stack.server.as_ref().map(|server| ServerEntry::new(server, provider, observed)),
            routes: routes.map(|(route, target)| (route.to_string(), entry(target))).collect(),
            keys: stack.keys.keys().map(ToString::to_string).collect(),
            foreign_policies: Vec::new(),
        }
    }

    /// The same with what somebody has given the roles, by the name of each.
    pub(crate) fn with_foreign_policies<'a>(
        self,
        policies: impl Iterator<Item = (&'a str, &'a ForeignPolicy)>,
    ) -> Self {
        let entry = |(role, policy): (&str, &ForeignPolicy)| ForeignPolicyEntry {
            role: role.to_owned(),
            name: policy.name.clone(),
            arn: policy.arn.clone(),
        };
        Self { foreign_policies: policies.map(entry).collect(), ..self }
    }
}

impl ServerEntry {
    fn new(server: &stack::Server, provider: &dyn Provider, observed: &Observed) -> Self {
        let live = observed.server.clone().unwrap_or_default();
        let variables = |function: &stack::HostedFunction| function.environment.keys().cloned().collect();
        Self {
            image: server.image.clone(),
            revision: live.revision,
            rolled_back_from: live.rolled_back_from,
            wanted: live.wanted,
            running: live.running,
            rolling: live.rolling,
            vcpu: f64::from(server.size.cpu) / 1024.0,
            memory: server.size.memory,
            architecture: word(server.architecture),
            functions: server
                .functions
                .iter()
                .map(|(name, function)| (name.to_string(), variables(function)))
                .collect(),
            load_balancer: provider.site().load_balancer,
        }
    }
}

impl FunctionEntry {
    fn new(
        names: &Names,
        name: &FunctionName,
        function: &Function,
        live: Option<&LiveFunction>,
        stack: &Stack,
    ) -> Self {
        let live = live.cloned().unwrap_or_default();
        let configuration = &function.configuration;
        let warm = stack.warm_rules.get(name).map(|rule| WarmRuleEntry {
            name: rule.name.clone(),
            rate: word(rule.rate),
            concurrency: rule.concurrency,
            enabled: rule.enabled,
            input: rule.input.clone(),
        });
        Self {
            name: name.to_string(),
            full_name: names.function(name),
            version: live.version,
            modified: live.modified,
            rolled_back_from: live.rolled_back_from,
            canary: function
                .canary
                .as_ref()
                .map(|canary| CanaryEntry { version: live.canary, percent: canary.percent }),
            runtime: configuration.runtime.clone(),
            architecture: word(configuration.architecture),
            memory: configuration.memory,
            timeout: configuration.timeout,
            environment: configuration.environment.keys().cloned().collect(),
            warm,
        }
    }
}

/// The keys of a stage, without their values: `key list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct KeysDocument {
    #[serde(flatten)]
    head: Head,
    /// The keys.
    keys: Vec<KeyEntry>,
}

/// A key.
#[derive(Debug, Serialize, JsonSchema)]
struct KeyEntry {
    /// Its short name.
    name: String,
    /// What the provider calls it.
    full_name: String,
    /// Whether its owner lets requests with it in.
    enabled: bool,
    /// Whether requests with it are let in.
    opens: bool,
    /// When it ends, as RFC 3339 in UTC; null for one that does not.
    ends: Option<String>,
}

/// How many requests a key has made: `key usage`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UsageDocument {
    #[serde(flatten)]
    head: Head,
    /// The key's short name.
    key: String,
    /// The days, oldest first; on this machine the period of the quota, by its first day.
    days: Vec<UsageDay>,
    /// Requests in all.
    used: u64,
}

/// How many requests a key has made in a day.
#[derive(Debug, Serialize, JsonSchema)]
struct UsageDay {
    /// The day in UTC, as `2026-11-27`.
    day: String,
    /// Requests that were let in.
    used: u64,
    /// How many the quota had left; null without one.
    left: Option<u64>,
}

impl UsageDocument {
    /// What was counted of a key.
    pub(crate) fn new(names: &Names, provider: &dyn Provider, key: &KeyName, days: Vec<DayUsage>) -> Self {
        let used = days.iter().map(|day| day.used).sum();
        let day = |DayUsage { day, used, left }| UsageDay { day, used, left };
        Self {
            head: Head::new(names, provider),
            key: key.to_string(),
            days: days.into_iter().map(day).collect(),
            used,
        }
    }
}

impl KeysDocument {
    /// The keys that were observed.
    pub(crate) fn new(names: &Names, provider: &dyn Provider, live: &Stack) -> Self {
        let entry = |(name, key): (&KeyName, &Key)| KeyEntry {
            name: name.to_string(),
            full_name: names.key(name),
            enabled: key.enabled,
            opens: live.opens(name),
            ends: key.ends.as_ref().map(|end| end.at.clone()),
        };
        Self { head: Head::new(names, provider), keys: live.keys.iter().map(entry).collect() }
    }
}

/// What keeps functions warm: `warm` without a rate.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WarmDocument {
    #[serde(flatten)]
    head: Head,
    /// The functions.
    functions: Vec<WarmEntry>,
}

/// What keeps a function warm.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WarmEntry {
    /// The function.
    function: String,
    /// What the provider calls its rule; null where there is none.
    rule: Option<String>,
    /// `enabled`, `disabled` or `no rule`.
    state: String,
    /// The minutes between pings.
    minutes: Option<u8>,
    /// How many pings are sent at once.
    concurrency: u8,
    /// What it is worth, over the last day; null without a rule, and where that is not known.
    evidence: Option<WarmEvidence>,
    /// The last firings of its rule, newest first, where the provider can tell them from requests.
    pings: Vec<RunOfFunction>,
    /// Its last runs, pings and requests alike, where it cannot.
    runs: Vec<RunOfFunction>,
}

/// Cold starts before the first ping of the last day, and since.
#[derive(Debug, Serialize, JsonSchema)]
struct WarmEvidence {
    /// When the span of the first ping began, as RFC 3339 in UTC.
    first_ping: String,
    /// Cold starts up to the end of that span; null where pings were sent all the time.
    cold_starts_before: Option<u64>,
    /// Requests up to then.
    requests_before: Option<u64>,
    /// Cold starts since.
    cold_starts_since: u64,
    /// Requests since.
    requests_since: u64,
    /// At least so many cold starts were prevented.
    prevented: Option<u64>,
}

/// One run of a function.
#[derive(Debug, Serialize, JsonSchema)]
struct RunOfFunction {
    /// When, as RFC 3339 in UTC.
    at: String,
    /// What came of it.
    outcome: String,
}

impl WarmDocument {
    /// What was observed of each function.
    pub(crate) fn new(names: &Names, provider: &dyn Provider, functions: Vec<WarmEntry>) -> Self {
        Self { head: Head::new(names, provider), functions }
    }
}

impl WarmEntry {
    /// What was observed of one function.
    pub(crate) fn new(
        names: &Names,
        name: &FunctionName,
        state: &str,
        rule: Option<&stack::WarmRule>,
        recent: &Recent,
        measured: Option<&Measurement>,
    ) -> Self {
        let measured = measured.and_then(|measured| Some((measured.functions.get(name)?, &measured.grid)));
        let evidence = measured.and_then(|(function, grid)| {
            let found = function.evidence(grid)?;
            Some(WarmEvidence {
                first_ping: utc(found.first_ping),
                cold_starts_before: found.before.map(|(cold, _)| whole(cold)),
                requests_before: found.before.map(|(_, requests)| whole(requests)),
                cold_starts_since: whole(found.since.0),
                requests_since: whole(found.since.1),
                prevented: function.prevented(grid),
            })
        });
        let run = |run: &Ping| RunOfFunction { at: run.at.clone(), outcome: run.outcome.clone() };
        Self {
            function: name.to_string(),
            rule: rule.map(|_| names.warm_rule(name)),
            state: state.to_owned(),
            minutes: rule.and_then(|rule| rule.rate).map(Rate::minutes),
            concurrency: rule.map_or(0, |rule| rule.concurrency),
            evidence,
            pings: recent.pings.iter().map(run).collect(),
            runs: recent.runs.iter().map(run).collect(),
        }
    }
}
