//! The stack that the files and flags ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::resource::{
    Api, ApiRoute, ApiStage, Definition, Derivative, Function, Invoker, Key, LogGroup, Role, Stack, WarmRule,
};
use crate::Sha256;
use crate::project::{
    DerivativeId, FunctionName, FunctionSettings, KeyName, Names, Permissions, Security, Settings, StageName,
    Tags, Tracing, Warm,
};

/// The short name of the key that every keyed stage has.
pub const DEFAULT_KEY: &str = "default";

/// How long a function should hold a ping when several must overlap, in milliseconds.
pub const WARM_HOLD_MS: u32 = 75;

/// Which functions a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// All of them, and what is no longer in the files goes.
    #[default]
    All,
    /// These; every other function stays as it is observed.
    Only(BTreeSet<FunctionName>),
}

impl Selection {
    /// Whether the command is about a function.
    pub fn contains(&self, function: &FunctionName) -> bool {
        match self {
            Self::All => true,
            Self::Only(functions) => functions.contains(function),
        }
    }
}

impl Settings {
    /// What the provider calls things.
    pub fn names(&self) -> Names {
        Names { project: self.project.clone(), stage: self.stage.clone() }
    }
}

/// The stack that `settings` ask for, with the SHA-256 of each function's zip, and the inputs of each derivative.
///
/// A function without an entry in `code` is left out, with its routes and its warm rule.
pub fn desired(
    settings: &Settings,
    code: &BTreeMap<FunctionName, Sha256>,
    inputs: &BTreeMap<DerivativeId, Sha256>,
) -> Stack {
    let names = settings.names();
    let functions: BTreeMap<_, _> = settings
        .functions
        .iter()
        .filter_map(|(name, function)| Some((name, function, code.get(name)?)))
        .map(|(name, function, code)| {
            (name.clone(), desired_function(settings, &names, function, *code, inputs))
        })
        .collect();
    let used: BTreeSet<DerivativeId> = settings
        .functions
        .iter()
        .filter(|(name, _)| functions.contains_key(*name))
        .flat_map(|(_, function)| function.derivative_ids())
        .collect();
    let uses_own_role = functions.values().any(|function| function.role == names.role());
    let definition = desired_definition(settings, |name| functions.contains_key(name));
    let is_keyed =
        |definition: &Definition| definition.routes.values().any(|route| route.security == Security::Key);
    let keys = match DEFAULT_KEY.parse::<KeyName>() {
        Ok(name) if definition.as_ref().is_some_and(is_keyed) => {
            BTreeMap::from([(name, Key { tags: settings.stage_tags.clone(), ..Key::open(true) })])
        }
        _ => BTreeMap::new(),
    };
    // Servers do not go cold.
    let warmed = functions.keys().filter(|_| settings.server.is_none());
    let warm_rules = warmed.filter_map(|name| {
        let rule = warm_rule(&names, name, settings.functions.get(name)?.warm?);
        Some((name.clone(), WarmRule { tags: settings.stage_tags.clone(), ..rule }))
    });
    let log_group =
        LogGroup { retention_days: Some(settings.log_retention_days), tags: settings.tags.clone() };
    Stack {
        role: uses_own_role.then(|| desired_role(settings, &names, &functions)),
        permissions: desired_permissions(settings, &names, &functions),
        derivatives: used
            .into_iter()
            .filter_map(|id| Some((id.clone(), Derivative { inputs: *inputs.get(&id)? })))
            .collect(),
        log_groups: functions.keys().map(|name| (name.clone(), log_group.clone())).collect(),
        warm_rules: warm_rules.collect(),
        functions,
        api: definition.as_ref().map(|_| Api { owned: true, tags: settings.tags.clone() }),
        stage: definition.map(|definition| ApiStage {
            definition,
            deployed_by_mdo: true,
            variables: stage_variables(&settings.stage),
            throttle: settings.api.throttle,
            quota: settings.api.quota,
            recording: settings.api.recording.clone(),
            tags: settings.stage_tags.clone(),
        }),
        keys,
        ..Stack::default()
    }
}

/// The stack that `settings` ask for, whatever the code of the functions and the contents of the derivatives are.
pub fn desired_of_any_code(settings: &Settings) -> Stack {
    let any = Sha256::of(b"");
    let code = settings.functions.keys().map(|name| (name.clone(), any)).collect();
    let ids = settings.functions.values().flat_map(|function| function.derivative_ids().collect::<Vec<_>>());
    desired(settings, &code, &ids.map(|id| (id, any)).collect())
}

/// The variables of an API stage: `alias` is how one definition serves every stage.
fn stage_variables(stage: &StageName) -> BTreeMap<String, String> {
    BTreeMap::from([("alias".to_owned(), stage.to_string())])
}

/// What the functions that use the project's role may do, all together; nothing where none may do anything.
fn desired_permissions(
    settings: &Settings,
    names: &Names,
    functions: &BTreeMap<FunctionName, Function>,
) -> Option<Permissions> {
    let mut all = Permissions::default();
    let uses_own_role = |name: &FunctionName| functions.get(name).is_some_and(|one| one.role == names.role());
    for (_, function) in settings.functions.iter().filter(|(name, _)| uses_own_role(name)) {
        all.extend(&function.permissions);
    }
    (!all.is_empty()).then_some(all)
}

fn desired_role(settings: &Settings, names: &Names, functions: &BTreeMap<FunctionName, Function>) -> Role {
    let mut grants = BTreeSet::new();
    for function in functions.values().filter(|function| function.role == names.role()) {
        if function.configuration.vpc.is_some() {
            grants.insert("vpc".to_owned());
        }
        if function.configuration.tracing == Tracing::Active {
            grants.insert("tracing".to_owned());
        }
        grants.extend(function.configuration.deadletter_arn.iter().map(|arn| format!("deadletter:{arn}")));
        grants.extend(function.configuration.kms_arn.iter().map(|arn| format!("kms:{arn}")));
    }
    Role {
        trusted_service: "lambda.amazonaws.com".to_owned(),
        log_groups: format!("/aws/lambda/{}_*", names.project),
        grants,
        boundary: settings.permissions_boundary.clone(),
        tags: settings.tags.clone(),
    }
}

fn desired_function(
    settings: &Settings,
    names: &Names,
    function: &FunctionSettings,
    code: Sha256,
    inputs: &BTreeMap<DerivativeId, Sha256>,
) -> Function {
    let mut invokers = BTreeSet::new();
    if !function.routes.is_empty() {
        invokers.insert(Invoker::Api);
    }
    if function.warm.is_some() && settings.server.is_none() {
        invokers.insert(Invoker::WarmRule);
    }
    let role = function.role.as_ref().or(settings.role.as_ref());
    Function {
        configuration: function.configuration.clone(),
        role: role.cloned().unwrap_or_else(|| names.role()),
        concurrency: function.concurrency,
        code: Some(code),
        derivatives: function
            .derivative_ids()
            .map(|id| (id.name.clone(), inputs.get(&id).copied()))
            .collect(),
        invokers,
        owned: true,
        canary: None,
        tags: settings.tags.clone(),
    }
}

/// What the files say that the API answers; nothing without a route.
pub fn definition(settings: &Settings) -> Option<Definition> {
    desired_definition(settings, |_| true)
}

/// What the routes of the functions come to that `is_there` says are there; nothing without a route.
pub(super) fn desired_definition(
    settings: &Settings,
    is_there: impl Fn(&FunctionName) -> bool,
) -> Option<Definition> {
    let routes: BTreeMap<_, _> = settings
        .functions
        .iter()
        .filter(|(name, _)| is_there(name))
        .flat_map(|(name, function)| function.routes.iter().map(move |route| (name, route)))
        .map(|(name, route)| {
            let target = ApiRoute {
                function: name.clone(),
                security: route.security,
                timeout_ms: settings.api.timeout_ms,
            };
            (route.route.clone(), target)
        })
        .collect();
    let description = settings.description.clone().unwrap_or_default();
    (!routes.is_empty()).then_some(Definition {
        description,
        routes,
        cors: settings.api.cors,
        binary_media_types: settings.api.binary_media_types.clone(),
    })
}

/// The rule for a configured [`Warm`].
pub fn warm_rule(names: &Names, function: &FunctionName, warm: Warm) -> WarmRule {
    WarmRule {
        name: names.warm_rule(function),
        rate: Some(warm.rate),
        concurrency: warm.concurrency,
        enabled: true,
        input: ping(warm.concurrency),
        tags: Tags::default(),
    }
}

/// The event of a warm ping; with several at once it asks the function to hold it, so that they overlap.
fn ping(concurrency: u8) -> Value {
    match concurrency {
        0 | 1 => json!({"mdo": {"warm": true}}),
        _ => json!({"mdo": {"warm": true, "hold_ms": WARM_HOLD_MS}}),
    }
}
