//! What the console tells beside what is served: what went wrong, what the last reload changed, and that a warm rule has fired.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::activity::Activity;
use crate::state::now;

/// How many problems are kept.
const PROBLEMS: usize = 20;

/// What happened of late.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<Told>);

/// What is told.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Told {
    /// Why the files as they are now are not served.
    mistake: Option<Notice>,
    /// The newest first.
    problems: VecDeque<Notice>,
    /// What the last reload changed.
    reloaded: Option<Reload>,
    /// How many times warm rules have fired.
    pub(super) pings: u64,
}

/// Something that was said.
#[derive(Clone, Debug, Serialize)]
struct Notice {
    /// RFC 3339, UTC.
    at: String,
    text: String,
}

/// A reload.
#[derive(Clone, Debug, Serialize)]
struct Reload {
    /// RFC 3339, UTC.
    at: String,
    /// A line each.
    changes: Vec<String>,
}

impl Notices {
    /// Notes what the console is to tell of.
    pub(crate) fn note(&self, activity: &Activity) {
        match activity {
            Activity::Served(mdo_server::Activity::Problem(text)) => {
                let mut told = self.lock();
                told.problems.push_front(Notice { at: now(), text: text.clone() });
                told.problems.truncate(PROBLEMS);
            }
            Activity::Ping { .. } => self.lock().pings += 1,
            Activity::Served(_) | Activity::Reloaded { .. } => {}
        }
    }

    /// Notes whether the files as they are now are served; `mistake` says why they are not.
    pub(crate) fn edited(&self, mistake: Option<String>) {
        self.lock().mistake = mistake.map(|text| Notice { at: now(), text });
    }

    /// Notes what a reload has changed, a line for each change.
    pub(crate) fn reloaded(&self, changes: Vec<String>) {
        self.lock().reloaded = Some(Reload { at: now(), changes });
    }

    pub(super) fn told(&self) -> Told {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
