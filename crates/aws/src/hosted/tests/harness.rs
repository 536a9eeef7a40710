//! A hosted stage of a project of its own, in an account of its own on MiniStack, seen through a proxy.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the harness of the root's tests, of which these use a part"
)]

#[path = "../../../../../tests/support/autoscaling.rs"]
mod autoscaling;
#[path = "../../../../../tests/support/disturbance.rs"]
mod disturbance;
#[path = "../../../../../tests/support/fault.rs"]
pub mod fault;
#[path = "../../../../../tests/support/http.rs"]
mod http;
#[path = "../../../../../tests/support/ministack.rs"]
mod ministack;
#[path = "../../../../../tests/support/moto.rs"]
mod moto;
#[path = "../../../../../tests/support/operations.rs"]
mod operations;
#[path = "../../../../../tests/support/proxy.rs"]
mod proxy;
#[path = "../../../../../tests/support/python_server.rs"]
mod python_server;
#[path = "../../../../../tests/support/recording.rs"]
mod recording;
#[path = "../../../../../tests/support/rounds.rs"]
mod rounds;
#[path = "../../../../../tests/support/strict.rs"]
mod strict;
#[path = "../../../../../tests/support/venv.rs"]
mod venv;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use mdo_engine::{Error, Observed, Outcome, Packages, Provider, RunEvent, Scope, Signals};
use mdo_model::project::{Overrides, Project};
use mdo_model::stack::{self, Plan, Selection, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::ministack::Ministack;
use self::moto::Moto;
use self::proxy::Proxy;
use crate::AwsProvider;

/// What every project says of hosting, unless a test says something else.
pub(super) const PLAIN: &str = "[server]\nhttp = true\n";

/// A hosted stage.
pub(super) struct Hosted {
    pub proxy: Proxy,
    pub account: String,
    /// What function.json of its only function says.
    pub function: &'static str,
    folder: TempDir,
    name: String,
}

impl Hosted {
    /// A project in a fresh account; nothing where there is to be no emulator.
    pub fn fresh() -> Option<Self> {
        let (root, target) = folders();
        let server = Ministack::shared(&root, &target)?;
        let account = server.account();
        Some(Self::new(Proxy::start(server.address(), Duration::ZERO), account))
    }

    /// Lets moto answer for autoscaling, with the project's service in it; nothing where there is to be no emulator.
    pub fn with_moto(&self) -> Option<Moto> {
        let (root, target) = folders();
        let moto = Moto::start(&root, &target)?;
        let (address, account) = (moto.address(), self.account.clone());
        let ask = move |service: &str, target: &str, asked: &Value| {
            let scope = format!(
                "AWS4-HMAC-SHA256 Credential={account}/20261101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            );
            let kind = "application/x-amz-json-1.1";
            let headers = [("X-Amz-Target", target), ("Authorization", &scope), ("Content-Type", kind)];
            let body = asked.to_string();
            let answer = http::request(address, "POST", "/", &headers, body.as_bytes()).expect("an answer");
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match answer.status() {
                200 => Ok(body),
                status => {
                    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
                    let kind = text("__type");
                    let code = kind.rsplit('#').next().unwrap_or_default().to_owned();
                    Err(fault::Fault::error(status, &code, &(text("message") + &text("Message"))))
                }
            }
        };
        let container = json!({"name": "Main", "image": "x", "memory": 512});
        for (operation, asked) in [
            ("CreateCluster", json!({"clusterName": "ml_api"})),
            ("RegisterTaskDefinition", json!({"family": "ml_api-prod", "containerDefinitions": [container]})),
            (
                "CreateService",
                json!({"cluster": "ml_api", "serviceName": "ml_api-prod", "taskDefinition": "ml_api-prod", "desiredCount": 1}),
            ),
        ] {
            let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
            ask("ecs", &target, &asked).unwrap_or_else(|error| panic!("{operation}: {error:?}"));
        }
        self.proxy.stand_in("application-autoscaling", move |operation, asked| {
            ask("application-autoscaling", &format!("AnyScaleFrontendService.{operation}"), asked)
        });
        Some(moto)
    }

    /// The same project before a proxy that lets calls through in rounds, so that their depth is exact.
    pub fn in_rounds(&self) -> Self {
        let again = Self::new(Proxy::in_rounds(self.proxy.upstream()), self.account.clone());
        Self { function: self.function, ..again }
    }

    fn new(proxy: Proxy, account: String) -> Self {
        let scaling = Mutex::new(autoscaling::Autoscaling::default());
        let answer =
            move |operation: &str, asked: &_| scaling.lock().expect("targets").answer(operation, asked);
        proxy.stand_in("application-autoscaling", answer);
        let folder = TempDir::new().expect("a folder");
        let name = format!("hosted-{}", proxy.url().rsplit(':').next().expect("a port"));
        let profile = format!(
            "[profile {name}]\nregion = eu-west-1\naws_access_key_id = {account}\naws_secret_access_key = test\n\
             endpoint_url = {}\n",
            proxy.url()
        );
        add_profile(&profile);
        Self { proxy, account, function: "{}", folder, name }
    }

    /// The project at a stage, as `server` says in project.toml.
    pub async fn at(&self, stage: &str, server: &str) -> At<'_> {
        self.hosted_by(stage, server, "server").await
    }

    /// The project at a stage that Lambda and API Gateway serve.
    pub async fn serverless(&self, stage: &str) -> At<'_> {
        self.hosted_by(stage, "", "serverless").await
    }

    /// The project at a stage, in whose files there is nothing about hosting.
    pub async fn without_a_word(&self, stage: &str) -> At<'_> {
        self.written(stage, "").await
    }

    async fn hosted_by(&self, stage: &str, server: &str, hosting: &str) -> At<'_> {
        self.written(stage, &format!("{server}\n[stages.{stage}]\nhosting = \"{hosting}\"\n")).await
    }

    async fn written(&self, stage: &str, rest: &str) -> At<'_> {
        let text = format!("name = \"ml_api\"\nprofile = \"{}\"\n{rest}", self.name);
        fs::write(self.folder.path().join("project.toml"), text).expect("a file");
        let function = self.folder.path().join("functions/hello");
        fs::create_dir_all(&function).expect("a folder");
        fs::write(function.join("function.json"), self.function).expect("a file");
        let project = Project::load(self.folder.path()).expect("a project");
        let settings = project.settings(&stage.parse().expect("a stage"), &Overrides::default());
        let settings = settings.expect("settings");
        let provider =
            AwsProvider::connect(&settings, Box::new(mdo_engine::Origin::default), Signals::default())
                .await
                .expect("a provider");
        let wanted = stack::hosted(&settings, "sha256:1").unwrap_or_default();
        At { hosted: self, provider, wanted }
    }
}

/// The workspace's folder, and the one that it builds to.
fn folders() -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let program = std::env::current_exe().expect("the test program");
    (root.to_owned(), program.ancestors().nth(3).expect("the target folder").to_owned())
}

/// A project at a stage, with its provider.
pub(super) struct At<'a> {
    hosted: &'a Hosted,
    pub provider: AwsProvider,
    pub wanted: Stack,
}

impl At<'_> {
    /// What is live, as `scope` looks for it.
    pub async fn observe(&self, scope: Scope) -> Result<Observed, Error> {
        self.provider.observe(&scope).await
    }

    /// The plan that brings there what these tests are about: everything but role, server and keys.
    pub async fn plan(&self) -> Plan {
        self.plan_in(Scope::default()).await.expect("what is live")
    }

    pub async fn plan_in(&self, scope: Scope) -> Result<Plan, Error> {
        let live = self.observe(scope).await?.stack;
        let wanted = Stack {
            repository: self.wanted.repository.clone(),
            load_balancer: self.wanted.load_balancer.clone(),
            ..Stack::default()
        };
        let nothing = BTreeSet::new();
        Ok(stack::plan(&self.provider.names, wanted, &live, &Selection::All, &nothing, &BTreeSet::new()))
    }

    /// The plan that takes everything away.
    pub async fn destruction(&self) -> Plan {
        let observed =
            self.observe(Scope { thorough: true, ..Scope::default() }).await.expect("what is live");
        stack::destroy(&self.provider.names, &observed.stack, &observed.shared)
    }

    /// Makes a plan real, and answers what came of each change and what was waited for.
    pub async fn apply(&self, plan: &Plan) -> (BTreeMap<String, Result<(), Error>>, Vec<String>) {
        let waits = Mutex::new(Vec::new());
        let observer = |event: RunEvent<'_>| {
            if let RunEvent::Waiting(id, what) = event {
                waits.lock().expect("waits").push(format!("{id}: {what}"));
            }
        };
        let (packages, interrupt) = (Packages::default(), CancellationToken::new());
        let report = mdo_engine::apply::apply(&self.provider, plan, &packages, 8, interrupt, &observer).await;
        let outcome = |outcome| match outcome {
            Outcome::Done(_) => Ok(()),
            Outcome::Failed(error) => Err(error),
            other => panic!("{other:?}"),
        };
        let finished = report.finished.into_iter().map(|one| (one.id.to_string(), outcome(one.outcome)));
        (finished.collect(), waits.into_inner().expect("waits"))
    }

    /// Brings the stage up to what is wanted.
    pub async fn bring(&self) {
        let plan = self.plan().await;
        let (done, _) = self.apply(&plan).await;
        assert!(done.values().all(Result::is_ok), "{done:?}");
    }

    /// What a plan changes, field by field: `~ load balancer ml_api: entry`.
    pub fn changes(plan: &Plan) -> Vec<String> {
        let line = |change: &stack::Change| {
            let fields: Vec<&str> = change.fields.iter().map(|field| field.path.as_str()).collect();
            match change.action {
                stack::Action::Create => format!("+ {}", change.id),
                stack::Action::Update => format!("~ {}: {}", change.id, fields.join(", ")),
                stack::Action::Delete => format!("- {}", change.id),
            }
        };
        plan.changes.iter().map(line).collect()
    }

    /// The calls since the last time, of the services that these tests are about, in an order that does not depend on luck.
    pub fn calls(&self) -> Vec<String> {
        let recording = self.hosted.proxy.recording();
        self.hosted.proxy.forget();
        let ours = ["ec2:", "elasticloadbalancing:", "ecr:"];
        let names = recording.names().into_iter();
        let mut names: Vec<String> =
            names.filter(|name| ours.iter().any(|service| name.starts_with(service))).collect();
        names.sort();
        names
    }

    /// The writes of any service since the last time, in the order in which they came.
    pub fn writes(&self) -> Vec<String> {
        let recording = self.hosted.proxy.recording();
        self.hosted.proxy.forget();
        recording.writes().iter().map(|call| call.operation.name.clone()).collect()
    }
}

/// Gives the SDK a profile: a process has one environment, and each test an account and an endpoint of its own.
fn add_profile(profile: &str) {
    static FILE: OnceLock<(TempDir, PathBuf, Mutex<String>)> = OnceLock::new();
    let (_, path, text) = FILE.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("config");
        fs::write(&path, "").expect("a file");
        for (name, value) in [
            ("AWS_CONFIG_FILE", path.as_path()),
            ("AWS_SHARED_CREDENTIALS_FILE", &folder.path().join("credentials")),
            ("AWS_EC2_METADATA_DISABLED", Path::new("true")),
        ] {
            #[expect(unsafe_code, reason = "the SDK reads the place of its files from nowhere else")]
            // SAFETY: The standard library guards the environment, and nothing here reads it in another way.
            unsafe {
                std::env::set_var(name, value);
            }
        }
        (folder, path, Mutex::default())
    });
    let mut text = text.lock().expect("the profiles");
    text.push_str(profile);
    let new = path.with_extension("new");
    fs::write(&new, text.as_str()).expect("a file");
    fs::rename(&new, path).expect("a file");
}
