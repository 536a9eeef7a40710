//! Follows logs from a time on: looks again and again, and hands over each entry once, when it no longer grows.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Fold, Follower, LogEntry, LogQuery, LogSource, Logs, Millis, Reading};
use crate::Error;

/// How long an entry is given to grow: the lines of a trace, and the request of an event, come within it. In milliseconds.
const SETTLES_WITHIN: Millis = 300;

/// Some logs that are followed.
pub struct Following {
    logs: Arc<dyn Logs>,
    sources: Vec<LogSource>,
    query: LogQuery,
    follower: Follower,
    fold: Fold,
}

impl Following {
    /// Follows what `query` asks for, from its beginning on; its end does not count. Nothing is read yet.
    pub fn new(logs: Arc<dyn Logs>, sources: Vec<LogSource>, query: LogQuery) -> Self {
        let follower = Follower::new(query.since, logs.lateness());
        Self { logs, sources, query, follower, fold: Fold::default() }
    }

    /// Follows other logs from now on; what was read stays read.
    pub fn set_sources(&mut self, sources: Vec<LogSource>) {
        self.sources = sources;
    }

    /// Looks once, and hands over what has settled, until `take` wants no more.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn look(
        &mut self,
        now: Millis,
        mut take: impl FnMut(Vec<LogEntry>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let query = LogQuery { since: self.follower.look(now), until: now, ..self.query.clone() };
        let mut reading = Reading::new(Arc::clone(&self.logs), &self.sources, query);
        loop {
            let batch = reading.next().await?;
            let is_last = batch.is_empty();
            let new = batch.into_iter().filter(|event| self.follower.is_new(event));
            new.for_each(|event| self.fold.push(event));
            let ready = self.fold.ready(now - SETTLES_WITHIN);
            if take(ready).is_break() || is_last {
                return Ok(());
            }
        }
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Vec<LogEntry> {
        self.fold.finish()
    }
}
