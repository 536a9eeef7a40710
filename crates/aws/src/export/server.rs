//! What hosts a stage, as far as both documents say it alike: the container in the words of ECS's API, and what its stage adds.

use std::collections::BTreeMap;

use mdo_model::hosted::{STAGE_VARIABLE, TEMPORARY_FOLDER};
use mdo_model::project::{Architecture, Entry, FunctionName, KeyName, StageName};
use mdo_model::stack::{LoadBalancer, Repository, Server, ServerRole, Stack};
use serde_json::{Map, Value, json};

use super::set;
use crate::hosted::target::PORT;
use crate::hosted::task::{CONTAINER, USER, is_ours, log_options};

/// What hosts a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosting<'a> {
    pub role: &'a ServerRole,
    pub repository: &'a Repository,
    pub balancer: &'a LoadBalancer,
    pub server: &'a Server,
}

impl<'a> Hosting<'a> {
    /// That of a stack; `None` where no servers answer.
    pub(super) fn of(stack: &'a Stack) -> Option<Self> {
        Some(Self {
            role: stack.server_role.as_ref()?,
            repository: stack.repository.as_ref()?,
            balancer: stack.load_balancer.as_ref()?,
            server: stack.server.as_ref()?,
        })
    }

    /// The URL below which the stage's routes are, around the host.
    pub(super) fn url_around(&self, stage: &StageName) -> (&'static str, String) {
        url_around(Some(self.balancer), stage)
    }
}

/// The URL below which a stage's routes are, around the host.
pub(super) fn url_around(balancer: Option<&LoadBalancer>, stage: &StageName) -> (&'static str, String) {
    let is_secure = balancer.is_some_and(|balancer| matches!(balancer.entry, Some(Entry::Https(_))));
    (if is_secure { "https://" } else { "http://" }, format!("/{stage}"))
}

/// What a document has in the places of what it does not know, or refers to.
pub(super) struct Filled {
    pub image: Value,
    /// The text of [`STAGE_VARIABLE`].
    pub stage: Value,
    pub log_group: Value,
    pub region: Value,
}

/// The only container of a task, in the words of ECS's API. The labels by which mdo itself knows what an image answers are left out.
pub(super) fn container(server: &Server, filled: Filled) -> Value {
    let Filled { image, stage, log_group, region } = filled;
    let options: Map<String, Value> =
        log_options(log_group, region).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut container = json!({
        "name": CONTAINER,
        "image": image,
        "essential": true,
        "portMappings": [{"name": "http", "containerPort": PORT, "protocol": "tcp"}],
        "environment": [
            {"name": "PORT", "value": PORT.to_string()},
            {"name": STAGE_VARIABLE, "value": stage},
        ],
        "linuxParameters": {"initProcessEnabled": true},
        "stopTimeout": server.stop_timeout,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    });
    let injected = |(name, arn): (&String, &String)| json!({"name": name, "valueFrom": arn});
    let secrets: Vec<Value> = server.secrets.iter().map(injected).collect();
    set(&mut container, "secrets", (!secrets.is_empty()).then_some(secrets));
    if is_ours(server) {
        container["user"] = json!(USER);
        container["readonlyRootFilesystem"] = json!(true);
        container["mountPoints"] = json!([{"sourceVolume": VOLUME, "containerPath": TEMPORARY_FOLDER}]);
    }
    container
}

/// The volume for what functions write, in a task of an image that mdo makes.
pub(super) const VOLUME: &str = "tmp";

/// The instruction set of the tasks as ECS calls it.
pub(super) fn architecture(server: &Server) -> &'static str {
    match server.architecture {
        Architecture::X86_64 => "X86_64",
        Architecture::Arm64 => "ARM64",
    }
}

/// What stands in a document for the value of a variable of a function.
pub(super) type Environment = BTreeMap<FunctionName, BTreeMap<String, String>>;

/// The environments of a stage's functions, by what stands for each value.
pub(super) fn environment(
    server: &Server,
    mut stands_for: impl FnMut(&FunctionName, &str) -> String,
) -> Environment {
    let mut environment = Environment::new();
    for (name, function) in &server.functions {
        let values = function.environment.keys().map(|key| (key.clone(), stands_for(name, key)));
        environment.insert(name.clone(), values.collect());
    }
    environment
}

/// What stands in a document for a key: its id, and the SHA-256 of its value.
pub(super) type Keys = BTreeMap<KeyName, (String, String)>;

/// What the stage adds to its image, with what stands for its values.
pub(super) fn frozen_stage(
    server: &Server,
    stage: &StageName,
    environment: &Environment,
    keys: &Keys,
) -> Value {
    let bare = Server { functions: BTreeMap::new(), ..server.clone() }.stage_document(stage, BTreeMap::new());
    // Without environments and keys it is never too large, nor anything that JSON could not say.
    let text = bare.to_json().map(|text| text.reveal().to_owned()).unwrap_or_default();
    let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
    set(&mut document, "environment", (!environment.is_empty()).then_some(environment));
    let key = |(name, (id, sha256)): (&KeyName, &(String, String))| {
        (name.to_string(), json!({"id": id, "sha256": sha256}))
    };
    let keys: Map<String, Value> = keys.iter().map(key).collect();
    set(&mut document, "keys", (!keys.is_empty()).then_some(keys));
    document
}
