//! What a proxy saw: the calls, and how many of them had to wait for one another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::operations::Operation;

/// One call, from the moment its request was complete to the moment its answer was sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Since the recording began.
    pub start: Duration,
    /// Since the recording began.
    pub end: Duration,
    /// HTTP method.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// What was asked for, of which service, by whom.
    pub operation: Operation,
    /// How many bytes the request's body has.
    pub sent: usize,
    /// The body, where it is no upload.
    pub body: Arc<[u8]>,
    /// HTTP status of the answer; 0 where the connection was cut instead.
    pub status: u16,
}

/// The calls of a recording, in the order of their starts.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    calls: Vec<Call>,
}

impl Recording {
    /// A recording of these calls.
    pub fn new(mut calls: Vec<Call>) -> Recording {
        calls.sort_by_key(|call| call.start);
        Recording { calls }
    }

    /// Every call.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The calls that change something.
    pub fn writes(&self) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.operation.writes()).collect()
    }

    /// The calls' names in order, as `service:Operation`.
    pub fn names(&self) -> Vec<String> {
        self.calls.iter().map(|call| format!("{}:{}", call.operation.service, call.operation.name)).collect()
    }

    /// The calls with the times at which each began and ended, for a failed assertion.
    pub fn timeline(&self) -> Vec<String> {
        let line = |call: &Call| {
            format!(
                "{:>5} to {:>5} ms  {}",
                call.start.as_millis(),
                call.end.as_millis(),
                call.operation.name
            )
        };
        self.calls.iter().map(line).collect()
    }

    /// How often an operation, such as `CreateFunction`, was called.
    pub fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|call| call.operation.name == operation).count()
    }

    /// The same without waiting for Lambda: without the reads of a function after it was created or updated.
    pub fn apart_from_waiting(&self) -> Recording {
        let mut changed = BTreeSet::new();
        let mut calls = Vec::new();
        for call in &self.calls {
            let function = call.path.split(['/', '?']).nth(3).unwrap_or_default();
            match call.operation.name.as_str() {
                // Which function is created stands in the body: nobody else reads a function that is new.
                "CreateFunction" => drop(changed.insert("")),
                "UpdateFunctionCode" | "UpdateFunctionConfiguration" => drop(changed.insert(function)),
                "GetFunction" if changed.contains("") || changed.contains(function) => continue,
                _ => {}
            }
            calls.push(call.clone());
        }
        Recording { calls }
    }

    /// The length of the longest chain of calls of which each started after the one before had ended.
    pub fn depth(&self) -> usize {
        let mut by_end: Vec<_> = self.calls.iter().collect();
        by_end.sort_by_key(|call| call.end);
        let (mut depth, mut free_from) = (0, Duration::ZERO);
        for call in by_end {
            if depth == 0 || call.start >= free_from {
                depth += 1;
                free_from = call.end;
            }
        }
        depth
    }

    /// From the first call's start to the last call's end.
    pub fn wall(&self) -> Duration {
        let start = self.calls.iter().map(|call| call.start).min().unwrap_or_default();
        let end = self.calls.iter().map(|call| call.end).max().unwrap_or_default();
        end - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(spans: &[(u64, u64)]) -> Recording {
        let call = |(start, end): &(u64, u64)| Call {
            start: Duration::from_millis(*start),
            end: Duration::from_millis(*end),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            sent: 0,
            body: Arc::default(),
            operation: Operation {
                service: "lambda".to_owned(),
                name: "GetPolicy".to_owned(),
                account: String::new(),
            },
            status: 200,
        };
        Recording::new(spans.iter().map(call).collect())
    }

    #[test]
    fn no_call_has_no_depth() {
        assert_eq!((recording(&[]).depth(), recording(&[]).wall()), (0, Duration::ZERO));
    }

    #[test]
    fn calls_side_by_side_are_one_deep() {
        assert_eq!(recording(&[(0, 50), (1, 51), (49, 60)]).depth(), 1);
    }

    #[test]
    fn calls_one_after_another_are_as_deep_as_they_are_many() {
        assert_eq!(recording(&[(100, 150), (0, 50), (50, 100)]).depth(), 3);
    }

    #[test]
    fn a_long_call_does_not_hide_a_chain_of_short_ones() {
        let calls = recording(&[(0, 200), (0, 50), (60, 110), (55, 190), (120, 170), (210, 220)]);
        assert_eq!((calls.depth(), calls.wall()), (4, Duration::from_millis(220)));
    }
}
