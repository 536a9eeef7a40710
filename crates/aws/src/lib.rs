//! AWS: the stack made real through the AWS SDK, one folder per service.

mod api_gateway;
mod call;
mod capabilities;
mod client;
mod cloudwatch;
mod confirm;
mod ec2;
mod errors;
mod events;
pub mod export;
mod floor;
mod hosted;
mod iam;
mod lambda;
mod last_look;
mod logs;
mod observe;
mod ownership;
mod pace;
mod pages;
pub mod policy;
mod query;
mod quotas;
mod s3;
mod secrets;
mod simulation;
mod watch;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mdo_engine::{
    Applied, Cause, Error, FindOrigin, Observed, Origin, Provider, Redactor, Run, Scope, Signals, Site,
};
use mdo_model::project::{Artifacts, DerivativeId, FunctionName, Names, Settings, StageName, Tags};
use mdo_model::stack::{Action, Change, Function, Kind, Plan, Resource};

use self::api_gateway::ApiGatewayState;
use self::client::{Aws, ConnectOptions};
use self::events::EventsState;
use self::hosted::HostedState;
use self::lambda::KnownLayers;
use self::last_look::LastLook;
pub use self::s3::S3Object;
pub use self::secrets::SecretReader;

/// One project at one stage on AWS.
pub struct AwsProvider {
    aws: Aws,
    names: Names,
    artifacts: Option<Artifacts>,
    /// The regions that the project's file names.
    regions: BTreeSet<String>,
    /// Whether the project's file bounds what the role may do, so that its boundary has to be known.
    bounds_role: bool,
    /// Whether the project's file has tags for the stage, so that those of everything have to be known.
    has_tags: bool,
    /// Where a deploy comes from; recorded with every version.
    origin: LazyLock<Origin, FindOrigin>,
    gateway: ApiGatewayState,
    rules: EventsState,
    hosted: HostedState,
    /// What `prune` looks at last, before it removes anything.
    /// The layer versions that functions run with.
    last_layers: LastLook,
    /// The images that revisions of servers need.
    last_images: LastLook,
    /// Whose lines are whose, for who reads logs.
    logging: logs::KnownVersions,
    known: Mutex<Known>,
}

/// What `observe` has seen that `apply` needs.
#[derive(Debug, Default)]
struct Known {
    adopts: bool,
    functions: BTreeMap<FunctionName, KnownFunction>,
    /// The layers of derivatives.
    layers: KnownLayers,
    /// Versions that were read, which a run need not make anew.
    frozen: BTreeMap<FunctionName, BTreeMap<u64, Function>>,
    /// The versions that this run has pointed the stage's aliases at.
    versions: BTreeMap<FunctionName, String>,
    /// Whether another deploy was quicker to bring the stage up, so that this one gives way.
    has_rival: bool,
    /// The regions that an earlier mdo has listed in the role's policy.
    role_regions: BTreeSet<String>,
}

/// What is known of a function beyond the model.
#[derive(Clone, Debug, Default)]
struct KnownFunction {
    /// Whether it exists, at this stage or another.
    exists: bool,
    /// Whether it bears our tag.
    is_ours: bool,
    /// The version that the stage's alias points at; `None` when it is not at the stage.
    version: Option<String>,
    /// What its tags say of the stage.
    marks: lambda::Marks,
    /// The tags of the project's own that it bears.
    tags: Tags,
}

impl AwsProvider {
    /// Finds region and credentials by the SDK's own chain. Makes no call on the stack yet.
    ///
    /// `origin` finds where a deploy comes from; it is recorded with every version.
    ///
    /// # Errors
    /// When no region is configured, or the certificates that `AWS_CA_BUNDLE` names cannot be read.
    pub async fn connect(settings: &Settings, origin: FindOrigin, signals: Signals) -> Result<Self, Error> {
        let aws = Aws::connect(ConnectOptions::of(settings), signals).await?;
        acquaint(&aws.redactor, settings);
        Ok(Self {
            aws,
            names: settings.names(),
            artifacts: settings.artifacts.clone(),
            regions: settings.regions.clone(),
            bounds_role: settings.permissions_boundary.is_some(),
            has_tags: !settings.stage_tags.is_empty(),
            origin: LazyLock::new(origin),
            gateway: ApiGatewayState::new(settings),
            rules: EventsState::default(),
            hosted: HostedState::new(settings),
            last_layers: LastLook::default(),
            last_images: LastLook::default(),
            logging: logs::KnownVersions::default(),
            known: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, function: &FunctionName) -> KnownFunction {
        self.state().functions.get(function).cloned().unwrap_or_default()
    }

    fn adopts(&self) -> bool {
        self.state().adopts
    }

    fn api_id(&self) -> Option<String> {
        self.gateway.api_id()
    }

    /// Notes the version that this run has pointed the stage's alias at.
    fn note_version(&self, function: &FunctionName, version: &str) {
        self.state().versions.insert(function.clone(), version.to_owned());
    }

    /// Asks who we are, where no other call has told it.
    async fn identify(&self) -> Result<(), Error> {
        if self.aws.knows_account() {
            return Ok(());
        }
        let answer =
            self.aws.call("sts:GetCallerIdentity", "", || self.aws.sts.get_caller_identity().send()).await?;
        let account = answer.account().and_then(|account| account.parse().ok());
        let unnamed = || Error::new(Cause::Other, "AWS does not name the account of the credentials");
        self.aws.note_account(account.ok_or_else(unnamed)?)
    }

    /// Asks who we are where the project is bound to an account and nothing else would notice another one.
    async fn identify_if_bound(&self) -> Result<(), Error> {
        if self.aws.is_bound() { self.identify().await } else { Ok(()) }
    }

    async fn make(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        match change.id.kind {
            Kind::Role => self.apply_role(change, run).await,
            Kind::Permissions => iam::apply_permissions(&self.aws, &self.names, change, run).await,
            Kind::Derivative => self.apply_derivative(change, run).await,
            Kind::LayerVersion => self.delete_layer_version(change).await,
            Kind::FunctionVersion => self.delete_function_version(change).await,
            Kind::Deployment => api_gateway::delete_deployment(&self.aws, change).await,
            Kind::Revision => hosted::delete_revision(&self.aws, &self.names, change).await,
            Kind::Image => {
                hosted::delete_image((&self.aws, &self.names), &self.last_images, change, run).await
            }
            Kind::Artifact => s3::delete(&self.aws, change, run).await,
            Kind::Function => self.apply_function(change, run).await,
            Kind::LogGroup => logs::apply(&self.aws, &self.names, change, run, self.adopts()).await,
            Kind::Api | Kind::Stage | Kind::Key => {
                api_gateway::apply(&self.aws, &self.names, &self.gateway, change, run).await
            }
            Kind::WarmRule => events::apply(&self.aws, &self.names, &self.rules, change, run).await,
            Kind::ServerRole | Kind::Repository | Kind::LoadBalancer | Kind::Server => {
                let state = (&self.hosted, &self.gateway);
                hosted::apply(&self.aws, &self.names, state, change, run).await
            }
        }
    }

    async fn apply_function(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        let name: FunctionName = change.id.name.parse().map_err(|_| unexpected(change))?;
        match (&change.before, &change.after) {
            (None, Some(Resource::Function(wanted))) => {
                self.create_function(&name, wanted, change, run).await
            }
            (Some(Resource::Function(before)), Some(Resource::Function(wanted))) => {
                self.update_function(&name, before, wanted, change, run).await
            }
            (Some(_), None) => {
                run.all_usable(change).await?;
                self.delete_function(&name).await
            }
            _ => Err(unexpected(change)),
        }
    }

    async fn apply_derivative(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        let id: DerivativeId = change.id.name.parse().map_err(|_| unexpected(change))?;
        match &change.after {
            Some(Resource::Derivative(wanted)) => self.publish_layers(&id, wanted, change, run).await,
            None => {
                run.all_usable(change).await?;
                self.delete_layers(&id).await
            }
            Some(_) => Err(unexpected(change)),
        }
    }

    async fn apply_role(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        let listed = self.state().role_regions.clone();
        match (change.action, &change.after) {
            (Action::Create, Some(Resource::Role(wanted))) => {
                iam::create(&self.aws, &self.names, wanted, change, run).await
            }
            (Action::Update, Some(Resource::Role(wanted))) => {
                iam::update(&self.aws, &self.names, wanted, listed, change).await
            }
            (Action::Delete, _) => {
                run.all_usable(change).await?;
                match self.remaining_function().await? {
                    Some(function) => Ok(Applied::kept(format_args!("function {function} lives on"))),
                    None => iam::delete(&self.aws, &self.names, &self.regions | &listed).await,
                }
            }
            _ => Err(unexpected(change)),
        }
    }

    /// A function of the project that is still there under an alias other than the stage's.
    async fn remaining_function(&self) -> Result<Option<FunctionName>, Error> {
        for name in lambda::list(&self.aws, &self.names).await? {
            let aliases = self.own_aliases(&name).await?.unwrap_or_default();
            if aliases.keys().any(|alias| alias != self.names.stage.as_str()) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Tells the redactor the values that files and flags set, and the names that are no secrets though a variable may have them.
fn acquaint(redactor: &Redactor, settings: &Settings) {
    let names = settings.names();
    let words = [names.project.to_string(), names.stage.to_string(), names.role(), names.usage_plan()];
    words.into_iter().chain(settings.region.clone()).for_each(|word| redactor.permit(word));
    for (name, function) in &settings.functions {
        redactor.permit(name.as_str());
        redactor.permit(names.function(name));
        // What names a value is no secret.
        let mut environment = function.configuration.environment.clone();
        environment.retain(|variable, _| !function.referred.contains_key(variable));
        redactor.learn_environment(&environment);
    }
}

fn unexpected(change: &Change) -> Error {
    Error::new(Cause::Other, format!("the change of {} is not one that AWS can make", change.id))
}

#[async_trait]
impl Provider for AwsProvider {
    fn name(&self) -> &'static str {
        "aws"
    }

    async fn location(&self) -> Result<String, Error> {
        self.identify().await?;
        Ok(format!("{} · {}", self.aws.account()?, self.aws.region))
    }

    fn site(&self) -> Site {
        Site {
            account: self.aws.account().ok().map(ToString::to_string),
            region: Some(self.aws.region.to_string()),
            api_id: self.api_id(),
            load_balancer: self.hosted.dns_name(),
        }
    }

    async fn reached(&self) {
        self.aws.reached().await;
    }

    async fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        self.observe_stack(scope).await
    }

    async fn apply(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        let (outcome, has_written) = written::watching(self.make(change, run)).await;
        if has_written {
            run.begun(&change.id);
        }
        outcome
    }

    async fn confirm(&self, run: &Run<'_>) -> Result<Vec<String>, Error> {
        self.confirm_run(run).await
    }

    fn floor(&self, plan: &Plan) -> Duration {
        floor::of(plan)
    }

    async fn stages(&self) -> Result<Vec<StageName>, Error> {
        let functions = lambda::list(&self.aws, &self.names).await?;
        let aliases = futures::future::try_join_all(functions.iter().map(|name| self.own_stages(name)));
        let api = api_gateway::stages(&self.aws, &self.names, self.api_id(), true);
        let hosted = hosted::stages(&self.aws, &self.names, &self.hosted);
        let (aliases, api, hosted) = futures::try_join!(aliases, api, hosted)?;
        let aliases = aliases.into_iter().flatten();
        let mut stages: BTreeSet<StageName> = aliases.filter_map(|alias| alias.parse().ok()).collect();
        stages.extend(api.into_iter().chain(hosted));
        Ok(stages.into_iter().collect())
    }

    fn endpoint(&self) -> Option<String> {
        let hosted = self.hosted.endpoint(&self.names);
        hosted.or_else(|| self.gateway.endpoint(&self.aws, &self.names))
    }

    fn calls(&self) -> usize {
        self.aws.calls()
    }
}
