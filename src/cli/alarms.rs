//! The alarms that watch over a trial: which they are, whether they are fit for it, and what they do while the time runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use mdo_engine::{Alarm, AlarmState, Alarms, Cause, Error};
use mdo_model::project::nearest;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// How often the alarms are looked at. CloudWatch looks at its metrics every ten seconds at most.
const RHYTHM: Duration = Duration::from_secs(10);

/// After how many looks in a row that AWS did not answer nobody counts on the next one. Each is repeated by the call itself.
const SILENCES: usize = 3;

/// How long a trial may be watched.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What decides a trial.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct AlarmArgs {
    /// Let alarms of CloudWatch decide: when one of them fires the trial is aborted, and when none does it is finished
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new(), requires = "watch_for")]
    pub alarm: Vec<String>,
    /// For how long the alarms are watched: 90s, 10m, 1h
    #[arg(long = "for", value_name = "TIME", value_parser = time, requires = "alarm")]
    pub watch_for: Option<Duration>,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time <= LONGEST { Ok(time) } else { Err("7d at most".to_owned()) }
}

impl AlarmArgs {
    /// What is to be watched; `None` where no alarm decides.
    ///
    /// # Errors
    /// Where there are no alarms.
    pub(super) fn watched(&self, session: &Session) -> Result<Option<Watched>, Failure> {
        let (false, Some(time)) = (self.alarm.is_empty(), self.watch_for) else { return Ok(None) };
        let Some(source) = session.connection.alarms.clone() else {
            let message = "--alarm is for alarms of CloudWatch, and --local asks AWS for nothing";
            return Err(Failure::with_help(exit_code::USAGE, message, "leave --local or --alarm out"));
        };
        let names: BTreeSet<String> = self.alarm.iter().cloned().collect();
        Ok(Some(Watched { source, names: names.into_iter().collect(), time }))
    }
}

/// Alarms that are watched for some time.
pub(super) struct Watched {
    source: Arc<dyn Alarms>,
    pub names: Vec<String>,
    pub time: Duration,
}

/// How the time went by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// No alarm fired. Of these nothing was known in the end.
    Calm(Vec<String>),
    /// This one fired.
    Fired(Alarm),
    /// The user interrupted.
    Interrupted,
}

impl Watched {
    /// Refuses alarms that do not exist, and those that fire before anything is tried.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let alarms = self.source.alarms(&self.names).await?;
        if let Some(name) = missing(&self.names, &alarms) {
            return Err(self.no_such_alarm(name).await);
        }
        if let Some(alarm) = firing(&alarms) {
            let message = format!("alarm {} already", fires(alarm));
            let help = "wait until it is over, or watch another one; nothing was changed";
            return Err(Failure::with_help(exit_code::USAGE, message, help));
        }
        for name in unknown(&alarms) {
            output::once(&format!("note: alarm {name} has INSUFFICIENT_DATA, which is no alarm"));
        }
        Ok(())
    }

    async fn no_such_alarm(&self, name: &str) -> Failure {
        // That it does not exist is what has to be said, whether or not others are known.
        let others = self.source.alarm_names().await.unwrap_or_default();
        let help = match nearest(name, others.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? Nothing was changed"),
            None => "names are case-sensitive, and alarms are of one account and region; nothing was changed"
                .to_owned(),
        };
        Failure::with_help(exit_code::USAGE, format!("CloudWatch has no alarm `{name}`"), help)
    }

    /// Looks at the alarms until one fires or the time is over, and once at its end. `tell` is told how long it still takes.
    ///
    /// # Errors
    /// When nobody can tell how they are.
    pub(super) async fn watch(
        &self,
        interrupt: &CancellationToken,
        tell: impl Fn(Duration),
    ) -> Result<Seen, Error> {
        let (end, mut silences) = (Instant::now() + self.time, 0);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let looked = tokio::select! {
                biased;
                () = interrupt.cancelled() => return Ok(Seen::Interrupted),
                looked = self.look() => looked,
            };
            match looked {
                Err(error) if error.is(&Cause::Interrupted) => return Ok(Seen::Interrupted),
                Err(error) if is_silence(&error) && silences + 1 < SILENCES => silences += 1,
                Err(error) => return Err(error),
                Ok(alarms) => {
                    if let Some(alarm) = firing(&alarms) {
                        return Ok(Seen::Fired(alarm.clone()));
                    }
                    if left.is_zero() {
                        return Ok(Seen::Calm(unknown(&alarms)));
                    }
                    silences = 0;
                }
            }
            tell(left);
            let rest = if left.is_zero() { RHYTHM } else { left.min(RHYTHM) };
            tokio::select! {
                () = interrupt.cancelled() => return Ok(Seen::Interrupted),
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    async fn look(&self) -> Result<Vec<Alarm>, Error> {
        let alarms = self.source.alarms(&self.names).await?;
        match missing(&self.names, &alarms) {
            Some(name) => Err(Error::new(Cause::Gone, format!("alarm {name} does not exist any more"))),
            None => Ok(alarms),
        }
    }
}

/// An alarm that fires, since when and why.
pub(super) fn fires(alarm: &Alarm) -> String {
    let since = if alarm.since.is_empty() { String::new() } else { format!(" since {}", alarm.since) };
    let reason = if alarm.reason.is_empty() { String::new() } else { format!(" ({})", alarm.reason) };
    format!("{} is in ALARM{since}{reason}", alarm.name)
}

/// Whether the next look may well be answered.
fn is_silence(error: &Error) -> bool {
    matches!(error.cause, Cause::Unreachable | Cause::Throttled)
}

fn missing<'a>(names: &'a [String], alarms: &[Alarm]) -> Option<&'a str> {
    names.iter().find(|name| alarms.iter().all(|alarm| alarm.name != **name)).map(String::as_str)
}

fn firing(alarms: &[Alarm]) -> Option<&Alarm> {
    alarms.iter().find(|alarm| alarm.state == AlarmState::Firing)
}

fn unknown(alarms: &[Alarm]) -> Vec<String> {
    let unknown = alarms.iter().filter(|alarm| alarm.state == AlarmState::Unknown);
    unknown.map(|alarm| alarm.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    /// What is answered to each look in turn; the last one again and again.
    struct Script(Mutex<Vec<Result<AlarmState, Cause>>>);

    #[async_trait]
    impl Alarms for Script {
        async fn alarms(&self, _: &[String]) -> Result<Vec<Alarm>, Error> {
            let mut script = self.0.lock().expect("the script");
            let next = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
            let state = next.map_err(|cause| Error::new(cause, "no answer"))?;
            Ok(vec![Alarm { name: "errors".into(), state, since: "T".into(), reason: "five".into() }])
        }

        async fn alarm_names(&self) -> Result<Vec<String>, Error> {
            Ok(vec!["errors".into()])
        }
    }

    fn watched(script: Vec<Result<AlarmState, Cause>>, seconds: u64) -> Watched {
        let source = Arc::new(Script(Mutex::new(script)));
        Watched { source, names: vec!["errors".into()], time: Duration::from_secs(seconds) }
    }

    /// What is seen, and after how many seconds.
    async fn seen(script: Vec<Result<AlarmState, Cause>>, seconds: u64) -> (Result<Seen, Cause>, u64) {
        let start = Instant::now();
        let seen = watched(script, seconds).watch(&CancellationToken::new(), |_| {}).await;
        (seen.map_err(|error| error.cause), start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_goes_by_without_an_alarm_and_ends_with_a_look() {
        use AlarmState::{Calm, Firing, Unknown};
        assert_eq!(seen(vec![Ok(Calm)], 0).await, (Ok(Seen::Calm(vec![])), 0));
        assert_eq!(seen(vec![Ok(Unknown)], 25).await, (Ok(Seen::Calm(vec!["errors".into()])), 25));
        let (fired, after) = seen(vec![Ok(Calm), Ok(Unknown), Ok(Calm), Ok(Firing)], 25).await;
        assert!(
            matches!(fired, Ok(Seen::Fired(alarm)) if fires(&alarm) == "errors is in ALARM since T (five)")
        );
        assert_eq!(after, 25);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_taken_to_be_calm_who_does_not_answer() {
        use AlarmState::Calm;
        let silence = || Err(Cause::Unreachable);
        // The time is over while AWS does not answer: it is asked until it does.
        let late = vec![Ok(Calm), silence(), silence(), Ok(Calm)];
        assert_eq!(seen(late, 5).await, (Ok(Seen::Calm(vec![])), 25));
        // Silences count when they follow each other.
        let patchy = vec![silence(), silence(), Ok(Calm), Err(Cause::Throttled), silence(), Ok(Calm)];
        assert_eq!(seen(patchy, 60).await, (Ok(Seen::Calm(vec![])), 60));
        assert_eq!(seen(vec![Ok(Calm), silence()], 600).await, (Err(Cause::Unreachable), 30));
        assert_eq!(seen(vec![Ok(Calm), Err(Cause::Denied)], 600).await, (Err(Cause::Denied), 10));
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_ends_the_watch_at_once() {
        let (watched, interrupt) = (watched(vec![Ok(AlarmState::Calm)], 600), CancellationToken::new());
        let cancel = async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            interrupt.cancel();
        };
        let start = Instant::now();
        let (seen, ()) = tokio::join!(watched.watch(&interrupt, |_| {}), cancel);
        assert_eq!((seen, start.elapsed().as_secs()), (Ok(Seen::Interrupted), 12));
    }
}
