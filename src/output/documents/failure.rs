//! Why a command ended without success, and what came of every stage.

use mdo_model::project::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::{PlanDocument, VERSION};
use crate::output::Failure;

/// What came of every stage: `destroy --all`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DestroyAllDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// `aws` or `local`.
    provider: String,
    /// A plan with what came of it for each stage, as far as the command went.
    stages: Vec<PlanDocument>,
    /// Why the command went no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureEntry>,
}

impl DestroyAllDocument {
    /// What was done, and why no more was.
    pub(crate) fn new(
        names: &Names,
        provider: &str,
        stages: Vec<PlanDocument>,
        failure: Option<&Failure>,
    ) -> Self {
        Self {
            version: VERSION,
            project: names.project.to_string(),
            provider: provider.to_owned(),
            stages,
            error: failure.filter(|failure| !failure.text.is_empty()).map(FailureEntry::new),
        }
    }
}

/// Why a command did nothing: any of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureDocument {
    /// 1.
    version: u8,
    error: FailureEntry,
}

/// Why a command ended without success.
#[derive(Debug, Serialize, JsonSchema)]
struct FailureEntry {
    /// What people read on standard error.
    message: String,
    /// The exit code.
    exit_code: u8,
}

impl FailureEntry {
    fn new(failure: &Failure) -> Self {
        let text = failure.text.strip_prefix("error: ").unwrap_or(&failure.text);
        Self { message: text.to_owned(), exit_code: failure.code }
    }
}

impl FailureDocument {
    /// The failure as a document.
    pub(crate) fn new(failure: &Failure) -> Self {
        Self { version: VERSION, error: FailureEntry::new(failure) }
    }
}
