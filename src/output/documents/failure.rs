//! Why a command ended without success, and what came of every stage.

use mdo_engine::{Answer, Provider};
use mdo_model::project::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::{PlanDocument, VERSION};
use crate::output::Failure;
use crate::output::failure::{Complaint, ErrorCode};

/// What came of every stage: `destroy --all`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DestroyAllDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// `aws` or `local`.
    provider: String,
    /// The account; null on this machine.
    account: Option<String>,
    /// The region; null on this machine.
    region: Option<String>,
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
        provider: &dyn Provider,
        stages: Vec<PlanDocument>,
        failure: Option<&Failure>,
    ) -> Self {
        let site = provider.site();
        Self {
            version: VERSION,
            project: names.project.to_string(),
            provider: provider.name().to_owned(),
            account: site.account,
            region: site.region,
            stages,
            error: failure.and_then(FailureEntry::new),
        }
    }
}

/// Why a command did nothing: any of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureDocument {
    /// 1.
    version: u8,
    /// The first of the errors.
    error: FailureEntry,
    /// Everything that is wrong; at least one error.
    errors: Vec<ProblemEntry>,
}

/// Why a command ended without success.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FailureEntry {
    /// The exit code.
    exit_code: u8,
    #[serde(flatten)]
    problem: ProblemEntry,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProblemEntry {
    code: ErrorCode,
    /// What failed, on what, and why.
    message: String,
    /// The file in which it was written, relative to the project; null for what no file is to blame for.
    file: Option<String>,
    /// The line, from 1.
    line: Option<usize>,
    /// The column in characters, from 1.
    column: Option<usize>,
    /// What to do about it.
    help: Option<String>,
    /// What it is about: the provider's name of a resource, or a function of the project.
    resource: Option<String>,
    /// The provider's own code and request id, or its own words.
    reference: Option<String>,
    /// What a service of the provider answered; null where none did.
    answer: Option<AnswerEntry>,
}

/// What a service of the provider answered.
#[derive(Debug, Serialize, JsonSchema)]
struct AnswerEntry {
    /// The call, as `lambda:CreateFunction`.
    operation: String,
    /// The service's own code.
    code: String,
    /// The id under which the service knows the call.
    request_id: Option<String>,
}

impl FailureEntry {
    /// The first of a failure's errors; `None` where it was reported already.
    pub(super) fn new(failure: &Failure) -> Option<Self> {
        let problem = ProblemEntry::new(failure.complaints.first()?);
        Some(Self { exit_code: failure.code, problem })
    }
}

impl ProblemEntry {
    pub(super) fn new(complaint: &Complaint) -> Self {
        let place = complaint.place.as_ref();
        let answer = |answer: &Answer| AnswerEntry {
            operation: answer.operation.clone(),
            code: answer.code.clone(),
            request_id: answer.request_id.clone(),
        };
        Self {
            code: complaint.code,
            message: complaint.message.clone(),
            file: place.map(|place| place.file.clone()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            help: complaint.help.clone(),
            resource: complaint.resource.clone(),
            reference: complaint.reference.clone(),
            answer: complaint.answer.as_ref().map(answer),
        }
    }
}

impl FailureDocument {
    /// The failure as a document; `None` where it was reported already.
    pub(crate) fn new(failure: &Failure) -> Option<Self> {
        let errors = failure.complaints.iter().map(ProblemEntry::new).collect();
        Some(Self { version: VERSION, error: FailureEntry::new(failure)?, errors })
    }
}
