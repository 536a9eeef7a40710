//! Keeps calls under AWS's control-plane quotas, so that nobody has to learn them by being throttled. Where they are not
//! known, or lower than they should be, it learns them from as few refusals as it can. Pure logic: it says when a call may
//! go, and waits for nothing itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many calls per second a bucket allows in the long run, and how many at once.
type Quota = (f64, f64);

/// What a bucket without a known quota starts with: little more than the lowest that Events has in any region, 5 a second.
const UNKNOWN: Quota = (8.0, 5.0);

/// The highest that Events has in any region; nothing else of unknown quota needs more.
const HIGHEST: f64 = 50.0;

/// How much faster a bucket of unknown size gets with each call that succeeds, before AWS has throttled any.
const UNTRIED: f64 = 1.1;

/// How much faster it may get in a second, however many calls succeed: a refusal takes its time to arrive.
const UNTRIED_A_SECOND: f64 = 2.0;

/// The same with each call once AWS has throttled one, and it is only known that the pace before was too fast.
const SEARCHING: f64 = 1.02;

/// The same once the server's rate is known by measure.
const MEASURED: f64 = 1.001;

/// How much of a measured rate is made use of.
const MARGIN: f64 = 0.95;

/// What a bucket of known size keeps of its rate when AWS throttles it: others draw from it as well.
const SHARED: f64 = 0.8;

/// A throttled bucket never gets slower than this, in calls per second, or than this fraction of its quota.
const SLOWEST: f64 = 0.1;

/// Two refusals so far apart at least tell the server's rate by what it let through in between.
const MEASURED_OVER: Duration = Duration::from_millis(800);

/// A call looks again after this long at the latest: by then others may have found out that it goes faster.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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
        "elasticloadbalancing" => {
            let shared = ("elasticloadbalancing", Some((10.0, 40.0)));
            let writes = ("elasticloadbalancing writes", Some((3.0, 20.0)));
            match name {
                _ if name.starts_with("Describe") => vec![shared],
                "CreateLoadBalancer" => vec![(operation, Some((0.2, 10.0))), writes, shared],
                _ => vec![writes, shared],
            }
        }
        "ecs" => vec![match name {
            "RegisterTaskDefinition" | "DeregisterTaskDefinition" => {
                ("ecs task definitions", Some((1.0, 20.0)))
            }
            "CreateCluster" | "DeleteCluster" => ("ecs clusters", Some((1.0, 20.0))),
            "CreateService" | "UpdateService" | "DeleteService" => ("ecs services", Some((5.0, 50.0))),
            _ => ("ecs reads", Some((20.0, 100.0))),
        }],
        "ec2" if name.starts_with("Describe") => vec![("ec2 reads", Some((20.0, 100.0)))],
        "ec2" => vec![("ec2 writes", Some((5.0, 50.0)))],
        _ => vec![(operation, None)],
    }
}

/// When calls may go.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    buckets: Mutex<HashMap<&'static str, Bucket>>,
}

/// The server's own token bucket, as far as it is known: a rate, and how many calls it has room for now.
#[derive(Debug)]
struct Bucket {
    /// No more than this; `None` where nothing is known.
    quota: Option<Quota>,
    rate: f64,
    burst: f64,
    growth: f64,
    tokens: f64,
    filled: Instant,
    closed_until: Instant,
    /// When AWS throttled it last; a refusal of a call that was sent before is part of the same round.
    throttled: Option<Instant>,
    /// How many calls went through since.
    passed: f64,
    began: Instant,
}

impl Bucket {
    fn new(quota: Option<Quota>, now: Instant) -> Self {
        let (rate, burst) = quota.unwrap_or(UNKNOWN);
        let growth = if quota.is_some() { SEARCHING } else { UNTRIED };
        Self {
            quota,
            rate,
            burst,
            growth,
            tokens: burst,
            filled: now,
            closed_until: now,
            throttled: None,
            passed: 0.0,
            began: now,
        }
    }

    /// When there is a token, as far as is known now.
    fn open(&mut self, now: Instant) -> Instant {
        self.tokens = (self.tokens + now.saturating_duration_since(self.filled).as_secs_f64() * self.rate)
            .min(self.burst);
        self.filled = now;
        // What is missing by rounding alone is not waited for.
        let missing = (1.0 - 1e-6 - self.tokens).max(0.0);
        (now + Duration::from_secs_f64(missing / self.rate)).max(self.closed_until)
    }

    fn throttle(&mut self, sent: Instant, now: Instant, retry_after: Option<Duration>) {
        let is_same_round = self.throttled.is_some_and(|throttled| sent <= throttled);
        if !is_same_round {
            // Both times the server had nothing left, so that it gave in between just what came in.
            let span = self.throttled.map(|throttled| now.saturating_duration_since(throttled));
            let measured =
                span.filter(|span| *span >= MEASURED_OVER).map(|span| self.passed / span.as_secs_f64());
            let (least, start) = (self.rate / 2.0, self.quota.unwrap_or(UNKNOWN).0);
            self.rate = match (measured, self.quota) {
                (Some(measured), _) => (measured * MARGIN).clamp(least, self.rate),
                (None, Some(_)) => self.rate * SHARED,
                (None, None) => least,
            }
            .max(start * SLOWEST);
            self.growth = if measured.is_some() { MEASURED } else { SEARCHING };
            self.burst = self.burst.min((self.rate / 2.0).max(1.0));
            self.throttled = Some(now);
            self.passed = 0.0;
        }
        self.tokens = self.tokens.min(0.0);
        self.filled = now;
        let pause = retry_after.unwrap_or(Duration::from_secs_f64(1.0 / self.rate));
        self.closed_until = self.closed_until.max(now + pause.min(Duration::from_secs(30)));
    }

    fn succeed(&mut self, now: Instant) {
        self.passed += 1.0;
        let most = match (self.quota, self.throttled) {
            (Some((rate, _)), _) => rate,
            (None, Some(_)) => HIGHEST,
            (None, None) => {
                let seconds = now.saturating_duration_since(self.began).as_secs_f64();
                (UNKNOWN.0 * UNTRIED_A_SECOND.powf(seconds)).clamp(self.rate, HIGHEST)
            }
        };
        self.rate = (self.rate * self.growth).min(most);
    }
}

impl Pace {
    /// Takes the turn of one call: `None` when it may go now, otherwise when to ask again.
    pub(crate) fn take(&self, operation: &'static str, now: Instant) -> Option<Instant> {
        let mut all = self.lock();
        let names = buckets(operation);
        let opens = names
            .iter()
            .map(|(name, quota)| all.entry(name).or_insert_with(|| Bucket::new(*quota, now)).open(now));
        let open = opens.max().unwrap_or(now);
        if open > now {
            return Some(open.min(now + LOOK_AGAIN));
        }
        for (name, _) in names {
            if let Some(bucket) = all.get_mut(name) {
                bucket.tokens -= 1.0;
            }
        }
        None
    }

    /// How long the next call has to wait at least.
    pub(crate) fn wait(&self, operation: &'static str, now: Instant) -> Duration {
        let mut all = self.lock();
        let mut open = now;
        for (name, _) in buckets(operation) {
            open = all.get_mut(name).map_or(open, |bucket| open.max(bucket.open(now)));
        }
        open.saturating_duration_since(now)
    }

    /// AWS has throttled a call that was sent then: slows the operation down, once for all calls of a round.
    pub(crate) fn throttled(
        &self,
        operation: &'static str,
        sent: Instant,
        now: Instant,
        retry_after: Option<Duration>,
    ) {
        let mut all = self.lock();
        for (name, quota) in buckets(operation) {
            all.entry(name).or_insert_with(|| Bucket::new(quota, now)).throttle(sent, now, retry_after);
        }
    }

    /// A call went through: wins back some of the pace that throttling has cost.
    pub(crate) fn succeeded(&self, operation: &'static str, now: Instant) {
        let mut all = self.lock();
        for (name, _) in buckets(operation) {
            if let Some(bucket) = all.get_mut(name) {
                bucket.succeed(now);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long so many calls of each operation take at least by AWS's quotas, were they all ready at once.
pub(crate) fn floor(calls: &[(&'static str, usize)]) -> Duration {
    let mut all: HashMap<&'static str, (Quota, usize)> = HashMap::new();
    for (operation, count) in calls {
        for (name, quota) in buckets(operation) {
            if let Some(quota) = quota {
                all.entry(name).or_insert((quota, 0)).1 += count;
            }
        }
    }
    let seconds = all.values().map(|((rate, burst), count)| {
        let count = f64::from(u32::try_from(*count).unwrap_or(u32::MAX));
        (count - burst).max(0.0) / rate
    });
    Duration::from_secs_f64(seconds.fold(0.0, f64::max))
}

/// A span that two callers are unlikely to share: between half of `span` and all of it.
pub(crate) fn jitter(span: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id()) % 1_000;
    let factor = 0.5 + f64::from(u32::try_from(random).unwrap_or(0)) / 2_000.0;
    span.mul_f64(factor)
}

#[cfg(test)]
mod tests;
