//! A run of a plan as the provider that makes its changes sees it: what it may rely on, and what it tells meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mdo_model::stack::{Change, Plan, ResourceId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Applied, Cause, Error, Packages};

/// What happened to one change.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is real.
    Done(Applied),
    /// Something that it needs did not come about.
    Skipped(ResourceId),
    /// It could not be made.
    Failed(Error),
    /// The user interrupted the run before it was begun.
    Interrupted,
}

/// What happened to one change, and how long it took.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The resource.
    pub id: ResourceId,
    /// What happened.
    pub outcome: Outcome,
    /// Whether a part of it is real, where the whole is not.
    pub begun: bool,
    /// From its own first step to its last.
    pub took: Duration,
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum RunEvent<'a> {
    /// Work on a change begins.
    Started(&'a Change),
    /// A change waits for something outside mdo, said in words.
    Waiting(&'a ResourceId, String),
    /// Bytes of an upload that have left, and how many there are.
    Uploaded(&'a ResourceId, u64, u64),
    /// A change is over.
    Finished(&'a Finished),
}

/// Somebody who is told what happens.
pub type Observer<'a> = dyn Fn(RunEvent<'_>) + Send + Sync + 'a;

/// Whether others may rely on a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Pending,
    Usable,
    Absent,
}

/// A run of a plan, as seen by the provider that makes one of its changes.
pub struct Run<'a> {
    plan: &'a Plan,
    packages: &'a Packages,
    states: BTreeMap<ResourceId, watch::Sender<Readiness>>,
    observer: &'a Observer<'a>,
    /// Changes of which something is real already, whatever becomes of the rest.
    begun: Mutex<BTreeSet<ResourceId>>,
    interrupt: CancellationToken,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        packages: &'a Packages,
        observer: &'a Observer<'a>,
        interrupt: CancellationToken,
    ) -> Self {
        let states =
            plan.changes.iter().map(|change| (change.id.clone(), watch::Sender::new(Readiness::Pending)));
        Self { plan, packages, states: states.collect(), observer, begun: Mutex::default(), interrupt }
    }

    /// The whole plan.
    pub fn plan(&self) -> &Plan {
        self.plan
    }

    /// The zips of functions and derivatives.
    pub fn packages(&self) -> &Packages {
        self.packages
    }

    /// Waits until a needed resource may be relied on. One that the plan does not change may be at once.
    ///
    /// # Errors
    /// [`Cause::Skipped`] when it did not come about, [`Cause::Interrupted`] when the user interrupted the run.
    pub async fn usable(&self, id: &ResourceId) -> Result<(), Error> {
        let Some(state) = self.states.get(id) else {
            return Ok(());
        };
        let mut state = state.subscribe();
        let settled = tokio::select! {
            settled = state.wait_for(|state| *state != Readiness::Pending) => settled.map(|state| state.clone()),
            () = self.interrupt.cancelled() => {
                return Err(Error::new(Cause::Interrupted, "interrupted"));
            }
        };
        match settled {
            Ok(Readiness::Usable) => Ok(()),
            _ => Err(Error::new(Cause::Skipped(id.clone()), format!("needs {id}"))),
        }
    }

    /// Waits until it is known whether a resource came about, whichever it is.
    ///
    /// # Errors
    /// [`Cause::Interrupted`] when the user interrupted the run.
    pub async fn decided(&self, id: &ResourceId) -> Result<(), Error> {
        match self.usable(id).await {
            Err(error) if error.cause == Cause::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits until everything that a change needs may be relied on.
    ///
    /// # Errors
    /// As [`Run::usable`].
    pub async fn all_usable(&self, change: &Change) -> Result<(), Error> {
        for id in &change.needs {
            self.usable(id).await?;
        }
        Ok(())
    }

    /// Says that others may rely on a resource from now on, though work on it may go on.
    pub fn announce(&self, id: &ResourceId) {
        self.begun(id);
        self.settle(id, Readiness::Usable);
    }

    /// Says that a part of a change is real: should the rest fail, the stack was changed all the same.
    pub fn begun(&self, id: &ResourceId) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    pub(crate) fn is_begun(&self, id: &ResourceId) -> bool {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether the user has interrupted the run.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    /// Tells whoever watches the run.
    pub(crate) fn emit(&self, event: RunEvent<'_>) {
        (self.observer)(event);
    }

    /// Says in words what a change is waiting for.
    pub fn waiting(&self, id: &ResourceId, what: impl Into<String>) {
        self.emit(RunEvent::Waiting(id, what.into()));
    }

    /// Lets some time pass before something that has not been begun is tried again.
    ///
    /// # Errors
    /// [`Cause::Interrupted`] when the user interrupts the run meanwhile.
    pub async fn pause(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.interrupt.cancelled() => Err(Error::new(Cause::Interrupted, "interrupted")),
        }
    }

    /// Says how far an upload is, in bytes.
    pub fn uploaded(&self, id: &ResourceId, sent: u64, total: u64) {
        self.emit(RunEvent::Uploaded(id, sent, total));
    }

    /// Says what became of a change; only the first word counts.
    pub(crate) fn settle(&self, id: &ResourceId, state: Readiness) {
        if let Some(sender) = self.states.get(id) {
            sender.send_if_modified(|current| {
                let open = *current == Readiness::Pending;
                if open {
                    *current = state;
                }
                open
            });
        }
    }
}
