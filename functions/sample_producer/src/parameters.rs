//! From a caller's query to parameters that can be drawn, with scikit-learn's checks in scikit-learn's order.

use crate::clusters::Clusters;
use crate::environment::Environment;
use crate::errors::{Reason, Refusal};
use crate::limits;
use crate::python::Integer;
use crate::query::Query;
use crate::validation::{Checked, Checks, OneOrEach};

/// What `make_classification` is called with: checked, and within the [`limits`].
pub struct Parameters {
    /// Rows.
    pub n_samples: usize,
    /// Columns.
    pub n_features: usize,
    /// Columns that carry the classes.
    pub n_informative: usize,
    /// Columns that combine informative ones.
    pub n_redundant: usize,
    /// Columns that copy informative or redundant ones.
    pub n_repeated: usize,
    /// Labels.
    pub n_classes: usize,
    /// Clusters of each label.
    pub n_clusters_per_class: usize,
    /// The rows of each cluster, shared out by the weights.
    pub clusters: Clusters,
    /// The probability, 0 to 1, that a row's label is drawn anew.
    pub flip_y: f64,
    /// Half the side of the hypercube.
    pub class_sep: f64,
    /// Whether the clusters sit on the corners of a hypercube, not of a random polytope.
    pub hypercube: bool,
    /// Added to each column.
    pub shift: PerFeature,
    /// Then multiplies each column.
    pub scale: PerFeature,
    /// Whether rows and columns are shuffled at the end.
    pub shuffle: bool,
    /// The seed.
    pub random_state: u32,
}

/// A number for each column.
#[derive(Clone, Debug, PartialEq)]
pub enum PerFeature {
    /// Drawn.
    Drawn,
    /// The same for all columns.
    Same(f64),
    /// One for each column; as many as there are columns.
    Each(Vec<f64>),
}

impl Parameters {
    /// Reads the query; what it leaves out is as in the guide's call (`n_features=2, n_informative=2, n_redundant=0,
    /// n_clusters_per_class=1, random_state=0`), and `n_classes` is the environment's `N_CLASSES`.
    pub fn read(query: &Query, environment: &Environment) -> Result<Self, Refusal> {
        query.check_names()?;
        let default_classes = match query.text("n_classes") {
            Some(_) => None,
            None => Some(environment.n_classes()?),
        };
        let checked = Checks::new(query, default_classes).all()?;
        check_columns(query, &checked)?;
        check_classes(query, &checked)?;
        check_weights_length(query, &checked)?;
        limits::check(query, &checked)?;
        Self::share(query, checked)
    }

    /// Clusters in all.
    pub fn n_clusters(&self) -> usize {
        self.n_classes * self.n_clusters_per_class
    }

    /// The counts are known to be small here: the limits have been checked.
    fn share(query: &Query, checked: Checked) -> Result<Self, Refusal> {
        let n_samples = small(&checked.n_samples);
        let n_features = small(&checked.n_features);
        let n_classes = small(&checked.n_classes);
        let n_clusters_per_class = small(&checked.n_clusters_per_class);
        let clusters =
            Clusters::share(n_samples, n_classes, n_clusters_per_class, checked.weights.as_deref())
                .map_err(|problem| Refusal::new(Reason::InvalidParameter, "weights", problem.text()))?;
        let parameters = Self {
            n_samples,
            n_features,
            n_informative: small(&checked.n_informative),
            n_redundant: small(&checked.n_redundant),
            n_repeated: small(&checked.n_repeated),
            n_classes,
            n_clusters_per_class,
            clusters,
            flip_y: checked.flip_y,
            class_sep: checked.class_sep,
            hypercube: checked.hypercube,
            shift: per_feature("shift", checked.shift, n_samples, n_features)?,
            scale: per_feature("scale", checked.scale, n_samples, n_features)?,
            shuffle: checked.shuffle,
            random_state: checked.random_state,
        };
        limits::check_products(query, &parameters.clusters, parameters.n_informative)?;
        Ok(parameters)
    }
}

fn small(count: &Integer) -> usize {
    count.value() as usize
}

fn check_columns(query: &Query, checked: &Checked) -> Result<(), Refusal> {
    let parts = [&checked.n_informative, &checked.n_redundant, &checked.n_repeated];
    let sum = parts.iter().fold(0_i128, |sum, part| sum.saturating_add(part.value()));
    if sum <= checked.n_features.value() {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::InvalidParameter,
        query.culprit(&["n_features", "n_informative", "n_redundant", "n_repeated"]),
        "Number of informative, redundant and repeated features must sum to less than the number of total features",
    ))
}

/// Each cluster needs a corner of its own. The texts, also the odd one, are those that scikit-learn's callers see.
fn check_classes(query: &Query, checked: &Checked) -> Result<(), Refusal> {
    let (classes, per_class) = (&checked.n_classes, &checked.n_clusters_per_class);
    let dimensions = checked.n_informative.value();
    let clusters = classes.value().checked_mul(per_class.value());
    let detail = match clusters.and_then(|clusters| u64::try_from(clusters).ok()) {
        None => "loop of ufunc does not support argument 0 of type int which has no callable log2 method"
            .to_owned(),
        Some(clusters) if dimensions < 64 && clusters > 1 << dimensions => format!(
            "n_classes({classes}) * n_clusters_per_class({per_class}) must be smaller or equal \
             2**n_informative({dimensions})={}",
            1_u64 << dimensions
        ),
        Some(_) => return Ok(()),
    };
    let others = ["n_clusters_per_class", "n_informative"];
    if query.gives_any(&["n_classes"]) || query.gives_any(&others) {
        let culprit = query.culprit(&["n_classes", "n_clusters_per_class", "n_informative"]);
        Err(Refusal::new(Reason::InvalidParameter, culprit, detail))
    } else {
        Err(Refusal::new(Reason::InvalidEnvironment, "n_classes", detail))
    }
}

fn check_weights_length(query: &Query, checked: &Checked) -> Result<(), Refusal> {
    let Some(weights) = &checked.weights else {
        return Ok(());
    };
    let missing = checked.n_classes.value() - weights.len() as i128;
    if missing == 0 || missing == 1 {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::InvalidParameter,
        query.culprit(&["weights"]),
        "Weights specified but incompatible with number of classes.",
    ))
}

/// NumPy's rules of broadcasting a list onto the columns, and its texts where they do not allow it.
fn per_feature(name: &str, given: OneOrEach, rows: usize, columns: usize) -> Result<PerFeature, Refusal> {
    match given {
        OneOrEach::None => Ok(PerFeature::Drawn),
        OneOrEach::One(value) => Ok(PerFeature::Same(value)),
        OneOrEach::Each(values) if values.len() == 1 => Ok(PerFeature::Same(values[0])),
        OneOrEach::Each(values) if values.len() == columns => Ok(PerFeature::Each(values)),
        OneOrEach::Each(values) => {
            let length = values.len();
            let detail = if columns == 1 {
                format!(
                    "non-broadcastable output operand with shape ({rows},1) doesn't match the broadcast shape \
                     ({rows},{length})"
                )
            } else {
                format!(
                    "operands could not be broadcast together with shapes ({rows},{columns}) ({length},) \
                     ({rows},{columns}) "
                )
            };
            Err(Refusal::new(Reason::InvalidParameter, name, detail))
        }
    }
}
