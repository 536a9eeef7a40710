//! Hosting: what a stage that servers answer, in containers behind a load balancer, is set to.

mod check;
mod fargate;
mod reference;
mod secret;
mod shared;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fargate::TaskSize;
pub use secret::ServerSecret;

pub(super) use check::settings;
pub(super) use reference::{domain, image_reference, image_source, url_path};
pub(crate) use secret::ends_as_arn;
pub(super) use secret::server_secret;
pub(super) use table::ServerTable;

/// How a stage is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hosting {
    /// By Lambda behind API Gateway.
    #[default]
    Serverless,
    /// By the same functions in containers behind a load balancer.
    Server,
}

/// How a hosted stage is served.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// The processor and the memory of each task.
    pub size: TaskSize,
    /// How many tasks run.
    pub tasks: Tasks,
    /// How the load balancer is reached.
    pub entry: Entry,
    /// The name that clients use, if it is not the load balancer's own.
    pub domain: Option<String>,
    /// How long a task that goes may finish what it has begun, in seconds.
    pub drain: u16,
    /// What the containers run.
    pub container: Container,
    /// The ARN of the role that the functions have; `None` stands for no permission at all.
    pub task_role: Option<String>,
    /// What ECS looks up, by the environment variables that hold the values.
    pub secrets: BTreeMap<String, ServerSecret>,
    /// Where tasks and load balancer are; `None` stands for the public subnets of the default VPC.
    pub subnets: Option<BTreeSet<String>>,
    /// Security groups of the tasks beside the stage's own.
    pub security_groups: BTreeSet<String>,
    /// Whether tasks run on spare capacity, which is cheaper and may be taken away.
    pub spot: bool,
}

/// How many tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// The fewest.
    pub min: u16,
    /// The most; as many as the fewest where nothing scales.
    pub max: u16,
    /// The use of the processor, in per cent, that scaling aims at.
    pub cpu: Option<u8>,
}

/// How clients reach the load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// By HTTPS with the certificate of this ARN. Plain HTTP is sent on to it.
    Https(String),
    /// By plain HTTP, keys in clear included: asked for in so many words.
    Http,
}

/// What the containers of a hosted stage run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Container {
    /// The project's functions in an image of mdo's making.
    Functions {
        /// The image below it.
        base: Option<Base>,
    },
    /// What this Dockerfile builds, a path below the project's folder.
    Dockerfile {
        /// Its path.
        file: PathBuf,
        /// The path that answers 200 as long as the container can serve.
        health: String,
    },
    /// An image that exists.
    Image {
        /// Its reference, with a digest.
        reference: String,
        /// The path that answers 200 as long as the container can serve.
        health: String,
    },
}

/// An image that others are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// In a registry, by digest.
    Reference(String),
    /// An archive, a path below the project's folder.
    Archive(PathBuf),
}
