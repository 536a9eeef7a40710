//! The deployments of the API: which there are, and which stage serves which.

use std::cmp::Reverse;

use aws_sdk_apigateway::types::{Deployment, Stage};
use aws_smithy_types::date_time::Format;
use mdo_engine::{ApiDeployment, Applied, Error};
use mdo_model::project::Names;
use mdo_model::stack::{Change, DeploymentId};

use super::observe::all_of_ours;
use super::stage::{deployments, of_comment};
use super::{ApiGatewayState, found, unexpected, when_settled};
use crate::client::Aws;

/// The deployments of the project's API, newest first. The stack has been observed before; none where there is no API.
pub(crate) async fn history(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
) -> Result<Vec<ApiDeployment>, Error> {
    match state.api_id() {
        Some(id) => of_api(aws, names, &id).await,
        None => Ok(Vec::new()),
    }
}

/// The deployments of every API that is ours, newest first. Nothing has to be observed before.
pub(crate) async fn all(aws: &Aws, names: &Names) -> Result<Vec<(DeploymentId, ApiDeployment)>, Error> {
    let mut all = Vec::new();
    for api in all_of_ours(aws, names).await? {
        let deployments = of_api(aws, names, &api).await?.into_iter();
        all.extend(
            deployments
                .map(|deployment| (DeploymentId { api: api.clone(), id: deployment.id.clone() }, deployment)),
        );
    }
    Ok(all)
}

/// Removes a deployment. API Gateway keeps one that a stage has come to serve meanwhile.
pub(crate) async fn delete(aws: &Aws, change: &Change) -> Result<Applied, Error> {
    let (api, id) = change.id.name.split_once('/').ok_or_else(|| unexpected(change))?;
    let answer = when_settled(aws, || {
        aws.call("apigateway:DeleteDeployment", id, || {
            aws.apigateway.delete_deployment().rest_api_id(api).deployment_id(id).send()
        })
    });
    found(answer.await)?;
    Ok(Applied::default())
}

async fn of_api(aws: &Aws, names: &Names, id: &str) -> Result<Vec<ApiDeployment>, Error> {
    let api = names.api();
    let stages = async {
        let answer =
            aws.call("apigateway:GetStages", &api, || aws.apigateway.get_stages().rest_api_id(id).send());
        Ok(found(answer.await)?.map(|answer| answer.item().to_vec()).unwrap_or_default())
    };
    let all = async { Ok::<_, Error>(found(deployments(aws, names, id).await)?.unwrap_or_default()) };
    let (mut all, stages): (Vec<Deployment>, Vec<Stage>) = futures::try_join!(all, stages)?;
    // The service dates to the second: of several in one second, the one that a stage serves is the newest.
    all.sort_by_key(|deployment| {
        let created = deployment.created_date().map(|date| date.as_nanos());
        Reverse((created, is_served(deployment, &stages)))
    });
    Ok(all.iter().filter_map(|deployment| told(deployment, &stages)).collect())
}

fn is_served(deployment: &Deployment, stages: &[Stage]) -> bool {
    stages.iter().any(|stage| stage.deployment_id() == deployment.id())
}

fn told(deployment: &Deployment, stages: &[Stage]) -> Option<ApiDeployment> {
    let id = deployment.id()?;
    let (stage, digest) = deployment.description().and_then(of_comment).unzip();
    let serving = stages.iter().filter(|stage| stage.deployment_id() == Some(id));
    Some(ApiDeployment {
        id: id.to_owned(),
        created: deployment.created_date().and_then(|date| date.fmt(Format::DateTime).ok()),
        stage,
        digest,
        serving: serving.filter_map(|stage| stage.stage_name().map(str::to_owned)).collect(),
    })
}
