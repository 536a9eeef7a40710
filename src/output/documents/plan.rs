//! A plan, and what came of it.

use mdo_engine::apply::Report;
use mdo_engine::{Finished, Outcome, Provider, TakenOver};
use mdo_model::stack::{self, Plan};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::failure::ProblemEntry;
use super::{Head, word};
use crate::output::failure::Complaint;

/// A plan, and what came of it: `plan`, `deploy`, `warm` with a rate, `prune`, `destroy`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanDocument {
    #[serde(flatten)]
    head: Head,
    /// What changes, each after those that it needs.
    changes: Vec<ChangeEntry>,
    /// How many resources are created, updated and deleted.
    summary: SummaryEntry,
    /// What is live, in no file, and stays.
    kept: Vec<KeptEntry>,
    /// How many resources were compared.
    checked: usize,
    /// Of `prune`, the storage that what goes takes, in bytes, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    freed_bytes: Option<u64>,
    /// What the server of a hosted stage costs, where the plan changes that.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_cost: Option<CostEntry>,
    /// Of `plan`, the API that mdo did not make and that a deploy takes over.
    #[serde(skip_serializing_if = "Option::is_none")]
    takes_over: Option<TakesOverEntry>,
    /// What came of the plan as a whole, where it was run.
    #[serde(flatten)]
    run: Option<RunEntry>,
}

/// One resource that changes.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangeEntry {
    /// `role`, `permissions`, `derivative`, `function`, `log_group`, `api`, `stage`, `key`, `warm_rule`, `server_role`, `repository`,
    /// `load_balancer`, `server` or `layer_version`.
    resource: Value,
    /// What the provider calls it.
    name: String,
    /// `create`, `update` or `delete`.
    action: Value,
    /// The fields that differ. Values of secrets are masked.
    fields: Vec<FieldEntry>,
    /// Whether other stages keep what is deleted here.
    #[serde(skip_serializing_if = "Option::is_none")]
    lives_on: Option<bool>,
    /// What came of it, where the plan was run.
    #[serde(flatten)]
    outcome: Option<OutcomeEntry>,
}

/// A field that differs.
#[derive(Debug, Serialize, JsonSchema)]
struct FieldEntry {
    /// Where it is, as `environment.N_CLASSES` or `routes["GET /x"].security`.
    path: String,
    /// What is observed; null when there is nothing.
    before: Value,
    /// What is desired; null when there is to be nothing.
    after: Value,
    /// Of an environment variable, where its value is kept, if it is in Parameter Store or Secrets Manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// An API that mdo did not make.
#[derive(Debug, Serialize, JsonSchema)]
struct TakesOverEntry {
    /// Its id.
    api: String,
    /// What it is called now.
    name: String,
    /// What its stage answers and no file has, as `GET /path`: a deploy takes it away, and needs `--yes` for that.
    lost_routes: Vec<String>,
    /// The usage plans of others whose keys go on opening the stage.
    usage_plans: Vec<String>,
}

/// How many resources are created, updated and deleted.
#[derive(Debug, Serialize, JsonSchema)]
struct SummaryEntry {
    create: usize,
    update: usize,
    delete: usize,
}

/// What the server of a hosted stage costs in a month, in dollars: without traffic, logs and what Spot saves.
#[derive(Debug, Serialize, JsonSchema)]
struct CostEntry {
    /// With as few tasks as it may have.
    least: f64,
    /// With as many as it may have.
    most: f64,
    /// What of both is the load balancer's, which the project's hosted stages share.
    load_balancer: f64,
    /// With as few tasks as it may have now; null where there is none yet.
    least_before: Option<f64>,
    /// The region of the prices.
    prices_in: &'static str,
    /// The month of the prices.
    prices_of: &'static str,
}

impl CostEntry {
    fn new(cost: &stack::CostChange) -> Self {
        Self {
            least: cost.after.least,
            most: cost.after.most,
            load_balancer: cost.after.load_balancer,
            least_before: cost.before.map(|before| before.least),
            prices_in: stack::PRICES_IN,
            prices_of: stack::PRICES_OF,
        }
    }
}

/// Something live that no file sets and that stays.
#[derive(Debug, Serialize, JsonSchema)]
struct KeptEntry {
    /// `variable`, `key` or `disabled_key`.
    kind: Value,
    /// The resource that it belongs to.
    resource: String,
    /// The variable's name, or the key's.
    name: String,
}

/// What came of one change.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OutcomeEntry {
    /// `done`, `failed`, `skipped` because something that it needs did not come about, or `interrupted`.
    outcome: String,
    /// How long it took, in seconds.
    seconds: f64,
    /// Of a function that is done, the version that its alias points at.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// What people should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Unless it is done: whether a part of it is real.
    #[serde(skip_serializing_if = "Option::is_none")]
    partly_done: Option<bool>,
    /// Of one that is skipped, what it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    /// Of one that failed, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ProblemEntry>,
}

/// What came of a plan as a whole.
#[derive(Debug, Serialize, JsonSchema)]
struct RunEntry {
    /// How long it took, in seconds.
    seconds: f64,
    /// What people should know.
    warnings: Vec<String>,
    /// How many calls were made.
    calls: usize,
    /// The base URL of the stage.
    url: Option<String>,
}

impl PlanDocument {
    /// A plan that was not run.
    pub(crate) fn new(plan: &Plan, provider: &dyn Provider) -> Self {
        let summary = plan.summary();
        Self {
            head: Head::new(&plan.names, provider),
            changes: plan.changes.iter().map(|change| ChangeEntry::new(change, plan)).collect(),
            summary: SummaryEntry { create: summary.create, update: summary.update, delete: summary.delete },
            kept: plan.kept.iter().map(KeptEntry::new).collect(),
            checked: plan.checked,
            freed_bytes: plan.freed().map(|freed| freed.bytes),
            monthly_cost: plan.cost().map(|cost| CostEntry::new(&cost)),
            takes_over: None,
            run: None,
        }
    }

    /// The same with the API that a deploy takes over, and the routes that its users would miss.
    pub(crate) fn taking_over(self, taken: Option<&TakenOver>, lost: Vec<String>) -> Self {
        let entry = |taken: &TakenOver| TakesOverEntry {
            api: taken.id.clone(),
            name: taken.name.clone(),
            lost_routes: lost,
            usage_plans: taken.usage_plans.clone(),
        };
        Self { takes_over: taken.map(entry), ..self }
    }

    /// A plan that was run.
    pub(crate) fn of_run(plan: &Plan, report: &Report, provider: &dyn Provider) -> Self {
        let mut document = Self::new(plan, provider);
        for (change, finished) in document.changes.iter_mut().zip(&report.finished) {
            change.outcome = Some(OutcomeEntry::new(finished, &change.name));
        }
        let (seconds, warnings) = (report.took.as_secs_f64(), report.warnings.clone());
        let (calls, url) = (provider.calls(), provider.endpoint());
        Self { run: Some(RunEntry { seconds, warnings, calls, url }), ..document }
    }
}

impl ChangeEntry {
    fn new(change: &stack::Change, plan: &Plan) -> Self {
        let field = |field: &stack::FieldChange| FieldEntry {
            path: field.path.clone(),
            before: field.before.clone(),
            after: field.after.clone(),
            from: field.from.as_ref().map(ToString::to_string),
        };
        Self {
            resource: word(change.id.kind),
            name: change.id.full_name(&plan.names),
            action: word(change.action),
            fields: change.fields.iter().map(field).collect(),
            lives_on: change.lives_on.then_some(true),
            outcome: None,
        }
    }
}

impl KeptEntry {
    fn new(kept: &stack::Kept) -> Self {
        Self { kind: word(kept.kind), resource: kept.resource.to_string(), name: kept.name.clone() }
    }
}

impl OutcomeEntry {
    pub(super) fn new(finished: &Finished, name: &str) -> Self {
        let mut entry = Self {
            outcome: String::new(),
            seconds: finished.took.as_secs_f64(),
            version: None,
            warnings: Vec::new(),
            partly_done: Some(finished.begun),
            needs: None,
            error: None,
        };
        entry.outcome = match &finished.outcome {
            Outcome::Done(applied) => {
                entry.version.clone_from(&applied.version);
                entry.warnings.clone_from(&applied.warnings);
                entry.partly_done = None;
                "done"
            }
            Outcome::Skipped(needed) => {
                entry.needs = Some(needed.to_string());
                "skipped"
            }
            Outcome::Failed(error) => {
                entry.error = Some(ProblemEntry::new(&Complaint::from(error.clone()).on(name)));
                "failed"
            }
            Outcome::Interrupted => "interrupted",
        }
        .to_owned();
        entry
    }
}
