//! Runs a plan on a provider: every change as early as what it needs allows, and a report of what came of each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::provider::{Applied, Error, ErrorKind, Packages, Provider};
use crate::stack::{Change, Plan, ResourceId};

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
    /// From its own first step to its last.
    pub took: Duration,
}

/// What happened to every change of a plan.
#[derive(Clone, Debug)]
pub struct Report {
    /// In the order of the plan.
    pub finished: Vec<Finished>,
    /// From the first step of all to the last.
    pub took: Duration,
}

impl Report {
    /// Whether every change was made.
    pub fn is_complete(&self) -> bool {
        self.finished.iter().all(|change| matches!(change.outcome, Outcome::Done(_)))
    }

    /// Whether any change was made.
    pub fn is_begun(&self) -> bool {
        self.finished.iter().any(|change| matches!(change.outcome, Outcome::Done(_)))
    }
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
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
pub type Observer<'a> = dyn Fn(Event<'_>) + Send + Sync + 'a;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Usable,
    Absent,
}

/// A run of a plan, as seen by the provider that makes one of its changes.
pub struct Run<'a> {
    plan: &'a Plan,
    packages: &'a Packages,
    states: BTreeMap<ResourceId, watch::Sender<State>>,
    observer: &'a Observer<'a>,
    interrupt: CancellationToken,
}

impl<'a> Run<'a> {
    fn new(
        plan: &'a Plan,
        packages: &'a Packages,
        observer: &'a Observer<'a>,
        interrupt: CancellationToken,
    ) -> Self {
        let states =
            plan.changes.iter().map(|change| (change.id.clone(), watch::Sender::new(State::Pending)));
        Self { plan, packages, states: states.collect(), observer, interrupt }
    }

    /// The whole plan.
    pub fn plan(&self) -> &Plan {
        self.plan
    }

    /// The zips of functions.
    pub fn packages(&self) -> &Packages {
        self.packages
    }

    /// Waits until a needed resource may be relied on. One that the plan does not change may be at once.
    ///
    /// # Errors
    /// [`ErrorKind::Skipped`] when it did not come about, [`ErrorKind::Interrupted`] when the user interrupted the run.
    pub async fn usable(&self, id: &ResourceId) -> Result<(), Error> {
        let Some(state) = self.states.get(id) else {
            return Ok(());
        };
        let mut state = state.subscribe();
        let settled = tokio::select! {
            settled = state.wait_for(|state| *state != State::Pending) => settled.map(|state| state.clone()),
            () = self.interrupt.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
        };
        match settled {
            Ok(State::Usable) => Ok(()),
            _ => Err(Error::new(ErrorKind::Skipped(id.clone()), format!("needs {id}"))),
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
        self.settle(id, State::Usable);
    }

    /// Says in words what a change is waiting for.
    pub fn waiting(&self, id: &ResourceId, what: impl Into<String>) {
        (self.observer)(Event::Waiting(id, what.into()));
    }

    /// Lets some time pass before something that has not been begun is tried again.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] when the user interrupts the run meanwhile.
    pub async fn pause(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.interrupt.cancelled() => Err(Error::new(ErrorKind::Interrupted, "interrupted")),
        }
    }

    /// Says how far an upload is, in bytes.
    pub fn uploaded(&self, id: &ResourceId, sent: u64, total: u64) {
        (self.observer)(Event::Uploaded(id, sent, total));
    }

    fn settle(&self, id: &ResourceId, state: State) {
        if let Some(sender) = self.states.get(id) {
            sender.send_if_modified(|current| {
                let open = *current == State::Pending;
                if open {
                    *current = state;
                }
                open
            });
        }
    }
}

/// Makes every change of `plan` real, at most `concurrency` at a time.
///
/// One failure stops what needs it and nothing else. When `interrupt` is cancelled, changes that were begun are
/// finished and no other is begun.
pub async fn apply(
    provider: &dyn Provider,
    plan: &Plan,
    packages: &Packages,
    concurrency: usize,
    interrupt: CancellationToken,
    observer: &Observer<'_>,
) -> Report {
    let start = Instant::now();
    let run = Run::new(plan, packages, observer, interrupt);
    // Permits go out in the plan's order, so whatever a change waits for has one already.
    let permits = Semaphore::new(concurrency.max(1));
    let mut running: FuturesUnordered<_> =
        plan.changes.iter().map(|change| finish(provider, change, &run, &permits)).collect();
    let mut finished = BTreeMap::new();
    while let Some(change) = running.next().await {
        observer(Event::Finished(&change));
        finished.insert(change.id.clone(), change);
    }
    drop(running);
    let finished = plan.changes.iter().filter_map(|change| finished.remove(&change.id)).collect();
    Report { finished, took: start.elapsed() }
}

async fn finish(provider: &dyn Provider, change: &Change, run: &Run<'_>, permits: &Semaphore) -> Finished {
    let _permit = permits.acquire().await;
    let start = Instant::now();
    let outcome = if run.interrupt.is_cancelled() {
        Outcome::Interrupted
    } else {
        (run.observer)(Event::Started(change));
        match provider.apply(change, run).await {
            Ok(applied) => Outcome::Done(applied),
            Err(error) => match error.kind {
                ErrorKind::Skipped(id) => Outcome::Skipped(id),
                ErrorKind::Interrupted => Outcome::Interrupted,
                _ => Outcome::Failed(error),
            },
        }
    };
    let state = if matches!(outcome, Outcome::Done(_)) { State::Usable } else { State::Absent };
    run.settle(&change.id, state);
    Finished { id: change.id.clone(), outcome, took: start.elapsed() }
}
