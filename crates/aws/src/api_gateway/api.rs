//! Changes of the REST API that the stages of a project share: made, tagged, written over, deleted.

use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::PutMode;
use mdo_engine::{Applied, Error, Run};
use mdo_model::project::Names;
use mdo_model::stack::{Action, Change, Definition, Kind, Resource, ResourceId};

use super::observe::{all_of_ours, stage_names};
use super::{ApiGatewayState, adoption, found, integrations, retag, tag_resource, unexpected, when_settled};
use crate::api_gateway::definition::body;
use crate::client::Aws;
use crate::ownership::tag_map;

pub(super) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    run.all_usable(change).await?;
    match (change.action, &change.after) {
        (Action::Delete, _) => delete(aws, names, state).await,
        (Action::Create, Some(Resource::Api(_))) => {
            create(aws, names, state, &definition_to_be(run, names)).await?;
            run.announce(&change.id);
            ensure_tag(aws, names, state).await?;
            Ok(Applied::default())
        }
        (Action::Update, Some(Resource::Api(wanted))) => {
            ensure_tag(aws, names, state).await?;
            if let Some(Resource::Api(before)) = &change.before {
                let path = format!("/restapis/{}", state.require_api(names)?);
                // One that is tagged for the first time has got them all.
                let live = if before.owned { &before.tags } else { &wanted.tags };
                retag(aws, &path, live, &wanted.tags).await?;
            }
            Ok(Applied::default())
        }
        _ => Err(unexpected(change)),
    }
}

/// What the stage of this run will serve, so that the API is made with it and need not be written over.
fn definition_to_be(run: &Run<'_>, names: &Names) -> Definition {
    let stage = run.plan().change(&ResourceId::new(Kind::Stage, &names.stage));
    match stage.and_then(|change| change.after.as_ref()) {
        Some(Resource::Stage(stage)) => stage.definition.clone(),
        _ => Definition::default(),
    }
}

/// Tags an API that is ours but does not say so yet. Of several that ask at the same time, one does it and the others
/// wait for what comes of it.
pub(super) async fn ensure_tag(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<(), Error> {
    let _turn = state.tagging.lock().await;
    let (untagged, is_misnamed) = {
        let known = state.known();
        (known.api.clone().filter(|_| !known.is_tagged), known.is_misnamed)
    };
    if let Some(id) = untagged {
        // The name first: under our tag alone nothing would find it again.
        if is_misnamed {
            adoption::rename(aws, names, &id).await?;
            state.known().is_misnamed = false;
        }
        tag_resource(aws, &format!("/restapis/{id}"), tag_map(names, &state.tags)).await?;
        state.known().is_tagged = true;
    }
    Ok(())
}

fn document(aws: &Aws, names: &Names, definition: &Definition) -> Result<Blob, Error> {
    Ok(Blob::new(body(definition, &integrations(aws, names)?).to_string()))
}

async fn create(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    definition: &Definition,
) -> Result<(), Error> {
    let document = document(aws, names, definition)?;
    let answer = aws
        .call("apigateway:ImportRestApi", &names.api(), || {
            aws.apigateway
                .import_rest_api()
                .parameters("endpointConfigurationTypes", "REGIONAL")
                .body(document.clone())
                .send()
        })
        .await?;
    let mut known = state.known();
    known.api = answer.id;
    known.is_tagged = false;
    known.is_new = true;
    Ok(())
}

/// Writes an API's working definition over.
pub(super) async fn overwrite(
    aws: &Aws,
    names: &Names,
    id: &str,
    definition: &Definition,
) -> Result<(), Error> {
    let (document, name) = (document(aws, names, definition)?, names.api());
    when_settled(aws, || {
        aws.call("apigateway:PutRestApi", &name, || {
            let request = aws.apigateway.put_rest_api().rest_api_id(id).mode(PutMode::Overwrite);
            request.body(document.clone()).send()
        })
    })
    .await
    .map(drop)
}

/// Deletes every API that is ours and that no other stage is on: who has deployed one since the plan was made keeps it.
async fn delete(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<Applied, Error> {
    let mut ids = all_of_ours(aws, names).await?;
    ids.extend(state.api_id().filter(|id| !ids.contains(id)));
    let mut warnings = Vec::new();
    for id in ids {
        let stages = stage_names(aws, names, &id).await?;
        let others: Vec<_> = stages.iter().filter(|stage| *stage != names.stage.as_str()).cloned().collect();
        if others.is_empty() {
            delete_one(aws, names, &id).await?;
        } else {
            warnings.push(format!("kept API {id}, which serves {}", others.join(", ")));
        }
    }
    if warnings.is_empty() {
        state.known().api = None;
    }
    Ok(Applied { warnings, ..Applied::default() })
}

/// Deletes an API. One that is not there is no error.
pub(super) async fn delete_one(aws: &Aws, names: &Names, id: &str) -> Result<(), Error> {
    let name = names.api();
    let deleted = when_settled(aws, || {
        aws.call("apigateway:DeleteRestApi", &name, || {
            aws.apigateway.delete_rest_api().rest_api_id(id).send()
        })
    });
    found(deleted.await).map(drop)
}
