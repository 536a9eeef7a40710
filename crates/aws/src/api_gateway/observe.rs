//! Reads the API, what its stage serves, usage plan and keys; four calls when the API's id is known and nothing is amiss.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use aws_sdk_apigateway::operation::get_stage::GetStageOutput;
use aws_sdk_apigateway::types::{Deployment, RestApi, Stage};
use aws_smithy_types::date_time::{DateTime, Format};
use mdo_engine::{Cause, Error, Scope};
use mdo_model::project::{KeyName, Names, StageName, Tags};
use mdo_model::stack::{AccessLogs, Api, ApiStage, Key, KeyEnd, Recording};

use super::definition::{is_mdos, record};
use super::usage_plan::{self, Limits, LivePlan};
use super::{ApiGatewayState, Known, LiveApi, LiveKey, PAGE, adoption, found, keys, stage, tag};
use crate::client::Aws;
use crate::errors;
use crate::ownership::{PROJECT_TAG, found as found_or_passed_by};
use crate::pages;

/// Which API it is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) id: String,
    /// What it is called.
    pub(super) name: String,
    is_tagged: bool,
    /// Whether mdo made it, going by its tag or by the version that only mdo writes.
    is_ours: bool,
    /// Its tags of the project's own.
    tags: Tags,
}

/// What is read of the API at the stage; `None` where there is no such API.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) stage: Option<GetStageOutput>,
    deployments: Vec<Deployment>,
}

impl Parts {
    /// Whether there is such a stage that mdo has never deployed.
    fn are_of_others(&self, names: &Names) -> bool {
        let is_of_stage = |deployment: &Deployment| {
            let told = deployment.description().and_then(stage::of_comment);
            told.is_some_and(|(stage, _)| stage == names.stage)
        };
        let bears_none = |stage: &GetStageOutput| !bears_marks(names.stage.as_str(), stage.variables());
        self.stage.as_ref().is_some_and(bears_none) && !self.deployments.iter().any(is_of_stage)
    }
}

/// Reads what is live of the API at the stage, and notes in `state` what changes need to know.
///
/// `hint` comes to the API's id from a permission statement of ours; without one the API is looked for by name. Where
/// nothing `is_begun` at the stage, as much as possible is asked at once. The API's own tags are asked for where they count.
///
/// # Errors
/// When a call fails, and when an API, usage plan or key that is needed is not ours and `scope` does not adopt it.
pub(crate) async fn observe(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    hint: impl Future<Output = Option<String>>,
    (is_begun, reads_tags): (bool, bool),
    scope: &Scope,
) -> Result<LiveApi, Error> {
    let api = async {
        if let Some(id) = &scope.adopt_api {
            return adoption::find(aws, names, id, scope).await;
        }
        if let Some(id) = hint.await {
            let tags =
                async { if reads_tags { own_tags(aws, names, &id).await } else { Ok(Tags::default()) } };
            let (parts, tags) = futures::try_join!(parts(aws, names, &id), tags)?;
            if let Some(parts) = parts {
                return Ok(Some((
                    Identity { id, name: names.api(), is_tagged: true, is_ours: true, tags },
                    parts,
                )));
            }
        }
        locate(aws, names, scope).await
    };
    let (api, (plan, keys)) = futures::try_join!(api, plan_and_keys(aws, names, state, is_begun, scope))?;
    let foreign = api.as_ref().filter(|(identity, parts)| !identity.is_ours || parts.are_of_others(names));
    let taken_over = match foreign {
        Some((identity, parts)) => Some(adoption::read(aws, names, (identity, parts)).await?),
        None => None,
    };
    let (identity, parts) = api.unzip();
    let (stage, deployments) = parts.map(|parts| (parts.stage, parts.deployments)).unwrap_or_default();
    let is_open = identity.as_ref().zip(plan.as_ref()).is_some_and(|(api, plan)| plan.opens(&api.id, names));
    let limits =
        plan.as_ref().filter(|_| is_open).map(|plan| (plan.throttle, plan.quota)).unwrap_or_default();
    let live = LiveApi {
        api: identity.as_ref().map(|api| Api { owned: api.is_tagged, tags: api.tags.clone() }),
        stage: (stage.is_some() || plan.is_some())
            .then(|| model_stage(names, stage.as_ref(), &deployments, limits, plan.as_ref())),
        keys: keys.iter().map(|(name, key)| (name.clone(), model_key(key, is_open))).collect(),
        taken_over,
    };
    *state.known() = Known {
        is_tagged: identity.as_ref().is_some_and(|api| api.is_tagged),
        is_misnamed: identity.as_ref().is_some_and(|api| api.name != names.api()),
        api: identity.map(|api| api.id),
        has_stage: stage.is_some(),
        stage_tags: stage.as_ref().map(stage_tags).unwrap_or_default(),
        limits,
        keys,
        ..Known::default()
    };
    *state.plan.lock().await = plan;
    Ok(live)
}

/// The stage in the model's terms. Its record is believed where the deployment that it serves bears the same digest.
fn model_stage(
    names: &Names,
    stage: Option<&GetStageOutput>,
    deployments: &[Deployment],
    (throttle, quota): Limits,
    plan: Option<&LivePlan>,
) -> ApiStage {
    let variables = stage.and_then(GetStageOutput::variables).cloned().unwrap_or_default();
    let variables: BTreeMap<_, _> = variables.into_iter().collect();
    let serving = stage.and_then(GetStageOutput::deployment_id);
    let serving = deployments.iter().find(|deployment| deployment.id() == serving);
    let serving = serving.and_then(Deployment::description);
    let recorded = record::read(&variables);
    let deployed_by_mdo =
        recorded.as_ref().is_some_and(|(_, digest)| serving == Some(stage::comment(names, digest).as_str()));
    ApiStage {
        definition: recorded.map(|(definition, _)| definition).unwrap_or_default(),
        deployed_by_mdo,
        variables: variables.into_iter().filter(|(name, _)| !record::holds(name)).collect(),
        throttle,
        quota,
        recording: stage.map(recording).unwrap_or_default(),
        tags: Tags::together(stage.map(stage_tags).into_iter().chain(plan.map(|plan| plan.tags.clone()))),
    }
}

/// The tags of the project's own that a live stage bears.
fn stage_tags(stage: &GetStageOutput) -> Tags {
    Tags::recorded(stage.tags().into_iter().flatten())
}

/// What is recorded of the requests to a live stage.
pub(super) fn recording(stage: &GetStageOutput) -> Recording {
    let destination = stage.access_log_settings().and_then(|logs| logs.destination_arn());
    let destination = destination.filter(|arn| !arn.is_empty());
    Recording {
        tracing: Some(stage.tracing_enabled()),
        access_logs: Some(destination.map_or(AccessLogs::Off, AccessLogs::to)),
    }
}

fn model_key(key: &LiveKey, is_open: bool) -> Key {
    let now = || DateTime::from(SystemTime::now()).fmt(Format::DateTime).unwrap_or_default();
    let ends = key.ends.clone().map(|at| KeyEnd::seen(at, &now()));
    Key { enabled: key.enabled, linked: is_open && key.is_linked, ends, tags: key.tags.clone() }
}

/// The stages of the API, by name: those that mdo has deployed, or else all, as an API that was taken over may have others.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn stages(
    aws: &Aws,
    names: &Names,
    hint: Option<String>,
    deployed_by_mdo: bool,
) -> Result<Vec<StageName>, Error> {
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
    let stages = list_stages(aws, names, &id).await?;
    let wanted = stages.iter().filter(|stage| {
        !deployed_by_mdo || bears_marks(stage.stage_name().unwrap_or_default(), stage.variables())
    });
    Ok(wanted.filter_map(|stage| stage.stage_name()?.parse().ok()).collect())
}

/// Whether a stage with these variables calls functions through its alias, as mdo's do, or bears a record of what mdo has deployed.
fn bears_marks(stage: &str, variables: Option<&HashMap<String, String>>) -> bool {
    let is_mark =
        |(name, value): (&String, &String)| record::holds(name) || (name == "alias" && value == stage);
    variables.into_iter().flatten().any(is_mark)
}

/// The names of the stages of an API; none where there is no such API.
pub(super) async fn stage_names(aws: &Aws, names: &Names, id: &str) -> Result<Vec<String>, Error> {
    let stages = list_stages(aws, names, id).await?;
    Ok(stages.iter().filter_map(|stage| stage.stage_name().map(str::to_owned)).collect())
}

async fn list_stages(aws: &Aws, names: &Names, id: &str) -> Result<Vec<Stage>, Error> {
    let name = names.api();
    let answer =
        aws.call("apigateway:GetStages", &name, || aws.apigateway.get_stages().rest_api_id(id).send());
    Ok(found(answer.await)?.and_then(|answer| answer.item).unwrap_or_default())
}

/// Looks for the API by name, and for the stage on it. Where two deploys at once have left several, the stage stays on
/// the one that serves it, and a new stage goes to the oldest.
async fn locate(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<(Identity, Parts)>, Error> {
    let apis = list(aws).await?;
    let rivals = ours(&apis, names);
    let mut first = None;
    if rivals.len() > 1 {
        for api in rivals.into_iter().map(|api| identity(api, names)) {
            let Some(parts) = parts(aws, names, &api.id).await? else { continue };
            if parts.stage.is_some() {
                return Ok(Some((api, parts)));
            }
            first = first.or(Some((api, parts)));
        }
        return Ok(first);
    }
    let Some(api) = found_or_passed_by(choose(&apis, names, scope.adopt), scope)? else {
        return Ok(None);
    };
    Ok(parts(aws, names, &api.id).await?.map(|parts| (api, parts)))
}

/// The id of the API by name.
async fn identify(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<Identity>, Error> {
    found_or_passed_by(choose(&list(aws).await?, names, scope.adopt), scope)
}

pub(super) fn identity(api: &RestApi, names: &Names) -> Identity {
    let is_tagged = owner(api) == Some(names.project.as_str());
    Identity {
        id: api.id().unwrap_or_default().to_owned(),
        name: api.name().unwrap_or_default().to_owned(),
        is_tagged,
        is_ours: is_tagged || (owner(api).is_none() && api.version().is_some_and(is_mdos)),
        tags: Tags::recorded(api.tags().into_iter().flatten()),
    }
}

/// The tags of the project's own that an API bears; none where there is no such API.
async fn own_tags(aws: &Aws, names: &Names, id: &str) -> Result<Tags, Error> {
    let name = names.api();
    let answer =
        aws.call("apigateway:GetRestApi", &name, || aws.apigateway.get_rest_api().rest_api_id(id).send());
    let answer = found(answer.await)?;
    Ok(Tags::recorded(answer.and_then(|api| api.tags).into_iter().flatten()))
}

/// The ids of every API that is ours: of two first deploys at once, each may have made one.
pub(crate) async fn all_of_ours(aws: &Aws, names: &Names) -> Result<Vec<String>, Error> {
    let apis = list(aws).await?;
    Ok(ours(&apis, names).into_iter().filter_map(|api| api.id().map(str::to_owned)).collect())
}

pub(super) async fn list(aws: &Aws) -> Result<Vec<RestApi>, Error> {
    pages::all(async |position| {
        let answer = aws
            .call("apigateway:GetRestApis", "", || {
                aws.apigateway.get_rest_apis().limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await
}

/// How many REST APIs the account has in the region.
pub(crate) async fn count(aws: &Aws) -> Result<u64, Error> {
    Ok(list(aws).await?.len() as u64)
}

pub(super) fn owner(api: &RestApi) -> Option<&str> {
    tag(api.tags(), PROJECT_TAG)
}

/// The APIs of our name that bear our tag, or else the version that only mdo writes; the oldest first.
pub(super) fn ours<'a>(apis: &'a [RestApi], names: &Names) -> Vec<&'a RestApi> {
    let named = apis.iter().filter(|api| api.name() == Some(&names.api()));
    let mut ours: Vec<_> = named.filter(|api| identity(api, names).is_ours).collect();
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
            return Err(Error::new(Cause::Concurrent, what)
                .with_help("delete or rename all but the one that your users call"));
        }
        (None, [api, ..]) => return Err(errors::not_ours("the REST API", &names.api(), owner(api))),
    };
    Ok(Some(identity(api, names)))
}

/// The stage, and the deployments of its API; `None` when there is no such API.
pub(super) async fn parts(aws: &Aws, names: &Names, id: &str) -> Result<Option<Parts>, Error> {
    let deployments = async { found(stage::deployments(aws, names, id).await) };
    let stage = async { found(get_stage(aws, names, id).await) };
    let (deployments, stage) = futures::try_join!(deployments, stage)?;
    Ok(deployments.map(|deployments| Parts { stage, deployments }))
}

/// The stage of an API.
pub(crate) async fn get_stage(aws: &Aws, names: &Names, id: &str) -> Result<GetStageOutput, Error> {
    let stage = names.stage.as_str();
    aws.call("apigateway:GetStage", stage, || {
        aws.apigateway.get_stage().rest_api_id(id).stage_name(stage).send()
    })
    .await
}

/// The usage plan of the stage, and the keys of the stage with whether it holds them.
///
/// A lone key leads to the plan that holds it, which answers both questions with one call.
async fn plan_and_keys(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    is_begun: bool,
    scope: &Scope,
) -> Result<(Option<LivePlan>, BTreeMap<KeyName, LiveKey>), Error> {
    let (mut found, early) = if is_begun {
        (keys::search(aws, names, state.reads_values).await?, None)
    } else {
        let plan = usage_plan::find(aws, names, scope);
        let (found, plan) = futures::try_join!(keys::search(aws, names, state.reads_values), plan)?;
        (found, Some(plan))
    };
    let mut all: Vec<&mut LiveKey> = found.values_mut().flatten().collect();
    let plan = match all.as_mut_slice() {
        [lone] if early.is_none() && lone.is_tagged => match usage_plan::holding(aws, names, &lone.id).await?
        {
            Some(plan) => {
                lone.is_linked = true;
                Some(plan)
            }
            None => usage_plan::find(aws, names, scope).await?,
        },
        keys => {
            let plan = match early {
                Some(plan) => plan,
                None => usage_plan::find(aws, names, scope).await?,
            };
            let held = match &plan {
                Some(plan) if !keys.is_empty() => usage_plan::keys(aws, names, plan).await?,
                _ => BTreeSet::new(),
            };
            keys.iter_mut().for_each(|key| key.is_linked = held.contains(&key.id));
            plan
        }
    };
    let mut keys: BTreeMap<KeyName, LiveKey> = BTreeMap::new();
    for (name, mut rivals) in found {
        // Of several with one name, the one that opens the stage is the key.
        rivals.sort_by_key(|key| (!key.is_linked, !key.enabled, key.created));
        keys.extend(rivals.into_iter().next().map(|key| (name, key)));
    }
    // A usage plan of ours vouches for a key that has lost its tags; another of our name is somebody else's.
    keys.retain(|_, key| key.is_tagged || key.is_linked || scope.adopt);
    Ok((plan, keys))
}
