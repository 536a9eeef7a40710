//! Changes of the API's stage: a deployment of the definition, the stage's variables, its usage plan.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{Op, PatchOperation};
use mdo_engine::{Applied, Error, Run};
use mdo_model::project::Names;
use mdo_model::stack::{Action, ApiStage, Change, Kind, Resource, ResourceId};

use super::observe::get_stage;
use super::{ApiGatewayState, PAGE, all, api, found, patch, unexpected, usage_plan, when_settled};
use crate::api_gateway::definition::DEFINITION_VARIABLE;
use crate::client::Aws;

pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    run.all_usable(change).await?;
    match (change.action, &change.after) {
        (Action::Delete, _) => delete(aws, names, state, run).await,
        (_, Some(Resource::Stage(wanted))) => {
            bring_up(aws, names, state, change, wanted).await?;
            usage_plan::ensure(aws, names, state, (wanted.throttle, wanted.quota)).await?;
            state.known().limits = (wanted.throttle, wanted.quota);
            Ok(Applied::default())
        }
        _ => Err(unexpected(change)),
    }
}

/// Deploys the definition where it differs, and gives the stage its variables and description.
///
/// The digest goes with the deployment, in the same call. What that call did not make of a stage that existed already is
/// made good by an update; a stage is never deleted and created anew.
async fn bring_up(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    wanted: &ApiStage,
) -> Result<(), Error> {
    let id = state.require_api(names)?;
    api::ensure_tag(aws, names, state).await?;
    let (existed, description) = {
        let known = state.known();
        (known.has_stage, known.description.clone())
    };
    let mut variables = wanted.variables.clone();
    variables.insert(DEFINITION_VARIABLE.to_owned(), wanted.definition.clone());
    if !existed || change.touches("definition") {
        let comment = format!("{}{}", comment_prefix(names), wanted.definition);
        deploy(aws, names, &id, &variables, &description, &comment).await?;
        state.known().has_stage = true;
    }
    if existed && (change.touches("definition") || change.touches("variables")) {
        let live = get_stage(aws, names, &id).await?;
        let patches = patches(&live, &variables, &description);
        if !patches.is_empty() {
            update(aws, names, &id, patches).await?;
        }
    }
    Ok(())
}

/// What the description of every deployment of the stage begins with.
fn comment_prefix(names: &Names) -> String {
    format!("mdo {} ", names.stage)
}

async fn deploy(
    aws: &Aws,
    names: &Names,
    id: &str,
    variables: &BTreeMap<String, String>,
    description: &str,
    comment: &str,
) -> Result<(), Error> {
    let variables: HashMap<_, _> = variables.clone().into_iter().collect();
    let description = Some(description.to_owned()).filter(|text| !text.is_empty());
    when_settled(|| {
        aws.call("apigateway:CreateDeployment", names.stage.as_str(), || {
            aws.apigateway
                .create_deployment()
                .rest_api_id(id)
                .stage_name(names.stage.as_str())
                .set_stage_description(description.clone())
                .set_variables(Some(variables.clone()))
                .description(comment)
                .send()
        })
    })
    .await
    .map(drop)
}

/// What makes a live stage have these variables and no others, and this description.
fn patches(
    live: &GetStageOutput,
    variables: &BTreeMap<String, String>,
    description: &str,
) -> Vec<PatchOperation> {
    let empty = HashMap::new();
    let current: BTreeMap<_, _> = live.variables().unwrap_or(&empty).iter().collect();
    let path = |name: &str| format!("/variables/{name}");
    let wrong = variables.iter().filter(|(name, value)| current.get(name) != Some(value));
    let surplus = current.keys().filter(|name| !variables.contains_key(**name));
    let mut patches: Vec<_> =
        wrong.map(|(name, value)| patch(Op::Replace, path(name), Some(value.clone()))).collect();
    patches.extend(surplus.map(|name| patch(Op::Remove, path(name), None)));
    if live.description().unwrap_or_default() != description {
        patches.push(patch(Op::Replace, "/description", Some(description.to_owned())));
    }
    patches
}

async fn update(aws: &Aws, names: &Names, id: &str, patches: Vec<PatchOperation>) -> Result<(), Error> {
    when_settled(|| {
        aws.call("apigateway:UpdateStage", names.stage.as_str(), || {
            let request = aws.apigateway.update_stage().rest_api_id(id).stage_name(names.stage.as_str());
            request.set_patch_operations(Some(patches.clone())).send()
        })
    })
    .await
    .map(drop)
}

async fn delete(aws: &Aws, names: &Names, state: &ApiGatewayState, run: &Run<'_>) -> Result<Applied, Error> {
    usage_plan::delete(aws, names, state).await?;
    let Some(id) = state.api_id() else {
        return Ok(Applied::default());
    };
    let stage = names.stage.as_str();
    let deleted = when_settled(|| {
        aws.call("apigateway:DeleteStage", stage, || {
            aws.apigateway.delete_stage().rest_api_id(&id).stage_name(stage).send()
        })
    });
    found(deleted.await)?;
    state.known().has_stage = false;
    let api = run.plan().change(&ResourceId::new(Kind::Api, &names.project));
    let warnings = match api.map(|change| change.action) {
        // It takes its deployments with it.
        Some(Action::Delete) => Vec::new(),
        _ => delete_deployments(aws, names, &id).await,
    };
    Ok(Applied { warnings, ..Applied::default() })
}

/// Deletes the deployments that were made for the stage; what cannot be deleted is a warning.
async fn delete_deployments(aws: &Aws, names: &Names, id: &str) -> Vec<String> {
    let listed = all(async |position| {
        let answer = aws
            .call("apigateway:GetDeployments", &names.api(), || {
                let request = aws.apigateway.get_deployments().rest_api_id(id);
                request.limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    });
    let deployments = match listed.await {
        Ok(deployments) => deployments,
        Err(error) => return vec![error.to_string()],
    };
    let prefix = comment_prefix(names);
    let ours = deployments
        .iter()
        .filter(|deployment| deployment.description().is_some_and(|text| text.starts_with(&prefix)));
    let mut warnings = Vec::new();
    for deployment in ours.filter_map(|deployment| deployment.id()) {
        let deleted = aws.call("apigateway:DeleteDeployment", deployment, || {
            aws.apigateway.delete_deployment().rest_api_id(id).deployment_id(deployment).send()
        });
        if let Err(error) = found(deleted.await) {
            warnings.push(error.to_string());
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_patched_to_exactly_what_is_wanted() {
        let live = GetStageOutput::builder()
            .variables("alias", "dev")
            .variables("definition", "old")
            .variables("stranger", "x")
            .description("Old")
            .build();
        let wanted = BTreeMap::from([
            ("alias".to_owned(), "dev".to_owned()),
            ("definition".to_owned(), "new".to_owned()),
        ]);
        assert_eq!(
            patches(&live, &wanted, "New"),
            [
                patch(Op::Replace, "/variables/definition", Some("new".to_owned())),
                patch(Op::Remove, "/variables/stranger", None),
                patch(Op::Replace, "/description", Some("New".to_owned())),
            ]
        );
        let right =
            GetStageOutput::builder().variables("alias", "dev").variables("definition", "new").build();
        assert_eq!(patches(&right, &wanted, ""), []);
    }
}
