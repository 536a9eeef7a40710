//! What happens while a command runs, one document for each event.

use mdo_engine::{Finished, Provider, RunEvent};
use mdo_model::project::Names;
use mdo_model::stack::{Plan, ResourceId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::plan::{OutcomeEntry, PlanDocument};
use super::{VERSION, word};
use crate::output::utc_now;

/// An event of a command: `--events` of every command, a document on each line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventDocument {
    /// 1.
    version: u8,
    /// When it happened, as RFC 3339 in UTC.
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// The command begins.
    Begun {
        /// The command as it was typed, without values of variables.
        command: String,
    },
    /// A plan is about to be run.
    Planned {
        /// The plan, as `--json` prints one that is not run.
        plan: Box<PlanDocument>,
    },
    /// A change begins.
    Started {
        #[serde(flatten)]
        change: ResourceEntry,
        /// `create`, `update` or `delete`.
        action: Value,
    },
    /// A change waits for something outside mdo.
    Waiting {
        #[serde(flatten)]
        change: ResourceEntry,
        /// What it waits for.
        reason: String,
    },
    /// A part of an upload has left.
    Uploaded {
        #[serde(flatten)]
        change: ResourceEntry,
        /// How many bytes have left.
        sent_bytes: u64,
        /// How many there are.
        total_bytes: u64,
    },
    /// A change is over.
    Finished {
        #[serde(flatten)]
        change: ResourceEntry,
        /// What came of it.
        result: Box<OutcomeEntry>,
    },
    /// Something is said on standard error: an error, a warning, a note.
    Said {
        /// The text.
        text: String,
    },
    /// The command is over.
    Ended {
        /// Its exit code.
        exit_code: u8,
        /// How long it took, in seconds.
        seconds: f64,
    },
}

/// The resource that a change is of.
#[derive(Debug, Serialize, JsonSchema)]
struct ResourceEntry {
    /// Its kind, as in a plan.
    resource: Value,
    /// What the provider calls it.
    name: String,
}

impl EventDocument {
    fn new(event: Event) -> Self {
        Self { version: VERSION, at: utc_now(), event }
    }

    pub(crate) fn begun(command: String) -> Self {
        Self::new(Event::Begun { command })
    }

    pub(crate) fn planned(plan: &Plan, provider: &dyn Provider) -> Self {
        Self::new(Event::Planned { plan: Box::new(PlanDocument::new(plan, provider)) })
    }

    pub(crate) fn of_run(event: &RunEvent<'_>, names: &Names) -> Self {
        let entry = |id: &ResourceId| ResourceEntry { resource: word(id.kind), name: id.full_name(names) };
        Self::new(match event {
            RunEvent::Started(change) => {
                Event::Started { change: entry(&change.id), action: word(change.action) }
            }
            RunEvent::Waiting(id, reason) => Event::Waiting { change: entry(id), reason: reason.clone() },
            RunEvent::Uploaded(id, sent, total) => {
                Event::Uploaded { change: entry(id), sent_bytes: *sent, total_bytes: *total }
            }
            RunEvent::Finished(finished) => Self::finished(finished, entry(&finished.id)),
        })
    }

    fn finished(finished: &Finished, change: ResourceEntry) -> Event {
        let result = Box::new(OutcomeEntry::new(finished, &change.name));
        Event::Finished { change, result }
    }

    pub(crate) fn said(text: &str) -> Self {
        Self::new(Event::Said { text: text.to_owned() })
    }

    pub(crate) fn ended(exit_code: u8, seconds: f64) -> Self {
        Self::new(Event::Ended { exit_code, seconds })
    }
}
