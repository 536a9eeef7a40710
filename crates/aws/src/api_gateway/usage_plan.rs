//! The usage plan of a stage: what lets its keys in, how fast and how often.

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::{
    ApiStage as Link, Op, PatchOperation, QuotaPeriodType, QuotaSettings, ThrottleSettings, UsagePlan,
};
use mdo_engine::{Error, Scope};
use mdo_model::project::{Names, Period, Quota, Tags, Throttle};

use super::{ApiGatewayState, Owner, PAGE, patch, stage_tags, tag_resource};
use crate::client::Aws;
use crate::pages;

/// A usage plan as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LivePlan {
    pub id: String,
    pub throttle: Option<Throttle>,
    pub quota: Option<Quota>,
    /// The stages that it holds, as `{api}:{stage}`.
    pub links: Vec<String>,
    /// Whether it bears our tags.
    pub is_tagged: bool,
    /// Its tags of the project's own.
    pub tags: Tags,
}

impl LivePlan {
    /// Whether it lets keys in at the stage of an API.
    pub(super) fn opens(&self, api: &str, names: &Names) -> bool {
        self.links.contains(&link(api, names))
    }

    fn read(plan: &UsagePlan, names: &Names) -> Self {
        let links = plan.api_stages().iter();
        let (throttle, quota) = read_limits(plan.throttle(), plan.quota());
        Self {
            id: plan.id().unwrap_or_default().to_owned(),
            throttle,
            quota,
            links: links
                .map(|link| {
                    format!("{}:{}", link.api_id().unwrap_or_default(), link.stage().unwrap_or_default())
                })
                .collect(),
            is_tagged: Owner::of(plan.tags(), names) == Owner::Us,
            tags: Tags::recorded(plan.tags().into_iter().flatten()),
        }
    }

    /// What makes the plan hold the stage under these limits, as one list for the one call that 20 seconds allow.
    fn patches(&self, api: &str, names: &Names, limits: Limits) -> Vec<PatchOperation> {
        let (throttle, quota) = limits;
        let mut patches = Vec::new();
        let replace = |path: &str, value: String| patch(Op::Replace, path, Some(value));
        if self.throttle != throttle {
            match throttle {
                Some(throttle) => patches.extend([
                    replace("/throttle/rateLimit", throttle.rate.to_string()),
                    replace("/throttle/burstLimit", throttle.burst.to_string()),
                ]),
                None => patches.push(patch(Op::Remove, "/throttle", None)),
            }
        }
        if self.quota != quota {
            match quota {
                Some(quota) => patches.extend([
                    replace("/quota/limit", quota.limit.to_string()),
                    replace("/quota/period", period_type(quota.period).as_str().to_owned()),
                    replace("/quota/offset", "0".to_owned()),
                ]),
                None => patches.push(patch(Op::Remove, "/quota", None)),
            }
        }
        if !self.opens(api, names) {
            patches.push(patch(Op::Add, "/apiStages", Some(link(api, names))));
        }
        // What it held of this stage on an API that is gone, or is not the one any more.
        let stale = self.links.iter().filter(|held| {
            **held != link(api, names)
                && held.rsplit_once(':').is_some_and(|(_, stage)| stage == names.stage.as_str())
        });
        patches.extend(stale.map(|held| patch(Op::Remove, "/apiStages", Some(held.clone()))));
        patches
    }
}

/// Throttle and quota.
pub(crate) type Limits = (Option<Throttle>, Option<Quota>);

fn read_limits(throttle: Option<&ThrottleSettings>, quota: Option<&QuotaSettings>) -> Limits {
    let throttle = throttle.map(|throttle| Throttle {
        rate: throttle.rate_limit(),
        burst: u32::try_from(throttle.burst_limit()).unwrap_or_default(),
    });
    let quota = quota.and_then(|quota| {
        let period = period(quota.period()?)?;
        Some(Quota { limit: u32::try_from(quota.limit()).unwrap_or_default(), period })
    });
    (throttle, quota)
}

fn link(api: &str, names: &Names) -> String {
    format!("{api}:{}", names.stage)
}

fn period(period: &QuotaPeriodType) -> Option<Period> {
    match period {
        QuotaPeriodType::Day => Some(Period::Day),
        QuotaPeriodType::Week => Some(Period::Week),
        QuotaPeriodType::Month => Some(Period::Month),
        _ => None,
    }
}

fn period_type(period: Period) -> QuotaPeriodType {
    match period {
        Period::Day => QuotaPeriodType::Day,
        Period::Week => QuotaPeriodType::Week,
        Period::Month => QuotaPeriodType::Month,
    }
}

/// Looks for the usage plan of the stage.
pub(crate) async fn find(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<LivePlan>, Error> {
    Ok(choose(&list(aws, None).await?, names, scope.adopt))
}

/// The usage plan of the stage, if it holds this key of ours, which vouches for one that has lost its tags.
pub(crate) async fn holding(aws: &Aws, names: &Names, key_id: &str) -> Result<Option<LivePlan>, Error> {
    Ok(choose(&list(aws, Some(key_id)).await?, names, true))
}

/// The names of the usage plans that hold the stage of an API and are not ours: their keys open it, too.
pub(super) async fn of_others(aws: &Aws, names: &Names, api: &str) -> Result<Vec<String>, Error> {
    let listed = list(aws, None).await?;
    let others = listed.iter().filter(|plan| {
        Owner::of(plan.tags(), names) != Owner::Us && LivePlan::read(plan, names).opens(api, names)
    });
    Ok(others.map(|plan| plan.name().or(plan.id()).unwrap_or_default().to_owned()).collect())
}

/// How many usage plans the account has in the region.
pub(crate) async fn count(aws: &Aws) -> Result<u64, Error> {
    Ok(list(aws, None).await?.len() as u64)
}

async fn list(aws: &Aws, key_id: Option<&str>) -> Result<Vec<UsagePlan>, Error> {
    pages::all(async |position| {
        let answer = aws
            .call("apigateway:GetUsagePlans", "", || {
                let request = aws.apigateway.get_usage_plans().set_key_id(key_id.map(str::to_owned));
                request.limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await
}

/// The ids of the keys that a usage plan holds.
pub(crate) async fn keys(aws: &Aws, names: &Names, plan: &LivePlan) -> Result<BTreeSet<String>, Error> {
    let keys = pages::all(async |position| {
        let answer = aws
            .call("apigateway:GetUsagePlanKeys", &names.usage_plan(), || {
                let request = aws.apigateway.get_usage_plan_keys().usage_plan_id(&plan.id);
                request.limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items, answer.position))
    })
    .await?;
    Ok(keys.into_iter().filter_map(|key| key.id).collect())
}

/// The plan of the stage among all plans. Of several that are ours, one that holds a stage comes first. One of our name
/// without our tag is somebody else's, and ours may stand beside it, unless it is to be taken over.
fn choose(plans: &[UsagePlan], names: &Names, adopt: bool) -> Option<LivePlan> {
    let name = names.usage_plan();
    let of = |owner: Owner| {
        let named = plans.iter().filter(|plan| plan.name() == Some(&name));
        let mut owned: Vec<_> = named.filter(|plan| Owner::of(plan.tags(), names) == owner).collect();
        owned.sort_by_key(|plan| (plan.api_stages().is_empty(), plan.id()));
        owned.first().map(|plan| LivePlan::read(plan, names))
    };
    of(Owner::Us).or_else(|| of(Owner::Nobody).filter(|_| adopt))
}

/// Makes the stage's usage plan hold the stage under these limits, creating it where there is none.
pub(crate) async fn ensure(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    limits: Limits,
) -> Result<String, Error> {
    let api = state.require_api(names)?;
    let name = names.usage_plan();
    let mut slot = state.plan.lock().await;
    let plan = match slot.as_mut() {
        None => {
            let id = create(aws, names, &api, limits, &state.stage_tags).await?;
            state.known().made.plan = Some(id.clone());
            let (throttle, quota) = limits;
            let tags = state.stage_tags.clone();
            slot.insert(LivePlan {
                id,
                throttle,
                quota,
                links: vec![link(&api, names)],
                is_tagged: true,
                tags,
            })
        }
        Some(plan) => {
            let patches = plan.patches(&api, names, limits);
            if !patches.is_empty() {
                update(aws, &name, &plan.id, patches).await?;
                (plan.throttle, plan.quota) = limits;
                plan.links = vec![link(&api, names)];
            }
            if !plan.is_tagged {
                tag_resource(aws, &format!("/usageplans/{}", plan.id), stage_tags(names, &Tags::default()))
                    .await?;
                plan.is_tagged = true;
            }
            plan
        }
    };
    Ok(plan.id.clone())
}

/// The limits that the stage's usage plan has now; `None` where there is none.
pub(crate) async fn limits(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
) -> Result<Option<Limits>, Error> {
    let mut slot = state.plan.lock().await;
    let Some(known) = slot.as_mut() else { return Ok(None) };
    let (name, id) = (names.usage_plan(), known.id.clone());
    let answer = aws
        .call("apigateway:GetUsagePlan", &name, || aws.apigateway.get_usage_plan().usage_plan_id(&id).send())
        .await;
    let Some(answer) = super::found(answer)? else { return Ok(None) };
    (known.throttle, known.quota) = read_limits(answer.throttle(), answer.quota());
    Ok(Some((known.throttle, known.quota)))
}

/// Gives the stage's usage plan these limits.
pub(crate) async fn limit(
    aws: &Aws,
    names: &Names,
    state: &ApiGatewayState,
    limits: Limits,
) -> Result<(), Error> {
    ensure(aws, names, state, limits).await.map(drop)
}

/// Makes the stage's usage plan have these tags of the project's own.
pub(super) async fn retag(aws: &Aws, state: &ApiGatewayState, wanted: &Tags) -> Result<(), Error> {
    let mut slot = state.plan.lock().await;
    let Some(plan) = slot.as_mut() else { return Ok(()) };
    super::retag(aws, &format!("/usageplans/{}", plan.id), &plan.tags, wanted).await?;
    plan.tags = wanted.clone();
    Ok(())
}

async fn create(aws: &Aws, names: &Names, api: &str, limits: Limits, tags: &Tags) -> Result<String, Error> {
    let name = names.usage_plan();
    let (throttle, quota) = limits;
    let clamp = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let throttle = throttle.map(|throttle| {
        ThrottleSettings::builder().rate_limit(throttle.rate).burst_limit(clamp(throttle.burst)).build()
    });
    let quota = quota.map(|quota| {
        QuotaSettings::builder().limit(clamp(quota.limit)).period(period_type(quota.period)).build()
    });
    let answer = aws
        .call("apigateway:CreateUsagePlan", &name, || {
            aws.apigateway
                .create_usage_plan()
                .name(&name)
                .api_stages(Link::builder().api_id(api).stage(names.stage.as_str()).build())
                .set_throttle(throttle.clone())
                .set_quota(quota.clone())
                .set_tags(Some(stage_tags(names, tags)))
                .send()
        })
        .await?;
    Ok(answer.id.unwrap_or_default())
}

async fn update(aws: &Aws, name: &str, id: &str, patches: Vec<PatchOperation>) -> Result<(), Error> {
    aws.call("apigateway:UpdateUsagePlan", name, || {
        let request = aws.apigateway.update_usage_plan().usage_plan_id(id);
        request.set_patch_operations(Some(patches.clone())).send()
    })
    .await
    .map(drop)
}

/// Deletes every usage plan of the stage.
pub(crate) async fn delete(aws: &Aws, names: &Names, state: &ApiGatewayState) -> Result<(), Error> {
    let name = names.usage_plan();
    let mut slot = state.plan.lock().await;
    let mut plans = all_of_ours(aws, names).await?;
    plans.extend(slot.take().filter(|known| plans.iter().all(|plan| plan.id != known.id)));
    for plan in plans {
        delete_one(aws, &name, &plan).await?;
    }
    Ok(())
}

/// Every usage plan of the stage: of two first deploys at once, each may have made one.
pub(super) async fn all_of_ours(aws: &Aws, names: &Names) -> Result<Vec<LivePlan>, Error> {
    let name = names.usage_plan();
    let listed = list(aws, None).await?;
    let ours =
        listed.iter().filter(|plan| plan.name() == Some(&name) && Owner::of(plan.tags(), names) == Owner::Us);
    Ok(ours.map(|plan| LivePlan::read(plan, names)).collect())
}

/// Deletes a usage plan, its links first. One that is not there is no error.
pub(super) async fn delete_one(aws: &Aws, name: &str, plan: &LivePlan) -> Result<(), Error> {
    if !plan.links.is_empty() {
        let unlink = plan.links.iter().map(|link| patch(Op::Remove, "/apiStages", Some(link.clone())));
        // A link whose API is gone is no obstacle.
        super::found(update(aws, name, &plan.id, unlink.collect()).await)?;
    }
    let deleted = aws.call("apigateway:DeleteUsagePlan", name, || {
        aws.apigateway.delete_usage_plan().usage_plan_id(&plan.id).send()
    });
    super::found(deleted.await).map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn names() -> Names {
        Names { project: "ml_api".parse().unwrap(), stage: "dev".parse().unwrap() }
    }

    fn plan(id: &str, tags: &[(&str, &str)], links: &[&str]) -> UsagePlan {
        let tags: HashMap<_, _> =
            tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let links = links.iter().map(|api| Link::builder().api_id(*api).stage("dev").build()).collect();
        UsagePlan::builder()
            .id(id)
            .name("ml_api-dev")
            .set_tags(Some(tags))
            .set_api_stages(Some(links))
            .build()
    }

    const OURS: [(&str, &str); 2] = [("mdo:project", "ml_api"), ("mdo:stage", "dev")];

    fn shown(patches: &[PatchOperation]) -> Vec<String> {
        let show = |patch: &PatchOperation| {
            let op = patch.op().map(Op::as_str).unwrap_or_default();
            format!("{op} {} {}", patch.path().unwrap_or_default(), patch.value().unwrap_or_default())
        };
        patches.iter().map(show).collect()
    }

    #[test]
    fn the_plan_that_is_ours_and_holds_a_stage_is_chosen() {
        let other_stage = [("mdo:project", "ml_api"), ("mdo:stage", "other")];
        let plans = [
            plan("a", &[], &["x"]),
            plan("b", &OURS, &[]),
            plan("c", &OURS, &["api"]),
            plan("d", &other_stage, &[]),
        ];
        assert_eq!(choose(&plans, &names(), false).unwrap().id, "c");
        assert_eq!(choose(&plans[3..], &names(), true), None);
    }

    #[test]
    fn a_plan_of_our_name_without_our_tag_is_left_alone_unless_adopted() {
        let plans = [plan("a", &[], &["x"])];
        assert_eq!(choose(&plans, &names(), false), None);
        let adopted = choose(&plans, &names(), true).unwrap();
        assert_eq!((adopted.id.as_str(), adopted.is_tagged), ("a", false));
    }

    #[test]
    fn one_list_of_patches_holds_everything_that_differs() {
        let live = LivePlan::read(&plan("a", &OURS, &["gone"]), &names());
        let throttle = Some(Throttle { rate: 10.0, burst: 20 });
        let quota = Some(Quota { limit: 10_000, period: Period::Day });
        assert_eq!(
            shown(&live.patches("api", &names(), (throttle, quota))),
            [
                "replace /throttle/rateLimit 10",
                "replace /throttle/burstLimit 20",
                "replace /quota/limit 10000",
                "replace /quota/period DAY",
                "replace /quota/offset 0",
                "add /apiStages api:dev",
                "remove /apiStages gone:dev",
            ]
        );
        let full = LivePlan { throttle, quota, links: vec!["api:dev".to_owned()], ..live };
        assert_eq!(
            shown(&full.patches("api", &names(), (None, None))),
            ["remove /throttle ", "remove /quota "]
        );
        assert!(full.patches("api", &names(), (throttle, quota)).is_empty());
    }
}
