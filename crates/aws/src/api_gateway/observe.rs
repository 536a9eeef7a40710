//! Reads the API, its stage, usage plan and keys; four calls when the API's id is known and nothing is amiss.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{Resource, RestApi};
use mdo_engine::{Error, ErrorKind, Scope};
use mdo_model::project::{KeyName, Names, StageName};
use mdo_model::stack::{ApiStage, Key};

use super::usage_plan::{self, LivePlan};
use super::{ApiGatewayState, Known, LiveApi, LiveKey, PAGE, all, found, integrations, keys, tag};
use crate::api_gateway::definition::{DEFINITION_VARIABLE, VERSION, deployed, read};
use crate::client::Aws;
use crate::errors;
use crate::ownership::{PROJECT_TAG, found as found_or_passed_by};

/// Which API it is, as far as that is known before its parts are read.
#[derive(Debug)]
struct Identity {
    id: String,
    description: Option<String>,
    is_tagged: bool,
}

impl Identity {
    /// An API of ours that is known by its id alone.
    fn of(id: String) -> Self {
        Self { id, description: None, is_tagged: true }
    }
}

/// What is read of the API itself.
type Parts = (Vec<Resource>, Option<GetStageOutput>);

/// Reads what is live of the API at the stage, and notes in `state` what changes need to know.
///
/// `hint` comes to the API's id from a permission statement of ours; without one the API is looked for by name. Where
/// something `is_begun`, the usage plan is read meanwhile. Where not and no API is found, nothing more is read: a project
/// that has neither function nor API has no usage plan either.
///
/// # Errors
/// When a call fails, and when an API, usage plan or key that is needed is not ours and `scope` does not adopt it.
pub(crate) async fn observe(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    hint: impl Future<Output = Option<String>>,
    is_begun: bool,
    scope: &Scope,
) -> Result<LiveApi, Error> {
    let api = async {
        let Some(id) = hint.await else {
            return located(aws, names, identify(aws, names, scope).await?).await;
        };
        match located(aws, names, Some(Identity::of(id))).await? {
            Some((identity, None)) => {
                let other = located(aws, names, identify(aws, names, scope).await?).await?;
                Ok(other.or(Some((identity, None))))
            }
            found => Ok(found),
        }
    };
    let (api, (plan, keys)) = if is_begun {
        futures::try_join!(api, plan_and_keys(aws, names, scope))?
    } else {
        let api = api.await?;
        let rest = if api.is_some() { plan_and_keys(aws, names, scope).await? } else { Default::default() };
        (api, rest)
    };
    // A usage plan that has outlived its API is read all the same, so that it is found again instead of made anew.
    let api = api.or_else(|| plan.is_some().then(|| (Identity::of(String::new()), None)));
    let Some((identity, parts)) = api else {
        *state.known() = Known { keys, ..Known::default() };
        *state.plan.lock().await = None;
        return Ok(LiveApi::default());
    };
    compose(aws, names, state, identity, parts, plan, keys).await
}

/// An API with its parts, if they can be read.
async fn located(
    aws: &Aws,
    names: &Names,
    identity: Option<Identity>,
) -> Result<Option<(Identity, Option<Parts>)>, Error> {
    let Some(identity) = identity else {
        return Ok(None);
    };
    let parts = parts(aws, names, &identity.id).await?;
    Ok(Some((identity, parts)))
}

async fn compose(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    identity: Identity,
    parts: Option<Parts>,
    plan: Option<LivePlan>,
    keys: BTreeMap<KeyName, LiveKey>,
) -> Result<LiveApi, Error> {
    let api_id = parts.is_some().then(|| identity.id.clone());
    let (resources, stage) = parts.unwrap_or_default();
    let variables: BTreeMap<_, _> =
        stage.as_ref().and_then(GetStageOutput::variables).cloned().unwrap_or_default().into_iter().collect();
    let recorded = variables.get(DEFINITION_VARIABLE).map(String::as_str);
    let api = match &api_id {
        Some(id) => {
            let description = match (&stage, identity.description) {
                (Some(stage), _) => stage.description().map(str::to_owned),
                (None, Some(description)) => Some(description),
                (None, None) => description(aws, id).await?,
            };
            let integrations = integrations(aws, names)?;
            Some(read(&resources, &integrations, description.unwrap_or_default(), recorded))
        }
        None => None,
    };
    let is_open = api_id.as_deref().zip(plan.as_ref()).is_some_and(|(id, plan)| plan.opens(id, names));
    let limits =
        plan.as_ref().filter(|_| is_open).map(|plan| (plan.throttle, plan.quota)).unwrap_or_default();
    let definition = match (&stage, &api) {
        (Some(_), Some(api)) => deployed(recorded, &api.digest()),
        _ => String::new(),
    };
    let model = (stage.is_some() || plan.is_some()).then(|| ApiStage {
        definition,
        variables: variables.iter().filter(|(name, _)| *name != DEFINITION_VARIABLE).map(own).collect(),
        throttle: limits.0,
        quota: limits.1,
    });
    let live = LiveApi {
        stage: model,
        keys: keys.iter().map(|(name, key)| (name.clone(), model_key(key, is_open))).collect(),
        api,
    };
    *state.known() = Known {
        api: api_id,
        is_tagged: identity.is_tagged,
        description: live.api.as_ref().map(|api| api.description.clone()).unwrap_or_default(),
        has_stage: stage.is_some(),
        limits,
        keys,
    };
    *state.plan.lock().await = plan;
    Ok(live)
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn model_key(key: &LiveKey, is_open: bool) -> Key {
    Key { enabled: is_open && key.is_linked && key.enabled }
}

/// The stages of the API, by name.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn stages(aws: &Aws, names: &Names, hint: Option<String>) -> Result<Vec<StageName>, Error> {
    let id = match hint {
        Some(id) => Some(id),
        None => {
            let scope = Scope { thorough: true, ..Scope::default() };
            identify(aws, names, &scope).await?.map(|identity| identity.id)
        }
    };
    let Some(id) = id else {
        return Ok(Vec::new());
    };
    let answer = found(
        aws.call("apigateway:GetStages", &names.api(), || {
            aws.apigateway.get_stages().rest_api_id(&id).send()
        })
        .await,
    )?;
    let stages = answer.as_ref().map(|answer| answer.item()).unwrap_or_default();
    Ok(stages.iter().filter_map(|stage| stage.stage_name()?.parse().ok()).collect())
}

/// Looks for the API by name.
async fn identify(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<Identity>, Error> {
    found_or_passed_by(choose(&list(aws).await?, names, scope.adopt), scope)
}

/// The ids of every API that is ours: of two first deploys at once, each may have made one.
pub(crate) async fn all_of_ours(aws: &Aws, names: &Names) -> Result<Vec<String>, Error> {
    let apis = list(aws).await?;
    Ok(ours(&apis, names).into_iter().filter_map(|api| api.id().map(str::to_owned)).collect())
}

async fn list(aws: &Aws) -> Result<Vec<RestApi>, Error> {
    all(async |position| {
        let answer = aws
            .call("apigateway:GetRestApis", "", || {
                aws.apigateway.get_rest_apis().limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await
}

fn owner(api: &RestApi) -> Option<&str> {
    tag(api.tags(), PROJECT_TAG)
}

/// The APIs of our name that bear our tag, or else the version that only mdo writes; the oldest first.
fn ours<'a>(apis: &'a [RestApi], names: &Names) -> Vec<&'a RestApi> {
    let is_tagged = |api: &RestApi| owner(api) == Some(names.project.as_str());
    let is_marked = |api: &RestApi| owner(api).is_none() && api.version() == Some(VERSION);
    let named = apis.iter().filter(|api| api.name() == Some(&names.api()));
    let mut ours: Vec<_> = named.filter(|api| is_tagged(api) || is_marked(api)).collect();
    ours.sort_by_key(|api| (api.created_date().map(|date| date.as_nanos()), api.id()));
    ours
}

/// The API of the project among all APIs. Of two that are ours everybody takes the older one.
fn choose(apis: &[RestApi], names: &Names, adopt: bool) -> Result<Option<Identity>, Error> {
    let named: Vec<_> = apis.iter().filter(|api| api.name() == Some(&names.api())).collect();
    let api = match (ours(apis, names).first(), named.as_slice()) {
        (Some(api), _) => *api,
        (None, []) => return Ok(None),
        (None, [api]) if adopt => *api,
        (None, several) if adopt => {
            let ids: Vec<_> = several.iter().filter_map(|api| api.id()).collect();
            let what = format!("there are {} REST APIs named {}: {}", ids.len(), names.api(), ids.join(", "));
            return Err(Error::new(ErrorKind::Conflict, what)
                .with_help("delete or rename all but the one that your users call"));
        }
        (None, [api, ..]) => return Err(errors::not_ours("the REST API", &names.api(), owner(api))),
    };
    Ok(Some(Identity {
        id: api.id().unwrap_or_default().to_owned(),
        description: Some(api.description().unwrap_or_default().to_owned()),
        is_tagged: owner(api) == Some(names.project.as_str()),
    }))
}

/// The API's methods and its stage; `None` when there is no such API.
async fn parts(aws: &Aws, names: &Names, id: &str) -> Result<Option<Parts>, Error> {
    let resources = async {
        let read = all(async |position| {
            let answer = aws
                .call("apigateway:GetResources", &names.api(), || {
                    let request = aws.apigateway.get_resources().rest_api_id(id).embed("methods");
                    request.limit(PAGE).set_position(position.clone()).send()
                })
                .await?;
            Ok((answer.items, answer.position))
        });
        found(read.await)
    };
    let stage = async { found(get_stage(aws, names, id).await) };
    let (resources, stage) = futures::try_join!(resources, stage)?;
    Ok(resources.map(|resources| (resources, stage)))
}

/// The stage of an API.
pub(crate) async fn get_stage(aws: &Aws, names: &Names, id: &str) -> Result<GetStageOutput, Error> {
    let stage = names.stage.as_str();
    aws.call("apigateway:GetStage", stage, || {
        aws.apigateway.get_stage().rest_api_id(id).stage_name(stage).send()
    })
    .await
}

async fn description(aws: &Aws, id: &str) -> Result<Option<String>, Error> {
    let answer = aws
        .call("apigateway:GetRestApi", id, || aws.apigateway.get_rest_api().rest_api_id(id).send())
        .await?;
    Ok(answer.description)
}

/// The usage plan of the stage, and the keys of the stage with whether it holds them.
///
/// A lone key leads to the plan that holds it, which answers both questions with one call.
async fn plan_and_keys(
    aws: &Aws,
    names: &Names,
    scope: &Scope,
) -> Result<(Option<LivePlan>, BTreeMap<KeyName, LiveKey>), Error> {
    let mut keys = keys::search(aws, names).await?;
    let lone = if keys.len() == 1 { keys.values_mut().next() } else { None };
    let plan = match lone {
        Some(key) => match usage_plan::holding(aws, names, &key.id, scope).await? {
            Some(plan) => {
                key.is_linked = true;
                Some(plan)
            }
            None => usage_plan::find(aws, names, scope).await?,
        },
        None => {
            let plan = usage_plan::find(aws, names, scope).await?;
            let held = match &plan {
                Some(plan) if !keys.is_empty() => usage_plan::keys(aws, names, plan).await?,
                _ => BTreeSet::new(),
            };
            keys.values_mut().for_each(|key| key.is_linked = held.contains(&key.id));
            plan
        }
    };
    // A usage plan of ours vouches for a key that has lost its tags.
    let is_foreign = |key: &LiveKey| !key.is_tagged && !key.is_linked && !scope.adopt;
    if scope.thorough {
        keys.retain(|_, key| !is_foreign(key));
    }
    if let Some((name, _)) = keys.iter().find(|(_, key)| is_foreign(key)) {
        return Err(errors::not_ours("the API key", &names.key(name), None));
    }
    Ok((plan, keys))
}
