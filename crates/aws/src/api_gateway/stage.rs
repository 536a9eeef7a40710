//! Changes of the API's stage: a deployment of its definition, the stage's variables, its usage plan.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{Deployment, Op, PatchOperation};
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{Names, StageName};
use mdo_model::stack::{AccessLogs, Action, ApiStage, Change, Kind, Recording, Resource, ResourceId};

use super::definition::{record, version};
use super::observe::{self, get_stage};
use super::{ApiGatewayState, PAGE, api, found, patch, retag, rivals, unexpected, usage_plan, when_settled};
use crate::client::Aws;
use crate::pace::jitter;
use crate::pages;

/// How often a definition is written and deployed in all while deploys of other stages write over it.
const TRIES: u32 = 8;

pub(super) async fn apply(
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
            Ok(Applied::default())
        }
        _ => Err(unexpected(change)),
    }
}

/// Deploys the definition where it differs, gives the stage its variables and description, and its usage plan.
async fn bring_up(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    wanted: &ApiStage,
) -> Result<(), Error> {
    let id = state.require_api(names)?;
    let tagged = api::ensure_tag(aws, names, state);
    let (tagged, deployed) = futures::future::join(tagged, put(aws, names, state, change, wanted, &id)).await;
    deployed?;
    tagged?;
    // Once more where the API turned out to be another one; else there is nothing to do.
    let limits = (wanted.throttle, wanted.quota);
    usage_plan::ensure(aws, names, state, limits).await?;
    state.known().limits = limits;
    if change.touches("tags") {
        let live = state.known().stage_tags.clone();
        let path = format!("/restapis/{}/stages/{}", state.require_api(names)?, names.stage);
        let stage = retag(aws, &path, &live, &wanted.tags);
        futures::try_join!(stage, usage_plan::retag(aws, state, &wanted.tags))?;
    }
    Ok(())
}

/// Deploys the definition where it differs, and on an API that is new makes sure that it is the only one.
async fn put(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    wanted: &ApiStage,
    id: &str,
) -> Result<(), Error> {
    let (existed, is_new_api) = {
        let known = state.known();
        (known.has_stage, known.is_new)
    };
    // A deployment makes a stage that records nothing.
    let records = ["tracing", "access_logs"].iter().any(|field| change.touches(field));
    if is_new_api && !existed {
        deploy(aws, names, id, wanted).await?;
        state.known().has_stage = true;
        let plan = usage_plan::ensure(aws, names, state, (wanted.throttle, wanted.quota));
        let (plan, settled) = futures::future::join(plan, rivals::settle(aws, names, state, wanted)).await;
        plan?;
        settled?;
        return if records { correct(aws, names, &state.require_api(names)?, wanted).await } else { Ok(()) };
    }
    if !existed || change.touches_definition() {
        publish(aws, names, id, wanted).await?;
        state.known().has_stage = true;
    }
    if records || (existed && (change.touches_definition() || change.touches("variables"))) {
        correct(aws, names, id, wanted).await?;
    }
    Ok(())
}

/// Writes the definition and deploys it, until what was deployed is surely it.
///
/// Every stage of the project writes on the same working definition, and a deployment freezes whatever stands there. Each
/// definition bears its digest as its version: if it is still ours after the deployment, it was ours at the deployment.
pub(super) async fn publish(aws: &Aws, names: &Names, id: &str, wanted: &ApiStage) -> Result<(), Error> {
    for attempt in 1..=TRIES {
        api::overwrite(aws, names, id, &wanted.definition).await?;
        deploy(aws, names, id, wanted).await?;
        if working_version(aws, names, id).await?.as_deref() == Some(&version(&wanted.definition)) {
            return Ok(());
        }
        aws.pause(jitter(Duration::from_millis(200) * attempt)).await?;
    }
    let message = format!("deploys of other stages keep changing the API of {}", names.project);
    Err(Error::new(Cause::Concurrent, message).with_help("run the command again when they are done"))
}

async fn working_version(aws: &Aws, names: &Names, id: &str) -> Result<Option<String>, Error> {
    let name = names.api();
    let answer =
        aws.call("apigateway:GetRestApi", &name, || aws.apigateway.get_rest_api().rest_api_id(id).send());
    Ok(answer.await?.version)
}

/// What the description of every deployment of the stage begins with.
fn comment_prefix(names: &Names) -> String {
    format!("mdo {} ", names.stage)
}

/// The description of the deployment of a definition with this digest.
pub(super) fn comment(names: &Names, digest: &str) -> String {
    format!("{}{digest}", comment_prefix(names))
}

/// The stage and the digest that the description of a deployment tells; `None` where mdo did not make it.
pub(super) fn of_comment(comment: &str) -> Option<(StageName, String)> {
    let (stage, digest) = comment.strip_prefix("mdo ")?.split_once(' ')?;
    Some((stage.parse().ok()?, digest.to_owned()))
}

/// The stage's variables, with the record of what it serves.
fn variables(wanted: &ApiStage) -> BTreeMap<String, String> {
    let mut variables = record::variables(&wanted.definition);
    variables.extend(wanted.variables.clone());
    variables
}

async fn deploy(aws: &Aws, names: &Names, id: &str, wanted: &ApiStage) -> Result<(), Error> {
    let variables: HashMap<_, _> = variables(wanted).into_iter().collect();
    let description = Some(wanted.definition.description.clone()).filter(|text| !text.is_empty());
    let comment = comment(names, &wanted.definition.digest());
    when_settled(aws, || {
        aws.call("apigateway:CreateDeployment", names.stage.as_str(), || {
            aws.apigateway
                .create_deployment()
                .rest_api_id(id)
                .stage_name(names.stage.as_str())
                .set_stage_description(description.clone())
                .set_variables(Some(variables.clone()))
                .description(&comment)
                .send()
        })
    })
    .await
    .map(drop)
}

/// Makes good what a deployment did not make of a stage that existed already; a stage is never deleted and created anew.
pub(super) async fn correct(aws: &Aws, names: &Names, id: &str, wanted: &ApiStage) -> Result<(), Error> {
    let live = get_stage(aws, names, id).await?;
    let mut patches = patches(&live, &variables(wanted), &wanted.definition.description);
    patches.extend(recording(&wanted.recording, &observe::recording(&live)));
    if patches.is_empty() {
        return Ok(());
    }
    let logs = patches.iter().any(|patch| patch.path().is_some_and(|path| path.starts_with(ACCESS_LOGS)));
    update(aws, names, id, patches).await.map_err(|error| match error.is(&Cause::Invalid) && logs {
        true => error.with_help(
            "API Gateway writes access logs only where its settings name a CloudWatch role, once for an account and region",
        ),
        false => error,
    })
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

/// Where the settings of access logs stand in a stage.
const ACCESS_LOGS: &str = "/accessLogSettings";

/// What a line of an access log says: the fields that tell who asked for what, and how that went.
pub(crate) const ACCESS_LINE: &str = concat!(
    r#"{"requestId":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp","#,
    r#""key":"$context.identity.apiKeyId","method":"$context.httpMethod","path":"$context.path","#,
    r#""route":"$context.resourcePath","status":"$context.status","error":"$context.error.message","#,
    r#""latency":"$context.responseLatency","length":"$context.responseLength"}"#
);

/// What makes a live stage record what is wanted, as far as something is.
fn recording(wanted: &Recording, live: &Recording) -> Vec<PatchOperation> {
    let mut patches = Vec::new();
    if let Some(tracing) = wanted.tracing.filter(|_| wanted.tracing != live.tracing) {
        patches.push(patch(Op::Replace, "/tracingEnabled", Some(tracing.to_string())));
    }
    match wanted.access_logs.as_ref().filter(|_| wanted.access_logs != live.access_logs) {
        Some(AccessLogs::To(arn)) => patches.extend([
            patch(Op::Replace, format!("{ACCESS_LOGS}/destinationArn"), Some(arn.clone())),
            patch(Op::Replace, format!("{ACCESS_LOGS}/format"), Some(ACCESS_LINE.to_owned())),
        ]),
        Some(AccessLogs::Off) => patches.push(patch(Op::Remove, ACCESS_LOGS, None)),
        None => {}
    }
    patches
}

async fn update(aws: &Aws, names: &Names, id: &str, patches: Vec<PatchOperation>) -> Result<(), Error> {
    when_settled(aws, || {
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
    let deleted = when_settled(aws, || {
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

/// Every deployment of an API, those of all its stages.
pub(super) async fn deployments(aws: &Aws, names: &Names, id: &str) -> Result<Vec<Deployment>, Error> {
    pages::all(async |position| {
        let answer = aws
            .call("apigateway:GetDeployments", &names.api(), || {
                let request = aws.apigateway.get_deployments().rest_api_id(id);
                request.limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await
}

/// Deletes the deployments that were made for the stage; what cannot be deleted is a warning.
async fn delete_deployments(aws: &Aws, names: &Names, id: &str) -> Vec<String> {
    let deployments = match deployments(aws, names, id).await {
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
