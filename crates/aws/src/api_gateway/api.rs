//! Changes of the REST API itself: one document defines all of it.

use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::PutMode;
use mdo_engine::{Applied, Error, Run};
use mdo_model::project::Names;
use mdo_model::stack::{Action, Api, Change, Resource};

use super::observe::all_of_ours;
use super::{ApiGatewayState, found, integrations, tag_resource, unexpected, when_settled};
use crate::api_gateway::definition::body;
use crate::client::Aws;
use crate::ownership::tag_map;

pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    match (change.action, &change.after) {
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            delete(aws, names, state).await?;
        }
        (Action::Create, Some(Resource::Api(api))) => {
            run.all_usable(change).await?;
            create(aws, names, state, api).await?;
            run.announce(&change.id);
            ensure_tag(aws, names, state).await?;
        }
        (Action::Update, Some(Resource::Api(api))) => {
            run.all_usable(change).await?;
            overwrite(aws, names, state, api).await?;
            run.announce(&change.id);
            ensure_tag(aws, names, state).await?;
        }
        _ => return Err(unexpected(change)),
    }
    Ok(Applied::default())
}

/// Tags an API that is ours but does not say so yet. Of several that ask at the same time, one does it.
pub(crate) async fn ensure_tag(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<(), Error> {
    let untagged = {
        let mut known = state.known();
        let untagged = known.api.clone().filter(|_| !known.is_tagged);
        known.is_tagged = true;
        untagged
    };
    let Some(id) = untagged else {
        return Ok(());
    };
    let tagged = tag_resource(aws, &format!("/restapis/{id}"), tag_map(names)).await;
    state.known().is_tagged = tagged.is_ok();
    tagged
}

fn document(aws: &Aws, names: &Names, api: &Api) -> Result<Blob, Error> {
    Ok(Blob::new(body(api, &integrations(aws, names)?).to_string()))
}

async fn create(aws: &Aws, names: &Names, state: &ApiGatewayState, api: &Api) -> Result<(), Error> {
    let document = document(aws, names, api)?;
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
    known.description.clone_from(&api.description);
    Ok(())
}

async fn overwrite(aws: &Aws, names: &Names, state: &ApiGatewayState, api: &Api) -> Result<(), Error> {
    let (id, name) = (state.require_api(names)?, names.api());
    let document = document(aws, names, api)?;
    when_settled(|| {
        aws.call("apigateway:PutRestApi", &name, || {
            let request = aws.apigateway.put_rest_api().rest_api_id(&id).mode(PutMode::Overwrite);
            request.body(document.clone()).send()
        })
    })
    .await?;
    state.known().description.clone_from(&api.description);
    Ok(())
}

async fn delete(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<(), Error> {
    let mut ids = all_of_ours(aws, names).await?;
    ids.extend(state.api_id().filter(|id| !ids.contains(id)));
    for id in ids {
        let name = names.api();
        let deleted = when_settled(|| {
            aws.call("apigateway:DeleteRestApi", &name, || {
                aws.apigateway.delete_rest_api().rest_api_id(&id).send()
            })
        });
        found(deleted.await)?;
    }
    state.known().api = None;
    Ok(())
}
