//! What IAM has to allow.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::VERSION;

/// What IAM has to allow: `policy`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyDocument {
    /// 1.
    version: u8,
    /// The project's name.
    pub project: String,
    /// The only stages that the policies are for; null where they are for any.
    pub stages: Option<Vec<String>>,
    /// The policies. What is too large for one managed policy comes as several of the same part.
    pub policies: Vec<PartPolicy>,
    /// Who may assume the role of the pipeline; null without `--ci`.
    pub trust: Option<Value>,
}

/// A policy for a part of what mdo does.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PartPolicy {
    /// What it is for.
    pub part: PolicyPart,
    /// How many characters IAM counts: at most 6,144, as many as a managed policy may have.
    pub characters: usize,
    /// The policy, as IAM takes it.
    pub document: Value,
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyPart {
    /// `deploy`, `plan`, `rollback`, `promote`, `canary`, `warm`, `key`, `derivative push`.
    Deploy,
    /// `list`, `logs`, `history`, `invoke`, `key show`, `doctor`.
    Operate,
    /// `destroy`, `prune`.
    Destroy,
}

impl PolicyDocument {
    /// The document of these policies of a project.
    pub(crate) fn new(
        project: String,
        stages: Option<Vec<String>>,
        policies: Vec<PartPolicy>,
        trust: Option<Value>,
    ) -> Self {
        Self { version: VERSION, project, stages, policies, trust }
    }
}
