//! What `--json` prints: every document as a type, from which its schema is made.
//!
//! Every document carries `"version": 1`; keys may be added within a version, and none is renamed or removed.

mod derivative;
mod doctor;
mod event;
mod explain;
mod failure;
mod history;
mod image;
mod live;
mod logs;
mod plan;
mod policy;
mod status;
mod trial;

use mdo_engine::Provider;
use mdo_model::project::Names;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

pub(crate) use derivative::{
    DerivativeBuildDocument, DerivativeCreateDocument, DerivativeEntry, DerivativeListDocument,
    DerivativeListEntry, DerivativeLockDocument, DerivativePinDocument, LockEntry, ZipState,
};
pub(crate) use doctor::{Check, CheckState, DoctorDocument};
pub(crate) use event::EventDocument;
pub(crate) use explain::ExplainDocument;
pub(crate) use failure::{DestroyAllDocument, FailureDocument};
pub(crate) use history::HistoryDocument;
pub(crate) use image::ImageDocument;
pub(crate) use live::{KeysDocument, ListDocument, UsageDocument, WarmDocument, WarmEntry};
pub(crate) use logs::LogDocument;
pub(crate) use plan::PlanDocument;
pub(crate) use policy::{PartPolicy, PolicyDocument, PolicyPart};
pub(crate) use status::StatusDocument;
pub(crate) use trial::{TrialDocument, TrialOutcome};

/// The version of every document.
const VERSION: u8 = 1;

/// What stands at the head of a document about one stage.
#[derive(Debug, Serialize, JsonSchema)]
struct Head {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// The stage.
    stage: String,
    /// `aws` or `local`.
    provider: String,
    /// The account; null on this machine.
    account: Option<String>,
    /// The region; null on this machine.
    region: Option<String>,
}

impl Head {
    fn new(names: &Names, provider: &dyn Provider) -> Self {
        let site = provider.site();
        Self {
            version: VERSION,
            project: names.project.to_string(),
            stage: names.stage.to_string(),
            provider: provider.name().to_owned(),
            account: site.account,
            region: site.region,
        }
    }
}

/// The word for one of several things, as it is serialised.
fn word(one: impl Serialize) -> Value {
    serde_json::to_value(one).unwrap_or_default()
}

/// Any document that `--json` prints, or `--events` writes.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is there for its schema alone")]
#[schemars(title = "What mdo prints with --json and --events")]
enum AnyDocument {
    Plan(PlanDocument),
    List(ListDocument),
    DerivativeBuild(DerivativeBuildDocument),
    DerivativeList(DerivativeListDocument),
    DerivativeLock(DerivativeLockDocument),
    DerivativeCreate(DerivativeCreateDocument),
    DerivativePin(DerivativePinDocument),
    Image(ImageDocument),
    Keys(KeysDocument),
    Usage(UsageDocument),
    Warm(WarmDocument),
    Log(LogDocument),
    Event(EventDocument),
    Status(StatusDocument),
    History(HistoryDocument),
    Doctor(DoctorDocument),
    Explain(ExplainDocument),
    Policy(PolicyDocument),
    DestroyAll(DestroyAllDocument),
    Trial(TrialDocument),
    Failure(FailureDocument),
}

/// The JSON Schema of all documents.
pub(crate) fn schema() -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().for_serialize().into();
    generator.into_root_schema_for::<AnyDocument>().to_value()
}
