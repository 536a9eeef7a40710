//! Keeps calls under AWS's control-plane quotas, so that nobody has to learn them by being throttled. Pure logic: it
//! says when a call may go, and waits for nothing itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many calls per second a bucket allows in the long run, and how many at once.
type Quota = (f64, f64);

/// What a bucket without a known quota is held to once AWS has throttled it.
const UNKNOWN: Quota = (5.0, 5.0);

/// A throttled bucket never gets slower than this fraction of its quota.
const SLOWEST: f64 = 0.1;

/// How much of its quota a throttled bucket wins back with each call that succeeds.
const RECOVERY: f64 = 0.05;

/// The buckets that an operation draws from; the quotas are those of AWS.md §1.
fn buckets(operation: &'static str) -> Vec<(&'static str, Option<Quota>)> {
    let (service, name) = operation.split_once(':').unwrap_or(("", operation));
    match service {
        "apigateway" => {
            let own = match name {
                "CreateDeployment" => Some((0.2, 1.0)),
                "ImportRestApi" | "CreateRestApi" => Some((1.0 / 3.0, 1.0)),
                "PutRestApi" => Some((1.0, 1.0)),
                "CreateResource" | "DeleteResource" | "CreateApiKey" | "DeleteApiKey" => Some((5.0, 5.0)),
                "GetResources" => Some((2.5, 5.0)),
                "UpdateUsagePlan" => Some((0.05, 1.0)),
                "DeleteRestApi" => Some((1.0 / 30.0, 1.0)),
                _ => None,
            };
            let shared = ("apigateway", Some((10.0, 40.0)));
            own.map_or_else(|| vec![shared], |own| vec![(operation, Some(own)), shared])
        }
        "lambda" => match name {
            "GetFunction" => vec![(operation, Some((100.0, 100.0)))],
            "GetPolicy" => vec![(operation, Some((15.0, 15.0)))],
            "Invoke" => vec![(operation, None)],
            _ => vec![("lambda", Some((15.0, 15.0)))],
        },
        _ => vec![(operation, None)],
    }
}

/// When calls may go.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    buckets: Mutex<HashMap<&'static str, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    quota: Option<Quota>,
    /// Below zero when calls are waiting for their turn.
    tokens: f64,
    filled: Instant,
    /// The fraction of the quota that is made use of: below one after AWS has throttled.
    share: f64,
    closed_until: Instant,
}

impl Bucket {
    fn new(quota: Option<Quota>, now: Instant) -> Self {
        let tokens = quota.map_or(0.0, |(_, burst)| burst);
        Self { quota, tokens, filled: now, share: 1.0, closed_until: now }
    }

    /// Takes a token and says when it is there.
    fn take(&mut self, now: Instant) -> Instant {
        let Some((rate, burst)) = self.quota else {
            return now;
        };
        let rate = rate * self.share;
        let from = self.filled.max(self.closed_until.min(now));
        let gained = now.saturating_duration_since(from).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(burst) - 1.0;
        self.filled = now;
        let open = now.max(self.closed_until);
        match self.tokens < 0.0 {
            true => open + Duration::from_secs_f64(-self.tokens / rate),
            false => open,
        }
    }
}

impl Pace {
    /// Takes the turn of one call: it may go at the instant returned.
    pub(crate) fn reserve(&self, operation: &'static str, now: Instant) -> Instant {
        self.with(operation, now, |bucket| bucket.take(now)).into_iter().max().unwrap_or(now)
    }

    /// AWS has throttled a call for the `times`-th time in a row: slows the operation down, and says when to try again.
    pub(crate) fn throttled(
        &self,
        operation: &'static str,
        now: Instant,
        retry_after: Option<Duration>,
        times: u32,
    ) -> Instant {
        let pause = retry_after.unwrap_or(Duration::from_millis(250) * 2_u32.pow(times.min(6)));
        let again = now + pause.min(Duration::from_secs(30)) + jitter(Duration::from_millis(100));
        self.with(operation, now, |bucket| {
            bucket.quota.get_or_insert(UNKNOWN);
            bucket.share = (bucket.share / 2.0).max(SLOWEST);
            bucket.tokens = bucket.tokens.min(0.0);
            bucket.filled = now;
            bucket.closed_until = bucket.closed_until.max(again);
        });
        again
    }

    /// A call went through: wins back some of the pace that throttling has cost.
    pub(crate) fn succeeded(&self, operation: &'static str) {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, _) in buckets(operation) {
            if let Some(bucket) = all.get_mut(name) {
                bucket.share = (bucket.share + RECOVERY).min(1.0);
            }
        }
    }

    fn with<T>(
        &self,
        operation: &'static str,
        now: Instant,
        mut act: impl FnMut(&mut Bucket) -> T,
    ) -> Vec<T> {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets(operation)
            .into_iter()
            .map(|(name, quota)| act(all.entry(name).or_insert_with(|| Bucket::new(quota, now))))
            .collect()
    }
}

/// A span that two callers are unlikely to share: between half of `span` and all of it.
pub(crate) fn jitter(span: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id()) % 1_000;
    let factor = 0.5 + f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0;
    span.mul_f64(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pace: &Pace, operation: &'static str, start: Instant, count: usize) -> Vec<f64> {
        (0..count).map(|_| (pace.reserve(operation, start) - start).as_secs_f64()).collect()
    }

    #[test]
    fn a_first_deploy_waits_for_nothing() {
        let (pace, now) = (Pace::default(), Instant::now());
        for operation in [
            "apigateway:GetRestApis",
            "apigateway:ImportRestApi",
            "apigateway:TagResource",
            "apigateway:CreateDeployment",
            "apigateway:CreateUsagePlan",
            "apigateway:CreateApiKey",
            "apigateway:CreateUsagePlanKey",
            "lambda:GetFunction",
            "lambda:CreateFunction",
            "lambda:CreateAlias",
            "lambda:AddPermission",
            "lambda:AddPermission",
            "iam:CreateRole",
            "events:PutRule",
        ] {
            assert_eq!(pace.reserve(operation, now), now, "{operation}");
        }
    }

    #[test]
    fn deployments_go_every_five_seconds() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(seconds(&pace, "apigateway:CreateDeployment", now, 3), [0.0, 5.0, 10.0]);
    }

    #[test]
    fn fifty_functions_are_read_at_once_but_their_policies_in_turn() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(seconds(&pace, "lambda:GetFunction", now, 50).last(), Some(&0.0));
        let policies = seconds(&pace, "lambda:GetPolicy", now, 50);
        assert_eq!(policies[14], 0.0);
        assert!((policies[49] - 35.0 / 15.0).abs() < 1e-6);
    }

    #[test]
    fn lambda_writes_share_one_bucket() {
        let (pace, now) = (Pace::default(), Instant::now());
        seconds(&pace, "lambda:CreateFunction", now, 15);
        assert!(pace.reserve("lambda:AddPermission", now) > now);
        assert_eq!(pace.reserve("lambda:GetFunction", now), now);
    }

    #[test]
    fn tokens_come_back_with_time_up_to_the_burst() {
        let (pace, now) = (Pace::default(), Instant::now());
        seconds(&pace, "lambda:CreateFunction", now, 15);
        let later = now + Duration::from_secs(60);
        assert_eq!(seconds(&pace, "lambda:CreateFunction", later, 15).last(), Some(&0.0));
        assert!(pace.reserve("lambda:CreateFunction", later) > later);
    }

    #[test]
    fn a_throttled_operation_waits_as_long_as_it_is_told_and_goes_slower_after() {
        let (pace, now) = (Pace::default(), Instant::now());
        pace.reserve("lambda:CreateFunction", now);
        let again = pace.throttled("lambda:CreateFunction", now, Some(Duration::from_secs(7)), 1);
        assert!(again >= now + Duration::from_secs(7) && again < now + Duration::from_secs(8));
        let first = pace.reserve("lambda:AddPermission", again);
        let second = pace.reserve("lambda:AddPermission", again);
        assert!((second - first).as_secs_f64() > 0.13, "half of 15 per second");
        for _ in 0..20 {
            pace.succeeded("lambda:AddPermission");
        }
        let third = pace.reserve("lambda:AddPermission", second);
        let fourth = pace.reserve("lambda:AddPermission", second);
        assert!((fourth - third).as_secs_f64() < 0.07, "15 per second again");
    }

    #[test]
    fn an_operation_without_a_known_quota_is_free_until_it_is_throttled() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(seconds(&pace, "events:PutRule", now, 500).last(), Some(&0.0));
        let again = pace.throttled("events:PutRule", now, None, 1);
        assert!(pace.reserve("events:PutRule", now) >= again);
    }
}
