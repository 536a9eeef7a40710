//! What AWS knows of why the tasks of a deployment do not serve: how they ended, what the load balancer got from them, the end of
//! their log, and what ECS says. What cannot be read is left out, for it is not what failed.

use aws_sdk_ecs::types::{DesiredStatus, Service, Task};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use mdo_engine::Error;
use mdo_model::project::Names;

use super::log_group;
use super::task::{CONTAINER, STREAM_PREFIX};
use crate::client::Aws;

/// How many of ECS's own words are told.
const EVENTS: usize = 3;

/// The lines that tell why the deployment `own` failed.
pub(super) async fn gather(
    aws: &Aws,
    names: &Names,
    service: Option<&Service>,
    own: &str,
    target: &str,
) -> Vec<String> {
    let (task, health) =
        futures::future::join(last_stopped(aws, names, own), health(aws, names, target)).await;
    let task = task.ok().flatten();
    let mut lines: Vec<String> = task.iter().flat_map(ended).collect();
    lines.extend(health.unwrap_or_default());
    let stream = task.as_ref().and_then(id).map(|id| format!("{STREAM_PREFIX}/{CONTAINER}/{id}"));
    if let Some(stream) = stream {
        let log = log_group::tail(aws, names, &stream).await.unwrap_or_default();
        lines.extend(log.into_iter().map(|line| format!("log: {line}")));
    }
    let events = service.map(Service::events).unwrap_or_default().iter().take(EVENTS);
    lines.extend(events.filter_map(|event| event.message()).map(|message| format!("event: {message}")));
    lines
}

/// The task of the deployment that was stopped last.
async fn last_stopped(aws: &Aws, names: &Names, own: &str) -> Result<Option<Task>, Error> {
    let (cluster, name) = (names.cluster(), names.service());
    let listed = aws
        .call("ecs:ListTasks", &name, || {
            let request = aws.ecs.list_tasks().cluster(&cluster).service_name(&name);
            request.desired_status(DesiredStatus::Stopped).send()
        })
        .await?;
    let arns = listed.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return Ok(None);
    }
    let described = aws
        .call("ecs:DescribeTasks", &name, || {
            aws.ecs.describe_tasks().cluster(&cluster).set_tasks(Some(arns.clone())).send()
        })
        .await?;
    let of_it = described.tasks.unwrap_or_default().into_iter().filter(|task| task.started_by() == Some(own));
    Ok(of_it.max_by_key(|task| task.stopped_at().map(aws_smithy_types::DateTime::secs)))
}

/// How a task ended.
fn ended(task: &Task) -> Vec<String> {
    let name = id(task).unwrap_or("?");
    let container = task.containers().iter().find(|container| container.name() == Some(CONTAINER));
    let code = container.and_then(|container| container.exit_code());
    let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let reason = task.stopped_reason().unwrap_or("for no reason that ECS gives");
    let mut lines = vec![format!("task {name} stopped: {reason}{code}")];
    let why = container.and_then(|container| container.reason()).filter(|why| !why.is_empty());
    lines.extend(why.map(|why| format!("container: {why}")));
    lines
}

fn id(task: &Task) -> Option<&str> {
    task.task_arn()?.rsplit('/').next()
}

/// What the load balancer has against the tasks.
async fn health(aws: &Aws, names: &Names, target: &str) -> Result<Vec<String>, Error> {
    let name = names.target_group();
    let answer = aws
        .call("elasticloadbalancing:DescribeTargetHealth", &name, || {
            aws.elb.describe_target_health().target_group_arn(target).send()
        })
        .await?;
    let unwell = answer.target_health_descriptions().iter().filter_map(|found| {
        let health = found.target_health()?;
        let is_unwell = matches!(health.state(), Some(TargetHealthStateEnum::Unhealthy));
        let address = found.target()?.id().unwrap_or("?");
        let reason = health.reason().map(|reason| reason.as_str()).unwrap_or("unhealthy");
        let words = health.description().map(|words| format!(", {words}")).unwrap_or_default();
        is_unwell.then(|| format!("target {address}: {reason}{words}"))
    });
    Ok(unwell.collect())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::Container;

    use super::*;

    #[test]
    fn how_a_task_ended_is_told_with_its_exit_code_and_the_containers_reason() {
        let container =
            Container::builder().name("Main").exit_code(2).reason("CannotPullContainerError").build();
        let task = Task::builder()
            .task_arn("arn:aws:ecs:eu-west-1:123456789012:task/ml_api/0a1b")
            .stopped_reason("Essential container in task exited")
            .containers(container)
            .build();
        assert_eq!(
            ended(&task),
            [
                "task 0a1b stopped: Essential container in task exited (exit code 2)",
                "container: CannotPullContainerError"
            ]
        );
    }
}
