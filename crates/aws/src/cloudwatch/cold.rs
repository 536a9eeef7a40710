//! Cold starts, which no metric of Lambda's counts: its log tells of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use mdo_engine::Error;
use mdo_engine::logs::{LogBody, LogQuery, LogReport, LogSource, Logs};
use mdo_engine::metrics::{ColdStarts, FunctionMeasure, Grid};
use mdo_model::project::FunctionName;

use crate::AwsProvider;

/// Of how many functions the log is read at most: CloudWatch lets an account look five times a second in many regions.
const FUNCTIONS: usize = 5;

/// How many pages of each log are read. One is enough for what a page can hold, ten thousand cold starts, unless much else was logged.
const PAGES: usize = 3;

/// What the report of an event has that waited for a new sandbox.
const INIT: &str = "Init Duration";

impl AwsProvider {
    /// Fills in the cold starts of the functions: of those that have run, of which there may be many, first those that are kept warm and
    /// those that ran most. Answers why some are not known.
    pub(super) async fn count_cold_starts(
        &self,
        functions: &mut BTreeMap<FunctionName, FunctionMeasure>,
        grid: Grid,
    ) -> Vec<String> {
        let mut ran: Vec<(&FunctionName, &mut FunctionMeasure)> = Vec::new();
        for (name, function) in functions {
            if function.is_idle() {
                // Who never ran has never started.
                function.cold = Some(ColdStarts { series: grid.empty(), is_complete: true });
            } else if function.size.is_some() {
                ran.push((name, function));
            }
        }
        let total = |function: &FunctionMeasure| function.invocations.as_ref().map_or(0.0, |all| all.total());
        ran.sort_by(|(_, one), (_, other)| {
            let first = other.warm.is_some().cmp(&one.warm.is_some());
            first.then(total(other).total_cmp(&total(one)))
        });
        let left_out = ran.len().saturating_sub(FUNCTIONS);
        let each = ran.into_iter().take(FUNCTIONS).map(async |(name, function)| {
            match self.cold_starts(name, grid).await {
                Ok(cold) => {
                    function.cold = Some(cold);
                    None
                }
                Err(error) => Some(format!("the cold starts of {name} are not known: {error}")),
            }
        });
        let mut notes: Vec<String> = join_all(each).await.into_iter().flatten().collect();
        if left_out > 0 {
            notes.push(format!(
                "cold starts are read from the log, of {FUNCTIONS} functions at a time; `mdo status FUNCTION` counts those of others"
            ));
        }
        notes
    }

    async fn cold_starts(&self, name: &FunctionName, grid: Grid) -> Result<ColdStarts, Error> {
        let source = LogSource { place: self.names.log_group(name), function: Some(name.clone()) };
        let (since, until, text) = (grid.start, grid.end() - 1, Some(INIT.to_owned()));
        let query = LogQuery { since, until, text, stream: None::<Arc<str>> };
        let (mut series, mut position) = (grid.empty(), None);
        for _ in 0..PAGES {
            let page = self.page(&source, &query, position).await?;
            for event in page.events {
                let is_cold = matches!(event.body, LogBody::Report(_, LogReport { init_ms: Some(_), .. }));
                if let (true, Some(number)) = (is_cold, grid.at(event.at)) {
                    series.add(number, 1.0);
                }
            }
            position = page.next;
            if position.is_none() {
                return Ok(ColdStarts { series, is_complete: true });
            }
        }
        Ok(ColdStarts { series, is_complete: false })
    }
}
