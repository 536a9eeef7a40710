//! What a resource is called: its kind, its short name within a stack, and what the provider calls it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::project::{FunctionName, Names};

/// The kinds of resources, in the order in which plans list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the types above")]
pub enum Kind {
    Role,
    Permissions,
    Derivative,
    Function,
    LogGroup,
    Api,
    Stage,
    Key,
    WarmRule,
    ServerRole,
    Repository,
    LoadBalancer,
    Server,
    LayerVersion,
    FunctionVersion,
    Deployment,
    Revision,
    Image,
    Artifact,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Role => "role",
            Self::Permissions => "permissions",
            Self::Derivative => "derivative",
            Self::LogGroup => "log group",
            Self::Function => "function",
            Self::Api => "api",
            Self::Stage => "stage",
            Self::Key => "key",
            Self::WarmRule => "warm rule",
            Self::ServerRole => "server role",
            Self::Repository => "repository",
            Self::LoadBalancer => "load balancer",
            Self::Server => "server",
            Self::LayerVersion => "layer version",
            Self::FunctionVersion => "version",
            Self::Deployment => "deployment",
            Self::Revision => "revision",
            Self::Image => "image",
            Self::Artifact => "artifact",
        })
    }
}

/// The identity of a resource within a stack.
///
/// `name` is the short one that files and commands use: the function's, the key's; the stage's for stage, permissions and server; the
/// project's for what its stages share; the derivative's with the number of the part and of the version for a layer version; the function's with the number for a version of it; the whole
/// address, `s3://bucket/key`, for an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// Its kind.
    pub kind: Kind,
    /// Its short name.
    pub name: String,
}

impl ResourceId {
    /// Composes an id.
    pub fn new(kind: Kind, name: impl fmt::Display) -> Self {
        Self { kind, name: name.to_string() }
    }

    /// What the provider calls the resource.
    pub fn full_name(&self, names: &Names) -> String {
        let function = || self.name.parse::<FunctionName>();
        let full = match self.kind {
            Kind::Role => Ok(names.role()),
            Kind::Permissions => return format!("{}/mdo-{}", names.role(), self.name),
            Kind::Derivative => {
                return self.name.parse().map_or_else(|_| self.name.clone(), |id| names.layer(&id));
            }
            Kind::LayerVersion | Kind::FunctionVersion => return format!("{}_{}", names.project, self.name),
            Kind::Deployment | Kind::Artifact => return self.name.clone(),
            Kind::Revision => return format!("{}-{}", names.project, self.name),
            Kind::Image => return format!("{}@{}", names.repository(), self.name),
            Kind::Api => Ok(names.api()),
            Kind::Stage => Ok(names.stage.to_string()),
            Kind::LogGroup => function().map(|name| names.log_group(&name)),
            Kind::Function => function().map(|name| names.function(&name)),
            Kind::WarmRule => function().map(|name| names.warm_rule(&name)),
            Kind::Key => self.name.parse().map(|name| names.key(&name)),
            Kind::ServerRole => Ok(names.server_role()),
            Kind::Repository => Ok(names.repository()),
            Kind::LoadBalancer => Ok(names.load_balancer()),
            Kind::Server => Ok(names.service()),
        };
        full.unwrap_or_else(|_| self.name.clone())
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
