//! The keys of `project.toml`: their types, their bounds and, as doc comments, their documentation.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::api_timeout::ApiTimeout;
use super::function_file::{self, Common, VpcSetting, WarmRule};
use super::server::{Hosting, ServerTable};
use super::shape::{AccessLogArn, Environment, OrOff, WarmSetting};
use super::{
    AccountId, Artifacts, DerivativeName, DerivativeSettings, FunctionName, MediaType, Period, ProjectName,
    Rate, Security, StageName, Tags, Tracing,
};

/// A project of mdo: a folder of functions that becomes one API on AWS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "project.toml")]
pub(super) struct Manifest {
    /// The project's name: 1 to 32 letters, digits, `_` and `-`, starting with a letter. It prefixes every name on
    /// AWS.
    pub name: ProjectName,
    /// What the API is for.
    pub description: Option<String>,
    /// The region to deploy to; without it, the one that the AWS SDK finds.
    #[schemars(extend("format" = "region", "examples" = ["us-east-1"]))]
    pub region: Option<String>,
    /// The profile of the credentials; without it, the ones that the AWS SDK finds.
    pub profile: Option<String>,
    /// Whether credentials in the environment weigh more than `profile`, here or under a stage: keys, or the web identity or
    /// container role of a pipeline.
    #[schemars(extend("default" = false))]
    pub profile_unless_env: Option<bool>,
    /// The only account that may be deployed to: 12 digits, in quotes.
    pub account: Option<AccountId>,
    /// The ARN of a role for every function, instead of one that mdo creates.
    #[schemars(extend("format" = "role-arn", "examples" = ["arn:aws:iam::123456789012:role/name"]))]
    pub role: Option<String>,
    /// The ARN of the policy that bounds what the role made by mdo may ever do. Without it, mdo leaves the role's boundary as it is.
    #[schemars(extend("format" = "policy-arn", "examples" = ["arn:aws:iam::123456789012:policy/boundary"]))]
    pub permissions_boundary: Option<String>,
    /// The stage of a command that names none.
    #[schemars(extend("default" = "dev"))]
    pub default_stage: Option<StageName>,
    /// Settings of every function that does not have its own.
    #[serde(default)]
    pub defaults: Common,
    /// Settings of the API at every stage.
    #[serde(default)]
    pub api: ApiTable,
    /// Overrides by the stage's name, as in `[stages.prod]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, StageTable>")]
    #[schemars(extend("propertyNames" = {"format": "stage-name", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,31}$"}))]
    pub stages: BTreeMap<StageName, StageTable>,
    /// Settings of the functions' logs.
    #[serde(default)]
    pub logs: Logs,
    /// How derivatives are built, by name, as in `[derivatives.sklearn]`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, DerivativeSettings>")]
    #[schemars(extend("propertyNames" = {"format": "derivative-name", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,47}$"}))]
    pub derivatives: BTreeMap<DerivativeName, DerivativeSettings>,
    /// How stages with `hosting = "server"` are served.
    #[serde(default)]
    pub server: ServerTable,
    /// Tags of everything that mdo makes on AWS, by name, as in `cost-center = "42"`; those of others stay as they are.
    #[serde(default)]
    pub tags: Tags,
    /// A bucket for packages that are above Lambda's limit for direct uploads, 50 MB.
    pub artifacts: Option<Artifacts>,
}

/// Settings of the API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiTable {
    /// Who may call a route that does not say it itself.
    #[schemars(extend("default" = "key"))]
    pub security: Option<Security>,
    /// How many requests the stage's usage plan lets through; `false` for no limit.
    #[schemars(extend("default" = {"rate": 10, "burst": 20}))]
    pub throttle: Option<OrOff<ThrottleTable>>,
    /// How many requests a key may make in a period; `false` for no limit.
    #[schemars(extend("default" = {"limit": 10000, "period": "day"}))]
    pub quota: Option<OrOff<QuotaTable>>,
    /// Whether browsers on other origins may call the API.
    #[schemars(extend("default" = false))]
    pub cors: Option<bool>,
    /// How long API Gateway waits for a function: 50 ms to 29 s, as `29s` or `500ms`.
    #[schemars(extend("default" = "29s"))]
    pub timeout: Option<ApiTimeout>,
    /// The types of bodies that are bytes: a function gets and gives them in Base64. A request counts by its `Content-Type`, a
    /// response by the first type of the request's `Accept`; `*/*` is every body. The bytes of other bodies must be UTF-8.
    #[schemars(extend("default" = []))]
    pub binary_media_types: Option<BTreeSet<MediaType>>,
    /// Whether X-Ray traces the requests. Without it, that stays as it is.
    pub tracing: Option<bool>,
    /// Where API Gateway writes a line of JSON for each request: the ARN of a log group or of a Firehose stream, which exist already; `false`
    /// for nowhere. Without it, that stays as it is. The account needs a CloudWatch role in API Gateway's settings.
    pub access_logs: Option<OrOff<AccessLogArn>>,
}

/// Requests per second of a usage plan.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThrottleTable {
    /// Requests per second, in the long run.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 10))]
    pub rate: Option<f64>,
    /// Requests at once.
    #[schemars(range(min = 1), extend("default" = 20))]
    pub burst: Option<u32>,
}

/// Requests per period of a usage plan.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaTable {
    /// Requests per period.
    #[schemars(range(min = 1), extend("default" = 10000))]
    pub limit: Option<u32>,
    /// The period.
    #[schemars(extend("default" = "day"))]
    pub period: Option<Period>,
}

/// Overrides for one stage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageTable {
    /// The region of this stage.
    #[schemars(extend("format" = "region", "examples" = ["us-east-1"]))]
    pub region: Option<String>,
    /// The profile of the credentials for this stage.
    pub profile: Option<String>,
    /// The only account that this stage may be deployed to.
    pub account: Option<AccountId>,
    /// Refuses whatever would delete something at this stage, `mdo destroy` included.
    #[schemars(extend("default" = false))]
    pub protect: Option<bool>,
    /// How this stage is served: `serverless` is Lambda behind API Gateway, `server` the same functions in containers behind a
    /// load balancer, as `[server]` says.
    #[schemars(extend("default" = "serverless"))]
    pub hosting: Option<Hosting>,
    /// Settings of the server at this stage; what is left out is as in `[server]`.
    #[serde(default)]
    pub server: ServerTable,
    /// Environment variables of every function at this stage.
    #[serde(default)]
    pub environment: Environment,
    /// Settings of the API at this stage; what is left out is as in `[api]`.
    #[serde(default)]
    pub api: ApiTable,
    /// Tags of what belongs to this stage alone, over those of `[tags]`. Functions, the API and the role belong to every stage.
    #[serde(default)]
    pub tags: Tags,
    /// Overrides the warm rules that functions have: `false` switches them off, a rate or a concurrency replaces
    /// theirs. A function without a warm rule stays without one.
    pub warm: Option<WarmSetting<StageWarm>>,
    /// Settings of single functions at this stage, by the name of each, as in `[stages.prod.functions.sample_producer]`.
    /// They weigh more than function.json, and than what the stage says of every function.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, StageFunction>")]
    #[schemars(extend("propertyNames" = {"format": "function-name"}))]
    pub functions: BTreeMap<FunctionName, StageFunction>,
}

/// Settings of one function at one stage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageFunction {
    /// Memory in MB.
    #[schemars(range(min = 128, max = 10240))]
    pub memory: Option<u32>,
    /// How long one event may take, in seconds.
    #[schemars(range(min = 1, max = 900))]
    pub timeout: Option<u32>,
    /// The size of `/tmp` in MB.
    #[schemars(range(min = 512, max = 10240))]
    pub ephemeral_storage: Option<u32>,
    /// Environment variables.
    #[serde(default)]
    pub environment: Environment,
    /// The network that the function runs in; without subnets and groups in it, none of your own.
    pub vpc: Option<VpcSetting>,
    /// X-Ray tracing.
    pub tracing: Option<Tracing>,
    /// Keeps sandboxes of the function warm, also where its function.json has no rule; `false` for not.
    pub warm: Option<WarmSetting<WarmRule>>,
}

/// Overrides of the warm rules at one stage.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StageWarm {
    /// How often the rules fire: every 1 to 10 minutes.
    pub rate: Option<Rate>,
    /// How many sandboxes each keeps warm.
    #[schemars(range(min = 1, max = 5))]
    pub concurrency: Option<u8>,
}

/// Settings of the functions' logs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Logs {
    /// How long logs are kept, in days; one of the periods that CloudWatch has.
    #[schemars(extend(
        "enum" = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
        "default" = 30
    ))]
    pub retention_days: Option<u16>,
}

/// What to do about a key that project.toml does not have there.
pub(super) fn hint(path: &str) -> Option<&'static str> {
    Some(match path {
        "timeout" => "write it under `[defaults]` for the functions, under `[api]` for the API",
        "runtime" | "architecture" | "memory" | "handler" | "environment" | "vpc" | "layers"
        | "derivatives" | "permissions" | "tracing" | "ephemeral_storage" | "deadletter_arn" | "kms_arn" => {
            "write it under `[defaults]`"
        }
        "security" | "throttle" | "quota" | "cors" | "binary_media_types" | "access_logs" => {
            "write it under `[api]`"
        }
        "hosting" => "write it under `[stages.<name>]`",
        "cpu" | "tasks" | "certificate" | "http" | "domain" | "drain" | "base" | "dockerfile" | "image"
        | "health" | "task_role" | "secrets" | "spot" => "write it under `[server]`",
        "retention_days" => "write it under `[logs]`",
        "hooks" | "routes" | "warm" | "required_environment" | "concurrency" => {
            "write it in the function.json of each function"
        }
        path if path.ends_with(".permissions_boundary") => {
            "write it at the top of project.toml, before the first table"
        }
        path if path.starts_with("stages.") => return stage_hint(path),
        "retainedVersions" | "nameTemplate" | "zip" | "edge" | "defaultEnvironment" => {
            return function_file::hint(path);
        }
        _ => return None,
    })
}

/// The same of a key under `[stages.<name>]`.
fn stage_hint(path: &str) -> Option<&'static str> {
    let mut keys = path.rsplit('.');
    match (keys.next()?, keys.nth(1)?) {
        ("concurrency", "functions") => {
            Some("reserved concurrency is the function's at all of its stages: write it in its function.json")
        }
        ("memory" | "timeout" | "ephemeral_storage" | "vpc" | "tracing", "stages") => {
            Some("write it under `[stages.<name>.functions.<function>]`")
        }
        _ => None,
    }
}
