//! What answers a hosted stage: its service with everything that it needs, read into the model and changed as a whole.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{SortOrder, TaskDefinition, TaskDefinitionStatus};
use futures::future::try_join;
use mdo_engine::{Applied, Cause, Error, Run, Scope};
use mdo_model::hosted::{FrozenKey, TooLarge};
use mdo_model::project::{KeyName, Names, Secret, TaskSize, Tasks};
use mdo_model::stack::{Action, Change, Definition, HostedFunction, Resource, Server};

use super::rollout::Rollout;
use super::service::{LiveService, Update, Where};
use super::{HostedState, cluster, log_group, scaling, service, target, task};
use crate::client::{Aws, domain};
use crate::ownership::Owner;
use crate::{pages, unexpected};

/// How many revisions are kept beside those that deployments name.
const REVISIONS: usize = 10;

/// What stands in the model for an image in a task definition that mdo would not write.
const EDITED: &str = "(edited by hand)";

/// The fields of a server that its task definition holds.
const OF_TASKS: [&str; 14] = [
    "image",
    "cpu",
    "memory",
    "architecture",
    "description",
    "routes",
    "cors",
    "binary_media_types",
    "functions",
    "keys",
    "throttle",
    "stop_timeout",
    "task_role",
    "secrets",
];

/// A server as AWS tells it.
pub(super) struct ServerFound {
    service: Option<LiveService>,
    task: Option<TaskDefinition>,
    scaling: Option<Tasks>,
    /// How long logs are kept, if there is a log group.
    retention: Option<Option<u16>>,
}

/// Looks for the stage's service and what hangs on it, in two rounds of calls.
pub(super) async fn observe(aws: &Aws, names: &Names, scope: &Scope) -> Result<ServerFound, Error> {
    let service = async {
        let Some(service) = service::observe(aws, names, scope).await? else { return Ok((None, None)) };
        let task = task::observe(aws, names, &service.task_definition).await?;
        Ok::<_, Error>((Some(service), task))
    };
    let ((service, task), scaling, retention) =
        futures::try_join!(service, scaling::observe(aws, names), log_group::observe(aws, names))?;
    Ok(ServerFound { service, task, scaling, retention })
}

/// The server in the model's terms, once account and keys are known. `digests` are those of the live keys.
pub(super) fn read(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    digests: &BTreeMap<KeyName, FrozenKey>,
    found: ServerFound,
    scope: &Scope,
) -> Result<Option<Server>, Error> {
    let ServerFound { service, task, scaling, retention } = found;
    let mut known = state.known();
    known.service.clone_from(&service);
    let way = known.target.clone();
    let Some(service) = service else {
        let is_left = scaling.is_some() || retention.is_some() || way.arn.is_some();
        return Ok((scope.thorough && is_left).then(remains));
    };
    let network = known.network.clone();
    let own_group = known.group(&names.service()).map(|group| group.id);
    drop(known);
    let place = place(aws, names, state)?;
    let task = task.as_ref().and_then(|task| task::read(&place, task));
    let stage = task.as_ref().and_then(|task| task.stage.clone()).filter(|stage| stage.stage == names.stage);
    let (environment, throttle, held) =
        stage.map(|stage| (stage.environment, stage.throttle, stage.keys)).unwrap_or_default();
    environment.values().for_each(|variables| aws.redactor.learn_environment(variables));
    let groups: BTreeSet<String> =
        service.groups.iter().filter(|group| Some(*group) != own_group.as_ref()).cloned().collect();
    let is_in_group = groups.len() < service.groups.len();
    let is_default =
        !state.names_subnets() && network.as_ref().is_some_and(|network| network.subnets == service.subnets);
    let is_placed = network.is_none_or(|network| network.is_public == service.is_public);
    let fixed = Tasks { min: service.desired, max: service.desired, cpu: None };
    let is_whole = task.as_ref().is_some_and(|task| task.is_whole);
    Ok(Some(Server {
        image: match &task {
            Some(task) if is_whole => task.image.clone(),
            _ => EDITED.to_owned(),
        },
        size: task.as_ref().map_or(TaskSize { cpu: 0, memory: 0 }, |task| task.size),
        architecture: task.as_ref().map(|task| task.architecture).unwrap_or_default(),
        tasks: scaling.unwrap_or(fixed),
        functions: environment
            .into_iter()
            .map(|(name, environment)| (name, HostedFunction { environment }))
            .collect(),
        keys: held
            .into_iter()
            // A key whose value is another one by now does not open the stage.
            .filter(|(name, held)| digests.get(name).is_none_or(|live| live == held))
            .map(|(name, _)| name)
            .collect(),
        throttle,
        definition: task.as_ref().map(|task| task.definition.clone()).unwrap_or_default(),
        security_groups: groups,
        subnets: (!is_default).then_some(service.subnets),
        health: way.health,
        drain: way.drain,
        stop_timeout: task.as_ref().map(|task| task.stop_timeout).unwrap_or_default(),
        task_role: task.as_ref().and_then(|task| task.task_role.clone()),
        secrets: task.map(|task| task.secrets).unwrap_or_default(),
        spot: service.spot,
        // Without a log group no task starts.
        log_retention_days: retention.unwrap_or(Some(0)),
        rolls_back: service.rolls_back,
        reachable: way.is_whole && is_in_group && is_placed && service.target == way.arn,
        owned: way.owned && service.owner == Owner::Us,
    }))
}

/// What is left of a server whose service is gone, for what removes things.
fn remains() -> Server {
    Server {
        image: String::new(),
        size: TaskSize { cpu: 0, memory: 0 },
        architecture: mdo_model::project::Architecture::default(),
        tasks: Tasks { min: 0, max: 0, cpu: None },
        definition: Definition::default(),
        functions: BTreeMap::new(),
        keys: BTreeSet::new(),
        throttle: None,
        security_groups: BTreeSet::new(),
        subnets: None,
        health: String::new(),
        drain: 0,
        stop_timeout: 0,
        task_role: None,
        secrets: BTreeMap::new(),
        spot: false,
        log_retention_days: None,
        rolls_back: false,
        reachable: false,
        owned: true,
    }
}

fn place<'a>(aws: &'a Aws, names: &'a Names, state: &HostedState) -> Result<task::Place<'a>, Error> {
    let (partition, account) = (aws.partition, aws.account()?);
    let live = state.known().repository.as_ref().map(|repository| repository.uri.clone());
    let usual = || {
        let (region, domain) = (&aws.region, domain(partition));
        format!("{account}.dkr.ecr.{region}.{domain}/{}", names.repository())
    };
    Ok(task::Place {
        region: &aws.region,
        names,
        repository: live.unwrap_or_else(usual),
        role: format!("arn:{partition}:iam::{account}:role/{}", names.server_role()),
    })
}

/// What a change of the server works with.
pub(super) struct Work<'a> {
    pub aws: &'a Aws,
    pub names: &'a Names,
    pub state: &'a HostedState,
    pub change: &'a Change,
    pub run: &'a Run<'a>,
    /// The digests of the live keys, once they are all made.
    pub digests: &'a (dyn Fn() -> BTreeMap<KeyName, FrozenKey> + Send + Sync),
}

impl Work<'_> {
    /// Makes one change of the server real.
    pub(super) async fn apply(&self) -> Result<Applied, Error> {
        match (self.change.action, &self.change.after) {
            (Action::Create, Some(Resource::Server(wanted))) => self.create(wanted).await,
            (Action::Update, Some(Resource::Server(wanted))) => self.update(wanted).await,
            (Action::Delete, _) => self.delete().await,
            _ => Err(unexpected(self.change)),
        }
    }

    async fn create(&self, wanted: &Server) -> Result<Applied, Error> {
        let Self { aws, names, state, change, run, .. } = *self;
        wanted.check_size(&names.stage).map_err(too_large)?;
        // None of these needs what other changes make.
        futures::try_join!(
            log_group::put(aws, names, wanted.log_retention_days),
            cluster::put(aws, names, run, &change.id),
            run.all_usable(change),
        )?;
        let (target, revision) =
            try_join(target::put(aws, names, state, wanted), self.register(wanted)).await?;
        let network = state.network()?;
        let place = Where { network: &network, target: &target };
        let made = service::create(aws, names, wanted, &revision, &place, (run, &change.id)).await?;
        if wanted.tasks.cpu.is_some() {
            scaling::put(aws, names, wanted.tasks).await?;
        }
        self.follow(made, None, &target.arn).await?;
        Ok(Applied::default())
    }

    async fn update(&self, wanted: &Server) -> Result<Applied, Error> {
        let Self { aws, names, state, change, run, .. } = *self;
        wanted.check_size(&names.stage).map_err(too_large)?;
        run.all_usable(change).await?;
        let live = state.known().service.clone();
        let live =
            live.ok_or_else(|| Error::new(Cause::Gone, format!("service {} is gone", names.service())))?;
        let touches = |field: &str| change.touches(field);
        let target = target::put(aws, names, state, wanted).await?;
        if touches("log_retention_days") {
            match change.before {
                Some(Resource::Server(ref before)) if before.log_retention_days != Some(0) => {
                    log_group::retain(aws, names, wanted.log_retention_days).await?;
                }
                _ => log_group::put(aws, names, wanted.log_retention_days).await?,
            }
        }
        if touches("owned") && live.owner != Owner::Us {
            service::tag(aws, names, &live.arn).await?;
        }
        let divides = wanted.throttle.is_some() && touches("tasks.min");
        let is_new = divides || OF_TASKS.into_iter().any(touches);
        let revision = if is_new { Some(self.register(wanted).await?) } else { None };
        let network = state.network()?;
        let place = Where { network: &network, target: &target };
        let update = Update {
            task_definition: revision.as_deref(),
            count: (touches("tasks") && wanted.tasks.cpu.is_none()).then_some(wanted.tasks.min),
            moves: service::moves(&live, wanted, &place),
            capacity: touches("spot"),
            deployment: touches("rolls_back"),
        };
        if touches("tasks") {
            scaling::put(aws, names, wanted.tasks).await?;
        }
        if update.is_empty() {
            return Ok(Applied::default());
        }
        let changed = service::update(aws, names, wanted, &update, &place).await?;
        self.follow(changed, Some(&live.task_definition), &target.arn).await?;
        let warnings = match revision {
            Some(_) => self.forget_old(&live.named).await.err(),
            None => None,
        };
        let warnings = warnings.map(|error| format!("old revisions are left: {error}"));
        Ok(Applied { warnings: warnings.into_iter().collect(), ..Applied::default() })
    }

    /// Registers the revision that `wanted` says.
    async fn register(&self, wanted: &Server) -> Result<String, Error> {
        let Self { aws, names, state, .. } = *self;
        let digests = (self.digests)();
        let keys: BTreeMap<_, _> = wanted
            .keys
            .iter()
            .filter_map(|name| digests.get(name).map(|key| (name.clone(), key.clone())))
            .collect();
        if let Some(missing) = wanted.keys.iter().find(|name| !keys.contains_key(*name)) {
            let message = format!("the value of API key {} cannot be read", names.key(missing));
            return Err(Error::new(Cause::Gone, message).with_help("run the command again"));
        }
        let stage: Secret = wanted.stage_document(&names.stage, keys).to_json().map_err(too_large)?;
        task::register(aws, &place(aws, names, state)?, wanted, &stage).await
    }

    /// Waits until the new tasks serve, unless the run is not to.
    async fn follow(
        &self,
        answer: aws_sdk_ecs::types::Service,
        former: Option<&str>,
        target: &str,
    ) -> Result<(), Error> {
        let Self { aws, names, change, run, .. } = *self;
        if run.packages().leaves_rollouts {
            return Ok(());
        }
        Rollout { aws, names, run, id: &change.id, former, target }.finish(answer).await
    }

    async fn delete(&self) -> Result<Applied, Error> {
        let Self { aws, names, state, change, run, .. } = *self;
        run.all_usable(change).await?;
        scaling::remove(aws, names).await?;
        let has_service = state.known().service.is_some();
        if has_service {
            service::delete(aws, names, run, &change.id).await?;
        }
        let waiting = |what: String| run.waiting(&change.id, what);
        target::delete(aws, names, state, &waiting).await?;
        for revision in self.revisions().await? {
            self.deregister(&revision).await?;
        }
        cluster::delete(aws, names).await?;
        if !run.plan().keeps_logs {
            log_group::delete(aws, names).await?;
        }
        Ok(Applied::default())
    }

    /// Deregisters what is older than the revisions that are kept. None that a deployment names is ever touched.
    async fn forget_old(&self, named: &BTreeSet<String>) -> Result<(), Error> {
        let all = self.revisions().await?;
        let old = all.into_iter().skip(REVISIONS).filter(|revision| !named.contains(revision));
        for revision in old.collect::<Vec<_>>() {
            self.deregister(&revision).await?;
        }
        Ok(())
    }

    /// The ARNs of the stage's revisions, newest first.
    async fn revisions(&self) -> Result<Vec<String>, Error> {
        let (aws, family) = (self.aws, self.names.service());
        let found = pages::all(async |position: Option<String>| {
            let answer = aws
                .call("ecs:ListTaskDefinitions", &family, || {
                    aws.ecs
                        .list_task_definitions()
                        .family_prefix(&family)
                        .status(TaskDefinitionStatus::Active)
                        .sort(SortOrder::Desc)
                        .set_next_token(position.clone())
                        .send()
                })
                .await?;
            Ok((answer.task_definition_arns, answer.next_token))
        })
        .await?;
        let of_family = |arn: &String| {
            let name = arn.rsplit('/').next().and_then(|name| name.rsplit_once(':'));
            name.is_some_and(|(name, _)| name == family)
        };
        Ok(found.into_iter().filter(of_family).collect())
    }

    async fn deregister(&self, revision: &str) -> Result<(), Error> {
        let aws = self.aws;
        aws.call("ecs:DeregisterTaskDefinition", &self.names.service(), || {
            aws.ecs.deregister_task_definition().task_definition(revision).send()
        })
        .await
        .map(drop)
    }
}

fn too_large(error: TooLarge) -> Error {
    Error::new(Cause::Invalid, error.to_string())
}
