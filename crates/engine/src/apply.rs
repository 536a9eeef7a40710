//! Runs a plan on a provider: every change as early as what it needs allows, and a report of what came of each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use mdo_model::stack::{Change, Plan};
use tokio_util::sync::CancellationToken;

use crate::run::Shared;
use crate::{Cause, Finished, Observer, Outcome, Packages, Provider, Readiness, RunEvent};

/// What happened to every change of a plan.
#[derive(Clone, Debug)]
pub struct Report {
    /// In the order of the plan.
    pub finished: Vec<Finished>,
    /// What people should know of the run as a whole.
    pub warnings: Vec<String>,
    /// From the first step of all to the last.
    pub took: Duration,
}

impl Report {
    /// Whether every change was made.
    pub fn is_complete(&self) -> bool {
        self.finished.iter().all(|change| matches!(change.outcome, Outcome::Done(_)))
    }

    /// Whether any change was made, or a part of one.
    pub fn is_begun(&self) -> bool {
        self.finished.iter().any(|change| change.begun || matches!(change.outcome, Outcome::Done(_)))
    }
}

/// Makes every change of `plan` real, at most `concurrency` at a time; one that waits for others does not count meanwhile.
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
    let run = Shared::new(plan, packages, concurrency, observer, interrupt);
    let mut running: FuturesUnordered<_> =
        plan.changes.iter().map(|change| finish(provider, change, &run)).collect();
    let mut finished = BTreeMap::new();
    while let Some(change) = running.next().await {
        observer(RunEvent::Finished(&change));
        finished.insert(change.id.clone(), change);
    }
    drop(running);
    let is_whole = finished.values().all(|change| matches!(change.outcome, Outcome::Done(_)));
    let warnings = match is_whole {
        true => provider.confirm(&run.beside()).await.unwrap_or_else(|error| vec![error.to_string()]),
        false => Vec::new(),
    };
    let finished = plan.changes.iter().filter_map(|change| finished.remove(&change.id)).collect();
    Report { finished, warnings, took: start.elapsed() }
}

async fn finish<'a>(provider: &dyn Provider, change: &Change, run: &'a Shared<'a>) -> Finished {
    let run = run.begin().await;
    let start = Instant::now();
    let outcome = if run.is_interrupted() {
        Outcome::Interrupted
    } else {
        run.emit(RunEvent::Started(change));
        match provider.apply(change, &run).await {
            Ok(applied) => Outcome::Done(applied),
            Err(error) => match error.cause {
                Cause::Skipped(id) => Outcome::Skipped(id),
                Cause::Interrupted => Outcome::Interrupted,
                _ => Outcome::Failed(error),
            },
        }
    };
    let state = if matches!(outcome, Outcome::Done(_)) { Readiness::Usable } else { Readiness::Absent };
    run.settle(&change.id, state);
    let begun = run.is_begun(&change.id);
    Finished { id: change.id.clone(), outcome, begun, took: start.elapsed() }
}
