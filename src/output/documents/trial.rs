//! A trial that alarms have decided.

use std::time::Duration;

use mdo_engine::{Alarm, Provider};
use mdo_model::project::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::failure::FailureEntry;
use super::{Head, PlanDocument};
use crate::output::Failure;

/// A trial that alarms have decided: `deploy --alarm`, `canary watch`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrialDocument {
    #[serde(flatten)]
    head: Head,
    /// The names of the alarms.
    alarms: Vec<String>,
    /// For how long they were to be watched, in seconds.
    watched_for: f64,
    outcome: TrialOutcome,
    /// The alarm that fired; null where none did.
    fired: Option<FiredEntry>,
    /// The plans that were run: of `deploy --alarm` the deploy's, then the one that ended the trial.
    plans: Vec<PlanDocument>,
    /// Why the command ended without success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureEntry>,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrialOutcome {
    /// What was on trial answers all requests.
    Finished,
    /// What was live before answers all requests.
    Aborted,
    /// Neither came about: the plans and the error say how far it went.
    Open,
}

/// An alarm that fired.
#[derive(Debug, Serialize, JsonSchema)]
struct FiredEntry {
    name: String,
    /// Since when, as RFC 3339 in UTC.
    since: String,
    /// Why, in CloudWatch's words.
    reason: String,
}

impl TrialDocument {
    /// What came of a trial that these alarms were to decide in this time.
    pub(crate) fn new(
        names: &Names,
        provider: &dyn Provider,
        (alarms, time): (Vec<String>, Duration),
        (outcome, fired): (TrialOutcome, Option<Alarm>),
        plans: Vec<PlanDocument>,
    ) -> Self {
        let fired = fired.map(|Alarm { name, since, reason, .. }| FiredEntry { name, since, reason });
        let head = Head::new(names, provider);
        Self { head, alarms, watched_for: time.as_secs_f64(), outcome, fired, plans, error: None }
    }

    /// The same with why the command ended without success.
    #[must_use]
    pub(crate) fn with_error(self, failure: Option<&Failure>) -> Self {
        Self { error: failure.and_then(FailureEntry::new), ..self }
    }
}
