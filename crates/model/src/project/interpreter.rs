//! The interpreters that managed runtimes are made of, as far as mdo can run their functions on this machine.

use std::fmt;

/// The interpreter of a managed runtime, at the version that the runtime's name declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interpreter {
    /// CPython 3 at a minor version: 13 for `python3.13`.
    Python {
        /// The minor version.
        minor: u32,
    },
    /// Node.js at a major version: 22 for `nodejs22.x`.
    Node {
        /// The major version.
        major: u32,
    },
}

impl Interpreter {
    /// The interpreter of a runtime; `None` for one that has none, or one that mdo cannot run.
    pub fn of(runtime: &str) -> Option<Self> {
        let python = || Some(Self::Python { minor: runtime.strip_prefix("python3.")?.parse().ok()? });
        let node =
            || Some(Self::Node { major: runtime.strip_prefix("nodejs")?.strip_suffix(".x")?.parse().ok()? });
        python().or_else(node)
    }

    /// Whether a function needs it to be tried on this machine: mdo vouches for these versions. With another one a function
    /// is deployed here all the same, and its events fail.
    pub fn is_required(self) -> bool {
        match self {
            Self::Python { minor } => (12..=14).contains(&minor),
            Self::Node { major } => matches!(major, 22 | 24),
        }
    }

    /// The name of its program: `python3.13`, `node`.
    pub fn program(self) -> String {
        match self {
            Self::Python { minor } => format!("python3.{minor}"),
            Self::Node { .. } => "node".to_owned(),
        }
    }

    /// Its name without its version.
    pub fn language(self) -> &'static str {
        match self {
            Self::Python { .. } => "Python",
            Self::Node { .. } => "Node.js",
        }
    }

    /// The environment variable that names its program.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Python { .. } => "MDO_PYTHON",
            Self::Node { .. } => "MDO_NODE",
        }
    }
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Python { minor } => write!(f, "Python 3.{minor}"),
            Self::Node { major } => write!(f, "Node.js {major}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_names_its_interpreter_and_its_version() {
        for (runtime, interpreter) in [
            ("python3.13", Some(Interpreter::Python { minor: 13 })),
            ("python2.7", None),
            ("nodejs22.x", Some(Interpreter::Node { major: 22 })),
            ("nodejs4.3-edge", None),
            ("ruby3.4", None),
            ("provided.al2023", None),
        ] {
            assert_eq!(Interpreter::of(runtime), interpreter, "{runtime}");
        }
    }
}
