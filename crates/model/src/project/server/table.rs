//! The keys of `[server]`: their types, their bounds and, as doc comments, their documentation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::format::ENVIRONMENT_NAME_PATTERN;

/// How stages with `hosting = "server"` are served: by containers on Fargate behind a load balancer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::project) struct ServerTable {
    /// The processor of each task in vCPUs: 0.25, 0.5, 1, 2, 4, 8 or 16.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 0.25))]
    pub cpu: Option<f64>,
    /// The memory of each task in MB. Fargate offers it in steps that depend on `cpu`.
    #[schemars(range(min = 512, max = 122_880), extend("default" = 512))]
    pub memory: Option<u32>,
    /// How many tasks run, or between how many their number follows the use of the processor.
    #[schemars(extend("default" = 2))]
    pub tasks: Option<TasksSetting>,
    /// The ARN of a certificate in AWS Certificate Manager: the load balancer answers HTTPS with it, and sends plain HTTP on to
    /// that.
    #[schemars(extend("format" = "certificate-arn", "examples" = ["arn:aws:acm:us-east-1:123456789012:certificate/id"]))]
    pub certificate: Option<String>,
    /// Whether the load balancer answers plain HTTP. Keys and answers travel in clear then.
    #[schemars(extend("default" = false))]
    pub http: Option<bool>,
    /// The name that clients use. mdo shows it in URLs, and touches no DNS.
    #[schemars(extend("format" = "domain", "examples" = ["api.example.com"]))]
    pub domain: Option<String>,
    /// How long a task that goes may finish what it has begun, in seconds.
    #[schemars(range(min = 0, max = 3600), extend("default" = 30))]
    pub drain: Option<u16>,
    /// The image below the functions', which a Python or Node function needs for its interpreter: a reference with a digest, or
    /// the path of an archive.
    #[schemars(extend("format" = "image-source", "examples" = ["public.ecr.aws/docker/library/python@sha256:…"]))]
    pub base: Option<String>,
    /// A Dockerfile of your own, as a path from the project's folder: its image is served instead of the functions.
    #[schemars(length(min = 1))]
    pub dockerfile: Option<String>,
    /// An image of your own, with its digest: it is served instead of the functions.
    #[schemars(extend("format" = "image-reference", "examples" = ["ghcr.io/owner/name@sha256:…"]))]
    pub image: Option<String>,
    /// The path at which an image of your own answers 200 as long as it can serve.
    #[schemars(extend("format" = "url-path", "examples" = ["/healthz"]))]
    pub health: Option<String>,
    /// The ARN of the role that the functions have. Without it they may do nothing on AWS.
    #[schemars(extend("format" = "role-arn", "examples" = ["arn:aws:iam::123456789012:role/name"]))]
    pub task_role: Option<String>,
    /// What ECS looks up as each task starts, by the environment variables of every function that hold the values: `ssm:` and the
    /// name of a parameter; `secretsmanager:`, the name of a secret and, after a `#`, a key of its JSON; or the ARN of either.
    #[schemars(extend(
        "propertyNames" = {"format": "environment-name", "pattern": ENVIRONMENT_NAME_PATTERN},
        "additionalProperties" = {"type": "string", "format": "server-secret"}
    ))]
    pub secrets: Option<BTreeMap<String, String>>,
    /// The subnets of tasks and load balancer, in two zones at least; without them, the public ones of the default VPC.
    #[schemars(length(min = 1, max = 16), extend("items" = {"type": "string", "format": "subnet-id"}))]
    pub subnets: Option<Vec<String>>,
    /// Security groups of the tasks, beside the one that lets the load balancer in.
    #[schemars(length(max = 4), extend("items" = {"type": "string", "format": "security-group-id"}))]
    pub security_groups: Option<Vec<String>>,
    /// Whether tasks run on Fargate Spot: cheaper, and AWS may take them away with two minutes' notice.
    #[schemars(extend("default" = false))]
    pub spot: Option<bool>,
}

/// How many tasks: a number, or a range that they are scaled in.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::project) enum TasksSetting {
    /// So many.
    Fixed(#[schemars(range(min = 1, max = 1000))] u16),
    /// As many as the use of the processor asks for.
    Scaled(ScaledTasks),
}

/// A range of tasks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::project) struct ScaledTasks {
    /// The fewest.
    #[schemars(range(min = 1, max = 1000))]
    pub min: u16,
    /// The most.
    #[schemars(range(min = 1, max = 1000))]
    pub max: u16,
    /// The use of the processor to aim at, in per cent.
    #[schemars(range(min = 10, max = 90), extend("default" = 60))]
    pub cpu: Option<u8>,
}

impl ServerTable {
    /// The table with what is written in `over` in place of its own.
    pub(super) fn under(&self, over: &Self) -> Self {
        Self {
            cpu: over.cpu.or(self.cpu),
            memory: over.memory.or(self.memory),
            tasks: over.tasks.or(self.tasks),
            certificate: over.certificate.as_ref().or(self.certificate.as_ref()).cloned(),
            http: over.http.or(self.http),
            domain: over.domain.as_ref().or(self.domain.as_ref()).cloned(),
            drain: over.drain.or(self.drain),
            base: over.base.as_ref().or(self.base.as_ref()).cloned(),
            dockerfile: over.dockerfile.as_ref().or(self.dockerfile.as_ref()).cloned(),
            image: over.image.as_ref().or(self.image.as_ref()).cloned(),
            health: over.health.as_ref().or(self.health.as_ref()).cloned(),
            task_role: over.task_role.as_ref().or(self.task_role.as_ref()).cloned(),
            secrets: over.secrets.as_ref().or(self.secrets.as_ref()).cloned(),
            subnets: over.subnets.as_ref().or(self.subnets.as_ref()).cloned(),
            security_groups: over.security_groups.as_ref().or(self.security_groups.as_ref()).cloned(),
            spot: over.spot.or(self.spot),
        }
    }
}
