//! The resources of a stage that servers answer, and the stack that its settings ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::desired::{DEFAULT_KEY, desired_definition};
use super::resource::{Definition, Key, Stack};
use crate::Sha256;
use crate::hosted::{FrozenKey, FrozenStage, HEALTH_PATH, TooLarge};
use crate::project::{
    Architecture, Container, Entry, FunctionConfiguration, FunctionName, KeyName, Secret, Security,
    ServerSettings, Settings, StageName, Tags, TaskSize, Tasks, Throttle, ends_as_arn,
};

/// The role that ECS assumes to start tasks: it pulls the image, writes logs, and reads the named secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRole {
    /// Who may assume it.
    pub trusted_service: String,
    /// The ARNs of the secrets that it may read; `??????` stands for the end of one that is known by name.
    pub secrets: BTreeSet<String>,
    /// Whether it says whose it is. One that is being adopted does not yet.
    pub owned: bool,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The repository of the project's images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Whether a tag stays on the image that it was given to.
    pub immutable: bool,
    /// After how many days an image without a tag goes; `None` stands for a lifecycle that mdo would not write. One with a tag
    /// stays: whichever stage deploys most, what a quiet one runs must be there when it starts its next task.
    pub untagged_days: Option<u32>,
    /// Whether it says whose it is.
    pub owned: bool,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The load balancer that the project's hosted stages share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// How clients reach it; `None` for listeners that mdo would not make.
    pub entry: Option<Entry>,
    /// Its subnets; `None` stands for the public ones of the default VPC.
    pub subnets: Option<BTreeSet<String>>,
    /// Whether the internet reaches it.
    pub internet_facing: bool,
    /// How long it keeps an idle connection, in seconds.
    pub idle_timeout: u32,
    /// Whether it drops headers that HTTP does not allow.
    pub drops_invalid_headers: bool,
    /// Whether it says whose it is.
    pub owned: bool,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What answers a hosted stage: tasks of one image, the service that keeps them, and the load balancer's way to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// The digest of the image, `sha256:…`; [`Server::EDITED`] for a task definition that mdo would not write.
    pub image: String,
    /// Processor and memory of each task.
    #[serde(flatten)]
    pub size: TaskSize,
    /// The instruction set of the tasks.
    pub architecture: Architecture,
    /// How many tasks run.
    pub tasks: Tasks,
    /// What the image answers; empty for an image that is not mdo's.
    #[serde(flatten)]
    pub definition: Definition,
    /// The functions' environments.
    pub functions: BTreeMap<FunctionName, HostedFunction>,
    /// The keys that it lets in.
    pub keys: BTreeSet<KeyName>,
    /// Requests per second and burst of all tasks together.
    pub throttle: Option<Throttle>,
    /// Security groups of the tasks beside the stage's own.
    pub security_groups: BTreeSet<String>,
    /// The subnets of the tasks; `None` stands for the public ones of the default VPC.
    pub subnets: Option<BTreeSet<String>>,
    /// The path that tells whether a task can serve.
    pub health: String,
    /// How long a task that goes may finish what it has begun, in seconds.
    pub drain: u16,
    /// How long a task has between being told to stop and being stopped, in seconds.
    pub stop_timeout: u16,
    /// The ARN of the role that the functions have.
    pub task_role: Option<String>,
    /// The ARNs of what ECS looks up, by the environment variables that hold the values.
    pub secrets: BTreeMap<String, String>,
    /// Whether tasks run on spare capacity.
    pub spot: bool,
    /// How long its log group keeps logs, in days; `None` keeps them for ever.
    pub log_retention_days: Option<u16>,
    /// Whether a deploy that does not come up is rolled back.
    pub rolls_back: bool,
    /// Whether the load balancer leads the stage's requests to the tasks, asks for their health as often as it should, and
    /// nobody else gets to them.
    pub reachable: bool,
    /// Whether it says whose it is.
    pub owned: bool,
    /// Tags of the project's own.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl Server {
    /// What stands for the image in a task definition that mdo would not write.
    pub const EDITED: &str = "(edited by hand)";

    /// What a revision of another one froze, with as many tasks, as reachable and for the same keys as this one.
    #[must_use]
    pub fn with_revision(&self, frozen: &Self) -> Self {
        Self {
            image: frozen.image.clone(),
            size: frozen.size,
            architecture: frozen.architecture,
            definition: frozen.definition.clone(),
            functions: frozen.functions.clone(),
            throttle: frozen.throttle,
            stop_timeout: frozen.stop_timeout,
            task_role: frozen.task_role.clone(),
            secrets: frozen.secrets.clone(),
            ..self.clone()
        }
    }

    /// Whether two freeze the same, the keys that they let in aside.
    pub fn freezes_as(&self, other: &Self) -> bool {
        self.with_revision(other) == *self
    }
}

/// A function of a hosted stage, as far as it is not in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedFunction {
    /// Its environment.
    pub environment: BTreeMap<String, Secret>,
}

/// How often the load balancer asks for the health of a task, in seconds.
pub const HEALTH_INTERVAL: u16 = 5;

/// After how many answers in a row a task counts as healthy, or as not.
pub const HEALTH_COUNT: u16 = 2;

/// How long a task that is told to stop goes on serving while it says that it is not well, in seconds: until the load balancer
/// has noticed.
pub const LAME_DUCK: u16 = HEALTH_INTERVAL * HEALTH_COUNT + 1;

/// The longest time that Fargate gives a task to stop, in seconds.
const LONGEST_STOP: u16 = 120;

/// After how many days an image without a tag goes from a repository.
pub const UNTAGGED_DAYS: u32 = 14;

/// The stack of a hosted stage whose containers run the image with the digest `image`; nothing where servers do not host it.
pub fn hosted(settings: &Settings, image: &str) -> Option<Stack> {
    let server = settings.server.as_ref()?;
    let runs_functions = matches!(server.container, Container::Functions { .. });
    let definition = match runs_functions {
        true => desired_definition(settings, |_| true).unwrap_or_default(),
        false => Definition::default(),
    };
    let is_keyed = definition.routes.values().any(|route| route.security == Security::Key);
    let default: Option<KeyName> = DEFAULT_KEY.parse().ok().filter(|_| is_keyed);
    Some(Stack {
        server_role: Some(ServerRole {
            trusted_service: "ecs-tasks.amazonaws.com".to_owned(),
            secrets: server.secrets.values().map(|secret| granted(&secret.to_string())).collect(),
            owned: true,
            tags: settings.tags.clone(),
        }),
        repository: Some(Repository {
            immutable: true,
            untagged_days: Some(UNTAGGED_DAYS),
            owned: true,
            tags: settings.tags.clone(),
        }),
        load_balancer: Some(LoadBalancer {
            entry: Some(server.entry.clone()),
            subnets: server.subnets.clone(),
            internet_facing: true,
            idle_timeout: 60,
            drops_invalid_headers: true,
            owned: true,
            tags: settings.tags.clone(),
        }),
        keys: default
            .iter()
            .map(|name| (name.clone(), Key { tags: settings.stage_tags.clone(), ..Key::open(false) }))
            .collect(),
        server: Some(desired_server(settings, server, image, definition, default)),
        ..Stack::default()
    })
}

fn desired_server(
    settings: &Settings,
    server: &ServerSettings,
    image: &str,
    definition: Definition,
    default_key: Option<KeyName>,
) -> Server {
    let runs_functions = matches!(server.container, Container::Functions { .. });
    let configurations = || settings.functions.values().map(|function| &function.configuration);
    Server {
        image: image.to_owned(),
        size: server.size,
        architecture: configurations().map(|one| one.architecture).next().unwrap_or_default(),
        tasks: server.tasks,
        functions: settings
            .functions
            .iter()
            .map(|(name, function)| {
                let environment = function.configuration.environment.clone();
                (name.clone(), HostedFunction { environment })
            })
            .collect(),
        keys: default_key.into_iter().collect(),
        throttle: settings.api.throttle.filter(|_| runs_functions),
        definition,
        security_groups: server.security_groups.clone(),
        subnets: server.subnets.clone(),
        health: match &server.container {
            Container::Functions { .. } => HEALTH_PATH.to_owned(),
            Container::Dockerfile { health, .. } | Container::Image { health, .. } => health.clone(),
        },
        drain: server.drain,
        stop_timeout: stop_timeout(configurations()),
        task_role: server.task_role.clone(),
        secrets: server.secrets.iter().map(|(name, secret)| (name.clone(), secret.to_string())).collect(),
        spot: server.spot,
        log_retention_days: Some(settings.log_retention_days),
        rolls_back: true,
        reachable: true,
        owned: true,
        tags: settings.stage_tags.clone(),
    }
}

/// What has to be allowed for an ARN to be read: the secret without the parts of it that an environment variable may ask for, a key
/// of its JSON or a version, and with six characters of AWS's where the ARN ends in its name.
fn granted(arn: &str) -> String {
    const PARTS: usize = 7;
    if arn.split(':').nth(2) != Some("secretsmanager") {
        return arn.to_owned();
    }
    let end = arn.match_indices(':').nth(PARTS - 1).map_or(arn.len(), |(at, _)| at);
    let secret = &arn[..end];
    if ends_as_arn(secret) { secret.to_owned() } else { format!("{secret}-??????") }
}

impl Server {
    /// What the stage adds to its image, with the keys by the digests of their values.
    pub fn stage_document(&self, stage: &StageName, keys: BTreeMap<KeyName, FrozenKey>) -> FrozenStage {
        let environment = self.functions.iter().map(|(name, one)| (name.clone(), one.environment.clone()));
        FrozenStage {
            environment: environment.collect(),
            secrets: self.secrets.keys().cloned().collect(),
            keys,
            throttle: self.throttle,
            // Only a throttle is divided, so that a number of tasks by itself is no other document.
            tasks: if self.throttle.is_some() { self.tasks.min.max(1).into() } else { 1 },
            memory: Some(self.size.memory),
            lame_duck: LAME_DUCK,
            ..FrozenStage::new(stage.clone())
        }
    }

    /// Refuses what does not fit into a task definition, which can be known before anything is changed.
    ///
    /// # Errors
    /// When the environments of the functions are too large.
    pub fn check_size(&self, stage: &StageName) -> Result<(), TooLarge> {
        let key = FrozenKey { id: "0123456789".to_owned(), sha256: Sha256::of(b"") };
        let keys = self.keys.iter().map(|name| (name.clone(), key.clone())).collect();
        self.stage_document(stage, keys).to_json().map(drop)
    }
}

/// The time that the slowest function needs to finish, and the load balancer to notice, as far as Fargate gives it.
fn stop_timeout<'a>(functions: impl Iterator<Item = &'a FunctionConfiguration>) -> u16 {
    let longest = functions.map(|function| function.timeout).max().unwrap_or(0);
    let wanted = u32::from(LAME_DUCK) + longest + 5;
    u16::try_from(wanted).unwrap_or(LONGEST_STOP).min(LONGEST_STOP)
}

#[cfg(test)]
mod tests {
    use super::granted;

    #[test]
    fn a_secret_is_granted_as_a_whole_whichever_part_of_it_is_asked_for() {
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3";
        assert_eq!(granted(secret), secret);
        assert_eq!(granted(&format!("{secret}:password::")), secret);
        let by_name = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db";
        assert_eq!(granted(by_name), format!("{by_name}-??????"));
        assert_eq!(granted(&format!("{by_name}:password::")), format!("{by_name}-??????"));
        let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/db";
        assert_eq!(granted(parameter), parameter);
    }
}
