//! What a warm rule is worth: the cold starts that it has prevented, and those before and after its first ping.

use super::{FunctionMeasure, Grid, Series};
use crate::logs::Millis;

/// After how long without an event a sandbox is taken to be gone, in milliseconds. Lambda documents no time; about ten minutes are seen.
const IDLE: Millis = 10 * 60 * 1000;

/// The longest span in which a break of that length can be seen, in milliseconds.
const FINE: Millis = 5 * 60 * 1000;

/// Cold starts and requests before and after the first ping of a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// When the span of the first ping begins.
    pub first_ping: Millis,
    /// Cold starts and requests up to the end of that span, for a first ping finds no sandbox either; `None` where pings were sent all the
    /// time.
    pub before: Option<(f64, f64)>,
    /// The same since.
    pub since: (f64, f64),
}

impl FunctionMeasure {
    /// How many cold starts the warm rule has prevented at least: requests after a break in which a sandbox would have gone, and pings
    /// were sent, that did not start cold. What came before the first request of the time is not known, and not counted. `None` where
    /// spans are too long to tell, or something was not measured.
    pub fn prevented(&self, grid: &Grid) -> Option<u64> {
        if grid.step > FINE {
            return None;
        }
        let (requests, pings) = (self.requests()?, self.pings.as_ref()?);
        let cold = self.cold.as_ref()?;
        let breaks = usize::try_from(IDLE / grid.step).ok()?;
        let mut last: Option<usize> = None;
        let mut prevented = 0;
        for number in (0..grid.count).filter(|number| requests.count(*number) > 0.0) {
            let is_after_break = last.is_some_and(|last| number - last > breaks);
            let before = number.saturating_sub(breaks)..number;
            let was_pinged = before.map(|number| pings.count(number)).sum::<f64>() > 0.0;
            if is_after_break && was_pinged && cold.series.count(number) == 0.0 {
                prevented += 1;
            }
            last = Some(number);
        }
        Some(prevented)
    }

    /// What was before and after the first ping; `None` without one, or where something was not measured.
    pub fn evidence(&self, grid: &Grid) -> Option<Evidence> {
        let (requests, pings, cold) = (self.requests()?, self.pings.as_ref()?, self.cold.as_ref()?);
        let first = (0..grid.count).find(|number| pings.count(*number) > 0.0)?;
        let sum = |series: &Series, from: usize, to: usize| {
            (from..to).map(|number| series.count(number)).sum::<f64>()
        };
        let between = |from, to| (sum(&cold.series, from, to), sum(&requests, from, to));
        let early = grid.begin(first) - grid.start < IDLE;
        let turn = if early { 0 } else { first + 1 };
        Some(Evidence {
            first_ping: grid.begin(first),
            before: (!early).then(|| between(0, turn)),
            since: between(turn, grid.count),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ColdStarts;
    use super::*;

    const MINUTE: Millis = 60_000;

    /// A function of which something was counted in these minutes.
    fn measured(requests: &[usize], pings: &[usize], cold: &[usize]) -> (FunctionMeasure, Grid) {
        let grid = Grid { start: 0, step: MINUTE, count: 60 };
        let counted = |minutes: &[usize]| {
            let mut series = grid.empty();
            minutes.iter().for_each(|minute| series.add(*minute, 1.0));
            series
        };
        let mut invocations = counted(requests);
        pings.iter().for_each(|minute| invocations.add(*minute, 1.0));
        let measure = FunctionMeasure {
            invocations: Some(invocations),
            pings: Some(counted(pings)),
            cold: Some(ColdStarts { series: counted(cold), is_complete: true }),
            ..FunctionMeasure::default()
        };
        (measure, grid)
    }

    fn prevented(requests: &[usize], pings: &[usize], cold: &[usize]) -> Option<u64> {
        let (measure, grid) = measured(requests, pings, cold);
        measure.prevented(&grid)
    }

    #[test]
    fn a_request_after_a_break_that_found_a_pinged_sandbox_was_spared_a_cold_start() {
        let pings = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55];
        assert_eq!(prevented(&[1, 12, 13, 30, 55], &pings, &[]), Some(3));
        // Ten minutes are not a break that is sure to be one.
        assert_eq!(prevented(&[1, 11], &pings, &[]), Some(0));
        // What was before the first request is not known.
        assert_eq!(prevented(&[30], &pings, &[]), Some(0));
    }

    #[test]
    fn nothing_is_prevented_without_pings_nor_where_the_start_was_cold() {
        assert_eq!(prevented(&[1, 30], &[], &[30]), Some(0));
        assert_eq!(prevented(&[1, 30], &[2], &[]), Some(0));
        assert_eq!(prevented(&[1, 30], &[25], &[30]), Some(0));
        assert_eq!(prevented(&[1, 30], &[25], &[]), Some(1));
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        let (measure, grid) = measured(&[1, 30], &[25], &[]);
        assert_eq!(FunctionMeasure { cold: None, ..measure.clone() }.prevented(&grid), None);
        assert_eq!(FunctionMeasure { pings: None, ..measure.clone() }.prevented(&grid), None);
        assert_eq!(measure.prevented(&Grid { step: 60 * MINUTE, ..grid }), None);
        assert_eq!(FunctionMeasure::default().evidence(&grid), None);
    }

    #[test]
    fn cold_starts_are_told_before_and_since_the_first_ping() {
        let (measure, grid) = measured(&[1, 12, 24, 40, 55], &[30, 35, 40, 45, 50, 55], &[1, 12, 24]);
        let evidence = Evidence { first_ping: 30 * MINUTE, before: Some((3.0, 3.0)), since: (0.0, 2.0) };
        assert_eq!(measure.evidence(&grid), Some(evidence));
        let (always, grid) = measured(&[1], &[5], &[1]);
        assert_eq!(always.evidence(&grid).unwrap().before, None);
        assert_eq!(measured(&[1], &[], &[1]).0.evidence(&grid), None);
    }
}
