//! Running a plan: what starts when, what a failure stops, and what an interruption leaves.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use mdo_engine::apply::{self, Report};
use mdo_engine::{Applied, Cause, Error, Observed, Outcome, Packages, Provider, Run, Scope};
use mdo_model::Sha256;
use mdo_model::project::{FunctionConfiguration, FunctionName, Names, Rate, Secret, Security, StageName};
use mdo_model::stack::{
    self, Api, ApiRoute, ApiStage, Change, Definition, Function, Invoker, Key, Kind, LogGroup, Plan,
    Recording, ResourceId, Role, Selection, Stack, WarmRule,
};
use tokio_util::sync::CancellationToken;

fn names() -> Names {
    Names { project: "ml_api".parse().unwrap(), stage: "dev".parse().unwrap() }
}

fn function() -> Function {
    Function {
        configuration: FunctionConfiguration {
            environment: BTreeMap::from([("N_CLASSES".into(), Secret::new("2"))]),
            ..FunctionConfiguration::default()
        },
        role: "ml_api_lambda_function".into(),
        concurrency: None,
        code: Some(Sha256::of(b"zip")),
        derivatives: BTreeMap::new(),
        invokers: BTreeSet::from([Invoker::Api, Invoker::WarmRule]),
        owned: true,
        canary: None,
        tags: Default::default(),
    }
}

fn stack() -> Stack {
    let sample: FunctionName = "sample_producer".parse().unwrap();
    let route = ApiRoute { function: sample.clone(), security: Security::Key, timeout_ms: 29_000 };
    let routes = BTreeMap::from([("GET /sample_producer".parse().unwrap(), route)]);
    Stack {
        role: Some(Role {
            trusted_service: "lambda.amazonaws.com".into(),
            log_groups: "/aws/lambda/ml_api_*".into(),
            grants: BTreeSet::new(),
            boundary: None,
            tags: Default::default(),
        }),
        derivatives: BTreeMap::new(),
        log_groups: BTreeMap::from([(
            sample.clone(),
            LogGroup { retention_days: Some(30), tags: Default::default() },
        )]),
        functions: BTreeMap::from([(sample.clone(), function())]),
        api: Some(Api { owned: true, tags: Default::default() }),
        stage: Some(ApiStage {
            definition: Definition { routes, ..Definition::default() },
            deployed_by_mdo: true,
            variables: BTreeMap::from([("alias".into(), "dev".into())]),
            throttle: None,
            quota: None,
            recording: Recording::default(),
            tags: Default::default(),
        }),
        keys: BTreeMap::from([("default".parse().unwrap(), Key::open(true))]),
        warm_rules: BTreeMap::from([(
            sample.clone(),
            WarmRule {
                name: names().warm_rule(&sample),
                rate: Some("5m".parse::<Rate>().unwrap()),
                concurrency: 1,
                enabled: true,
                input: serde_json::json!({}),
                tags: Default::default(),
            },
        )]),
        ..Stack::default()
    }
}

/// Plans for the whole stack, with nothing to unset and nothing shared.
fn plan(desired: Stack, observed: &Stack) -> Plan {
    stack::plan(&names(), desired, observed, &Selection::All, &BTreeSet::new(), &BTreeSet::new())
}

fn first_deploy() -> Plan {
    plan(stack(), &Stack::default())
}

/// A provider that waits for everything a change needs, then notes it, and fails where it is told to.
#[derive(Default)]
struct Recorder {
    fails: Option<Kind>,
    /// What a change of the first kind waits for, late: others may rely on it by then.
    waits_late: Option<(Kind, ResourceId)>,
    interrupts_at: Option<(Kind, CancellationToken)>,
    done: Mutex<Vec<String>>,
}

#[async_trait]
impl Provider for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    async fn location(&self) -> Result<String, Error> {
        Ok("nowhere".into())
    }

    async fn observe(&self, _: &Scope) -> Result<Observed, Error> {
        Ok(Observed::default())
    }

    async fn apply(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        run.all_usable(change).await?;
        if let Some((kind, token)) = &self.interrupts_at
            && *kind == change.id.kind
        {
            token.cancel();
        }
        tokio::task::yield_now().await;
        if self.fails == Some(change.id.kind) {
            return Err(Error::new(Cause::Other, "it broke"));
        }
        if let Some((kind, other)) = &self.waits_late
            && *kind == change.id.kind
        {
            run.announce(&change.id);
            run.decided(other).await?;
        }
        self.done.lock().unwrap().push(change.id.to_string());
        Ok(Applied::default())
    }

    async fn stages(&self) -> Result<Vec<StageName>, Error> {
        Ok(Vec::new())
    }

    fn endpoint(&self) -> Option<String> {
        None
    }

    fn calls(&self) -> usize {
        0
    }
}

async fn run(recorder: &Recorder, plan: &Plan, concurrency: usize, interrupt: CancellationToken) -> Report {
    apply::apply(recorder, plan, &Packages::default(), concurrency, interrupt, &|_| {}).await
}

fn outcome(report: &Report, kind: Kind) -> &Outcome {
    &report.finished.iter().find(|change| change.id.kind == kind).unwrap().outcome
}

#[tokio::test]
async fn a_first_deploy_makes_everything_in_an_order_that_respects_what_each_needs() {
    let plan = first_deploy();
    for concurrency in [1, 2, 16] {
        let recorder = Recorder::default();
        let report = run(&recorder, &plan, concurrency, CancellationToken::new()).await;
        assert!(report.is_complete());
        let done = recorder.done.lock().unwrap();
        let position = |name: &str| done.iter().position(|done| done == name).unwrap();
        assert!(position("role ml_api") < position("function sample_producer"));
        assert!(position("api ml_api") < position("stage dev"));
        assert!(position("stage dev") < position("key default"));
        assert!(position("function sample_producer") < position("warm rule sample_producer"));
    }
}

#[tokio::test]
async fn changes_that_wait_for_one_another_leave_it_room_to_work() {
    let mut many = stack();
    many.functions = (0..20).map(|number| (format!("f{number}").parse().unwrap(), function())).collect();
    let plan = plan(many, &Stack::default());
    let waits_late = Some((Kind::Function, ResourceId::new(Kind::Stage, "dev")));
    for concurrency in [1, 16] {
        let recorder = Recorder { waits_late: waits_late.clone(), ..Recorder::default() };
        let running = run(&recorder, &plan, concurrency, CancellationToken::new());
        let report = tokio::time::timeout(Duration::from_secs(60), running).await;
        assert!(report.expect("no change waits for ever").is_complete());
    }
}

#[tokio::test]
async fn a_failure_stops_what_needs_it_and_nothing_else() {
    let recorder = Recorder { fails: Some(Kind::Function), ..Recorder::default() };
    let report = run(&recorder, &first_deploy(), 16, CancellationToken::new()).await;
    assert!(
        matches!(outcome(&report, Kind::Function), Outcome::Failed(error) if error.message == "it broke")
    );
    assert!(matches!(
        outcome(&report, Kind::WarmRule),
        Outcome::Skipped(needed) if *needed == ResourceId::new(Kind::Function, "sample_producer")
    ));
    for kind in [Kind::Role, Kind::Api, Kind::Stage, Kind::Key] {
        assert!(matches!(outcome(&report, kind), Outcome::Done(_)), "{kind} is done");
    }
    assert!(!report.is_complete() && report.is_begun());
}

#[tokio::test]
async fn an_interruption_finishes_what_was_begun_and_begins_nothing_else() {
    let token = CancellationToken::new();
    let recorder = Recorder { interrupts_at: Some((Kind::Role, token.clone())), ..Recorder::default() };
    let report = run(&recorder, &first_deploy(), 1, token).await;
    assert!(matches!(outcome(&report, Kind::Role), Outcome::Done(_)));
    let others = report.finished.iter().filter(|change| change.id.kind != Kind::Role);
    assert!(others.into_iter().all(|change| !matches!(change.outcome, Outcome::Failed(_))));
    assert!(matches!(outcome(&report, Kind::Key), Outcome::Interrupted));
}

#[test]
fn a_plan_right_after_its_own_stack_is_empty() {
    let plan = plan(stack(), &stack());
    assert!(plan.is_empty());
    assert_eq!(plan.checked, 7);
}

#[test]
fn an_environment_variable_that_is_live_but_in_no_file_is_kept_unless_it_is_unset() {
    let mut observed = stack();
    let live = observed.functions.values_mut().next().unwrap();
    live.configuration.environment.insert("DEBUG".into(), Secret::new("1"));
    let kept = plan(stack(), &observed);
    assert!(kept.is_empty());
    assert_eq!(kept.kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["DEBUG"]);
    let unset = BTreeSet::from(["DEBUG".to_owned()]);
    let removed = stack::plan(&names(), stack(), &observed, &Selection::All, &unset, &BTreeSet::new());
    let fields: Vec<_> = removed.changes[0].fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(fields, ["environment.DEBUG"]);
}

#[test]
fn no_value_of_the_environment_is_in_a_plan() {
    let mut desired = stack();
    let function = desired.functions.values_mut().next().unwrap();
    function.configuration.environment.insert("N_CLASSES".into(), Secret::new("very-secret"));
    let plan = plan(desired, &stack());
    let field = &plan.changes[0].fields[0];
    assert_eq!(
        (field.path.as_str(), &field.before, &field.after),
        ("environment.N_CLASSES", &"(hidden)".into(), &"(hidden)".into())
    );
    assert!(!format!("{plan:?}").contains("very-secret"));
}

#[test]
fn a_selection_leaves_every_other_function_as_it_is() {
    let other: FunctionName = "other".parse().unwrap();
    let mut observed = stack();
    observed.functions.insert(other.clone(), function());
    let route = ApiRoute { function: other.clone(), security: Security::Open, timeout_ms: 29_000 };
    let stage = observed.stage.as_mut().unwrap();
    stage.definition.routes.insert("GET /other".parse().unwrap(), route);
    let only = Selection::Only(BTreeSet::from(["sample_producer".parse().unwrap()]));
    let nothing = BTreeSet::new();
    let some = stack::plan(&names(), stack(), &observed, &only, &nothing, &BTreeSet::new());
    assert!(some.is_empty(), "{:?}", some.changes);
    let all = plan(stack(), &observed);
    let actions: Vec<_> = all.changes.iter().map(|change| (change.id.to_string(), change.action)).collect();
    assert_eq!(
        actions,
        [
            ("stage dev".to_owned(), stack::Action::Update),
            ("function other".to_owned(), stack::Action::Delete),
        ]
    );
}

#[test]
fn a_destroyed_stage_leaves_what_other_stages_use() {
    let shared = BTreeSet::from([
        ResourceId::new(Kind::Role, "ml_api"),
        ResourceId::new(Kind::Api, "ml_api"),
        ResourceId::new(Kind::Function, "sample_producer"),
        ResourceId::new(Kind::LogGroup, "sample_producer"),
    ]);
    let plan = stack::destroy(&names(), &stack(), &shared);
    let order: Vec<_> = plan.changes.iter().map(|change| change.id.to_string()).collect();
    assert_eq!(order, ["stage dev", "warm rule sample_producer", "function sample_producer", "key default"]);
    let all = stack::destroy(&names(), &stack(), &BTreeSet::new());
    let last: Vec<_> = all.changes.iter().rev().take(2).map(|change| change.id.kind).collect();
    assert_eq!(last, [Kind::LogGroup, Kind::Role]);
}
