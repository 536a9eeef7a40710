//! The commands whose every call is disturbed, and what they do when nothing disturbs them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::scene::Scene;
use super::servers;
use super::snapshot::{KNOWN_VALUE, Snapshot};
use crate::derivatives::{Painting, leaves_behind};
use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::hosted::HostedProject;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::{Fault, Proxy};

/// How long a function refuses further updates: as on AWS, but short.
const SETTLES_AFTER: Duration = Duration::from_millis(100);

/// A command and the state in which it starts.
#[derive(Clone)]
pub(super) struct Sequence {
    pub name: &'static str,
    /// What its account is on.
    pub on: On,
    /// Brings the files and the account to where the command starts.
    pub prepare: fn(&TestProject),
    /// The command to disturb, which prints one JSON document.
    pub command: &'static str,
    /// Whether the command succeeds as well where everything is done.
    pub repeats: bool,
    /// A command that goes on from there, where more is to be done until all is.
    pub goes_on: Option<&'static str>,
    /// A command whose document has no `changes` once everything is done.
    pub settled: &'static str,
    /// A command that leaves nothing.
    pub destroys: &'static str,
}

/// Where an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    LocalStack,
    /// With a stage that servers host.
    MiniStack,
}

const QUEUES: &str = "arn:aws:iam::aws:policy/AmazonSQSFullAccess";
const MAIL: &str = "arn:aws:iam::aws:policy/AmazonSESFullAccess";
const TOPICS: &str = "arn:aws:iam::aws:policy/AmazonSNSFullAccess";

const DESTROY: &str = "destroy --yes --json";
const ROLLBACK: &str = "rollback echo --to 1 --json";
const CANARY: &str = "deploy --yes --json --canary 10% -s GREETING=hello";
const PRUNE: &str = "prune --keep 1 --yes --json";

/// All of those of Lambda and API Gateway. A further one joins by being listed.
pub(super) fn all() -> Vec<Sequence> {
    let deploy = |name, prepare| Sequence::deploying(name, prepare, "deploy --yes --json -s GREETING=hello");
    let destroy = |name, prepare| Sequence {
        name,
        prepare,
        command: DESTROY,
        settled: DESTROY,
        ..Sequence::deploying("", nothing, "")
    };
    vec![
        deploy("first deploy", nothing),
        deploy("update of everything", a_stack_and_files_that_differ_in_everything),
        destroy("destroy", a_stack),
        destroy("destroy after a first deploy without alias", a_first_deploy_without_alias),
        destroy("destroy after a first deploy without function", a_first_deploy_without_function),
        deploy("new and changed derivatives", a_derivative_and_files_with_another_one),
        destroy("destroy with derivatives", two_editions_of_a_derivative),
        Sequence {
            name: "prune",
            prepare: a_derivative_and_what_was_left_of_it,
            command: PRUNE,
            settled: PRUNE,
            ..Sequence::deploying("", nothing, "")
        },
        Sequence {
            name: "rollback",
            prepare: two_versions,
            command: ROLLBACK,
            settled: ROLLBACK,
            ..Sequence::deploying("", nothing, "")
        },
        Sequence {
            name: "promote",
            prepare: a_stage_that_is_ahead_of_another,
            command: "promote dev prod --yes --json",
            settled: "promote dev prod --dry-run --json",
            destroys: "destroy --all --yes --json",
            ..Sequence::deploying("", nothing, "")
        },
        Sequence {
            goes_on: Some("canary finish --json"),
            ..Sequence::deploying("canary", two_functions_with_other_code, CANARY)
        },
        once("canary finish", a_trial, "canary finish --json"),
        once("canary abort", a_trial_and_files_as_before, "canary abort --json"),
        once("key create", a_stack_and_the_value_of_a_key, "key create partner --value-from value.txt"),
        once("key rotate", a_stack_with_a_key, "key rotate partner"),
        Sequence::deploying("key expire", a_key_that_has_ended, "key expire"),
        deploy("permissions", a_stack_and_files_with_permissions),
        deploy("other permissions", permissions_and_files_with_others),
        deploy("permissions no more", permissions_and_files_with_none),
    ]
}

/// A command that does something else, or nothing, where everything is done.
fn once(name: &'static str, prepare: fn(&TestProject), command: &'static str) -> Sequence {
    Sequence { repeats: false, ..Sequence::deploying(name, prepare, command) }
}

fn nothing(_: &TestProject) {}

fn a_stack(project: &TestProject) {
    project.mdo("deploy --yes -s GREETING=hello").exits(0);
}

fn a_stack_and_files_that_differ_in_everything(project: &TestProject) {
    project.mdo("deploy --yes -s GREETING=before").exits(0);
    project.write(
        "project.toml",
        &format!("{MANIFEST}[logs]\nretention_days = 7\n[api]\nthrottle = {{ rate = 3, burst = 6 }}\n"),
    );
    project.set_edition("echo", "second");
    project.set("echo", "memory", json!(256));
    project.set("echo", "routes", json!(["GET /echo", "POST /new"]));
    project.set("echo", "warm", json!({"rate": "1m", "concurrency": 2}));
    let live = Live::of(project, "dev");
    let link = json!({"usagePlanId": live.usage_plan()["id"], "keyId": live.key("default")["id"]});
    live.call("apigateway", "delete_usage_plan_key", link);
    let role = "shop_lambda_function";
    let policy = live.call("iam", "list_role_policies", json!({"RoleName": role}))["PolicyNames"][0].clone();
    live.call("iam", "delete_role_policy", json!({"RoleName": role, "PolicyName": policy}));
}

fn two_versions(project: &TestProject) {
    a_stack(project);
    project.set_edition("echo", "second");
    project.mdo("deploy --yes -s GREETING=later").exits(0);
}

fn a_stage_that_is_ahead_of_another(project: &TestProject) {
    a_stack(project);
    project.mdo("deploy --stage prod --yes -s GREETING=hello").exits(0);
    project.set_edition("echo", "second");
    a_stack(project);
}

fn a_stack_and_files_with_other_code(project: &TestProject) {
    a_stack(project);
    project.set_edition("echo", "second");
}

/// Of two, one may be on trial before the other.
fn two_functions_with_other_code(project: &TestProject) {
    project.add_function("other", json!({}));
    a_stack_and_files_with_other_code(project);
    project.set_edition("other", "second");
}

fn a_trial(project: &TestProject) {
    a_stack_and_files_with_other_code(project);
    project.mdo(CANARY).exits(0);
}

fn a_trial_and_files_as_before(project: &TestProject) {
    a_trial(project);
    project.set_edition("echo", "first");
}

fn a_stack_and_the_value_of_a_key(project: &TestProject) {
    a_stack(project);
    project.write("value.txt", KNOWN_VALUE);
}

fn a_stack_with_a_key(project: &TestProject) {
    a_stack_and_the_value_of_a_key(project);
    project.mdo("key create partner --value-from value.txt").exits(0);
}

fn a_key_that_has_ended(project: &TestProject) {
    a_stack_with_a_key(project);
    project.mdo("key rotate partner --overlap 0s").exits(0);
}

fn a_stack_and_files_with_permissions(project: &TestProject) {
    a_stack(project);
    project.set("echo", "permissions", json!([reading(&["s3:GetObject", "s3:PutObject"]), QUEUES, MAIL]));
    bounded(project);
}

fn permissions_and_files_with_others(project: &TestProject) {
    a_stack_and_files_with_permissions(project);
    a_stack(project);
    project.set("echo", "permissions", json!([reading(&["s3:GetObject"]), MAIL, TOPICS]));
}

fn permissions_and_files_with_none(project: &TestProject) {
    a_stack_and_files_with_permissions(project);
    a_stack(project);
    project.set("echo", "permissions", Value::Null);
}

fn reading(actions: &[&str]) -> Value {
    json!({"allow": actions, "on": ["arn:aws:s3:::bucket/*"]})
}

/// Gives the project's role a boundary.
fn bounded(project: &TestProject) {
    let boundary = "permissions_boundary = \"arn:aws:iam::aws:policy/PowerUserAccess\"";
    project.write("project.toml", &format!("{boundary}\n{MANIFEST}"));
}

fn a_first_deploy_without_alias(project: &TestProject) {
    aborted_at(project, "CreateAlias");
}

fn a_first_deploy_without_function(project: &TestProject) {
    aborted_at(project, "CreateFunction");
}

fn a_derivative_and_files_with_another_one(project: &TestProject) {
    a_derivative(project);
    Painting::wants(project, "colours", "colours==2.0");
    Painting::wants(project, "shades", "shades");
    project.set("paint", "derivatives", json!(["colours", "shades"]));
}

fn two_editions_of_a_derivative(project: &TestProject) {
    a_derivative(project);
    Painting::wants(project, "colours", "colours==2.0");
    a_stack(project);
}

fn a_derivative_and_what_was_left_of_it(project: &TestProject) {
    a_derivative(project);
    for edition in ["left first", "left later", "newest"] {
        leaves_behind(project, &Painting::layer("colours"), edition);
    }
}

/// A stack of a function with a derivative, and nothing else.
fn a_derivative(project: &TestProject) {
    project.remove("functions/echo");
    Painting::join(project);
    a_stack(project);
}

fn aborted_at(project: &TestProject, operation: &str) {
    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.fail_next(operation, usize::MAX, Fault::error(400, "BadRequestException", "told to fail"));
    project.mdo("deploy --yes -s GREETING=hello").through(&proxy).exits(5);
}

/// What a sequence does when nothing disturbs it.
#[derive(Clone)]
pub(super) struct Undisturbed(Arc<Course>);

pub(super) struct Course {
    /// How often each operation is called.
    calls: BTreeMap<String, usize>,
    /// What the account holds before the command, and after it.
    pub before: Snapshot,
    pub after: Snapshot,
}

impl Undisturbed {
    /// Every call, as its operation and its number among that operation's calls.
    pub(super) fn calls(&self) -> Vec<(String, usize)> {
        let numbered = |(name, count): (&String, &usize)| -> Vec<(String, usize)> {
            (1..=*count).map(|number| (name.clone(), number)).collect()
        };
        self.0.calls.iter().flat_map(numbered).collect()
    }
}

impl std::ops::Deref for Undisturbed {
    type Target = Course;

    fn deref(&self) -> &Course {
        &self.0
    }
}

impl Sequence {
    /// A command that deploys.
    pub(super) fn deploying(
        name: &'static str,
        prepare: fn(&TestProject),
        command: &'static str,
    ) -> Sequence {
        let (on, settled, destroys) = (On::LocalStack, "plan --json", DESTROY);
        Sequence { name, on, prepare, command, repeats: true, goes_on: None, settled, destroys }
    }

    /// A project in an account of its own, in the state in which the command starts.
    pub(super) fn prepared(&self) -> Scene {
        match self.on {
            On::LocalStack => {
                let emulator = Emulator::shared().expect("an emulator");
                let project = TestProject::with_echo(emulator.account());
                (self.prepare)(&project);
                Scene { project, proxies: vec![Sequence::proxy(emulator)] }
            }
            On::MiniStack => {
                let hosted = HostedProject::with_echo().expect("an emulator");
                (self.prepare)(&hosted.project);
                servers::take_time(&hosted.proxy);
                let HostedProject { project, proxy, registry } = hosted;
                Scene { project, proxies: vec![proxy, registry] }
            }
        }
    }

    /// A proxy for the command.
    pub(super) fn proxy(emulator: &'static Emulator) -> Proxy {
        let proxy = Proxy::start(emulator.address(), Duration::ZERO);
        proxy.be_strict(SETTLES_AFTER);
        proxy
    }

    /// Runs the command once, and records what it does.
    pub(super) fn undisturbed(&self) -> Undisturbed {
        let scene = self.prepared();
        let account = scene.project.account();
        let before = Snapshot::of(account);
        let (status, stdout, stderr) = scene.begins(self.command).ends();
        assert_eq!(status, 0, "{stdout}{stderr}");
        let mut calls = BTreeMap::new();
        for call in scene.proxies.iter().flat_map(|proxy| proxy.recording().calls().to_vec()) {
            *calls.entry(call.operation.name).or_insert(0) += 1;
        }
        let after = match self.command.starts_with("destroy") {
            // What a destroy has to leave is known without asking it.
            true => Snapshot::default(),
            false => Snapshot::of(account),
        };
        Undisturbed(Arc::new(Course { calls, before, after }))
    }
}
