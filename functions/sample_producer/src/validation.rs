//! scikit-learn's check of each parameter by itself, with its own wording.

use crate::errors::{Reason, Refusal};
use crate::python::{Integer, float, repr_text};
use crate::query::{Query, Value};
use std::hash::{BuildHasher, RandomState};

/// Parameters whose kinds and ranges are right, one by one; counts may still be of any size.
pub(crate) struct Checked {
    pub n_samples: Integer,
    pub n_features: Integer,
    pub n_informative: Integer,
    pub n_redundant: Integer,
    pub n_repeated: Integer,
    pub n_classes: Integer,
    pub n_clusters_per_class: Integer,
    pub weights: Option<Vec<f64>>,
    pub flip_y: f64,
    pub class_sep: f64,
    pub hypercube: bool,
    pub shift: OneOrEach,
    pub scale: OneOrEach,
    pub shuffle: bool,
    pub random_state: u32,
}

/// A number, a list of numbers, or `none`.
pub(crate) enum OneOrEach {
    None,
    One(f64),
    Each(Vec<f64>),
}

/// The checks on one query.
pub(crate) struct Checks<'a> {
    query: &'a Query,
    /// `N_CLASSES` of the environment; `None` when the query has its own `n_classes`.
    default_classes: Option<Integer>,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(query: &'a Query, default_classes: Option<Integer>) -> Self {
        Self { query, default_classes }
    }

    /// Checks all parameters, in scikit-learn's order; the first one that is wrong is the one reported.
    pub(crate) fn all(&self) -> Result<Checked, Refusal> {
        Ok(Checked {
            n_samples: self.count("n_samples", 100, 1)?,
            n_features: self.count("n_features", 2, 1)?,
            n_informative: self.count("n_informative", 2, 1)?,
            n_redundant: self.count("n_redundant", 0, 0)?,
            n_repeated: self.count("n_repeated", 0, 0)?,
            n_classes: self.classes()?,
            n_clusters_per_class: self.count("n_clusters_per_class", 1, 1)?,
            weights: self.weights()?,
            flip_y: self
                .number("flip_y", 0.01, "a float in the range [0.0, 1.0]", |v| (0.0..=1.0).contains(&v))?,
            class_sep: self.number("class_sep", 1.0, "a float in the range (0.0, inf)", |v| v > 0.0)?,
            hypercube: self.boolean("hypercube")?,
            shift: self.one_or_each(
                "shift",
                0.0,
                "a float in the range (-inf, inf), an array-like or None",
                |v| !v.is_nan(),
            )?,
            scale: self.one_or_each(
                "scale",
                1.0,
                "a float in the range (0.0, inf), an array-like or None",
                |v| v > 0.0,
            )?,
            shuffle: self.boolean("shuffle")?,
            random_state: self.random_state()?,
        })
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.query.text(name).map(Value::read)
    }

    fn count(&self, name: &str, default: i128, least: i128) -> Result<Integer, Refusal> {
        match self.value(name) {
            None => Ok(Integer::from(default)),
            Some(Value::Integer(integer)) if integer.value() >= least => Ok(integer),
            Some(value) => Err(refuse(name, &int_range(least), &value.repr())),
        }
    }

    fn classes(&self) -> Result<Integer, Refusal> {
        match &self.default_classes {
            None => self.count("n_classes", 2, 1),
            Some(classes) if classes.value() >= 1 => Ok(classes.clone()),
            Some(classes) => Err(Refusal {
                reason: Reason::InvalidEnvironment,
                ..refuse("n_classes", &int_range(1), &classes.to_string())
            }),
        }
    }

    fn number(
        &self,
        name: &str,
        default: f64,
        wanted: &str,
        allowed: fn(f64) -> bool,
    ) -> Result<f64, Refusal> {
        match self.value(name) {
            None => Ok(default),
            Some(value) => in_range(name, &value, wanted, allowed),
        }
    }

    fn one_or_each(
        &self,
        name: &str,
        default: f64,
        wanted: &str,
        allowed: fn(f64) -> bool,
    ) -> Result<OneOrEach, Refusal> {
        let Some(text) = self.query.text(name) else {
            return Ok(OneOrEach::One(default));
        };
        if let Some(values) = list(name, text)? {
            return Ok(OneOrEach::Each(values));
        }
        match Value::read(text) {
            Value::None => Ok(OneOrEach::None),
            value => in_range(name, &value, wanted, allowed).map(OneOrEach::One),
        }
    }

    /// A single number is a list of one here: a query has no other way to write it.
    fn weights(&self) -> Result<Option<Vec<f64>>, Refusal> {
        let Some(text) = self.query.text("weights") else {
            return Ok(None);
        };
        if text.trim().is_empty() {
            return Ok(Some(Vec::new()));
        }
        if let Some(values) = list("weights", text)? {
            return Ok(Some(values));
        }
        match Value::read(text) {
            Value::None => Ok(None),
            value => match value.number() {
                Some(number) => Ok(Some(vec![number])),
                None => Err(refuse("weights", "an array-like or None", &value.repr())),
            },
        }
    }

    fn boolean(&self, name: &str) -> Result<bool, Refusal> {
        let Some(text) = self.query.text(name) else {
            return Ok(true);
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(refuse(
                name,
                "an instance of 'bool' or an instance of 'numpy.bool'",
                &Value::read(text).repr(),
            )),
        }
    }

    fn random_state(&self) -> Result<u32, Refusal> {
        let value = match self.value("random_state") {
            None => return Ok(0),
            Some(Value::None) => return Ok(fresh_seed()),
            Some(value) => value,
        };
        if let Value::Integer(integer) = &value
            && let Ok(seed) = u32::try_from(integer.value())
        {
            return Ok(seed);
        }
        Err(refuse(
            "random_state",
            "an int in the range [0, 4294967295], an instance of 'numpy.random.mtrand.RandomState' or None",
            &value.repr(),
        ))
    }
}

fn int_range(least: i128) -> String {
    format!("an int in the range [{least}, inf)")
}

fn refuse(name: &str, wanted: &str, got: &str) -> Refusal {
    Refusal::new(
        Reason::InvalidParameter,
        name,
        format!("The '{name}' parameter of make_classification must be {wanted}. Got {got} instead."),
    )
}

fn in_range(name: &str, value: &Value, wanted: &str, allowed: fn(f64) -> bool) -> Result<f64, Refusal> {
    match (value, value.number()) {
        (Value::Float(_), Some(number)) if number.is_finite() && allowed(number) => Ok(number),
        (Value::Integer(_), Some(number)) if allowed(number) => {
            if number.is_finite() {
                Ok(number)
            } else {
                Err(Refusal::new(Reason::InvalidParameter, name, "int too large to convert to float"))
            }
        }
        _ => Err(refuse(name, wanted, &value.repr())),
    }
}

/// Numbers separated by commas, in brackets or not; `None` for a text with neither comma nor brackets.
fn list(name: &str, text: &str) -> Result<Option<Vec<f64>>, Refusal> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let items = match inner {
        Some(inner) if inner.trim().is_empty() => return Ok(Some(Vec::new())),
        Some(inner) => inner,
        None if text.contains(',') => text,
        None => return Ok(None),
    };
    let number = |item: &str| {
        float(item).ok_or_else(|| {
            let detail = format!("could not convert string to float: {}", repr_text(item));
            Refusal::new(Reason::InvalidParameter, name, detail)
        })
    };
    items.split(',').map(number).collect::<Result<_, _>>().map(Some)
}

/// A seed that nobody can foretell, from the keys that the standard library draws from the operating system.
fn fresh_seed() -> u32 {
    RandomState::new().hash_one(0) as u32
}
