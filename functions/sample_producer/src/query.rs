//! The query of a request: which parameters the caller gave, and what kind of value each text is.

use crate::errors::{Reason, Refusal};
use crate::python::{Integer, float, int, repr_float, repr_text};
use std::collections::BTreeMap;

/// The parameters of `make_classification`, in the order in which scikit-learn checks them.
pub const NAMES: [&str; 15] = [
    "n_samples",
    "n_features",
    "n_informative",
    "n_redundant",
    "n_repeated",
    "n_classes",
    "n_clusters_per_class",
    "weights",
    "flip_y",
    "class_sep",
    "hypercube",
    "shift",
    "scale",
    "shuffle",
    "random_state",
];

/// Names and texts as the caller wrote them, one text per name.
#[derive(Clone, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// The text given for a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The first of the names that the caller gave, else the first of all: the one to point at.
    pub fn culprit(&self, names: &[&'static str]) -> &'static str {
        let given = names.iter().find(|name| self.text(name).is_some());
        given.or(names.first()).copied().unwrap_or_default()
    }

    /// Whether the caller gave any of the names.
    pub fn gives_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.text(name).is_some())
    }

    /// Refuses a name that is no parameter, with the nearest one that is.
    pub fn check_names(&self) -> Result<(), Refusal> {
        match self.0.keys().find(|name| !NAMES.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Refusal::new(
                Reason::UnknownParameter,
                name,
                format!(
                    "make_classification has no parameter {}; did you mean '{}'?",
                    repr_text(name),
                    nearest(name)
                ),
            )),
        }
    }
}

/// Of several texts for one name, the last one counts.
impl<N: Into<String>, T: Into<String>> FromIterator<(N, T)> for Query {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, text)| (name.into(), text.into())).collect())
    }
}

/// A text as the Python value that its writer means.
#[derive(Clone, Debug)]
pub enum Value {
    /// `none`, in any case.
    None,
    /// What `int()` reads.
    Integer(Integer),
    /// What only `float()` reads.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl Value {
    /// Reads a text.
    pub fn read(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("none") {
            Self::None
        } else if let Ok(integer) = int(text) {
            Self::Integer(integer)
        } else if let Some(number) = float(text) {
            Self::Float(number)
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// The number as a double; `None` for what is no number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(integer.to_float()),
            Self::Float(number) => Some(*number),
            Self::None | Self::Text(_) => None,
        }
    }

    /// Python's `repr()` of the value.
    pub fn repr(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(number) => repr_float(*number),
            Self::Text(text) => repr_text(text),
        }
    }
}

fn nearest(name: &str) -> &'static str {
    let name = name.to_lowercase().replace('-', "_");
    NAMES.into_iter().min_by_key(|known| distance(&name, known)).unwrap_or_default()
}

/// Levenshtein's distance in characters; only the first 64 of a name are compared.
fn distance(name: &str, known: &str) -> usize {
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, c) in name.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, k) in known.chars().enumerate() {
            let substituted = diagonal + usize::from(c != k);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
