//! How much of its quota each key of a stage has used, with the calls that are needed for that alone.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::date_time::{DateTime, Format};
use mdo_engine::{Error, Scope};
use mdo_model::project::{KeyName, Names, Period, Quota};

use super::PAGE;
use super::keys;
use super::usage_plan::{self, Limits};
use crate::client::Aws;
use crate::pages;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The id of the stage's usage plan and its limits; `None` where there is none.
pub(crate) async fn plan(aws: &Aws, names: &Names) -> Result<Option<(String, Limits)>, Error> {
    let plan = usage_plan::find(aws, names, &Scope::default()).await?;
    Ok(plan.map(|plan| (plan.id, (plan.throttle, plan.quota))))
}

/// The ids of the stage's keys.
pub(crate) async fn key_ids(aws: &Aws, names: &Names) -> Result<BTreeMap<KeyName, String>, Error> {
    let keys = keys::search(aws, names, false).await?;
    Ok(keys.into_iter().filter_map(|(name, mut keys)| Some((name, keys.pop()?.id))).collect())
}

/// How much of its quota each key has used in the present period, by the key's id. One that has used nothing may be left out.
pub(crate) async fn used(
    aws: &Aws,
    names: &Names,
    plan: &str,
    quota: Quota,
) -> Result<BTreeMap<String, u64>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let today = day(now);
    let from = match quota.period {
        Period::Day => today.clone(),
        Period::Week => day(now.saturating_sub(6 * DAY)),
        Period::Month => format!("{}-01", today.get(..7).unwrap_or_default()),
    };
    let counted = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("apigateway:GetUsage", &names.usage_plan(), || {
                let request = aws.apigateway.get_usage().usage_plan_id(plan);
                request.start_date(&from).end_date(&today).limit(PAGE).set_position(position.clone()).send()
            })
            .await?;
        Ok((answer.items.map(|items| items.into_iter().collect()), answer.position))
    })
    .await?;
    Ok(counted.into_iter().filter_map(|(key, days)| Some((key, taken(&days, quota.limit)?))).collect())
}

/// What is gone of a quota, by what was left on the last day: a period may have begun since the first one.
fn taken(days: &[Vec<i64>], limit: u32) -> Option<u64> {
    let left = *days.last()?.get(1)?;
    u64::try_from(i64::from(limit) - left).ok()
}

fn day(at: Duration) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    text.get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_on_the_last_day_tells_what_is_gone() {
        assert_eq!(taken(&[vec![5, 95], vec![1, 94]], 100), Some(6));
        // A new period.
        assert_eq!(taken(&[vec![5, 0], vec![1, 99]], 100), Some(1));
        assert_eq!(taken(&[], 100), None);
        assert_eq!(taken(&[vec![5]], 100), None);
    }

    #[test]
    fn a_day_is_told_in_utc() {
        assert_eq!(day(Duration::from_secs(1_795_773_600)), "2026-11-27");
    }
}
