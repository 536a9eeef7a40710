//! The REST API of a project, with the stage, usage plan and keys of one of its stages.

mod adoption;
mod api;
pub(crate) mod definition;
mod history;
mod keys;
mod observe;
mod quota;
mod rivals;
mod stage;
mod usage_plan;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_apigateway::types::{Op, PatchOperation};
use mdo_engine::{Applied, Cause, Error, Run, TakenOver};
use mdo_model::Sha256;
use mdo_model::hosted::FrozenKey;
use mdo_model::project::{KeyName, Names, Quota, Settings, Tags, Throttle};
use mdo_model::stack::{Api, ApiStage, Change, Key, Kind};

use self::definition::Integrations;
use crate::client::{Aws, domain};
use crate::ownership::{PROJECT_TAG, Retagging, STAGE_TAG, retagging, tag_map};

pub(crate) use history::{all as deployments, delete as delete_deployment, history};
pub(crate) use keys::{key_value, retire as retire_key, usage as key_usage};
pub(crate) use observe::{count as count_apis, observe, stages};
pub(crate) use quota::{key_ids, plan as limited_by, used as quota_used};
pub(crate) use rivals::{give_way, redeploy, serves};
pub(crate) use stage::ACCESS_LINE;
use usage_plan::LivePlan;
pub(crate) use usage_plan::{Limits, count as count_plans, limit, limits};

/// The most items that a page of API Gateway holds.
const PAGE: i32 = 500;
/// The pauses between attempts at an API that somebody else is changing at the same moment, in milliseconds.
const CONFLICT_PAUSES_MS: [u64; 6] = [100, 250, 500, 1000, 2000, 4000];

/// What is live of the API at one stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LiveApi {
    /// The API, if there is one.
    pub api: Option<Api>,
    /// The stage with its usage plan. It is there as long as one of the two is, so that neither is left behind.
    pub stage: Option<ApiStage>,
    /// The keys.
    pub keys: BTreeMap<KeyName, Key>,
    /// What hangs on the API, where it is about to be taken over.
    pub taken_over: Option<TakenOver>,
}

impl LiveApi {
    /// Whether what belongs to the stage bears tags of the project's own.
    pub(crate) fn bears_tags(&self) -> bool {
        let stage = self.stage.iter().map(|stage| &stage.tags);
        stage.chain(self.keys.values().map(|key| &key.tags)).any(|tags| !tags.is_empty())
    }
}

/// What changes must know of the API beyond the model: ids, and what hangs on what.
#[derive(Debug, Default)]
pub(crate) struct ApiGatewayState {
    /// Whether the values of keys are read too, for the digests that servers are told.
    reads_values: bool,
    /// The project's own tags of an API that gets tags at all.
    tags: Tags,
    /// The same of a usage plan, which whatever needs one first makes.
    stage_tags: Tags,
    known: Mutex<Known>,
    /// Locked while it is changed, so that a stage and its keys never make two.
    plan: tokio::sync::Mutex<Option<LivePlan>>,
    /// Held while the API is being tagged.
    tagging: tokio::sync::Mutex<()>,
}

impl ApiGatewayState {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            reads_values: settings.knows_hosting,
            tags: settings.tags.clone(),
            stage_tags: settings.stage_tags.clone(),
            ..Self::default()
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    api: Option<String>,
    /// Whether the API bears our tag.
    is_tagged: bool,
    /// Whether the API has another name than the project's.
    is_misnamed: bool,
    /// Whether this run has made the API, so that another run may have made one too.
    is_new: bool,
    /// Whether the API's stage exists.
    has_stage: bool,
    /// The tags of the project's own that the API's stage bears.
    stage_tags: Tags,
    /// Throttle and quota of the usage plan, as far as they hold for the stage.
    limits: (Option<Throttle>, Option<Quota>),
    keys: BTreeMap<KeyName, LiveKey>,
    /// What this run has made that another run may have made too: the ids of its usage plan and its keys.
    made: Made,
}

/// What has no unique name and was made by this run.
#[derive(Clone, Debug, Default)]
struct Made {
    plan: Option<String>,
    keys: BTreeMap<KeyName, String>,
}

#[derive(Clone, Debug)]
struct LiveKey {
    id: String,
    /// Whether the usage plan holds it.
    is_linked: bool,
    /// Whether it is switched on.
    enabled: bool,
    /// Whether it bears our tags.
    is_tagged: bool,
    /// Its tags of the project's own.
    tags: Tags,
    /// When it ends, as RFC 3339 in UTC.
    ends: Option<String>,
    /// When it was made, in seconds since 1970-01-01 UTC.
    created: Option<i64>,
    /// The digest of its value, where servers are told it.
    sha256: Option<Sha256>,
}

impl ApiGatewayState {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The API's id, once it is observed or created.
    pub(crate) fn api_id(&self) -> Option<String> {
        self.known().api.clone()
    }

    /// Whether the API bears our tag. One that does not is not found by its permission later on, but by its name, which
    /// shows that the tag is missing.
    pub(crate) fn is_tagged(&self) -> bool {
        self.known().is_tagged
    }

    /// The keys whose values are known, by their digests: what servers recognise them by.
    pub(crate) fn digests(&self) -> BTreeMap<KeyName, FrozenKey> {
        let known = self.known();
        let digest = |(name, key): (&KeyName, &LiveKey)| {
            Some((name.clone(), FrozenKey { id: key.id.clone(), sha256: key.sha256? }))
        };
        known.keys.iter().filter_map(digest).collect()
    }

    /// The API's id where the API must exist.
    fn require_api(&self, names: &Names) -> Result<String, Error> {
        self.api_id().ok_or_else(|| {
            Error::new(Cause::Gone, format!("there is no REST API {}", names.api()))
                .with_help("`mdo deploy` creates it")
        })
    }

    /// The base URL of the stage, without a slash at its end.
    pub(crate) fn endpoint(&self, aws: &Aws, names: &Names) -> Option<String> {
        let id = self.api_id()?;
        let (region, domain) = (&aws.region, domain(aws.partition));
        Some(format!("https://{id}.execute-api.{region}.{domain}/{}", names.stage))
    }
}

/// Makes one change of an API, a stage or a key real.
///
/// # Errors
/// When AWS refuses it, something that it needs did not come about, or the change is of another kind.
pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    match change.id.kind {
        Kind::Api => api::apply(aws, names, state, change, run).await,
        Kind::Stage => stage::apply(aws, names, state, change, run).await,
        Kind::Key => keys::apply(aws, names, state, change, run).await,
        _ => Err(unexpected(change)),
    }
}

fn unexpected(change: &Change) -> Error {
    Error::new(Cause::Other, format!("{} is not something that API Gateway has", change.id))
}

fn integrations<'a>(aws: &'a Aws, names: &'a Names) -> Result<Integrations<'a>, Error> {
    Ok(Integrations {
        partition: aws.partition,
        region: &aws.region,
        account: aws.account()?.as_str(),
        names,
    })
}

/// The tags of what belongs to one stage, with the project's own.
fn stage_tags(names: &Names, own: &Tags) -> HashMap<String, String> {
    let mut tags = tag_map(names, own);
    tags.insert(STAGE_TAG.to_owned(), names.stage.to_string());
    tags
}

fn tag<'a>(tags: Option<&'a HashMap<String, String>>, name: &str) -> Option<&'a str> {
    tags?.get(name).map(String::as_str)
}

/// Whose a resource of one stage is, going by its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// It belongs to this project at this stage.
    Us,
    /// It belongs to another project or stage of mdo, whose names come to the same.
    Other,
    /// It has no tag of mdo.
    Nobody,
}

impl Owner {
    fn of(tags: Option<&HashMap<String, String>>, names: &Names) -> Self {
        match (tag(tags, PROJECT_TAG), tag(tags, STAGE_TAG)) {
            (None, _) => Self::Nobody,
            (Some(project), Some(stage))
                if project == names.project.as_str() && stage == names.stage.as_str() =>
            {
                Self::Us
            }
            _ => Self::Other,
        }
    }
}

async fn tag_resource(aws: &Aws, path: &str, tags: HashMap<String, String>) -> Result<(), Error> {
    let arn = format!("arn:{}:apigateway:{}::{path}", aws.partition, aws.region);
    when_settled(aws, || {
        aws.call("apigateway:TagResource", path, || {
            aws.apigateway.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send()
        })
    })
    .await
    .map(drop)
}

/// Makes a resource have these tags of the project's own in place of those.
async fn retag(aws: &Aws, path: &str, live: &Tags, wanted: &Tags) -> Result<(), Error> {
    let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
    if !on.is_empty() {
        tag_resource(aws, path, on).await?;
    }
    if off.is_empty() {
        return Ok(());
    }
    let arn = format!("arn:{}:apigateway:{}::{path}", aws.partition, aws.region);
    when_settled(aws, || {
        aws.call("apigateway:UntagResource", path, || {
            aws.apigateway.untag_resource().resource_arn(&arn).set_tag_keys(Some(off.clone())).send()
        })
    })
    .await
    .map(drop)
}

/// Makes a call again while API Gateway refuses it because somebody else is changing the same API.
async fn when_settled<T, F, Fut>(aws: &Aws, call: F) -> Result<T, Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    for pause in CONFLICT_PAUSES_MS {
        match call().await {
            Err(error) if error.is(&Cause::Concurrent) => aws.pause(Duration::from_millis(pause)).await?,
            other => return other,
        }
    }
    call().await
}

/// Takes an answer of "not found" as `None`.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.cause == Cause::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

fn patch(op: Op, path: impl Into<String>, value: Option<String>) -> PatchOperation {
    PatchOperation::builder().op(op).path(path).set_value(value).build()
}
