//! The one door to where stacks live: [`Provider`] observes a stack and makes one change real, [`apply`] runs a whole
//! plan, and small traits beside them stand for what only a live system can answer.

pub mod apply;
mod capabilities;
mod error;
mod history;
pub mod logs;
pub mod metrics;
mod redact;
mod run;
mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

pub use capabilities::{
    Alarm, AlarmState, Alarms, Clock, Day, DayUsage, Fetch, ForeignPolicies, ForeignPolicy, Invoke, Keys,
    LiveRevisions, Permissions, Pings, QuotaUse, Quotas, Revisions, Secrets, Share, Take, Versions,
};
pub use error::{Answer, Cause, Error};
pub use history::{ApiDeployment, FunctionHistory, History, PublishedVersion, Share as AliasShare};
pub use redact::{HIDDEN, Redactor};
pub(crate) use run::Readiness;
pub use run::{Finished, Observer, Outcome, Run, RunEvent};
pub use signals::{CallTrace, Signals};

use mdo_model::Sha256;
use mdo_model::hosted::Outgoing;
use mdo_model::project::{ApiId, DerivativeId, FunctionName, KeyName, Secret, StageName};
use mdo_model::stack::{Change, Plan, ResourceId, Stack};

/// Finds out where a deploy comes from. It is asked only when something is made that records it.
pub type FindOrigin = Box<dyn FnOnce() -> Origin + Send>;

/// Where a deploy comes from, as every version records it. No part of it has blanks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The source revision, such as a commit.
    pub source: Option<String>,
    /// Who deploys.
    pub deployer: Option<String>,
    /// What the versions of one deploy have in common, and no others.
    pub run: String,
}

/// Which stack to observe.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The functions that the files name; others of the project are found by the provider itself.
    pub functions: BTreeSet<FunctionName>,
    /// The derivatives that the files ask for, by their inputs.
    pub derivatives: BTreeMap<DerivativeId, Sha256>,
    /// Whether resources of our name without our tag are taken over instead of refused.
    pub adopt: bool,
    /// The REST API to take over and give the project's name to, whatever it is called.
    pub adopt_api: Option<ApiId>,
    /// For what removes things: whether to find out as well what other stages share and what a broken deploy has left, and
    /// to pass by what is not ours instead of refusing to go on.
    pub thorough: bool,
}

/// What a provider found.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The stack, in the same terms as the desired one.
    pub stack: Stack,
    /// Resources of it that other stages use too.
    pub shared: BTreeSet<ResourceId>,
    /// What the provider knows of functions beyond the model, for people.
    pub functions: BTreeMap<FunctionName, LiveFunction>,
    /// What the files of derivatives take, in bytes: of those that are live with the inputs that the scope asks for, as far as
    /// it was recorded with them.
    pub unzipped: BTreeMap<DerivativeId, u64>,
    /// What the provider knows of a hosted stage's server beyond the model, for people.
    pub server: Option<LiveServer>,
    /// The API that is about to be taken over, if one is.
    pub taken_over: Option<TakenOver>,
}

/// An API, or a stage of one, that mdo did not make and that is about to be the project's, with what hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Its id.
    pub id: String,
    /// What it is called now.
    pub name: String,
    /// What its stage answers, as `GET /path`; empty where it has no such stage.
    pub routes: BTreeSet<String>,
    /// Its stages.
    pub stages: Vec<String>,
    /// The usage plans of others that hold the stage, by name.
    pub usage_plans: Vec<String>,
}

/// What is live of a server beyond the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LiveServer {
    /// The revision that its tasks are to run.
    pub revision: Option<u32>,
    /// How many tasks are wanted.
    pub wanted: u32,
    /// How many run.
    pub running: u32,
    /// Whether a deployment is under way.
    pub rolling: bool,
    /// The revision that a rollback has gone back from, as long as nothing newer was deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back_from: Option<u32>,
}

/// What is live of a function beyond the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LiveFunction {
    /// The version that the stage's alias points at.
    pub version: Option<String>,
    /// When it was last changed, as RFC 3339 in UTC.
    pub modified: Option<String>,
    /// The version that a rollback has gone back from, as long as nothing newer was deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back_from: Option<String>,
    /// The version that answers a part of the requests on trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
}

/// Where a provider keeps a stack. This machine has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The id of the project's API.
    pub api_id: Option<String>,
    /// The name of a hosted stage's load balancer in the DNS.
    pub load_balancer: Option<String>,
}

/// What a provider answers to a change that it made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The version that a function's alias points at now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What people should know, for example that a clean-up did not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Applied {
    /// What was to go stays.
    pub fn kept(why: impl std::fmt::Display) -> Self {
        Self { warnings: vec![format!("kept, because {why}")], ..Self::default() }
    }
}

/// What came of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The function's answer, or its error document.
    pub payload: Vec<u8>,
    /// The kind of failure, `Unhandled` for instance; `None` on success.
    pub error: Option<String>,
    /// The last 4 KB of its log.
    pub log_tail: String,
    /// The version that ran.
    pub version: Option<String>,
}

impl Invocation {
    /// What the function says is wrong, on one line: `ValueError: boom`; `None` on success. Lambda calls most failures
    /// `Unhandled`: what they are stands in the error document.
    pub fn failure(&self) -> Option<String> {
        let error = self.error.as_deref()?;
        let document: serde_json::Value = serde_json::from_slice(&self.payload).unwrap_or_default();
        let said = |field: &str| document[field].as_str().filter(|said| !said.is_empty());
        let kind = said("errorType").unwrap_or(error);
        let failure = said("errorMessage").map_or(kind.to_owned(), |message| format!("{kind}: {message}"));
        Some(failure.replace(char::is_control, " "))
    }
}

/// Something that ran at some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// What came of it.
    pub outcome: String,
}

/// What is known of a function's last runs, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// The firings of its warm rule, where the provider can tell them from requests.
    pub pings: Vec<Ping>,
    /// Pings and requests alike, where it cannot.
    pub runs: Vec<Ping>,
}

/// What a run is given beside its plan: what it may have to upload, and how far it goes.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    /// Whether a run ends as soon as servers are told to change, instead of when they have.
    pub leaves_rollouts: bool,
    /// The zips of the functions.
    pub functions: BTreeMap<FunctionName, PathBuf>,
    /// The values of keys that exist elsewhere already; others get values of the provider's own.
    pub keys: BTreeMap<KeyName, Secret>,
    /// Versions whose code functions without a zip get: the provider has it.
    pub versions: BTreeMap<FunctionName, u64>,
    /// The derivatives that were built.
    pub derivatives: BTreeMap<DerivativeId, DerivativePackage>,
    /// The image that servers run, where mdo has it to push. Who holds this keeps its files there.
    pub image: Option<Outgoing>,
}

/// A derivative as zips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivativePackage {
    /// Its zips in order, which no two have a file of in common: one where a single layer takes it.
    pub parts: Vec<DerivativePart>,
    /// The size of its files, in bytes.
    pub unzipped: u64,
}

/// One zip of a derivative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivativePart {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// A place where stacks live.
///
/// A value of it is about one project at one stage. It may remember from `observe` what `apply` needs (ids, versions),
/// so `observe` comes first.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its name in flags and JSON: `aws` or `local`.
    fn name(&self) -> &'static str;

    /// Where it is, for people: account and region, or this machine.
    ///
    /// # Errors
    /// When that cannot be found out, or is not what the project is bound to.
    async fn location(&self) -> Result<String, Error>;

    /// Where it is, for programs, as far as that is known by now; all of it once [`Provider::location`] and
    /// [`Provider::observe`] have answered.
    fn site(&self) -> Site {
        Site::default()
    }

    /// Waits until the provider has answered a call of `observe`, so that it is known to let us in.
    async fn reached(&self) {}

    /// Reads the stack. Never writes.
    ///
    /// # Errors
    /// When reading fails, and when a resource of our name is not ours and `scope.adopt` is not set.
    async fn observe(&self, scope: &Scope) -> Result<Observed, Error>;

    /// Makes one change real.
    ///
    /// Every change of a plan is started at once; an implementation calls [`Run::usable`] for a needed resource right
    /// before the first step that relies on it, and [`Run::announce`] as soon as others may rely on its own.
    ///
    /// # Errors
    /// When the change could not be made, or something that it needs did not come about.
    async fn apply(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error>;

    /// Looks, when every change of a plan is made, whether another deploy has gone over some of them meanwhile, and if so
    /// puts things right: what is live afterwards is one deploy's or the other's, never a mixture. Answers what people
    /// should know.
    ///
    /// # Errors
    /// When that cannot be found out, or not be put right.
    async fn confirm(&self, _run: &Run<'_>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// How long a plan takes at least, by the provider's own quotas: nothing where it has none.
    fn floor(&self, _plan: &Plan) -> Duration {
        Duration::ZERO
    }

    /// The stages at which the project has anything.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn stages(&self) -> Result<Vec<StageName>, Error>;

    /// The base URL of the stage, without a slash at its end, once it is known.
    fn endpoint(&self) -> Option<String>;

    /// How many calls were made so far.
    fn calls(&self) -> usize;
}
