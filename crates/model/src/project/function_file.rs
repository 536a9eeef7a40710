//! The keys of `function.json`: their types, their bounds and, as doc comments, their documentation.

use schemars::JsonSchema;
use serde::Deserialize;

use super::permission::PermissionSetting;
use super::shape::{Environment, WarmSetting};
use super::{Architecture, DerivativeName, Rate, Route, Security, Tracing, Vpc};

/// A function of mdo: a folder `functions/<name>/` that becomes one Lambda function.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "function.json")]
pub(super) struct FunctionFile {
    /// The schema of this file, for editors.
    #[serde(rename = "$schema")]
    pub _schema: Option<String>,
    /// What the function does, in at most 256 characters.
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// The ARN of a role for this function alone.
    #[schemars(extend("format" = "role-arn", "examples" = ["arn:aws:iam::123456789012:role/name"]))]
    pub role: Option<String>,
    /// Commands that mdo runs in the function's folder.
    #[serde(default)]
    pub hooks: Hooks,
    /// The routes that call the function. Without this key, `ANY /<function>`; with `[]`, none.
    pub routes: Option<Vec<RouteSetting>>,
    /// Keeps sandboxes of the function warm; `false` for not.
    #[schemars(extend("default" = false))]
    pub warm: Option<WarmSetting<WarmRule>>,
    /// Environment variables that must be set by some file or flag before the function is deployed.
    #[serde(default)]
    #[schemars(extend("items" = {"type": "string", "format": "environment-name"}))]
    pub required_environment: Vec<String>,
    /// Reserved concurrency: the most sandboxes at once; 0 stops the function.
    pub concurrency: Option<u32>,
    #[serde(flatten)]
    pub common: Common,
}

/// Settings that `[defaults]` in project.toml and a function.json have in common.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Common {
    /// Lambda's name of the runtime.
    #[schemars(extend("format" = "runtime", "default" = "provided.al2023"))]
    pub runtime: Option<String>,
    /// The instruction set that the code is built for.
    #[schemars(extend("default" = "x86_64"))]
    pub architecture: Option<Architecture>,
    /// Memory in MB.
    #[schemars(range(min = 128, max = 10240), extend("default" = 128))]
    pub memory: Option<u32>,
    /// How long one event may take, in seconds.
    #[schemars(range(min = 1, max = 900), extend("default" = 30))]
    pub timeout: Option<u32>,
    /// What the runtime calls; a bootstrap of your own may ignore it.
    #[schemars(length(min = 1, max = 128), extend("default" = "bootstrap"))]
    pub handler: Option<String>,
    /// Environment variables, 4 KB in all. A value is a string; `ssm:NAME` and `secretsmanager:NAME#KEY` stand for what is kept there.
    #[serde(default)]
    pub environment: Environment,
    /// The network that the function runs in.
    pub vpc: Option<VpcSetting>,
    /// ARNs of layer versions, in order.
    #[schemars(length(max = 5), extend("items" = {"type": "string", "format": "layer-arn"}))]
    pub layers: Option<Vec<String>>,
    /// What functions may do on AWS beyond logging: each entry allows actions on resources, as in
    /// `{"allow": ["s3:GetObject"], "on": ["arn:aws:s3:::bucket/*"]}`, or is the ARN of a managed policy. The project's role has those
    /// of all functions, stage by stage.
    pub permissions: Option<Vec<PermissionSetting>>,
    /// Derivatives, the prebuilt dependencies of a Python function, by the names of their folders.
    #[schemars(length(max = 5))]
    pub derivatives: Option<Vec<DerivativeName>>,
    /// X-Ray tracing.
    #[schemars(extend("default" = "passthrough"))]
    pub tracing: Option<Tracing>,
    /// The size of `/tmp` in MB.
    #[schemars(range(min = 512, max = 10240), extend("default" = 512))]
    pub ephemeral_storage: Option<u32>,
    /// The ARN of the queue or topic that gets asynchronous events that failed.
    #[schemars(extend("format" = "deadletter-arn", "examples" = ["arn:aws:sqs:us-east-1:123456789012:name"]))]
    pub deadletter_arn: Option<String>,
    /// The ARN of the key that encrypts the environment.
    #[schemars(extend("format" = "kms-arn", "examples" = ["arn:aws:kms:us-east-1:123456789012:key/id"]))]
    pub kms_arn: Option<String>,
}

/// Commands that mdo runs in the function's folder.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hooks {
    /// The command that builds the function, before it is packaged.
    pub build: Option<String>,
    /// The command that removes what the build left, after it is packaged.
    pub clean: Option<String>,
}

/// A network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VpcSetting {
    /// Subnet ids, at most 16.
    #[schemars(length(max = 16), extend("items" = {"type": "string", "format": "subnet-id"}))]
    pub subnets: Vec<String>,
    /// Security group ids, at most 5.
    #[serde(rename = "securityGroups", default)]
    #[schemars(length(max = 5), extend("items" = {"type": "string", "format": "security-group-id"}))]
    pub apex_security_groups: Vec<String>,
    /// The same as `securityGroups`.
    #[serde(default)]
    #[schemars(length(max = 5), extend("items" = {"type": "string", "format": "security-group-id"}))]
    pub security_groups: Vec<String>,
}

/// A route, alone or with who may call it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RouteSetting {
    Text(Route),
    Table(RouteTable),
}

/// A route and who may call it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    /// A method and a path, as in `GET /samples/{id}`.
    pub route: Route,
    /// Who may call it; without it, what `[api]` says.
    pub security: Option<Security>,
}

impl VpcSetting {
    /// The network, or nothing if no subnets and groups are listed.
    pub(super) fn resolved(&self) -> Option<Vpc> {
        let security_groups = [&self.apex_security_groups[..], &self.security_groups[..]].concat();
        (!self.subnets.is_empty()).then(|| Vpc::new(self.subnets.clone(), security_groups))
    }

    /// Whether only one of subnets and groups is listed, which Lambda refuses.
    pub(super) fn is_half(&self) -> bool {
        self.subnets.is_empty() != (self.apex_security_groups.is_empty() && self.security_groups.is_empty())
    }
}

impl RouteSetting {
    pub(super) fn route(&self) -> &Route {
        match self {
            Self::Text(route) => route,
            Self::Table(table) => &table.route,
        }
    }

    pub(super) fn security(&self) -> Option<Security> {
        match self {
            Self::Text(_) => None,
            Self::Table(table) => table.security,
        }
    }
}

/// How a function is kept warm.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmRule {
    /// How often the rule fires: every 1 to 10 minutes.
    pub rate: Rate,
    /// How many sandboxes it keeps warm.
    #[schemars(range(min = 1, max = 5), extend("default" = 1))]
    pub concurrency: Option<u8>,
}

/// What to do about a key of apex's function.json that mdo does not have.
pub(super) fn hint(path: &str) -> Option<&'static str> {
    Some(match path {
        "hooks.deploy" => {
            "mdo has no deploy hook: `build` runs before packaging; make what must follow a deploy a step of your pipeline"
        }
        "retainedVersions" | "retained_versions" => {
            "mdo keeps every version; delete those that no stage points at yourself"
        }
        "zip" => {
            "mdo packages the function's folder itself; let `hooks.build` leave in it what belongs there"
        }
        "edge" => "mdo does not deploy to Lambda@Edge",
        "nameTemplate" | "name_template" => {
            "on AWS a function is always called `{project}_{function}`; rename the project or the folder"
        }
        "name" => "a function is called as its folder",
        "defaultEnvironment" | "default_environment" => "write `default_stage` in project.toml",
        "region" | "profile" | "account" => "write it in project.toml",
        _ => return None,
    })
}
