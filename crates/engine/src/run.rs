//! A run of a plan as the provider that makes its changes sees it: what it may rely on, and what it tells meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mdo_model::stack::{Change, Plan, ResourceId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
    shared: &'a Shared<'a>,
    /// The right to work, of which there are so many. Who waits for others gives it back meanwhile: they may have none.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

/// What all changes of a run know of it.
pub(crate) struct Shared<'a> {
    plan: &'a Plan,
    packages: &'a Packages,
    states: BTreeMap<ResourceId, watch::Sender<Readiness>>,
    observer: &'a Observer<'a>,
    /// Changes of which something is real already, whatever becomes of the rest.
    begun: Mutex<BTreeSet<ResourceId>>,
    interrupt: CancellationToken,
    permits: Arc<Semaphore>,
}

impl<'a> Shared<'a> {
    /// A run in which so many changes are worked on at a time.
    pub(crate) fn new(
        plan: &'a Plan,
        packages: &'a Packages,
        concurrency: usize,
        observer: &'a Observer<'a>,
        interrupt: CancellationToken,
    ) -> Self {
        let states =
            plan.changes.iter().map(|change| (change.id.clone(), watch::Sender::new(Readiness::Pending)));
        let (states, begun, permits) =
            (states.collect(), Mutex::default(), Arc::new(Semaphore::new(concurrency.max(1))));
        Self { plan, packages, states, observer, begun, interrupt, permits }
    }

    /// For one change, once it may be worked on; those that ask first are first.
    pub(crate) async fn begin(&'a self) -> Run<'a> {
        Run { shared: self, permit: Mutex::new(self.next_permit().await) }
    }

    /// The next right to work; nobody closes the semaphore that it is of.
    async fn next_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// For what is no change of the plan.
    pub(crate) fn beside(&'a self) -> Run<'a> {
        Run { shared: self, permit: Mutex::default() }
    }
}

impl<'a> Run<'a> {
    /// The whole plan.
    pub fn plan(&self) -> &Plan {
        self.shared.plan
    }

    /// The zips of functions and derivatives.
    pub fn packages(&self) -> &Packages {
        self.shared.packages
    }

    /// Waits until a needed resource may be relied on. One that the plan does not change may be at once.
    ///
    /// # Errors
    /// [`Cause::Skipped`] when it did not come about, [`Cause::Interrupted`] when the user interrupted the run.
    pub async fn usable(&self, id: &ResourceId) -> Result<(), Error> {
        let Some(state) = self.shared.states.get(id) else {
            return Ok(());
        };
        let mut state = state.subscribe();
        let is_settled = |state: &Readiness| *state != Readiness::Pending;
        let is_open = !is_settled(&state.borrow());
        if is_open {
            self.aside(async {
                tokio::select! {
                    // The sender is the run's own: there is nothing that could fail.
                    _ = state.wait_for(is_settled) => Ok(()),
                    () = self.shared.interrupt.cancelled() => Err(Error::new(Cause::Interrupted, "interrupted")),
                }
            })
            .await?;
        }
        let settled = state.borrow().clone();
        match settled {
            Readiness::Usable => Ok(()),
            _ => Err(Error::new(Cause::Skipped(id.clone()), format!("needs {id}"))),
        }
    }

    /// Waits for others, who may work meanwhile in place of this change.
    async fn aside<T>(&self, others: impl Future<Output = T>) -> T {
        let gave_one_back = self.permit().take().is_some();
        let answer = others.await;
        if gave_one_back {
            let again = self.shared.next_permit().await;
            *self.permit() = again;
        }
        answer
    }

    fn permit(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.shared.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    pub(crate) fn is_begun(&self, id: &ResourceId) -> bool {
        self.shared.begun.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether the user has interrupted the run.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.shared.interrupt.is_cancelled()
    }

    /// Tells whoever watches the run.
    pub(crate) fn emit(&self, event: RunEvent<'_>) {
        (self.shared.observer)(event);
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
            () = self.shared.interrupt.cancelled() => Err(Error::new(Cause::Interrupted, "interrupted")),
        }
    }

    /// Says how far an upload is, in bytes.
    pub fn uploaded(&self, id: &ResourceId, sent: u64, total: u64) {
        self.emit(RunEvent::Uploaded(id, sent, total));
    }

    /// Says what became of a change; only the first word counts.
    pub(crate) fn settle(&self, id: &ResourceId, state: Readiness) {
        if let Some(sender) = self.shared.states.get(id) {
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
