//! The warm rules' clock: like EventBridge, a rule fires for the first time one period after it was set, and again every
//! period.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use mdo_model::project::FunctionName;
use mdo_model::stack::WarmRule;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::task::AbortOnDropHandle;

/// What a firing does.
pub(super) type Fire = Arc<dyn Fn(FunctionName, WarmRule) -> BoxFuture<'static, ()> + Send + Sync>;

/// The rules that are in force.
pub(super) struct Schedule {
    fire: Fire,
    running: Mutex<BTreeMap<FunctionName, Running>>,
}

struct Running {
    rule: WarmRule,
    began: Instant,
    period: Duration,
    _task: AbortOnDropHandle<()>,
}

impl Schedule {
    /// A schedule without rules.
    pub(super) fn new(fire: Fire) -> Self {
        Self { fire, running: Mutex::default() }
    }

    /// Puts rules in force. One that did not change keeps its time; a firing that is under way goes on.
    pub(super) fn set(&self, rules: &BTreeMap<FunctionName, WarmRule>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|function, current| rules.get(function) == Some(&current.rule));
        for (function, rule) in rules {
            let Some(rate) = rule.rate.filter(|_| rule.enabled && !running.contains_key(function)) else {
                continue;
            };
            let period = Duration::from_secs(60 * u64::from(rate.minutes()));
            // The time is taken here, not when the task gets its turn.
            let began = Instant::now();
            let ticks = interval_at(began + period, period);
            let task =
                tokio::spawn(keep_firing(Arc::clone(&self.fire), function.clone(), rule.clone(), ticks));
            let task = Running { rule: rule.clone(), began, period, _task: AbortOnDropHandle::new(task) };
            running.insert(function.clone(), task);
        }
    }

    /// How long it is until each rule fires next.
    pub(super) fn due(&self) -> BTreeMap<FunctionName, Duration> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |running: &Running| {
            let gone = running.began.elapsed().as_millis() % running.period.as_millis().max(1);
            running.period - Duration::from_millis(u64::try_from(gone).unwrap_or_default())
        };
        running.iter().map(|(function, running)| (function.clone(), due(running))).collect()
    }
}

async fn keep_firing(fire: Fire, function: FunctionName, rule: WarmRule, mut ticks: Interval) {
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        tokio::spawn(fire(function.clone(), rule.clone()));
    }
}

#[cfg(test)]
mod tests {
    use mdo_model::project::Tags;
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;

    fn rule(rate: &str, enabled: bool) -> WarmRule {
        let name = "r".to_owned();
        let rate = Some(rate.parse().unwrap());
        WarmRule { name, rate, concurrency: 1, enabled, input: json!({}), tags: Tags::default() }
    }

    fn rules(entries: &[(&str, WarmRule)]) -> BTreeMap<FunctionName, WarmRule> {
        entries.iter().map(|(name, rule)| (name.parse().unwrap(), rule.clone())).collect()
    }

    struct Clock {
        schedule: Schedule,
        fired: mpsc::UnboundedReceiver<(String, u64)>,
    }

    fn clock() -> Clock {
        let (sender, fired) = mpsc::unbounded_channel();
        let start = Instant::now();
        let fire: Fire = Arc::new(move |function, _| {
            let _ = sender.send((function.to_string(), start.elapsed().as_secs()));
            Box::pin(async {})
        });
        Clock { schedule: Schedule::new(fire), fired }
    }

    async fn until(clock: &mut Clock, minutes: u64, start: Instant) -> Vec<(String, u64)> {
        tokio::time::sleep_until(start + Duration::from_secs(60 * minutes + 1)).await;
        std::iter::from_fn(|| clock.fired.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rule_fires_after_one_period_and_then_every_period() {
        let start = Instant::now();
        let mut clock = clock();
        clock.schedule.set(&rules(&[("a", rule("5m", true)), ("off", rule("1m", false))]));
        assert_eq!(until(&mut clock, 4, start).await, []);
        let due = clock.schedule.due();
        assert_eq!(due.into_iter().collect::<Vec<_>>(), [("a".parse().unwrap(), Duration::from_secs(59))]);
        assert_eq!(until(&mut clock, 11, start).await, [("a".to_owned(), 300), ("a".to_owned(), 600)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_rule_begins_anew_and_an_unchanged_one_keeps_its_time() {
        let start = Instant::now();
        let mut clock = clock();
        clock.schedule.set(&rules(&[("a", rule("3m", true)), ("b", rule("2m", true))]));
        assert_eq!(until(&mut clock, 1, start).await, []);
        clock.schedule.set(&rules(&[("a", rule("3m", true)), ("b", rule("4m", true))]));
        assert_eq!(until(&mut clock, 4, start).await, [("a".to_owned(), 180)]);
        assert_eq!(until(&mut clock, 5, start).await, []);
        clock.schedule.set(&rules(&[("b", rule("4m", true))]));
        let after = until(&mut clock, 6, start).await;
        assert_eq!(after.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
