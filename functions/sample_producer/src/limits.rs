//! What this function takes on: samples that fit in the answer, the memory and the time of a 128 MB function.
//! Everything is estimated before anything is drawn or allocated.

use crate::clusters::Clusters;
use crate::errors::{Reason, Refusal};
use crate::hypercube::{CHOSEN_DIMENSIONS, Choice};
use crate::python::Integer;
use crate::query::Query;
use crate::validation::{Checked, OneOrEach};

/// The largest response that Lambda passes on, in bytes.
pub const ANSWER_BYTES: usize = 6 * 1024 * 1024;
/// The most memory that drawing may take, in bytes; the rest of the 128 MB is for the answer and the process.
const DRAWING_BYTES: f64 = 80e6;
/// The most work, in nanoseconds of a whole processor. A 128 MB function has about a fourteenth of one, so this is
/// about 17 of its 30 seconds.
const WORK_NANOSECONDS: f64 = 1.2e9;

/// The shortest text of a value, `0.0, `, and of a label, `0, `, in bytes.
const SHORTEST_VALUE: f64 = 5.0;
const SHORTEST_LABEL: f64 = 3.0;
/// The text of a value that has all the digits of a drawn one: 19.5 to 20.5 bytes on average, with its separator.
const DRAWN_VALUE: f64 = 19.0;
/// The largest shift of the classes that leaves a drawn value its digits.
const MODERATE: f64 = 1e3;

/// Measured costs in nanoseconds, rounded up.
const UNIFORM: f64 = 9.0;
const GAUSSIAN: f64 = 35.0;
const MULTIPLY_ADD: f64 = 0.7;
/// A step of a shuffle that no cache holds.
const SHUFFLE_STEP: f64 = 70.0;
const RENDERED_VALUE: f64 = 70.0;
const CLUSTER: f64 = 150.0;

/// The counts as doubles: estimates may overflow any integer.
struct Counts {
    rows: f64,
    features: f64,
    informative: f64,
    redundant: f64,
    clusters: f64,
}

impl Counts {
    fn of(checked: &Checked) -> Self {
        let float = |count: &Integer| count.value() as f64;
        Self {
            rows: float(&checked.n_samples),
            features: float(&checked.n_features),
            informative: float(&checked.n_informative),
            redundant: float(&checked.n_redundant),
            clusters: float(&checked.n_classes) * float(&checked.n_clusters_per_class),
        }
    }

    /// Entries of the table that is shuffled whole to choose the corners.
    fn shuffled_corners(&self) -> f64 {
        let dimensions = self.informative.min(CHOSEN_DIMENSIONS as f64) as usize;
        let small = self.clusters < 2_f64.powi(CHOSEN_DIMENSIONS as i32);
        if small && Choice::of(self.clusters as usize, dimensions) == Choice::Redraw {
            0.0
        } else {
            2_f64.powi(dimensions as i32)
        }
    }

    /// The bytes of an answer with values of `value` bytes.
    fn answer(&self, value: f64) -> f64 {
        let columns = self.features * (self.rows * value + "\"vec_0\": [], ".len() as f64);
        columns + self.rows * SHORTEST_LABEL
    }

    fn drawing_bytes(&self) -> f64 {
        let table = 8.0 * self.rows * self.features;
        let product = 8.0 * self.rows * self.informative.max(self.redundant);
        let leftmost = (self.informative - CHOSEN_DIMENSIONS as f64).max(0.0);
        let clusters = self.clusters * (16.0 + 16.0 + 8.0 + 4.0 + leftmost);
        // The table for the corners is gone before the rows are shuffled into a second table.
        4.0 * self.shuffled_corners() + clusters + 2.0 * table + product
    }

    fn cluster_nanoseconds(&self) -> f64 {
        self.clusters * (CLUSTER + self.informative * self.informative * UNIFORM)
            + self.shuffled_corners() * SHUFFLE_STEP
    }

    fn row_nanoseconds(&self) -> f64 {
        self.rows * self.features * (GAUSSIAN + RENDERED_VALUE)
            + self.redundant * self.informative * (UNIFORM + self.rows * MULTIPLY_ADD)
    }
}

/// What a value has on average at least, in bytes. A shift or a scale of one's own may make short numbers of long ones.
fn least_value(checked: &Checked) -> f64 {
    let is_plain = |change: &OneOrEach, neutral: f64| match change {
        OneOrEach::None => true,
        OneOrEach::One(value) => *value == neutral,
        OneOrEach::Each(_) => false,
    };
    let keeps_digits = checked.class_sep <= MODERATE
        && is_plain(&checked.shift, 0.0)
        && is_plain(&checked.scale, 1.0)
        && checked.n_samples.value() >= 1000;
    if keeps_digits { DRAWN_VALUE } else { SHORTEST_VALUE }
}

/// Refuses what cannot fit, whatever is drawn.
pub(crate) fn check(query: &Query, checked: &Checked) -> Result<(), Refusal> {
    let counts = Counts::of(checked);
    let larger = if counts.rows >= counts.features {
        ["n_samples", "n_features"]
    } else {
        ["n_features", "n_samples"]
    };
    if counts.answer(least_value(checked)) > ANSWER_BYTES as f64 {
        return Err(answer_too_large(query.culprit(&larger)));
    }
    let of_clusters = ["n_clusters_per_class", "n_classes", "n_informative"];
    if counts.drawing_bytes() > DRAWING_BYTES {
        return Err(too_large(
            query.culprit(&of_clusters),
            "the sample needs more memory than this function has".to_owned(),
        ));
    }
    if counts.cluster_nanoseconds() + counts.row_nanoseconds() > WORK_NANOSECONDS {
        let culprits = if counts.cluster_nanoseconds() > counts.row_nanoseconds() {
            ["n_informative", "n_clusters_per_class", "n_classes"]
        } else {
            ["n_redundant", "n_informative", "n_features"]
        };
        return Err(too_slow(query.culprit(&culprits)));
    }
    Ok(())
}

/// Refuses products that take too long. Their number of rows is known only once the rows are shared out, because
/// clusters may overlap when weights are negative.
pub(crate) fn check_products(
    query: &Query,
    clusters: &Clusters,
    n_informative: usize,
) -> Result<(), Refusal> {
    let rows: f64 = clusters.ranges().map(|rows| rows.len() as f64).sum();
    let dimensions = n_informative as f64;
    if rows * dimensions * dimensions * MULTIPLY_ADD > WORK_NANOSECONDS / 2.0 {
        return Err(too_slow(query.culprit(&["n_informative", "weights"])));
    }
    Ok(())
}

/// The refusal of an answer that Lambda would not pass on.
pub(crate) fn answer_too_large(parameter: &str) -> Refusal {
    too_large(
        parameter,
        format!("the sample's text would be larger than the {ANSWER_BYTES} bytes that fit in an answer"),
    )
}

fn too_slow(parameter: &str) -> Refusal {
    too_large(parameter, "the sample would take longer to draw than this function may run".to_owned())
}

fn too_large(parameter: &str, detail: String) -> Refusal {
    Refusal::new(Reason::TooLarge, parameter, detail)
}
