//! What is well, and what is not.

use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;

/// What is well and what is not: `doctor`, `check`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DoctorDocument {
    /// 1.
    version: u8,
    /// The checks, in the order in which they were made.
    checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckState {
    /// Well.
    Ok,
    /// Something to look into; nothing stops.
    Warning,
    /// Something stops.
    Failed,
}

impl DoctorDocument {
    /// The document of some checks.
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        Self { version: VERSION, checks }
    }
}
