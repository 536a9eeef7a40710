//! Plans and results as JSON documents. Every document carries `"version": 1`; keys may be added within a version, and
//! none is renamed or removed.

use mdo_engine::apply::Report;
use mdo_engine::{Finished, Outcome};
use mdo_model::stack::{Change, Plan};
use serde_json::{Value, json};

/// A plan: `{version, project, stage, provider, changes, summary, kept, checked}`.
pub(crate) fn plan_document(plan: &Plan, provider: &str) -> Value {
    let changes: Vec<Value> = plan.changes.iter().map(|item| change(item, plan)).collect();
    json!({
        "version": 1,
        "project": plan.names.project,
        "stage": plan.names.stage,
        "provider": provider,
        "changes": changes,
        "summary": plan.summary(),
        "kept": plan.kept,
        "checked": plan.checked,
    })
}

/// What came of a plan: the plan's document with `outcome`, `seconds` and, where they apply, `version`, `warnings`,
/// `error`, `needs` and `partly_done` in each change, and `seconds`, `calls` and `url` for the whole.
pub(crate) fn report_document(
    plan: &Plan,
    report: &Report,
    provider: &str,
    calls: usize,
    url: Option<&str>,
) -> Value {
    let mut document = plan_document(plan, provider);
    if let Some(changes) = document["changes"].as_array_mut() {
        for (entry, finished) in changes.iter_mut().zip(&report.finished) {
            add_outcome(entry, finished);
        }
    }
    document["seconds"] = json!(report.took.as_secs_f64());
    document["warnings"] = json!(report.warnings);
    document["calls"] = json!(calls);
    document["url"] = json!(url);
    document
}

fn change(change: &Change, plan: &Plan) -> Value {
    let mut document = json!({
        "resource": change.id.kind,
        "name": change.id.full_name(&plan.names),
        "action": change.action,
        "fields": change.fields,
    });
    if change.lives_on {
        document["lives_on"] = json!(true);
    }
    document
}

fn add_outcome(entry: &mut Value, finished: &Finished) {
    entry["seconds"] = json!(finished.took.as_secs_f64());
    match &finished.outcome {
        Outcome::Done(applied) => {
            entry["outcome"] = json!("done");
            if let Some(version) = &applied.version {
                entry["version"] = json!(version);
            }
            if !applied.warnings.is_empty() {
                entry["warnings"] = json!(applied.warnings);
            }
        }
        Outcome::Skipped(needed) => {
            entry["outcome"] = json!("skipped");
            entry["partly_done"] = json!(finished.begun);
            entry["needs"] = json!(needed.to_string());
        }
        Outcome::Failed(error) => {
            entry["outcome"] = json!("failed");
            entry["partly_done"] = json!(finished.begun);
            entry["error"] =
                json!({"message": error.message, "help": error.help, "reference": error.reference});
        }
        Outcome::Interrupted => {
            entry["outcome"] = json!("interrupted");
            entry["partly_done"] = json!(finished.begun);
        }
    }
}
