//! A time that is divided into spans of equal length, and a number for each of them.

use crate::logs::Millis;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// A time that is divided into spans of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// When the first span begins.
    pub start: Millis,
    /// How long each is.
    pub step: Millis,
    /// How many there are.
    pub count: usize,
}

impl Grid {
    /// The spans that cover a time: of minutes for up to three hours, of five minutes for a day, of hours for a fortnight, else of days.
    /// The first one begins at a whole step, and the present one is the last.
    pub fn covering(since: Millis, until: Millis) -> Self {
        let step = match until - since {
            length if length <= 3 * HOUR => MINUTE,
            length if length <= DAY => 5 * MINUTE,
            length if length <= 14 * DAY => HOUR,
            _ => DAY,
        };
        let start = since - since.rem_euclid(step);
        let count = (until - start).div_euclid(step) + 1;
        Self { start, step, count: usize::try_from(count).unwrap_or(1).max(1) }
    }

    /// When the last span ends.
    pub fn end(&self) -> Millis {
        self.start + self.step * Millis::try_from(self.count).unwrap_or_default()
    }

    /// The number of the span that a moment is in.
    pub fn at(&self, moment: Millis) -> Option<usize> {
        let number = usize::try_from((moment - self.start).div_euclid(self.step)).ok()?;
        (number < self.count).then_some(number)
    }

    /// When a span begins.
    pub fn begin(&self, number: usize) -> Millis {
        self.start + self.step * Millis::try_from(number).unwrap_or_default()
    }

    /// A series in which nothing was measured.
    pub fn empty(&self) -> Series {
        Series(vec![None; self.count])
    }
}

/// A number for each span; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(pub Vec<Option<f64>>);

impl Series {
    /// All of them together.
    pub fn total(&self) -> f64 {
        // The sum of no numbers at all is a negative zero.
        self.0.iter().flatten().fold(0.0, |one, other| one + other)
    }

    /// The greatest; `None` where there is none.
    pub fn greatest(&self) -> Option<f64> {
        self.0.iter().flatten().copied().reduce(f64::max)
    }

    /// The number of a span; nothing is zero.
    pub fn count(&self, number: usize) -> f64 {
        self.0.get(number).copied().flatten().unwrap_or_default()
    }

    /// Adds to the number of a span.
    pub fn add(&mut self, number: usize, amount: f64) {
        if let Some(present) = self.0.get_mut(number) {
            *present = Some(present.unwrap_or_default() + amount);
        }
    }

    /// Takes some of what was counted away. What one clock has put into a span and another into the next one is found there.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut surplus = 0.0;
        let rest = |(number, own): (usize, &Option<f64>)| {
            let left = own.unwrap_or_default() - others.count(number) - surplus;
            surplus = (-left).max(0.0);
            own.map(|_| left.max(0.0))
        };
        Self(self.0.iter().enumerate().map(rest).collect())
    }

    /// Takes some of what was counted away, span by span.
    #[must_use]
    pub fn less(&self, others: &Self) -> Self {
        let rest =
            |(number, own): (usize, &Option<f64>)| own.map(|own| (own - others.count(number)).max(0.0));
        Self(self.0.iter().enumerate().map(rest).collect())
    }

    /// As few numbers as fit, each the sum of as many spans.
    #[must_use]
    pub fn folded(&self, most: usize) -> Self {
        let each = self.0.len().div_ceil(most.max(1)).max(1);
        let sum = |spans: &[Option<f64>]| {
            let known = spans.iter().flatten().copied();
            known.reduce(|one, other| one + other)
        };
        // The last one is the present, and is whole.
        let first = self.0.len() % each;
        let (head, tail) = self.0.split_at(first);
        let head = (first > 0).then(|| sum(head));
        Self(head.into_iter().chain(tail.chunks(each).map(sum)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_covered_by_whole_spans_of_a_length_that_fits_it() {
        // 2026-11-27T10:00:30Z.
        let now = 1_795_773_630_000;
        let of = |length: Millis| {
            let grid = Grid::covering(now - length, now);
            assert!(grid.start <= now - length && now < grid.end(), "{length}");
            assert_eq!(grid.at(now), Some(grid.count - 1));
            assert_eq!((grid.at(grid.start), grid.at(grid.start - 1)), (Some(0), None));
            (grid.step / MINUTE, grid.count)
        };
        assert_eq!(of(10 * MINUTE), (1, 11));
        assert_eq!(of(3 * HOUR), (1, 181));
        assert_eq!(of(DAY), (5, 289));
        assert_eq!(of(7 * DAY), (60, 169));
        assert_eq!(of(30 * DAY), (24 * 60, 31));
        assert_eq!(of(0), (1, 1));
    }

    fn series(numbers: &[f64]) -> Series {
        Series(numbers.iter().map(|number| Some(*number)).collect())
    }

    #[test]
    fn what_two_clocks_have_put_into_neighbouring_spans_is_the_same() {
        let all = series(&[1.0, 0.0, 1.0, 3.0]);
        let pings = series(&[1.0, 1.0, 0.0, 1.0]);
        assert_eq!(all.without(&pings), series(&[0.0, 0.0, 0.0, 2.0]));
    }

    #[test]
    fn a_long_series_is_folded_from_its_end() {
        assert_eq!(series(&[1.0, 2.0, 3.0, 4.0, 5.0]).folded(3), series(&[1.0, 5.0, 9.0]));
        assert_eq!(series(&[1.0, 2.0]).folded(24), series(&[1.0, 2.0]));
        assert_eq!(Series(vec![None, None, Some(1.0), None]).folded(2), Series(vec![None, Some(1.0)]));
    }
}
