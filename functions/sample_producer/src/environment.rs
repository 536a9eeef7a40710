//! The function's environment: `N_CLASSES`, read as the guide's handler reads it.

use crate::errors::{Reason, Refusal};
use crate::python::{Integer, int};
use std::ffi::{OsStr, OsString};

/// What the function's configuration says.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    n_classes: Option<OsString>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self { n_classes: std::env::var_os("N_CLASSES") }
    }

    /// An environment with this `N_CLASSES`, or without.
    pub fn with_n_classes(n_classes: Option<impl AsRef<OsStr>>) -> Self {
        Self { n_classes: n_classes.map(|text| text.as_ref().to_owned()) }
    }

    /// Python's `int(os.environ.get("N_CLASSES"))`, with Python's words where it fails.
    pub fn n_classes(&self) -> Result<Integer, Refusal> {
        let refuse = |detail: String| Refusal::new(Reason::InvalidEnvironment, "n_classes", detail);
        match &self.n_classes {
            None => Err(refuse(
                "int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"
                    .to_owned(),
            )),
            Some(text) => int(&text.to_string_lossy()).map_err(|problem| refuse(problem.to_string())),
        }
    }
}
