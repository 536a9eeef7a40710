//! Reads several logs at once in order of time, as few pages at a time as that takes.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::try_join_all;

use super::{LogEvent, LogQuery, LogSource, Logs};
use crate::Error;

/// Some logs that are being read.
pub struct Reading {
    logs: Arc<dyn Logs>,
    query: LogQuery,
    cursors: Vec<Cursor>,
}

/// How far one log is read.
struct Cursor {
    source: LogSource,
    events: VecDeque<LogEvent>,
    /// Where its next page begins; `None` at its end.
    next: Option<Option<String>>,
}

impl Cursor {
    /// Reads pages until there is an event, or none any more.
    async fn fill(&mut self, logs: &dyn Logs, query: &LogQuery) -> Result<(), Error> {
        while self.events.is_empty()
            && let Some(position) = self.next.take()
        {
            let page = logs.page(&self.source, query, position).await?;
            self.events = page.events.into();
            self.next = page.next.map(Some);
        }
        Ok(())
    }
}

impl Reading {
    /// Begins to read; nothing is asked for yet.
    pub fn new(logs: Arc<dyn Logs>, sources: &[LogSource], query: LogQuery) -> Self {
        let cursor =
            |source: &LogSource| Cursor { source: source.clone(), events: VecDeque::new(), next: Some(None) };
        Self { cursors: sources.iter().map(cursor).collect(), query, logs }
    }

    /// The next events of all logs, oldest first; none at the end of all. At one time, the source that comes first is first.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub async fn next(&mut self) -> Result<Vec<LogEvent>, Error> {
        let (logs, query) = (self.logs.as_ref(), &self.query);
        try_join_all(self.cursors.iter_mut().map(|cursor| cursor.fill(logs, query))).await?;
        // Up to the end of the page that ends first, the order is known.
        let open = self.cursors.iter().filter(|cursor| cursor.next.is_some());
        let known = open.filter_map(|cursor| cursor.events.back()).map(|event| event.at).min();
        let mut batch = Vec::new();
        for cursor in &mut self.cursors {
            while cursor.events.front().is_some_and(|event| known.is_none_or(|known| event.at <= known)) {
                batch.extend(cursor.events.pop_front());
            }
        }
        batch.sort_by_key(|event| event.at);
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use async_trait::async_trait;
    use mdo_model::project::FunctionName;

    use super::super::sample::line;
    use super::super::{Lateness, LogPage, Millis};
    use super::*;

    type Page = Vec<(Millis, &'static str)>;

    struct Pages(Vec<Vec<Page>>);

    #[async_trait]
    impl Logs for Pages {
        async fn sources(
            &self,
            _functions: &BTreeSet<FunctionName>,
            _whole: bool,
        ) -> Result<Vec<LogSource>, Error> {
            let source = |number: usize| LogSource { place: number.to_string(), function: None };
            Ok((0..self.0.len()).map(source).collect())
        }

        async fn page(
            &self,
            source: &LogSource,
            _query: &LogQuery,
            position: Option<String>,
        ) -> Result<LogPage, Error> {
            let pages = &self.0[source.place.parse::<usize>().expect("a number")];
            let at: usize = position.map_or(0, |position| position.parse().expect("a number"));
            let events = pages[at].iter().map(|(at, text)| line("f", "s", *at, text)).collect();
            let next = (at + 1 < pages.len()).then(|| (at + 1).to_string());
            Ok(LogPage { events, next })
        }

        fn rhythm(&self) -> Duration {
            Duration::ZERO
        }

        fn lateness(&self) -> Lateness {
            Lateness { mostly: 0, at_most: 0 }
        }
    }

    #[tokio::test]
    async fn events_of_several_logs_come_in_order_of_time_over_all_pages() {
        let one = vec![vec![(1, "a"), (4, "d")], vec![], vec![(5, "e"), (9, "i")]];
        let other = vec![vec![(2, "b"), (3, "c"), (8, "h")], vec![(10, "j")]];
        let logs: Arc<dyn Logs> = Arc::new(Pages(vec![one, other, vec![vec![]]]));
        let sources = logs.sources(&BTreeSet::new(), true).await.expect("sources");
        let mut reading = Reading::new(logs, &sources, LogQuery::default());
        let mut told = Vec::new();
        loop {
            let batch = reading.next().await.expect("a page");
            if batch.is_empty() {
                break;
            }
            told.extend(batch.into_iter().map(|event| event.at));
        }
        assert_eq!(told, [1, 2, 3, 4, 5, 8, 9, 10]);
    }
}
