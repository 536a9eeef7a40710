//! What answers a hosted stage: its service with everything that it needs, read into the model and changed as a whole.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::TaskDefinition;
use futures::future::try_join;
use mdo_engine::{Applied, Cause, Error, LiveServer, Run, Scope};
use mdo_model::hosted::{FrozenKey, TooLarge};
use mdo_model::project::{KeyName, Names, Secret, Tags, TaskSize, Tasks};
use mdo_model::stack::{Action, Change, Definition, HostedFunction, Resource, Server};

use super::marks::{self, Mark};
use super::rollout::Rollout;
use super::service::{LiveService, Update, Where};
use super::settling::once_settled;
use super::task::{self, LiveTask};
use super::{HostedState, cluster, log_group, push, revisions, scaling, service, tagging, target};
use crate::client::{Aws, domain};
use crate::logs::group;
use crate::ownership::Owner;
use crate::{unexpected, written};

/// A server as AWS tells it.
pub(super) struct ServerFound {
    service: Option<LiveService>,
    task: Option<TaskDefinition>,
    scaling: Option<Tasks>,
    /// How long logs are kept, if there is a log group.
    retention: Option<Option<u16>>,
}

impl ServerFound {
    /// What people want to know of the service.
    pub(super) fn live(&self) -> Option<LiveServer> {
        let service = self.service.as_ref()?;
        Some(LiveServer {
            revision: revisions::number(&service.task_definition),
            wanted: service.desired.into(),
            running: service.running,
            rolling: service.named.len() > 1 || service.rolling,
            rolled_back_from: service.mark.map(|mark| mark.from),
        })
    }
}

/// Looks for the stage's service and what hangs on it, in two rounds of calls.
pub(super) async fn observe(aws: &Aws, names: &Names, scope: &Scope) -> Result<ServerFound, Error> {
    let service = async {
        let Some(mut service) = service::observe(aws, names, scope).await? else { return Ok((None, None)) };
        let (task, mark) = task::describe(aws, names, &service.task_definition).await?.unzip();
        // Where the service was pointed at an older revision, what that revision says of itself is over.
        service.mark = service.mark.or(mark.flatten());
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
    let frozen = task.as_ref().map_or_else(remains, |task| frozen(task, names, digests));
    frozen.functions.values().for_each(|function| aws.redactor.learn_environment(&function.environment));
    let groups: BTreeSet<String> =
        service.groups.iter().filter(|group| Some(*group) != own_group.as_ref()).cloned().collect();
    let is_in_group = groups.len() < service.groups.len();
    let is_default =
        !state.names_subnets() && network.as_ref().is_some_and(|network| network.subnets == service.subnets);
    let is_placed = network.is_none_or(|network| network.is_public == service.is_public);
    let fixed = Tasks { min: service.desired, max: service.desired, cpu: None };
    let is_whole = task.is_some_and(|task| task.is_whole);
    Ok(Some(Server {
        image: if is_whole { frozen.image } else { Server::EDITED.to_owned() },
        tasks: scaling.unwrap_or(fixed),
        security_groups: groups,
        subnets: (!is_default).then_some(service.subnets),
        health: way.health,
        drain: way.drain,
        spot: service.spot,
        // Without a log group no task starts.
        log_retention_days: retention.unwrap_or(Some(0)),
        rolls_back: service.rolls_back,
        reachable: way.is_whole && is_in_group && is_placed && service.target == way.arn,
        owned: way.owned && service.owner == Owner::Us,
        tags: Tags::together([service.tags, way.tags]),
        ..frozen
    }))
}

/// What a task definition says of a server; of the rest, nothing.
pub(super) fn frozen(task: &LiveTask, names: &Names, digests: &BTreeMap<KeyName, FrozenKey>) -> Server {
    let stage = task.stage.clone().filter(|stage| stage.stage == names.stage);
    let (environment, throttle, held) =
        stage.map(|stage| (stage.environment, stage.throttle, stage.keys)).unwrap_or_default();
    let functions = environment.into_iter().map(|(name, environment)| (name, HostedFunction { environment }));
    // A key whose value is another one by now does not open the stage.
    let held = held.into_iter().filter(|(name, held)| digests.get(name).is_none_or(|live| live == held));
    Server {
        image: task.image.clone(),
        size: task.size,
        architecture: task.architecture,
        functions: functions.collect(),
        keys: held.map(|(name, _)| name).collect(),
        throttle,
        definition: task.definition.clone(),
        stop_timeout: task.stop_timeout,
        task_role: task.task_role.clone(),
        secrets: task.secrets.clone(),
        ..remains()
    }
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
        tags: Tags::default(),
    }
}

pub(super) fn place<'a>(
    aws: &'a Aws,
    names: &'a Names,
    state: &HostedState,
) -> Result<task::Place<'a>, Error> {
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
        let writes = written::both(
            log_group::put(aws, names, wanted.log_retention_days, &wanted.tags),
            cluster::put(aws, names, &state.tags, (run, &change.id)),
        );
        written::beside(writes, try_join(self.push(), run.all_usable(change))).await?;
        let (target, revision) =
            written::both(target::put(aws, names, state, wanted), self.register(wanted, None)).await?;
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
        try_join(self.push(), run.all_usable(change)).await?;
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
                _ => log_group::put(aws, names, wanted.log_retention_days, &wanted.tags).await?,
            }
        }
        if touches("owned") && live.owner != Owner::Us {
            service::tag(aws, names, &live.arn).await?;
        }
        if let Some(Resource::Server(before)) = change.before.as_ref().filter(|_| touches("tags")) {
            let tags = (&before.tags, &wanted.tags);
            target::retag(aws, names, state, &target, tags).await?;
            tagging::of_service(aws, names, &live.arn, tags).await?;
            tagging::of_service(aws, names, &live.task_definition, tags).await?;
            group::retag(aws, &names.server_log_group(), tags.0, tags.1).await?;
        }
        let divides = wanted.throttle.is_some() && touches("tasks.min");
        let is_same = matches!(&change.before, Some(Resource::Server(before))
            if before.freezes_as(wanted) && before.keys == wanted.keys);
        let is_new = divides || !is_same;
        let mark = self.mark(&live, wanted);
        let revision = if is_new { Some(self.register(wanted, mark).await?) } else { None };
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
        let unmarked = match &revision {
            Some(revision) => marks::put(aws, names, &live, (mark, revision)).await.err(),
            None => None,
        };
        self.follow(changed, Some(&live.task_definition), &target.arn).await?;
        let warnings = match revision {
            Some(_) => revisions::forget_old(aws, names, &live.named).await.err(),
            None => None,
        };
        let left = warnings.map(|error| format!("old revisions are left: {error}"));
        let unmarked =
            unmarked.map(|error| format!("the next deploy does not ask before it undoes this: {error}"));
        Ok(Applied { warnings: left.into_iter().chain(unmarked).collect(), ..Applied::default() })
    }

    /// Brings the image that the change is about to where tasks pull it from.
    async fn push(&self) -> Result<(), Error> {
        let Self { aws, names, state, change, run, .. } = *self;
        match &run.packages().image {
            Some(image) if brings_image(change) => {
                push::push(aws, names, state, run, &change.id, image).await
            }
            _ => Ok(()),
        }
    }

    /// What the stage bears of a rollback after this change: of this one, or of a former one whose keys or tasks this change is about.
    fn mark(&self, live: &LiveService, wanted: &Server) -> Option<Mark> {
        let known = self.state.known();
        if let Some(to) = known.revision.as_ref().and_then(|revision| revision.stands_for(wanted)) {
            return Mark::of_going(live, to);
        }
        match &self.change.before {
            Some(Resource::Server(before)) if before.freezes_as(wanted) => live.mark,
            _ => None,
        }
    }

    /// The revision that `wanted` says: one that is known, or else a new one with this mark.
    async fn register(&self, wanted: &Server, mark: Option<Mark>) -> Result<String, Error> {
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
        let document = wanted.stage_document(&names.stage, keys);
        let known =
            state.known().revision.as_ref().and_then(|one| one.serves(wanted, &document).map(str::to_owned));
        if let Some(arn) = known {
            return Ok(arn);
        }
        let stage: Secret = document.to_json().map_err(too_large)?;
        let place = place(aws, names, state)?;
        let waiting = |what: String| self.run.waiting(&self.change.id, what);
        once_settled(aws, &waiting, "for ECS", || task::register(aws, &place, wanted, (&stage, mark))).await
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
        revisions::forget_all(aws, names).await?;
        cluster::delete(aws, names, &waiting).await?;
        let warnings = match run.plan().keeps_logs {
            true => Vec::new(),
            false => log_group::delete(aws, names).await?,
        };
        Ok(Applied { warnings, ..Applied::default() })
    }
}

/// Whether a change of a server is one to another image.
pub(super) fn brings_image(change: &Change) -> bool {
    change.after.is_some() && (change.before.is_none() || change.touches("image"))
}

fn too_large(error: TooLarge) -> Error {
    Error::new(Cause::Invalid, error.to_string())
}
