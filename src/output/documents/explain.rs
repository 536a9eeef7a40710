//! What the codes of errors mean.

use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;
use crate::output::failure::ErrorCode;

/// What `mdo explain` tells.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExplainDocument {
    /// 1.
    version: u8,
    /// The codes that were asked for; all of them where none was.
    codes: Vec<ExplainedCode>,
}

/// A code, and what it means.
#[derive(Debug, Serialize, JsonSchema)]
struct ExplainedCode {
    /// The code.
    code: ErrorCode,
    /// What it means, in a sentence.
    summary: String,
    /// What leads to it.
    reasons: &'static str,
    /// What to do.
    way_out: &'static str,
}

impl ExplainDocument {
    /// Explains some codes.
    pub(crate) fn new(codes: &[ErrorCode]) -> Self {
        let explained = |code: &ErrorCode| {
            let (reasons, way_out) = code.explanation();
            ExplainedCode { code: *code, summary: code.summary(), reasons, way_out }
        };
        Self { version: VERSION, codes: codes.iter().map(explained).collect() }
    }
}
