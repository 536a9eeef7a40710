//! The API keys of a stage: made once, never twice, and their values read nowhere but in `key_value`.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_apigateway::types::{ApiKey, Op};
use aws_smithy_types::date_time::{DateTime, Format};
use mdo_engine::{Applied, Cause, Day, DayUsage, Error, Run, Scope};
use mdo_model::Sha256;
use mdo_model::project::{KeyName, Names, Secret, Tags};
use mdo_model::stack::{Action, Change, DEFAULT_KEY, Key, Kind, Resource, ResourceId};

use super::usage_plan;
use super::{
    ApiGatewayState, LiveKey, Owner, PAGE, found, patch, retag, stage_tags, tag_resource, unexpected,
};
use crate::client::Aws;
use crate::{pages, written};

/// What the description of a key begins with that ends; the moment follows, as RFC 3339 in UTC.
const ENDS: &str = "mdo: ends ";

/// What makes a key, another one each time.
const CREATE: &str = "apigateway:CreateApiKey";

pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let name: KeyName = change.id.name.parse().map_err(|_| unexpected(change))?;
    match (change.action, &change.after) {
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            delete(aws, names, state, &name).await?;
        }
        (_, Some(Resource::Key(wanted))) => {
            run.usable(&ResourceId::new(Kind::Api, &names.project)).await?;
            let key = ensure(aws, names, state, (&name, run.packages().keys.get(&name)), wanted).await?;
            run.all_usable(change).await?;
            // A server knows its keys itself: for them there need not be a usage plan.
            let plan = match wanted.linked {
                true => {
                    let limits = state.known().limits;
                    Some(usage_plan::ensure(aws, names, state, limits).await?)
                }
                false => None,
            };
            if key.enabled != wanted.enabled {
                switch(aws, &names.key(&name), &key.id, wanted.enabled).await?;
            }
            if let Some(plan) = plan.as_ref().filter(|_| !key.is_linked) {
                link(aws, &names.key(&name), &key.id, plan).await?;
            }
            if !key.is_tagged {
                let tags = stage_tags(names, &Tags::default());
                tag_resource(aws, &format!("/apikeys/{}", key.id), tags).await?;
            }
            retag(aws, &format!("/apikeys/{}", key.id), &key.tags, &wanted.tags).await?;
            let is_linked = key.is_linked || wanted.linked;
            let (enabled, tags) = (wanted.enabled, wanted.tags.clone());
            let done = LiveKey { is_linked, enabled, is_tagged: true, tags, ..key };
            state.known().keys.insert(name, done);
        }
        _ => return Err(unexpected(change)),
    }
    Ok(Applied::default())
}

/// The key, found or made.
async fn ensure(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    (name, value): (&KeyName, Option<&Secret>),
    wanted: &Key,
) -> Result<LiveKey, Error> {
    let enabled = wanted.enabled;
    if let Some(key) = state.known().keys.get(name).cloned() {
        return Ok(key);
    }
    let full = names.key(name);
    let made = aws
        .call(CREATE, &full, || {
            let request = aws.apigateway.create_api_key().name(&full).enabled(enabled);
            let request = request.set_value(value.map(|value| value.reveal().to_owned()));
            request.set_tags(Some(stage_tags(names, &wanted.tags))).send()
        })
        .await;
    let answer = match made {
        Ok(answer) => answer,
        // Without an answer the key may be there all the same, and to make it again would make two.
        Err(error) => {
            let found = search(aws, names, true).await.ok().and_then(|mut keys| keys.remove(name)?.pop());
            let key = found.filter(|key| key.is_tagged).ok_or(error)?;
            written::note(CREATE);
            state.known().keys.insert(name.clone(), key.clone());
            return Ok(key);
        }
    };
    let key = LiveKey {
        id: answer.id.unwrap_or_default(),
        is_linked: false,
        enabled,
        is_tagged: true,
        tags: wanted.tags.clone(),
        ends: None,
        created: answer.created_date.map(|date| date.secs()),
        sha256: answer.value.as_ref().map(|value| Sha256::of(value.as_bytes())),
    };
    if let Some(value) = answer.value {
        aws.redactor.learn(&Secret::new(value));
    }
    let mut known = state.known();
    known.made.keys.insert(name.clone(), key.id.clone());
    known.keys.insert(name.clone(), key.clone());
    Ok(key)
}

/// Gives a key another name, and writes down when it ends, both or neither.
pub(crate) async fn retire(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    (name, becomes): (&KeyName, &KeyName),
    ends: &str,
) -> Result<(), Error> {
    let full = names.key(name);
    let known = state.known().keys.get(name).cloned();
    let mut key = known.ok_or_else(|| Error::new(Cause::Gone, format!("there is no API key {full}")))?;
    let operations = [
        patch(Op::Replace, "/name", Some(names.key(becomes))),
        patch(Op::Replace, "/description", Some(format!("{ENDS}{ends}"))),
    ];
    let updated = aws
        .call("apigateway:UpdateApiKey", &full, || {
            let request = aws.apigateway.update_api_key().api_key(&key.id);
            request.set_patch_operations(Some(operations.to_vec())).send()
        })
        .await;
    if let Err(error) = updated {
        // Without an answer it may have its other name all the same.
        let found = search(aws, names, false).await.ok().and_then(|mut keys| keys.remove(becomes));
        found.into_iter().flatten().find(|found| found.id == key.id).ok_or(error)?;
    }
    key.ends = Some(ends.to_owned());
    let mut known = state.known();
    known.keys.remove(name);
    known.keys.insert(becomes.clone(), key);
    Ok(())
}

/// How many requests a key has made, day by day.
pub(crate) async fn usage(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    name: &KeyName,
    (from, to): (Day, Day),
) -> Result<Vec<DayUsage>, Error> {
    let full = names.key(name);
    let known = state.known().keys.get(name).map(|key| key.id.clone());
    let id = known.ok_or_else(|| Error::new(Cause::Gone, format!("there is no API key {full}")))?;
    let plan = state.plan.lock().await.as_ref().map(|plan| plan.id.clone());
    let no_plan = || {
        Error::new(Cause::Gone, format!("no usage plan counts the requests of key {name}"))
            .with_help("what servers answer is in the log: mdo logs --filter")
    };
    let plan = plan.ok_or_else(no_plan)?;
    let days = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("apigateway:GetUsage", &full, || {
                let request = aws.apigateway.get_usage().usage_plan_id(&plan).key_id(&id);
                request.start_date(&from).end_date(&to).limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        let counts = answer.items.and_then(|mut items| items.remove(&id));
        Ok((counts, answer.position))
    })
    .await?;
    let first = Date::of(&from);
    let day = |(number, counts): (i64, Vec<i64>)| {
        let count = |at: usize| counts.get(at).copied().and_then(|count| u64::try_from(count).ok());
        // Without a quota there is nothing to be left.
        DayUsage { day: first.after(number), used: count(0).unwrap_or_default(), left: count(1) }
    };
    Ok((0..).zip(days).map(day).collect())
}

/// A day, for counting on from it.
struct Date(i64);

impl Date {
    /// The day of `2026-11-27`; 1970-01-01 for what is none.
    fn of(day: &str) -> Self {
        let moment = DateTime::from_str(&format!("{day}T00:00:00Z"), Format::DateTime);
        Self(moment.map_or(0, |moment| moment.secs() / 86_400))
    }

    fn after(&self, days: i64) -> Day {
        let moment = DateTime::from_secs((self.0 + days) * 86_400);
        let text = moment.fmt(Format::DateTime).unwrap_or_default();
        text.get(..10).unwrap_or_default().to_owned()
    }
}

async fn switch(aws: &Aws, full: &str, id: &str, enabled: bool) -> Result<(), Error> {
    let operation = patch(Op::Replace, "/enabled", Some(enabled.to_string()));
    aws.call("apigateway:UpdateApiKey", full, || {
        aws.apigateway.update_api_key().api_key(id).patch_operations(operation.clone()).send()
    })
    .await
    .map(drop)
}

/// Puts a key on a usage plan. One that is there already is as good.
pub(super) async fn link(aws: &Aws, full: &str, id: &str, plan: &str) -> Result<(), Error> {
    let linked = aws.call("apigateway:CreateUsagePlanKey", full, || {
        aws.apigateway.create_usage_plan_key().usage_plan_id(plan).key_id(id).key_type("API_KEY").send()
    });
    match linked.await {
        Err(error) if error.is(&Cause::Exists) => Ok(()),
        other => other.map(drop),
    }
}

/// Deletes the key, and any other of its name that two deploys at once may have made.
async fn delete(aws: &Aws, names: &Names, state: &ApiGatewayState, name: &KeyName) -> Result<(), Error> {
    let full = names.key(name);
    let listed = list(aws, &full, false).await?;
    let is_ours = |key: &&ApiKey| key.name() == Some(&full) && Owner::of(key.tags(), names) == Owner::Us;
    let mut ids: Vec<_> =
        listed.iter().filter(is_ours).filter_map(|key| key.id().map(str::to_owned)).collect();
    let known = state.known().keys.remove(name).map(|key| key.id);
    ids.extend(known.filter(|id| !ids.contains(id)));
    for id in ids {
        delete_one(aws, &full, &id).await?;
    }
    Ok(())
}

/// Deletes a key. One that is not there is no error.
pub(super) async fn delete_one(aws: &Aws, full: &str, id: &str) -> Result<(), Error> {
    let deleted =
        aws.call("apigateway:DeleteApiKey", full, || aws.apigateway.delete_api_key().api_key(id).send());
    found(deleted.await).map(drop)
}

/// The keys of the stage by their names and tags, before it is known which of them a usage plan holds. One without tags
/// comes in only as the default key. Two deploys at once may have made several of one name. Their values are read `with_digests`
/// only.
pub(crate) async fn search(
    aws: &Aws,
    names: &Names,
    with_digests: bool,
) -> Result<BTreeMap<KeyName, Vec<LiveKey>>, Error> {
    let listed = list(aws, &format!("{}-", names.usage_plan()), with_digests).await?;
    let mut keys: BTreeMap<KeyName, Vec<LiveKey>> = BTreeMap::new();
    for key in listed {
        let (Some(name), Some(id)) = (key.name().and_then(|name| names.key_of(name)), key.id()) else {
            continue;
        };
        let owner = Owner::of(key.tags(), names);
        let live = LiveKey {
            id: id.to_owned(),
            is_linked: false,
            enabled: key.enabled(),
            is_tagged: owner == Owner::Us,
            tags: Tags::recorded(key.tags().into_iter().flatten()),
            ends: key.description().and_then(|text| text.strip_prefix(ENDS)).map(str::to_owned),
            created: key.created_date().map(|date| date.secs()),
            sha256: key.value().map(|value| Sha256::of(value.as_bytes())),
        };
        if let Some(value) = key.value() {
            aws.redactor.learn(&Secret::new(value));
        }
        let may_be_ours = owner == Owner::Nobody && name.as_str() == DEFAULT_KEY;
        if owner == Owner::Us || may_be_ours {
            keys.entry(name).or_default().push(live);
        }
    }
    Ok(keys)
}

pub(super) async fn list(aws: &Aws, prefix: &str, with_values: bool) -> Result<Vec<ApiKey>, Error> {
    pages::all(async |position| {
        let answer = aws
            .call("apigateway:GetApiKeys", prefix, || {
                let request = aws.apigateway.get_api_keys().name_query(prefix).include_values(with_values);
                request.limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await
}

/// The value of a key of the stage.
///
/// # Errors
/// When there is no such key, or it cannot be read.
pub(crate) async fn key_value(aws: &Aws, names: &Names, key: &KeyName) -> Result<Secret, Error> {
    let full = names.key(key);
    let mut keys = list(aws, &full, true).await?;
    keys.retain(|key| key.name() == Some(&full) && Owner::of(key.tags(), names) != Owner::Other);
    if keys.len() > 1 {
        // Of several with one name, the one that opens the stage is the key.
        let plan = usage_plan::find(aws, names, &Scope { thorough: true, ..Scope::default() }).await?;
        let held = match plan {
            Some(plan) => usage_plan::keys(aws, names, &plan).await?,
            None => BTreeSet::new(),
        };
        let holds = |key: &ApiKey| key.id().is_some_and(|id| held.contains(id));
        keys.sort_by_key(|key| (!holds(key), !key.enabled(), key.created_date().map(|date| date.secs())));
    }
    let value = keys.into_iter().find_map(|key| key.value);
    let value = value.map(Secret::new).inspect(|value| aws.redactor.learn(value));
    value.ok_or_else(|| {
        Error::new(Cause::Gone, format!("there is no API key {full}"))
            .with_help(format!("`mdo key list` shows the keys; `mdo key create {key}` makes one"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_on_from_the_first() {
        let first = Date::of("2026-12-30");
        assert_eq!([0, 1, 2].map(|days| first.after(days)), ["2026-12-30", "2026-12-31", "2027-01-01"]);
    }
}
