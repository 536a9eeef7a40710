//! What the files and flags come to for one stage: every default applied, every override merged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, DerivativeId, DerivativeName, DerivativeSettings, FunctionConfiguration, FunctionName,
    MediaType, Permissions, ProjectName, Rate, Referred, Route, ServerSettings, StageName, Tags,
};
use crate::stack::Recording;

/// A project at one stage, resolved and valid.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that holds `project.toml`.
    pub root: PathBuf,
    /// The project's name.
    pub project: ProjectName,
    /// The API's description.
    pub description: Option<String>,
    /// The stage.
    pub stage: StageName,
    /// Whether nothing may be deleted at the stage.
    pub protected: bool,
    /// The region to deploy to; `None` leaves it to the SDK's own chain.
    pub region: Option<String>,
    /// The profile of the credentials; `None` leaves it to the SDK's own chain.
    pub profile: Option<String>,
    /// Whether credentials in the environment weigh more than the profile.
    pub profile_unless_env: bool,
    /// Every region that the project's file names, for any stage.
    pub regions: BTreeSet<String>,
    /// The only account that may be deployed to.
    pub account: Option<AccountId>,
    /// The ARN of an existing role to use instead of creating one.
    pub role: Option<String>,
    /// The ARN of the policy that bounds what the project's role may do; `None` leaves its boundary as it is.
    pub permissions_boundary: Option<String>,
    /// How long logs are kept, in days.
    pub log_retention_days: u16,
    /// Where packages that are too large for a direct upload go.
    pub artifacts: Option<Artifacts>,
    /// Tags of the project's own, on what its stages share.
    pub tags: Tags,
    /// The same, with those of the stage over them, on what belongs to the stage.
    pub stage_tags: Tags,
    /// Settings of the API at this stage.
    pub api: ApiSettings,
    /// How servers answer the stage; `None` where Lambda and API Gateway do.
    pub server: Option<ServerSettings>,
    /// Whether the project's file has to do with servers, at whichever stage: where it has not, none need be looked for.
    pub knows_hosting: bool,
    /// Every derivative of the project, by name.
    pub derivatives: BTreeMap<DerivativeName, DerivativeSettings>,
    /// Every function of the project, by name.
    pub functions: BTreeMap<FunctionName, FunctionSettings>,
}

/// A bucket for large packages: above 50 MB Lambda takes them no other way, and above 8 MB they are streamed there instead
/// of being held in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifacts {
    /// The bucket's name.
    #[schemars(length(min = 3, max = 63))]
    pub bucket: String,
    /// The folder of every object in it, such as `mdo`.
    #[serde(default)]
    pub prefix: String,
}

/// Settings of the API at one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSettings {
    /// Requests per second and burst of the stage's usage plan.
    pub throttle: Option<Throttle>,
    /// Requests per period of the stage's usage plan; a hosted stage has none.
    pub quota: Option<Quota>,
    /// Whether browsers on other origins may call the API.
    pub cors: bool,
    /// The integration timeout in milliseconds, 50 to 29,000.
    pub timeout_ms: u32,
    /// The types of bodies that functions get and give in Base64.
    pub binary_media_types: BTreeSet<MediaType>,
    /// What is recorded of requests, as far as the files say.
    pub recording: Recording,
}

/// The rate and burst of a usage plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throttle {
    /// Requests per second, in the long run.
    pub rate: f64,
    /// Requests at once.
    pub burst: u32,
}

/// The quota of a usage plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests per period.
    pub limit: u32,
    /// The period.
    pub period: Period,
}

/// The period of a [`Quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are periods of the calendar")]
pub enum Period {
    Day,
    Week,
    Month,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        })
    }
}

/// One function at one stage.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// The function's folder.
    pub folder: PathBuf,
    /// Its configuration, with the merged environment of this stage, flags included.
    pub configuration: FunctionConfiguration,
    /// The derivatives that it runs with.
    pub derivatives: BTreeSet<DerivativeName>,
    /// The ARN of a role for this function alone.
    pub role: Option<String>,
    /// Its variables whose values are kept elsewhere: until a deploy has looked them up, they hold what names the values.
    pub referred: BTreeMap<String, Referred>,
    /// What it may do on AWS, by the project's role.
    pub permissions: Permissions,
    /// Reserved concurrency: the most sandboxes at once.
    pub concurrency: Option<u32>,
    /// The routes that call it; none means no API.
    pub routes: Vec<RouteSettings>,
    /// The warm rule.
    pub warm: Option<Warm>,
    /// The command that builds the bootstrap.
    pub build_hook: Option<String>,
    /// The command that removes what the build left.
    pub clean_hook: Option<String>,
}

impl FunctionSettings {
    /// What each of its derivatives is for it.
    pub fn derivative_ids(&self) -> impl Iterator<Item = DerivativeId> {
        self.derivatives.iter().map(|name| self.configuration.derivative_id(name))
    }
}

/// One route and who may call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// Method and path.
    pub route: Route,
    /// Who may call it.
    pub security: Security,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Whoever has an API key of the stage.
    Key,
    /// Everybody.
    Open,
    /// Whoever signs with AWS credentials that IAM allows.
    Iam,
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Key => "key",
            Self::Open => "open",
            Self::Iam => "iam",
        })
    }
}

/// A warm rule as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warm {
    /// How often it fires.
    pub rate: Rate,
    /// How many sandboxes it keeps warm, 1 to 5.
    pub concurrency: u8,
}

/// X-Ray tracing of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tracing {
    /// Follow the caller's decision; Lambda's `PassThrough`.
    #[default]
    Passthrough,
    /// Sample and trace; Lambda's `Active`.
    Active,
}

/// The network of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
}

impl Vpc {
    /// A network. Its ids are sorted: their order means nothing, and a provider may keep another one.
    pub fn new(mut subnets: Vec<String>, mut security_groups: Vec<String>) -> Self {
        subnets.sort();
        security_groups.sort();
        Self { subnets, security_groups }
    }
}
