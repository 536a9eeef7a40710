//! The cluster that the project's hosted stages share. It costs nothing and holds nothing but their services.

use aws_sdk_ecs::types::{ClusterField, Tag};
use mdo_engine::{Cause, Error, Run, Scope};
use mdo_model::project::{Names, Tags};
use mdo_model::stack::ResourceId;

use super::cloud_tags;
use super::settling::once_settled;
use crate::client::Aws;
use crate::ownership::{self, Owner, tag_map};

/// What tasks run on.
pub(crate) const ON_DEMAND: &str = "FARGATE";

/// What tasks run on that AWS may take away.
pub(crate) const SPOT: &str = "FARGATE_SPOT";

/// Refuses to go into somebody else's cluster.
pub(super) async fn check(aws: &Aws, names: &Names, scope: &Scope) -> Result<(), Error> {
    let Some(cluster) = find(aws, names).await? else { return Ok(()) };
    let checked = cluster.owner.check("cluster", &names.cluster(), scope.adopt).map(|()| Some(()));
    ownership::found(checked, scope).map(drop)
}

/// A cluster as far as mdo has to know it.
struct LiveCluster {
    owner: Owner,
    /// How many services there are in it.
    services: i32,
}

/// The project's cluster, if it is there.
async fn find(aws: &Aws, names: &Names) -> Result<Option<LiveCluster>, Error> {
    let name = names.cluster();
    let answer = aws
        .call("ecs:DescribeClusters", &name, || {
            aws.ecs.describe_clusters().clusters(&name).include(ClusterField::Tags).send()
        })
        .await?;
    let active = answer.clusters().iter().find(|cluster| cluster.status() == Some("ACTIVE"));
    Ok(active.map(|cluster| LiveCluster {
        owner: owner(cluster.tags(), names),
        services: cluster.active_services_count(),
    }))
}

/// Whose something of ECS with these tags is.
pub(super) fn owner(tags: &[Tag], names: &Names) -> Owner {
    let tags = tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
    ownership::of(tags, &names.project)
}

/// Creates the project's cluster. One that is there is as good.
pub(super) async fn put(
    aws: &Aws,
    names: &Names,
    own: &Tags,
    (run, id): (&Run<'_>, &ResourceId),
) -> Result<(), Error> {
    let name = names.cluster();
    let tags = cloud_tags(tag_map(names, own));
    let waiting = |what: String| run.waiting(id, what);
    once_settled(aws, &waiting, "for ECS to be done with the former cluster", || {
        aws.call("ecs:CreateCluster", &name, || {
            aws.ecs
                .create_cluster()
                .cluster_name(&name)
                .capacity_providers(ON_DEMAND)
                .capacity_providers(SPOT)
                .set_tags(Some(tags.clone()))
                .send()
        })
    })
    .await
    .map(drop)
}

/// Deletes the project's cluster once its last tasks are gone, if no service is in it, and it is ours.
pub(super) async fn delete(
    aws: &Aws,
    names: &Names,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<(), Error> {
    let name = names.cluster();
    let deleted = once_settled(aws, waiting, "for the last tasks in the cluster to end", || async {
        match find(aws, names).await? {
            // Another stage may have come into it meanwhile.
            Some(cluster) if cluster.owner == Owner::Us && cluster.services == 0 => aws
                .call("ecs:DeleteCluster", &name, || aws.ecs.delete_cluster().cluster(&name).send())
                .await
                .map(drop),
            _ => Ok(()),
        }
    });
    match deleted.await {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
