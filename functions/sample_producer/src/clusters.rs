//! How many rows each cluster gets, and which ones.

use std::ops::Range;

/// Why class weights cannot be turned into counts of rows; the texts are Python's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UncountableWeights {
    /// A weight is not a number.
    NotANumber,
    /// A weight, or its product with the number of rows, is infinite.
    Infinite,
    /// A count beyond ±2^90, which Python can still add up and we do not.
    Huge,
}

impl UncountableWeights {
    /// What the caller is told.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotANumber => "cannot convert float NaN to integer",
            Self::Infinite => "cannot convert float infinity to integer",
            Self::Huge => "weights must be smaller than 2**90 / n_samples in magnitude",
        }
    }
}

/// The rows of each cluster, in the order of the clusters.
pub struct Clusters {
    counts: Vec<i128>,
    rows: usize,
}

impl Clusters {
    /// Shares `rows` rows among `classes` × `per_class` clusters.
    ///
    /// `weights` has one share per class; the last one may be left out and is then what is missing to 1
    /// (a plain sum from left to right, as Python's before 3.12). `None` means equal shares. Shares outside [0, 1] are
    /// legal: they make ranges of rows that Python's slices clamp or count from the end.
    pub fn share(
        rows: usize,
        classes: usize,
        per_class: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self, UncountableWeights> {
        let share_of = |class: usize| match weights {
            None => 1.0 / classes as f64,
            Some(weights) => weights
                .get(class)
                .copied()
                .unwrap_or_else(|| 1.0 - weights.iter().fold(0.0, |sum, weight| sum + weight)),
        };
        let per_class_counts = (0..classes)
            .map(|class| whole(rows as f64 * share_of(class) / per_class as f64))
            .collect::<Result<Vec<i128>, _>>()?;

        let clusters = classes * per_class;
        let sum = per_class_counts.iter().sum::<i128>() * per_class as i128;
        let missing = (rows as i128 - sum).max(0);
        let (each, first) = (missing / clusters as i128, missing % clusters as i128);
        let counts = (0..clusters)
            .map(|cluster| per_class_counts[cluster % classes] + each + i128::from((cluster as i128) < first))
            .collect();
        Ok(Self { counts, rows })
    }

    /// The range of rows of each cluster, as a Python slice would take them: clamped to the table, negative ends
    /// counted from the end of the table, never backwards.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let rows = self.rows as i128;
        let place = move |end: i128| (if end < 0 { end + rows } else { end }).clamp(0, rows) as usize;
        self.counts.iter().scan(0_i128, move |stop, count| {
            let start = *stop;
            *stop += count;
            let first = place(start);
            Some(first..place(*stop).max(first))
        })
    }
}

/// Python's `int(float)`.
fn whole(value: f64) -> Result<i128, UncountableWeights> {
    const LIMIT: f64 = (1_u128 << 90) as f64;
    if value.is_nan() {
        Err(UncountableWeights::NotANumber)
    } else if value.is_infinite() {
        Err(UncountableWeights::Infinite)
    } else if value.abs() > LIMIT {
        Err(UncountableWeights::Huge)
    } else {
        Ok(value.trunc() as i128)
    }
}
