//! The task definition of a hosted stage: what Fargate starts, written and read back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, KeyValuePair, LinuxParameters, LogConfiguration,
    LogDriver, MountPoint, NetworkMode, OsFamily, PortMapping, RuntimePlatform, Secret as InjectedSecret,
    TaskDefinition, TaskDefinitionField, TransportProtocol, Volume,
};
use aws_smithy_types::error::operation::BuildError;
use mdo_engine::{Cause, Error};
use mdo_model::hosted::{FrozenStage, HEALTH_PATH, STAGE_VARIABLE, TEMPORARY_FOLDER};
use mdo_model::project::{Architecture, Names, Secret, TaskSize};
use mdo_model::stack::{Definition, Server};

use super::marks::Mark;
use super::target::PORT;
use super::{cloud_tags, stage_tags};
use crate::api_gateway::definition::record;
use crate::client::Aws;

/// The name of the only container.
pub(crate) const CONTAINER: &str = "Main";

/// What the names of its log streams begin with.
pub(super) const STREAM_PREFIX: &str = "task";

/// What the labels of a container that record its definition begin with.
const LABEL: &str = "mdo.";

/// The user that mdo's own images run as.
pub(crate) const USER: &str = "65532:65532";

/// How much of its log a container keeps while it cannot be sent, rather than waiting.
const LOG_BUFFER: &str = "4m";

/// Where the images and the roles of a stage's tasks are.
pub(super) struct Place<'a> {
    pub region: &'a str,
    pub names: &'a Names,
    /// The repository, without tag or digest.
    pub repository: String,
    /// The ARN of the server role.
    pub role: String,
}

impl Place<'_> {
    /// The reference of an image: a digest is one of the project's repository.
    fn reference(&self, image: &str) -> String {
        if image.contains('@') { image.to_owned() } else { format!("{}@{image}", self.repository) }
    }

    /// The image of a reference.
    fn image(&self, reference: &str) -> String {
        let own = reference.strip_prefix(&self.repository).and_then(|rest| rest.strip_prefix('@'));
        own.unwrap_or(reference).to_owned()
    }

    fn log_options(&self) -> HashMap<String, String> {
        let options = log_options(self.names.server_log_group(), self.region.to_owned());
        options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// How a container sends what it logs, without ever waiting for that, to a group of a region.
pub(crate) fn log_options<T: From<&'static str>>(group: T, region: T) -> [(&'static str, T); 5] {
    [
        ("awslogs-group", group),
        ("awslogs-region", region),
        ("awslogs-stream-prefix", STREAM_PREFIX.into()),
        ("mode", "non-blocking".into()),
        ("max-buffer-size", LOG_BUFFER.into()),
    ]
}

/// A task definition in the model's terms.
pub(super) struct LiveTask {
    pub image: String,
    pub size: TaskSize,
    pub architecture: Architecture,
    pub definition: Definition,
    /// What the stage adds to its image; `None` where that cannot be read.
    pub stage: Option<FrozenStage>,
    pub stop_timeout: u16,
    pub task_role: Option<String>,
    pub secrets: BTreeMap<String, String>,
    /// Whether everything else of it is as mdo writes it.
    pub is_whole: bool,
}

impl LiveTask {
    /// Whether it is exactly what would be registered for `wanted`, which adds `stage` to its image.
    pub(super) fn is(&self, wanted: &Server, stage: &FrozenStage) -> bool {
        self.is_whole
            && self.image == wanted.image
            && self.size == wanted.size
            && self.architecture == wanted.architecture
            && self.definition == wanted.definition
            && self.stage.as_ref() == Some(stage)
            && self.stop_timeout == wanted.stop_timeout
            && self.task_role == wanted.task_role
            && self.secrets == wanted.secrets
    }
}

/// Registers what the stage's tasks are to be, and answers the ARN of the revision.
pub(super) async fn register(
    aws: &Aws,
    place: &Place<'_>,
    wanted: &Server,
    (stage, mark): (&Secret, Option<Mark>),
) -> Result<String, Error> {
    let family = place.names.service();
    let container = container(place, wanted, stage).map_err(unfinished)?;
    let answer = aws
        .call("ecs:RegisterTaskDefinition", &family, || {
            request(aws, place, wanted, container.clone(), mark).send()
        })
        .await?;
    let arn = answer.task_definition.and_then(|definition| definition.task_definition_arn);
    arn.ok_or_else(|| Error::new(Cause::Other, format!("AWS does not name the new revision of {family}")))
}

fn request(
    aws: &Aws,
    place: &Place<'_>,
    wanted: &Server,
    container: ContainerDefinition,
    mark: Option<Mark>,
) -> RegisterTaskDefinitionFluentBuilder {
    let architecture = match wanted.architecture {
        Architecture::X86_64 => CpuArchitecture::X8664,
        Architecture::Arm64 => CpuArchitecture::Arm64,
    };
    let platform = RuntimePlatform::builder()
        .cpu_architecture(architecture)
        .operating_system_family(OsFamily::Linux)
        .build();
    let mut tags = stage_tags(place.names, &wanted.tags);
    tags.extend(mark.into_iter().flat_map(Mark::tags));
    let volume = is_ours(wanted).then(|| vec![Volume::builder().name("tmp").build()]);
    aws.ecs
        .register_task_definition()
        .family(place.names.service())
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu(wanted.size.cpu.to_string())
        .memory(wanted.size.memory.to_string())
        .runtime_platform(platform)
        .execution_role_arn(&place.role)
        .set_task_role_arn(wanted.task_role.clone())
        .container_definitions(container)
        .set_volumes(volume)
        .set_tags(Some(cloud_tags(tags)))
}

/// Whether the image is of mdo's making, so that it is known how little it needs.
pub(crate) fn is_ours(wanted: &Server) -> bool {
    wanted.health == HEALTH_PATH
}

fn container(place: &Place<'_>, wanted: &Server, stage: &Secret) -> Result<ContainerDefinition, BuildError> {
    let variable = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
    let injected =
        |(name, arn): (&String, &String)| InjectedSecret::builder().name(name).value_from(arn).build();
    let secrets: Vec<InjectedSecret> = wanted.secrets.iter().map(injected).collect::<Result<_, _>>()?;
    let labels = record::variables(&wanted.definition);
    let labels = labels.into_iter().map(|(key, value)| (format!("{LABEL}{key}"), value));
    let logs = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .set_options(Some(place.log_options()))
        .build()?;
    let port = PortMapping::builder()
        .name("http")
        .container_port(PORT.into())
        .protocol(TransportProtocol::Tcp)
        .build();
    let builder = ContainerDefinition::builder()
        .name(CONTAINER)
        .image(place.reference(&wanted.image))
        .essential(true)
        .port_mappings(port)
        .environment(variable("PORT", &PORT.to_string()))
        .environment(variable(STAGE_VARIABLE, stage.reveal()))
        .set_secrets(Some(secrets).filter(|secrets| !secrets.is_empty()))
        .set_docker_labels(Some(labels.collect()))
        .linux_parameters(LinuxParameters::builder().init_process_enabled(true).build())
        .stop_timeout(wanted.stop_timeout.into())
        .log_configuration(logs);
    // A volume of the task's own, with the mode that the image's folder has: a tmpfs would take of the task's memory.
    let temporary = MountPoint::builder().source_volume("tmp").container_path(TEMPORARY_FOLDER).build();
    let builder = match is_ours(wanted) {
        true => builder.user(USER).readonly_root_filesystem(true).mount_points(temporary),
        false => builder,
    };
    Ok(builder.build())
}

fn unfinished(error: BuildError) -> Error {
    Error::new(Cause::Other, format!("the task definition is not whole: {error}"))
}

/// The task definition that a service names.
pub(super) async fn observe(aws: &Aws, names: &Names, arn: &str) -> Result<Option<TaskDefinition>, Error> {
    Ok(describe(aws, names, arn).await?.map(|(found, _)| found))
}

/// The task definition that a service names, and where a rollback has led that registered it.
pub(super) async fn describe(
    aws: &Aws,
    names: &Names,
    arn: &str,
) -> Result<Option<(TaskDefinition, Option<Mark>)>, Error> {
    let answer = aws
        .call("ecs:DescribeTaskDefinition", &names.service(), || {
            aws.ecs.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags).send()
        })
        .await;
    match answer {
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        answer => {
            let answer = answer?;
            let mark = Mark::of_revision(answer.tags());
            Ok(answer.task_definition.map(|found| (found, mark)))
        }
    }
}

/// Of several containers, the one that mdo would write.
fn container_of(found: &TaskDefinition) -> Option<&ContainerDefinition> {
    let containers = found.container_definitions();
    containers.iter().find(|one| one.name() == Some(CONTAINER)).or(containers.first())
}

/// The reference of the image that a task definition names.
pub(super) fn image_of(found: &TaskDefinition) -> Option<&str> {
    container_of(found)?.image()
}

/// A task definition in the model's terms.
pub(super) fn read(place: &Place<'_>, found: &TaskDefinition) -> Option<LiveTask> {
    let containers = found.container_definitions();
    let container = container_of(found)?;
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
    let environment: BTreeMap<&str, &str> = container
        .environment()
        .iter()
        .filter_map(|pair| Some((pair.name()?, pair.value().unwrap_or_default())))
        .collect();
    let labels: BTreeMap<String, String> = container
        .docker_labels()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.strip_prefix(LABEL)?.to_owned(), value.clone())))
        .collect();
    let platform = found.runtime_platform().and_then(|platform| platform.cpu_architecture());
    let is_arm = platform == Some(&CpuArchitecture::Arm64);
    let secrets = container.secrets().iter();
    Some(LiveTask {
        image: place.image(container.image().unwrap_or_default()),
        size: TaskSize { cpu: number(found.cpu()), memory: number(found.memory()) },
        architecture: if is_arm { Architecture::Arm64 } else { Architecture::X86_64 },
        definition: record::read(&labels).map(|(definition, _)| definition).unwrap_or_default(),
        stage: environment.get(STAGE_VARIABLE).and_then(|text| FrozenStage::read(text).ok()),
        stop_timeout: container.stop_timeout().and_then(|s| u16::try_from(s).ok()).unwrap_or_default(),
        task_role: found.task_role_arn().filter(|arn| !arn.is_empty()).map(str::to_owned),
        secrets: secrets.map(|one| (one.name().to_owned(), one.value_from().to_owned())).collect(),
        is_whole: containers.len() == 1 && is_whole(place, found, container, &environment),
    })
}

/// Whether what no field of the model tells is as mdo writes it.
fn is_whole(
    place: &Place<'_>,
    found: &TaskDefinition,
    container: &ContainerDefinition,
    environment: &BTreeMap<&str, &str>,
) -> bool {
    let ports: Vec<_> = container.port_mappings().iter().map(PortMapping::container_port).collect();
    let logs = container.log_configuration();
    let logs_here = logs.is_some_and(|logs| {
        *logs.log_driver() == LogDriver::Awslogs && logs.options() == Some(&place.log_options())
    });
    let is_guarded = (container.user(), container.readonly_root_filesystem().unwrap_or_default());
    container.name() == Some(CONTAINER)
        && found.execution_role_arn() == Some(&place.role)
        && environment.keys().copied().collect::<BTreeSet<_>>() == BTreeSet::from(["PORT", STAGE_VARIABLE])
        && ports == [Some(i32::from(PORT))]
        && logs_here
        && (is_guarded == (Some(USER), true) || is_guarded == (None, false))
        && container.command().is_empty()
        && container.entry_point().is_empty()
}
