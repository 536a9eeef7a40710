//! The usage plan: a token bucket and a quota for each key. Pure: the time is given.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use mdo_model::project::{KeyName, Period, Quota, Throttle};
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::refusal::{Declined, Refusal};

/// 1970-01-01 as a Julian day.
const EPOCH: i64 = 2_440_588;

/// How many requests a key made in its period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The day that the period began on, in days since 1970-01-01 UTC.
    pub period: i64,
    /// Requests that were let in.
    pub used: u32,
}

/// A point in time, on both clocks that a plan needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// On a clock that never goes back, from any beginning.
    pub(super) elapsed: Duration,
    /// Days since 1970-01-01 UTC.
    pub(super) day: i64,
}

/// Today, in days since 1970-01-01 UTC.
pub fn today() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp().div_euclid(86_400)
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// The rate and burst.
    Throttle,
    /// The quota of the period.
    Quota,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
}

/// Counts the requests of each key.
#[derive(Debug, Default)]
pub struct Meter {
    throttle: Option<Throttle>,
    quota: Option<Quota>,
    buckets: HashMap<KeyName, Bucket>,
    usage: BTreeMap<KeyName, Usage>,
    changed: bool,
}

impl Meter {
    /// Goes on counting from what was used before.
    pub fn new(usage: BTreeMap<KeyName, Usage>) -> Self {
        Self { usage, ..Self::default() }
    }

    /// Puts a plan and its keys in force; what was counted stays.
    pub fn set(&mut self, throttle: Option<Throttle>, quota: Option<Quota>, keys: &BTreeSet<KeyName>) {
        if self.throttle != throttle {
            self.buckets.clear();
        }
        self.throttle = throttle;
        self.quota = quota;
        self.buckets.retain(|key, _| keys.contains(key));
        let before = self.usage.len();
        self.usage.retain(|key, _| keys.contains(key));
        self.changed |= self.usage.len() != before;
    }

    /// The quota, and how much of it each key has used in the period of a day, given in days since 1970-01-01 UTC. Keys that
    /// have used nothing are left out.
    pub fn used(&self, day: i64) -> Option<(Quota, BTreeMap<KeyName, u32>)> {
        let quota = self.quota?;
        let period = period_start(quota.period, day);
        let current = self.usage.iter().filter(|(_, usage)| usage.period == period && usage.used > 0);
        Some((quota, current.map(|(key, usage)| (key.clone(), usage.used)).collect()))
    }

    /// Lets a request of `key` in and counts it, or says what is exceeded. A throttled request uses no quota.
    pub(super) fn admit(&mut self, key: &KeyName, now: Moment) -> Result<(), Exceeded> {
        if let Some(throttle) = self.throttle {
            let capacity = f64::from(throttle.burst).max(1.0);
            if !self.buckets.contains_key(key) {
                self.buckets.insert(key.clone(), Bucket { tokens: capacity, filled: now.elapsed });
            }
            if let Some(bucket) = self.buckets.get_mut(key) {
                let passed = now.elapsed.saturating_sub(bucket.filled).as_secs_f64();
                bucket.tokens = (bucket.tokens + passed * throttle.rate).min(capacity);
                bucket.filled = bucket.filled.max(now.elapsed);
                if bucket.tokens < 1.0 {
                    return Err(Exceeded::Throttle);
                }
                bucket.tokens -= 1.0;
            }
        }
        if let Some(quota) = self.quota {
            let period = period_start(quota.period, now.day);
            let usage = self.usage.entry(key.clone()).or_default();
            if usage.period != period {
                *usage = Usage { period, used: 0 };
            }
            if usage.used >= quota.limit {
                return Err(Exceeded::Quota);
            }
            usage.used += 1;
            self.changed = true;
        }
        Ok(())
    }

    /// The refusal of a request, with the limit that is exceeded.
    pub(super) fn declined(&self, exceeded: Exceeded) -> Declined {
        match exceeded {
            Exceeded::Throttle => {
                let rate = self.throttle.map_or(0.0, |throttle| throttle.rate);
                Refusal::TooManyRequests.because(format!("throttle {rate}/s"))
            }
            Exceeded::Quota => {
                let quota = self.quota.map(|quota| format!("quota {} a {}", quota.limit, quota.period));
                Refusal::LimitExceeded.because(quota.unwrap_or_default())
            }
        }
    }

    /// What was used, if it changed since the last time this was asked.
    pub fn take_changes(&mut self) -> Option<BTreeMap<KeyName, Usage>> {
        std::mem::take(&mut self.changed).then(|| self.usage.clone())
    }
}

/// The day that the period around `day` began on: weeks begin on Monday.
fn period_start(period: Period, day: i64) -> i64 {
    match period {
        Period::Day => day,
        Period::Week => day - (day + 3).rem_euclid(7),
        Period::Month => {
            let date = i32::try_from(day + EPOCH).ok().and_then(|julian| Date::from_julian_day(julian).ok());
            day - date.map_or(0, |date| i64::from(date.day()) - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64, day: i64) -> Moment {
        Moment { elapsed: Duration::from_secs_f64(seconds), day }
    }

    fn key(name: &str) -> KeyName {
        name.parse().unwrap()
    }

    fn meter(throttle: Option<(f64, u32)>, quota: Option<(u32, Period)>) -> Meter {
        let mut meter = Meter::default();
        let throttle = throttle.map(|(rate, burst)| Throttle { rate, burst });
        let quota = quota.map(|(limit, period)| Quota { limit, period });
        meter.set(throttle, quota, &BTreeSet::from([key("a"), key("b")]));
        meter
    }

    #[test]
    fn a_burst_is_let_in_at_once_and_then_the_rate() {
        let mut meter = meter(Some((2.0, 3)), None);
        for _ in 0..3 {
            assert_eq!(meter.admit(&key("a"), at(0.0, 0)), Ok(()));
        }
        assert_eq!(meter.admit(&key("a"), at(0.0, 0)), Err(Exceeded::Throttle));
        assert_eq!(meter.admit(&key("a"), at(0.4, 0)), Err(Exceeded::Throttle));
        assert_eq!(meter.admit(&key("a"), at(0.5, 0)), Ok(()));
        assert_eq!(meter.admit(&key("a"), at(0.5, 0)), Err(Exceeded::Throttle));
        for _ in 0..3 {
            assert_eq!(meter.admit(&key("a"), at(100.0, 0)), Ok(()));
        }
        assert_eq!(meter.admit(&key("a"), at(100.0, 0)), Err(Exceeded::Throttle));
    }

    #[test]
    fn keys_do_not_share_a_bucket_or_a_quota() {
        let mut meter = meter(Some((1.0, 1)), Some((1, Period::Day)));
        assert_eq!(meter.admit(&key("a"), at(0.0, 0)), Ok(()));
        assert_eq!(meter.admit(&key("b"), at(0.0, 0)), Ok(()));
        assert_eq!(meter.admit(&key("a"), at(1.0, 0)), Err(Exceeded::Quota));
    }

    #[test]
    fn a_throttled_request_uses_no_quota() {
        let mut meter = meter(Some((1.0, 1)), Some((2, Period::Day)));
        assert_eq!(meter.admit(&key("a"), at(0.0, 0)), Ok(()));
        assert_eq!(meter.admit(&key("a"), at(0.0, 0)), Err(Exceeded::Throttle));
        assert_eq!(meter.admit(&key("a"), at(1.0, 0)), Ok(()));
        assert_eq!(meter.admit(&key("a"), at(2.0, 0)), Err(Exceeded::Quota));
    }

    #[test]
    fn a_quota_begins_anew_with_its_period() {
        // 2026-11-23 is a Monday, 20,780 days after 1970-01-01.
        let monday = 20_780;
        assert_eq!(period_start(Period::Day, monday), monday);
        assert_eq!(period_start(Period::Week, monday), monday);
        assert_eq!(period_start(Period::Week, monday + 6), monday);
        assert_eq!(period_start(Period::Week, monday + 7), monday + 7);
        assert_eq!(period_start(Period::Month, monday), monday - 22);
        assert_eq!(period_start(Period::Month, monday + 7), monday - 22);
        assert_eq!(period_start(Period::Month, monday + 8), monday + 8);

        let mut meter = meter(None, Some((1, Period::Month)));
        assert_eq!(meter.admit(&key("a"), at(0.0, monday)), Ok(()));
        assert_eq!(meter.admit(&key("a"), at(0.0, monday + 7)), Err(Exceeded::Quota));
        assert_eq!(meter.admit(&key("a"), at(0.0, monday + 8)), Ok(()));
    }

    #[test]
    fn usage_is_told_once_and_goes_on_after_a_restart() {
        let mut first = meter(None, Some((2, Period::Day)));
        assert_eq!(first.take_changes(), None);
        assert_eq!(first.admit(&key("a"), at(0.0, 7)), Ok(()));
        let usage = first.take_changes().unwrap();
        assert_eq!(first.take_changes(), None);

        let mut second = Meter::new(usage);
        let quota = Quota { limit: 2, period: Period::Day };
        second.set(None, Some(quota), &BTreeSet::from([key("a")]));
        assert_eq!(second.admit(&key("a"), at(0.0, 7)), Ok(()));
        assert_eq!(second.admit(&key("a"), at(0.0, 7)), Err(Exceeded::Quota));
    }

    #[test]
    fn a_zero_quota_lets_nobody_in() {
        assert_eq!(meter(None, Some((0, Period::Day))).admit(&key("a"), at(0.0, 0)), Err(Exceeded::Quota));
    }
}
