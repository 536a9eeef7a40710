//! A trial that alarms decide: it is finished when none fires in time, and aborted when one does, or when nobody can tell.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mdo_engine::Alarm;
use mdo_model::project::FunctionName;

use super::{End, end, tried};
use crate::cli::alarms::{Seen, Watched, fires};
use crate::cli::applying::{self, FINISHING, RunOptions};
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;
use crate::output::{self, Failure, PlanDocument, Steps, TrialDocument, TrialOutcome, exit_code};

/// A trial, and the alarms that decide it.
pub(in crate::cli) struct Watching<'a> {
    pub session: &'a Session,
    pub alarms: Watched,
    /// The functions whose trial it is; `None` for all of the stage.
    pub functions: Option<BTreeSet<FunctionName>>,
    /// When the command began.
    pub start: Instant,
    pub interrupt: &'a Interrupt,
    pub json: bool,
    /// The plans that were run.
    pub documents: RefCell<Vec<PlanDocument>>,
}

/// What came of a trial.
struct Verdict {
    outcome: TrialOutcome,
    fired: Option<Alarm>,
}

impl Watching<'_> {
    /// Watches a trial that was begun and ends it. In JSON one document says what came of all that.
    pub(in crate::cli) async fn decide(&self, begun: Result<(), Failure>) -> Result<(), Failure> {
        let mut verdict = Verdict { outcome: TrialOutcome::Open, fired: None };
        let result = match begun {
            Ok(()) => self.watch(&mut verdict).await,
            Err(failure) => Err(failure),
        };
        if !self.json {
            return result;
        }
        let Verdict { outcome, fired } = verdict;
        let watched = (self.alarms.names.clone(), self.alarms.time);
        let (names, provider) = (self.session.settings.names(), self.session.provider.as_ref());
        let plans = self.documents.take();
        let result = result.map_err(applying::hidden);
        let document = TrialDocument::new(&names, provider, watched, (outcome, fired), plans);
        output::json(&document.with_error(result.as_ref().err()));
        result.map_err(applying::said)
    }

    async fn watch(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        let flags = self.session.flags();
        // What is begun is done, and the next thing is not: an interrupt has nothing to wait for.
        self.interrupt.begin_quietly();
        self.interrupt.say("");
        let seen = {
            let names = self.alarms.names.join(", ");
            let time = humantime::format_duration(self.alarms.time);
            output::message(&format!("  watching {names} for {time}; Ctrl-C leaves the trial as it is"));
            let steps = Steps::begin(format!("watching {names}"));
            let minutes = Cell::new(u64::MAX);
            self.alarms.watch(&self.interrupt.token, |left| tell(&steps, &minutes, left)).await
        };
        self.interrupt.say(FINISHING);
        match seen {
            Ok(Seen::Interrupted) => Err(Failure::with_help(
                exit_code::INTERRUPTED,
                "interrupted: the trial goes on, and no alarm ends it",
                format!("mdo canary finish{flags}, or mdo canary abort{flags}"),
            )),
            Ok(Seen::Calm(unknown)) => {
                for name in unknown {
                    output::message(&format!("note: alarm {name} had INSUFFICIENT_DATA to the end"));
                }
                self.end(End::Finish).await?;
                verdict.outcome = TrialOutcome::Finished;
                Ok(())
            }
            Ok(Seen::Fired(alarm)) => {
                let why = Failure::new(exit_code::PARTLY_APPLIED, format!("alarm {}", fires(&alarm)));
                verdict.fired = Some(alarm);
                self.abort(why, verdict).await
            }
            // What nobody watches must not go on answering requests.
            Err(error) => {
                let error = error.while_doing("the alarms cannot be watched any more");
                self.abort(error.into(), verdict).await
            }
        }
    }

    /// Aborts the trial because of something, with which the command ends.
    async fn abort(&self, mut why: Failure, verdict: &mut Verdict) -> Result<(), Failure> {
        let reason = why.complaints.first().map(|complaint| complaint.message.as_str()).unwrap_or_default();
        output::message(&format!("  {reason}: aborting the trial"));
        let flags = self.session.flags();
        let help = match self.end(End::Abort).await {
            Ok(()) => {
                verdict.outcome = TrialOutcome::Aborted;
                "the trial was aborted: what was live before answers all requests".to_owned()
            }
            Err(failure) => {
                why.complaints.extend(failure.complaints);
                format!("the trial could not be aborted and goes on: mdo canary abort{flags}")
            }
        };
        if let Some(complaint) = why.complaints.first_mut() {
            let own = complaint.help.take().map(|own| format!("; {own}")).unwrap_or_default();
            complaint.help = Some(help + &own);
        }
        Err(why)
    }

    async fn end(&self, how: End) -> Result<(), Failure> {
        let observed = self.session.observe(&self.session.scope(false)).await?;
        let mut tried = tried(&observed);
        tried.retain(|name, _| self.functions.as_ref().is_none_or(|functions| functions.contains(name)));
        let documents = Some(&self.documents);
        let options = RunOptions { documents, ..how.options(self.start, self.interrupt, self.json) };
        end(self.session, &tried, how, &options).await
    }
}

/// Tells how long it still takes: on a terminal at each look, elsewhere every minute.
fn tell(steps: &Steps, minutes: &Cell<u64>, left: Duration) {
    let seconds = Duration::from_secs(left.as_secs_f64().ceil() as u64);
    let still = format!("{} left", humantime::format_duration(seconds));
    let minute = seconds.as_secs().div_ceil(60);
    match minutes.replace(minute) {
        before if minute < before && before != u64::MAX => steps.next(&still),
        _ => steps.detail(&still),
    }
}
