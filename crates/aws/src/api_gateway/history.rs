//! The deployments of the API: which there are, and which stage serves which.

use std::cmp::Reverse;

use aws_sdk_apigateway::types::{Deployment, Stage};
use aws_smithy_types::date_time::Format;
use mdo_engine::{ApiDeployment, Error};
use mdo_model::project::Names;

use super::stage::{deployments, of_comment};
use super::{ApiGatewayState, found};
use crate::client::Aws;

/// The deployments of the project's API, newest first. The stack has been observed before; none where there is no API.
pub(crate) async fn history(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
) -> Result<Vec<ApiDeployment>, Error> {
    let Some(id) = state.api_id() else { return Ok(Vec::new()) };
    let api = names.api();
    let stages = async {
        let answer =
            aws.call("apigateway:GetStages", &api, || aws.apigateway.get_stages().rest_api_id(&id).send());
        Ok(found(answer.await)?.map(|answer| answer.item().to_vec()).unwrap_or_default())
    };
    let all = async { Ok::<_, Error>(found(deployments(aws, names, &id).await)?.unwrap_or_default()) };
    let (mut all, stages): (Vec<Deployment>, Vec<Stage>) = futures::try_join!(all, stages)?;
    all.sort_by_key(|deployment| Reverse(deployment.created_date().map(|date| date.as_nanos())));
    Ok(all.iter().filter_map(|deployment| told(deployment, &stages)).collect())
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
