//! Two deploys at once. What has no unique name (APIs, usage plans, keys) may be made twice by them: whoever made one
//! looks again, one of the two stays, and the other deploy takes its own away and goes on with that one.

use std::time::Duration;

use mdo_engine::Error;
use mdo_model::project::Names;
use mdo_model::stack::{ApiStage, Definition};

use super::definition::{record, version};
use super::observe::{get_stage, list, ours};
use super::usage_plan::LivePlan;
use super::{ApiGatewayState, LiveKey, Owner, api, keys, stage, usage_plan};
use crate::client::Aws;

/// The pauses in which the other deploy is given time to make its usage plan, in milliseconds.
const PATIENCE_MS: [u64; 7] = [0, 250, 500, 1000, 2000, 4000, 8000];

/// Looks again after an API was made and deployed: the oldest of several is the API, and what was deployed must be ours.
pub(super) async fn settle(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    wanted: &ApiStage,
) -> Result<(), Error> {
    let own = state.require_api(names)?;
    let apis = list(aws).await?;
    let rivals = ours(&apis, names);
    let oldest = rivals.first().and_then(|api| api.id()).unwrap_or(&own).to_owned();
    if oldest != own {
        {
            let mut known = state.known();
            known.api = Some(oldest.clone());
            known.is_new = false;
            // Its maker tags it.
            known.is_tagged = true;
        }
        stage::publish(aws, names, &oldest, wanted).await?;
        usage_plan::ensure(aws, names, state, (wanted.throttle, wanted.quota)).await?;
        return api::delete_one(aws, names, &own).await;
    }
    let written = rivals.first().and_then(|api| api.version());
    if written.is_some_and(|written| written != version(&wanted.definition)) {
        // Another stage's first deploy has found the API before this one's deployment froze it.
        stage::publish(aws, names, &own, wanted).await?;
    }
    Ok(())
}

/// Takes away the usage plan and the keys that this run has made, where the deploy that was quicker has its own.
///
/// Who lost the race for the alias, which has a unique name, calls it; the other does not look, so that exactly one gives
/// way.
pub(crate) async fn give_way(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<(), Error> {
    let made = state.known().made.clone();
    let Some(own) = made.plan else { return Ok(()) };
    let Some((own, other)) = other_plan(aws, names, &own).await? else { return Ok(()) };
    let prefix = format!("{}-", names.usage_plan());
    let listed = keys::list(aws, &prefix, false).await?;
    for (name, id) in made.keys {
        let full = names.key(&name);
        let twin = listed.iter().find(|key| {
            key.name() == Some(&full) && key.id() != Some(&id) && Owner::of(key.tags(), names) == Owner::Us
        });
        let kept = match twin.and_then(|key| key.id()) {
            Some(twin) => {
                keys::delete_one(aws, &full, &id).await?;
                twin.to_owned()
            }
            None => id,
        };
        keys::link(aws, &full, &kept, &other.id).await?;
        let key = LiveKey {
            id: kept,
            is_linked: true,
            enabled: true,
            is_tagged: true,
            tags: state.stage_tags.clone(),
            ends: None,
            created: None,
            sha256: None,
        };
        state.known().keys.insert(name, key);
    }
    if let Some(own) = own {
        usage_plan::delete_one(aws, &names.usage_plan(), &own).await?;
    }
    let limits = state.known().limits;
    *state.plan.lock().await = Some(other);
    usage_plan::ensure(aws, names, state, limits).await.map(drop)
}

/// The usage plan that this run has made, and the one that the other deploy has made, once it is there.
async fn other_plan(
    aws: &Aws,
    names: &Names,
    own: &str,
) -> Result<Option<(Option<LivePlan>, LivePlan)>, Error> {
    for pause in PATIENCE_MS {
        aws.pause(Duration::from_millis(pause)).await?;
        let plans = usage_plan::all_of_ours(aws, names).await?;
        let (mut own, mut others): (Vec<_>, Vec<_>) = plans.into_iter().partition(|plan| plan.id == own);
        if !others.is_empty() {
            return Ok(Some((own.pop(), others.swap_remove(0))));
        }
    }
    Ok(None)
}

/// Whether the stage serves a definition, going by its record.
pub(crate) async fn serves(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    definition: &Definition,
) -> Result<bool, Error> {
    let id = state.require_api(names)?;
    let live = get_stage(aws, names, &id).await?;
    let variables = live.variables.unwrap_or_default().into_iter().collect();
    Ok(record::read(&variables).is_some_and(|(_, digest)| digest == definition.digest()))
}

/// Deploys a definition on the stage again, over what another deploy has put there.
pub(crate) async fn redeploy(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    wanted: &ApiStage,
) -> Result<(), Error> {
    let id = state.require_api(names)?;
    stage::publish(aws, names, &id, wanted).await?;
    stage::correct(aws, names, &id, wanted).await
}
