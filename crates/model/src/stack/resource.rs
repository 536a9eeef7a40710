//! The resources of a stack, as plain serialisable data. The desired and the observed stack are both made of these, and
//! a field that exists here is a field that is compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Digest;

use super::hosted::{LoadBalancer, Repository, Server, ServerRole};
use super::identity::{Kind, ResourceId};
use super::prune::{Artifact, Deployment, FunctionVersion, Image, LayerVersion, Revision};
use super::recording::Recording;
use crate::Sha256;
use crate::project::{
    DerivativeId, DerivativeName, FunctionConfiguration, FunctionName, KeyName, MediaType, Names,
    Permissions, Quota, Rate, Route, Secret, Security, Tags, Throttle,
};

/// Everything that one project owns in one stage.
///
/// Ids that only the cloud knows (API id, key id, version numbers) are not in it: a provider keeps them to itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Stack {
    /// The role that Lambda assumes; `None` when the project uses an existing one.
    pub role: Option<Role>,
    /// What the stage's functions may do by that role, beyond what every stage's may.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// The derivatives of its functions.
    pub derivatives: BTreeMap<DerivativeId, Derivative>,
    /// The log groups, by function.
    pub log_groups: BTreeMap<FunctionName, LogGroup>,
    /// The functions, by name.
    pub functions: BTreeMap<FunctionName, Function>,
    /// The REST API, if any function has a route.
    pub api: Option<Api>,
    /// The API's stage with what is deployed on it, and its usage plan.
    pub stage: Option<ApiStage>,
    /// The API keys on the stage's usage plan.
    pub keys: BTreeMap<KeyName, Key>,
    /// The warm rules, by function.
    pub warm_rules: BTreeMap<FunctionName, WarmRule>,
    /// The role that starts the tasks of hosted stages.
    #[serde(default)]
    pub server_role: Option<ServerRole>,
    /// The repository of the images of hosted stages.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// The load balancer of hosted stages.
    #[serde(default)]
    pub load_balancer: Option<LoadBalancer>,
    /// What answers the stage, where servers do.
    #[serde(default)]
    pub server: Option<Server>,
}

/// The role that Lambda assumes, with its inline least-privilege policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Who may assume it.
    pub trusted_service: String,
    /// The log groups that it may write to, as a name pattern such as `/aws/lambda/ml_api_*`.
    pub log_groups: String,
    /// What the settings of the project's functions need beyond logs, by name: `vpc`, `tracing`, `deadletter:{arn}`,
    /// `kms:{arn}`.
    pub grants: BTreeSet<String>,
    /// The ARN of the policy that bounds what it may ever do; `None` where the files have none, whatever there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A function as its stage's alias serves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its configuration.
    #[serde(flatten)]
    pub configuration: FunctionConfiguration,
    /// The role: the bare name of the project's own role, or the ARN of another one.
    pub role: String,
    /// Reserved concurrency.
    pub concurrency: Option<u32>,
    /// The zip's SHA-256; `None` where what is live cannot run, so that it differs from any zip.
    pub code: Option<Sha256>,
    /// The derivatives that it runs with, by their inputs; `None` for one whose inputs are not known any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub derivatives: BTreeMap<DerivativeName, Option<Sha256>>,
    /// Who may call the alias: one permission statement each.
    pub invokers: BTreeSet<Invoker>,
    /// Whether it says whose it is. One that is being adopted does not yet.
    pub owned: bool,
    /// What answers a part of the requests on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Box<Canary>>,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A version of a function that answers a part of the requests in place of the one that is live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// How many of a hundred requests it answers.
    pub percent: u8,
    /// What it froze.
    pub next: Function,
}

impl Function {
    /// Whether two freeze the same: code, configuration, environment, role and derivatives.
    pub fn freezes_as(&self, other: &Self) -> bool {
        self.configuration == other.configuration
            && self.role == other.role
            && self.code == other.code
            && self.derivatives == other.derivatives
    }

    /// What another one froze, called and limited as this one is.
    #[must_use]
    pub fn with_version(&self, frozen: &Self) -> Self {
        Self {
            concurrency: self.concurrency,
            invokers: self.invokers.clone(),
            owned: self.owned,
            tags: self.tags.clone(),
            canary: None,
            ..frozen.clone()
        }
    }
}

/// A derivative for one runtime and architecture, as the project's functions share it: a layer, or several on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivative {
    /// The digest of everything that it is built from. What was built from the same inputs is the same.
    pub inputs: Sha256,
}

/// Who may call a function's alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invoker {
    /// The API's stage.
    Api,
    /// The function's warm rule at this stage.
    WarmRule,
}

/// The log group of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGroup {
    /// How long it keeps logs, in days; `None` keeps them for ever.
    pub retention_days: Option<u16>,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The REST API that the stages of a project share. What it answers is each stage's own: see [`ApiStage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// Whether it says whose it is. One that is being adopted does not yet.
    pub owned: bool,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What an API answers: what a deployment freezes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Free text.
    pub description: String,
    /// The routes.
    pub routes: BTreeMap<Route, ApiRoute>,
    /// Whether each path answers a browser's preflight request, and error responses carry CORS headers.
    pub cors: bool,
    /// The types of bodies that functions get and give in Base64.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub binary_media_types: BTreeSet<MediaType>,
}

/// What a route calls and who may call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRoute {
    /// The function.
    pub function: FunctionName,
    /// Who may call it.
    pub security: Security,
    /// The integration timeout in milliseconds.
    pub timeout_ms: u32,
}

impl Definition {
    /// A digest of the whole definition: 32 hexadecimal digits, the same for the same definition.
    pub fn digest(&self) -> String {
        // A `Value` sorts its keys, so that the order of fields and routes does not count.
        let text = serde_json::to_value(self).map(|value| value.to_string()).unwrap_or_default();
        sha2::Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The API's stage: what is deployed on it, and its usage plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiStage {
    /// What its deployment holds: what it serves, whatever has become of the API's working definition since.
    #[serde(flatten)]
    pub definition: Definition,
    /// Whether what it serves is known to be `definition`. False where somebody else has deployed the stage since.
    pub deployed_by_mdo: bool,
    /// Stage variables; `alias` names the stage's alias. Those in which a provider records the definition are not here.
    pub variables: BTreeMap<String, String>,
    /// The rate and burst of the usage plan.
    pub throttle: Option<Throttle>,
    /// The quota of the usage plan.
    pub quota: Option<Quota>,
    /// What of its requests is recorded.
    #[serde(flatten)]
    pub recording: Recording,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An API key on the stage's usage plan. Its value never enters the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Whether its owner lets requests with it in. Who switches a key off means it: a deploy does not switch it on.
    pub enabled: bool,
    /// Whether the stage's usage plan holds it, without which it opens nothing.
    pub linked: bool,
    /// When it ends; `None` for one that does not. It opens until a deploy, or `key expire`, takes it away after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<KeyEnd>,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// When a key ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEnd {
    /// The moment, as RFC 3339 in UTC.
    pub at: String,
    /// Whether that has passed.
    pub has_passed: bool,
}

impl KeyEnd {
    /// An end, seen at another moment, both as RFC 3339 in UTC. Parts of a second do not count.
    pub fn seen(at: String, now: &str) -> Self {
        // In this form moments are ordered as texts are.
        Self { has_passed: at.get(..19) <= now.get(..19), at }
    }
}

impl Key {
    /// A key that opens, and does not end.
    pub fn open(linked: bool) -> Self {
        Self { enabled: true, linked, ends: None, tags: Tags::default() }
    }

    /// Whether it was to end by now.
    pub fn has_ended(&self) -> bool {
        self.ends.as_ref().is_some_and(|end| end.has_passed)
    }

    /// Whether requests with it are let in.
    pub fn opens(&self) -> bool {
        self.enabled && self.linked
    }
}

/// The rule that keeps a function warm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmRule {
    /// What the provider calls it.
    pub name: String,
    /// How often it fires; `None` stands for a schedule that mdo would not write.
    pub rate: Option<Rate>,
    /// How many pings it sends at once; each keeps one sandbox warm.
    pub concurrency: u8,
    /// Whether it fires at all.
    pub enabled: bool,
    /// The event that it sends.
    pub input: Value,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// Any one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the variants are the types above")]
pub enum Resource {
    Function(Box<Function>),
    Role(Role),
    Permissions(Permissions),
    Derivative(Derivative),
    LogGroup(LogGroup),
    Stage(ApiStage),
    Api(Api),
    WarmRule(WarmRule),
    Key(Key),
    Server(Box<Server>),
    LoadBalancer(LoadBalancer),
    ServerRole(ServerRole),
    Repository(Repository),
    LayerVersion(LayerVersion),
    FunctionVersion(FunctionVersion),
    Deployment(Deployment),
    Revision(Revision),
    Image(Image),
    Artifact(Artifact),
}

impl Stack {
    /// What the stage answers, whichever way it is hosted; nothing where it answers nothing.
    pub fn served(&self) -> Option<&Definition> {
        let by_server = self.server.as_ref().map(|server| &server.definition);
        self.stage.as_ref().map(|stage| &stage.definition).or(by_server)
    }

    /// Whether requests with a key are let in.
    pub fn opens(&self, name: &KeyName) -> bool {
        let by_server = || self.server.as_ref().is_some_and(|server| server.keys.contains(name));
        self.keys.get(name).is_some_and(|key| key.opens() || (key.enabled && by_server()))
    }

    /// The environment of a function, whichever way the stage is hosted.
    pub fn environment(&self, function: &FunctionName) -> Option<&BTreeMap<String, Secret>> {
        let by_server = || self.server.as_ref()?.functions.get(function).map(|one| &one.environment);
        let by_itself = self.functions.get(function).map(|one| &one.configuration.environment);
        // What is left of a function beside a server that answers for it does not serve.
        by_server().or(by_itself)
    }

    /// Every resource with its id, in the order in which plans list them.
    pub fn resources(&self, names: &Names) -> BTreeMap<ResourceId, Resource> {
        let mut all = BTreeMap::new();
        if let Some(role) = &self.role {
            all.insert(ResourceId::new(Kind::Role, &names.project), Resource::Role(role.clone()));
        }
        if let Some(permissions) = &self.permissions {
            let id = ResourceId::new(Kind::Permissions, &names.stage);
            all.insert(id, Resource::Permissions(permissions.clone()));
        }
        for (id, derivative) in &self.derivatives {
            all.insert(ResourceId::new(Kind::Derivative, id), Resource::Derivative(derivative.clone()));
        }
        for (name, group) in &self.log_groups {
            all.insert(ResourceId::new(Kind::LogGroup, name), Resource::LogGroup(group.clone()));
        }
        for (name, function) in &self.functions {
            all.insert(ResourceId::new(Kind::Function, name), Resource::Function(Box::new(function.clone())));
        }
        if let Some(api) = &self.api {
            all.insert(ResourceId::new(Kind::Api, &names.project), Resource::Api(api.clone()));
        }
        if let Some(stage) = &self.stage {
            all.insert(ResourceId::new(Kind::Stage, &names.stage), Resource::Stage(stage.clone()));
        }
        for (name, key) in &self.keys {
            all.insert(ResourceId::new(Kind::Key, name), Resource::Key(key.clone()));
        }
        for (name, rule) in &self.warm_rules {
            all.insert(ResourceId::new(Kind::WarmRule, name), Resource::WarmRule(rule.clone()));
        }
        let project = |kind| ResourceId::new(kind, &names.project);
        if let Some(role) = &self.server_role {
            all.insert(project(Kind::ServerRole), Resource::ServerRole(role.clone()));
        }
        if let Some(repository) = &self.repository {
            all.insert(project(Kind::Repository), Resource::Repository(repository.clone()));
        }
        if let Some(load_balancer) = &self.load_balancer {
            all.insert(project(Kind::LoadBalancer), Resource::LoadBalancer(load_balancer.clone()));
        }
        if let Some(server) = &self.server {
            let id = ResourceId::new(Kind::Server, &names.stage);
            all.insert(id, Resource::Server(Box::new(server.clone())));
        }
        all
    }
}
