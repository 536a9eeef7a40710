//! Counts what a log tells of events and requests.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use mdo_model::project::KeyName;

use super::{ApiMeasure, ColdStarts, FunctionMeasure, Grid, KeyMeasure, Percentiles, Series};
use crate::logs::{LogBody, LogEvent, LogReport, Millis};

/// What a usage plan refuses a request with.
const REFUSED: u16 = 429;

/// Counts the events of a function.
#[derive(Debug)]
pub struct Tally {
    grid: Grid,
    runs: Vec<Run>,
    pings: HashSet<Arc<str>>,
    throttles: Series,
    has_gap: bool,
}

#[derive(Debug)]
struct Run {
    id: Arc<str>,
    end: Millis,
    report: LogReport,
}

impl Tally {
    /// Counts from nothing.
    pub fn new(grid: Grid) -> Self {
        Self { throttles: grid.empty(), grid, runs: Vec::new(), pings: HashSet::new(), has_gap: false }
    }

    /// Takes an event of the function's log, in any order.
    pub fn push(&mut self, event: &LogEvent) {
        match &event.body {
            LogBody::Ping(id) => drop(self.pings.insert(Arc::clone(id))),
            LogBody::Gap(_) => self.has_gap = true,
            LogBody::Report(id, report) if self.grid.at(event.at).is_some() => {
                self.runs.push(Run { id: Arc::clone(id), end: event.at, report: report.clone() });
            }
            LogBody::Request(request) if request.throttled => {
                if let Some(number) = self.grid.at(event.at) {
                    self.throttles.add(number, 1.0);
                }
            }
            _ => {}
        }
    }

    /// Whether lines were lost, so that there may be more than was counted.
    pub fn has_gap(&self) -> bool {
        self.has_gap
    }

    /// What it comes to.
    pub fn measure(self) -> FunctionMeasure {
        let counted = |is_counted: &dyn Fn(&Run) -> bool| {
            let mut series = self.grid.empty();
            for run in &self.runs {
                if let Some(number) = self.grid.at(run.end) {
                    series.add(number, f64::from(u8::from(is_counted(run))));
                }
            }
            series
        };
        let took = |run: &Run| run.report.billed_ms.unwrap_or(run.report.duration_ms);
        let mut each: Vec<Vec<f64>> = vec![Vec::new(); self.grid.count];
        for run in &self.runs {
            if let Some(number) = self.grid.at(run.end) {
                each[number].push(run.report.duration_ms);
            }
        }
        let all: Vec<f64> = each.iter().flatten().copied().collect();
        FunctionMeasure {
            invocations: Some(counted(&|_| true)),
            errors: Some(counted(&|run| run.report.status.is_some())),
            pings: Some(counted(&|run| self.pings.contains(&run.id))),
            cold: Some(ColdStarts {
                series: counted(&|run| run.report.init_ms.is_some()),
                is_complete: !self.has_gap,
            }),
            at_once: Some(self.at_once()),
            busy_ms: Some(self.runs.iter().map(took).sum()),
            durations: Some(by_span(each)),
            duration: percentiles(all),
            throttles: Some(self.throttles),
            size: None,
            warm: None,
            month: None,
        }
    }

    /// The most events that ran at the same time, in each span in which one began.
    fn at_once(&self) -> Series {
        let mut turns: Vec<(f64, i32)> = Vec::with_capacity(2 * self.runs.len());
        for run in &self.runs {
            // Exact: a log is not as old as numbers of that size.
            #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
            let end = run.end as f64;
            turns.push((end - run.report.duration_ms, 1));
            turns.push((end, -1));
        }
        turns.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let (mut series, mut running) = (self.grid.empty(), 0);
        for (at, turn) in turns {
            running += turn;
            #[expect(clippy::cast_possible_truncation, reason = "it is a moment that the log has")]
            let number = self.grid.at(at.floor() as Millis);
            if let Some(most) = number.and_then(|number| series.0.get_mut(number))
                && turn > 0
            {
                *most = Some(most.unwrap_or_default().max(f64::from(running)));
            }
        }
        series
    }
}

/// Counts the requests of an API, whatever they were for.
#[derive(Debug)]
pub struct ApiTally {
    grid: Grid,
    requests: Series,
    client_errors: Series,
    server_errors: Series,
    took: Vec<f64>,
    refused: BTreeMap<String, u64>,
}

impl ApiTally {
    /// Counts from nothing.
    pub fn new(grid: Grid) -> Self {
        let empty = || grid.empty();
        Self {
            requests: empty(),
            client_errors: empty(),
            server_errors: empty(),
            took: Vec::new(),
            refused: BTreeMap::new(),
            grid,
        }
    }

    /// Takes an event of any log of the stage.
    pub fn push(&mut self, event: &LogEvent) {
        let LogBody::Request(request) = &event.body else { return };
        let Some(number) = self.grid.at(event.at) else { return };
        self.requests.add(number, 1.0);
        match request.status {
            Some(400..=499) => self.client_errors.add(number, 1.0),
            Some(500..) => self.server_errors.add(number, 1.0),
            _ => {}
        }
        if let (Some(REFUSED), Some(key), false) = (request.status, &request.key, request.throttled) {
            *self.refused.entry(key.clone()).or_default() += 1;
        }
        self.took.push(request.took_ms);
    }

    /// Requests of a key that were above throttle or quota.
    pub fn key(&self, key: &KeyName, used: Option<u64>) -> KeyMeasure {
        KeyMeasure { used, refused: Some(self.refused.get(key.as_str()).copied().unwrap_or_default()) }
    }

    /// What it comes to.
    pub fn measure(self) -> ApiMeasure {
        ApiMeasure {
            requests: Some(self.requests),
            client_errors: Some(self.client_errors),
            server_errors: Some(self.server_errors),
            latency: percentiles(self.took),
            month: None,
        }
    }
}

fn by_span(each: Vec<Vec<f64>>) -> Percentiles<Series> {
    let mut series = Percentiles::<Series>::default();
    for values in each {
        let found = percentiles(values);
        series.p50.0.push(found.map(|found| found.p50));
        series.p95.0.push(found.map(|found| found.p95));
        series.p99.0.push(found.map(|found| found.p99));
    }
    series
}

/// The nearest ranks; `None` of nothing.
fn percentiles(mut values: Vec<f64>) -> Option<Percentiles<f64>> {
    values.sort_by(f64::total_cmp);
    let rank = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100);
        values.get(rank.max(1) - 1).copied()
    };
    Some(Percentiles { p50: rank(50)?, p95: rank(95)?, p99: rank(99)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogRequest;

    const GRID: Grid = Grid { start: 60_000, step: 60_000, count: 3 };

    fn event(at: Millis, body: LogBody) -> LogEvent {
        LogEvent { id: String::new(), at, function: None, stream: "".into(), request_id: None, body }
    }

    fn run(id: &str, at: Millis, duration_ms: f64, init_ms: Option<f64>, status: Option<&str>) -> LogEvent {
        let status = status.map(str::to_owned);
        let report = LogReport { duration_ms, init_ms, status, ..LogReport::default() };
        event(at, LogBody::Report(id.into(), report))
    }

    fn series(numbers: [Option<u32>; 3]) -> Series {
        Series(numbers.map(|number| number.map(f64::from)).to_vec())
    }

    #[test]
    fn reports_are_counted_and_pings_are_told_from_requests() {
        let mut tally = Tally::new(GRID);
        let throttled = LogRequest { status: Some(500), throttled: true, ..LogRequest::default() };
        for event in [
            run("early", 59_999, 1.0, Some(9.0), None),
            event(60_000, LogBody::Ping("p".into())),
            run("p", 60_010, 10.0, Some(5.0), None),
            run("a", 70_000, 2.0, None, None),
            run("b", 70_001, 2.0, None, Some("timeout")),
            run("c", 200_000, 4.0, None, None),
            event(200_001, LogBody::Request(throttled)),
        ] {
            tally.push(&event);
        }
        let measure = tally.measure();
        assert_eq!(measure.invocations, Some(series([Some(3), None, Some(1)])));
        assert_eq!(measure.requests(), Some(series([Some(2), None, Some(1)])));
        assert_eq!(measure.errors, Some(series([Some(1), None, Some(0)])));
        assert_eq!(measure.throttles, Some(series([None, None, Some(1)])));
        assert_eq!(measure.cold.unwrap().series, series([Some(1), None, Some(0)]));
        // Two of them ran at the same time for a millisecond.
        assert_eq!(measure.at_once, Some(series([Some(2), None, Some(1)])));
        assert_eq!(measure.busy_ms, Some(18.0));
        assert_eq!(measure.duration, Some(Percentiles { p50: 2.0, p95: 10.0, p99: 10.0 }));
        assert_eq!(measure.durations.unwrap().p50, series([Some(2), None, Some(4)]));
    }

    #[test]
    fn nothing_that_was_logged_is_an_idle_function_without_a_duration() {
        let measure = Tally::new(GRID).measure();
        assert!(measure.is_idle());
        assert_eq!((measure.duration, measure.at_once.unwrap().greatest()), (None, None));
        assert!(!FunctionMeasure::default().is_idle());
    }

    #[test]
    fn requests_are_counted_by_their_status_and_refusals_by_their_key() {
        let mut tally = ApiTally::new(GRID);
        let told = |status: Option<u16>, key: Option<&str>, throttled| {
            let key = key.map(str::to_owned);
            LogRequest { status, key, throttled, took_ms: 3.0, ..LogRequest::default() }
        };
        for request in [
            told(Some(200), Some("a"), false),
            told(Some(429), Some("a"), false),
            told(Some(429), Some("a"), true),
            told(Some(403), None, false),
            told(Some(502), Some("b"), false),
            told(None, Some("b"), false),
        ] {
            tally.push(&event(60_000, LogBody::Request(request)));
        }
        let key = |name: &str| tally.key(&name.parse().unwrap(), Some(7));
        assert_eq!(key("a"), KeyMeasure { used: Some(7), refused: Some(1) });
        assert_eq!(key("b"), KeyMeasure { used: Some(7), refused: Some(0) });
        let measure = tally.measure();
        assert_eq!(measure.requests, Some(series([Some(6), None, None])));
        assert_eq!(measure.client_errors, Some(series([Some(3), None, None])));
        assert_eq!(measure.server_errors, Some(series([Some(1), None, None])));
        assert_eq!(measure.latency, Some(Percentiles { p50: 3.0, p95: 3.0, p99: 3.0 }));
    }

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let values = (1..=200).map(f64::from).collect();
        assert_eq!(percentiles(values), Some(Percentiles { p50: 100.0, p95: 190.0, p99: 198.0 }));
        assert_eq!(percentiles(vec![7.0]), Some(Percentiles { p50: 7.0, p95: 7.0, p99: 7.0 }));
    }
}
