//! What a local stack has logged, in a ring for each function: a file that is written to its end, and the one before it.

mod book;
mod record;
mod ring;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use mdo_engine::Error;
use mdo_engine::logs::{Lateness, LogPage, LogQuery, LogSource, Logs};
use mdo_model::project::FunctionName;

use super::LocalProvider;

pub(super) use book::Book;
pub(super) use ring::Ring;

/// How long until it is worth looking for new events.
const RHYTHM: Duration = Duration::from_millis(250);

/// Each process writes what it has collected, soon.
const LATENESS: Lateness = Lateness { mostly: 1_000, at_most: 5_000 };

#[async_trait]
impl Logs for LocalProvider {
    async fn sources(
        &self,
        functions: &BTreeSet<FunctionName>,
        whole: bool,
    ) -> Result<Vec<LogSource>, Error> {
        let own = whole.then_some(None);
        let writers = functions.iter().map(Some).chain(own);
        let source = |function: Option<&FunctionName>| LogSource {
            place: self.store.ring(function).path().display().to_string(),
            function: function.cloned(),
        };
        Ok(writers.map(source).collect())
    }

    async fn page(
        &self,
        source: &LogSource,
        query: &LogQuery,
        position: Option<String>,
    ) -> Result<LogPage, Error> {
        let (function, query) = (source.function.clone(), query.clone());
        self.blocking(move |this| {
            this.store.ring(function.as_ref()).page(function.as_ref(), &query, position.as_deref())
        })
        .await
    }

    fn rhythm(&self) -> Duration {
        RHYTHM
    }

    fn lateness(&self) -> Lateness {
        LATENESS
    }
}
