//! The managed Python runtimes, and which wheels run on them.

use std::fmt;
use std::str::FromStr;

use mdo_model::project::Architecture;

/// A managed Python runtime of Lambda: `python3.11` to `python3.15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonRuntime {
    minor: u8,
}

/// The text is not a Python runtime that derivatives are built for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mdo builds derivatives for python3.11 to python3.15, not for `{0}`")]
pub struct InvalidPythonRuntime(pub String);

impl PythonRuntime {
    /// Every runtime, the oldest first.
    pub const ALL: [Self; 5] =
        [Self { minor: 11 }, Self { minor: 12 }, Self { minor: 13 }, Self { minor: 14 }, Self { minor: 15 }];

    /// The minor version: 13 for Python 3.13.
    pub fn minor(self) -> u8 {
        self.minor
    }

    /// The version as people and uv write it: `3.13`.
    pub fn version(self) -> String {
        format!("3.{}", self.minor)
    }

    /// The newest glibc that a wheel may ask for. Python 3.12 and later run on AL2023, 3.11 on AL2.
    pub(super) fn manylinux(self) -> &'static str {
        if self.is_on_al2() { "manylinux_2_17" } else { "manylinux_2_34" }
    }

    /// Whether it runs on Amazon Linux 2.
    pub(crate) fn is_on_al2(self) -> bool {
        self.minor < 12
    }

    /// The platform as uv names it: `x86_64-manylinux_2_34`.
    pub(super) fn platform(self, architecture: Architecture) -> String {
        format!("{}-{}", architecture.machine(), self.manylinux())
    }

    /// What CPython puts into the names of the files that only this version loads: `cpython-313`.
    pub(crate) fn tag(self) -> String {
        format!("cpython-3{}", self.minor)
    }
}

impl fmt::Display for PythonRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "python3.{}", self.minor)
    }
}

impl FromStr for PythonRuntime {
    type Err = InvalidPythonRuntime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|runtime| runtime.to_string() == text);
        found.ok_or_else(|| InvalidPythonRuntime(text.to_owned()))
    }
}
