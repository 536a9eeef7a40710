//! A local stack of small Python functions, for tests: built as plain data, applied as `mdo` applies it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses a part of it, and one that fails here has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use mdo_engine::apply::{self, Report};
use mdo_engine::{Keys, Packages, Provider, Scope};
use mdo_local::LocalProvider;
use mdo_model::Sha256;
use mdo_model::project::{FunctionConfiguration, FunctionName, Names, Quota, Secret, Security, Throttle};
use mdo_model::stack::{
    self, Api, ApiRoute, ApiStage, Definition, Function, Invoker, Key, Plan, Recording, Selection, Stack,
    WarmRule,
};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use zip::write::SimpleFileOptions;

/// A function that does what the query parameter `do` says, and else answers its event.
const BOOTSTRAP: &str = r#"
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer.headers, answer.read()
while True:
    headers, event = call("GET", "invocation/next")
    id = headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(event)
    query = event.get("queryStringParameters") or {}
    do = query.get("do")
    answer = {"statusCode": 200, "body": json.dumps(event)}
    if do == "raw":
        call("POST", f"invocation/{id}/response", query["answer"])
        continue
    if do == "fail":
        call("POST", f"invocation/{id}/error", '{"errorType": "ValueError", "errorMessage": "boom"}', {"Lambda-Runtime-Function-Error-Type": "Unhandled"})
        continue
    if do == "exit":
        os._exit(3)
    if do == "gate":
        open(os.environ["GATE"] + "/arrived", "w").write("x")
        open(os.environ["GATE"] + "/go").read()
    if do == "mark":
        answer["body"] = os.environ["MARK"]
    if do == "length":
        answer["body"] = str(len(event["body"]))
    if "mdo" in event:
        answer = "warm"
    call("POST", f"invocation/{id}/response", json.dumps(answer))
"#;

/// A project folder with a stack that is not applied yet.
pub struct Fixture {
    /// The project's root.
    pub root: Arc<TempDir>,
    /// What is applied by [`Fixture::deploy`].
    pub desired: Stack,
    /// Project and stage.
    pub names: Names,
    packages: Packages,
}

/// The absolute path of a Python: functions get Lambda's PATH, where there may be none.
fn python() -> &'static str {
    static PYTHON: LazyLock<String> = LazyLock::new(|| {
        let script = "import sys; print(sys.executable)";
        let output = Command::new("python3").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    });
    &PYTHON
}

/// The names of a stack that is given no others.
pub fn names() -> Names {
    Names { project: "ml_api".parse().unwrap(), stage: "dev".parse().unwrap() }
}

impl Fixture {
    /// A project without functions.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self {
            root: Arc::new(root),
            desired: Stack::default(),
            names: names(),
            packages: Packages::default(),
        }
    }

    /// A stack at another stage of the same project, without functions.
    pub fn beside(&self, stage: &str) -> Self {
        let names = Names { stage: stage.parse().unwrap(), ..self.names.clone() };
        Self { root: Arc::clone(&self.root), names, ..Self::new() }
    }

    /// The provider of the stage, opened anew.
    pub fn provider(&self) -> LocalProvider {
        LocalProvider::open(self.root.path(), self.names.clone(), None)
    }

    /// Adds a function with the usual bootstrap.
    pub fn function(self, name: &str) -> Self {
        self.function_of(name, &format!("#!{}\n{BOOTSTRAP}", python()))
    }

    /// Adds a function, or gives it another bootstrap.
    pub fn function_of(mut self, name: &str, bootstrap: &str) -> Self {
        let (path, code) = self.zip(bootstrap);
        let name: FunctionName = name.parse().unwrap();
        let environment =
            BTreeMap::from([("GATE".to_owned(), Secret::new(self.root.path().to_str().unwrap()))]);
        let function = self.desired.functions.entry(name.clone()).or_insert_with(|| Function {
            configuration: FunctionConfiguration { environment, ..FunctionConfiguration::default() },
            role: "ml_api_lambda_function".into(),
            concurrency: None,
            code: None,
            derivatives: BTreeMap::new(),
            invokers: BTreeSet::from([Invoker::Api, Invoker::WarmRule]),
            owned: true,
            canary: None,
            tags: Default::default(),
        });
        function.code = Some(code);
        self.packages.functions.insert(name, path);
        self
    }

    /// Loses the zips, as somebody does who clears the project's `.mdo/packages`.
    pub fn without_packages(mut self) -> Self {
        self.packages = Packages::default();
        self
    }

    fn zip(&self, bootstrap: &str) -> (PathBuf, Sha256) {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        zip.write_all(bootstrap.as_bytes()).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        let code = Sha256::of(&bytes);
        let path = self.root.path().join(format!("{code}.zip"));
        std::fs::write(&path, bytes).unwrap();
        (path, code)
    }

    /// Changes a function.
    pub fn with(mut self, name: &str, change: impl FnOnce(&mut Function)) -> Self {
        change(self.desired.functions.get_mut(&name.parse().unwrap()).unwrap());
        self
    }

    /// Sets an environment variable of a function.
    pub fn environment(self, name: &str, key: &str, value: &str) -> Self {
        let value = Secret::new(value);
        self.with(name, |function| {
            function.configuration.environment.insert(key.to_owned(), value);
        })
    }

    /// Adds a route that calls a function.
    pub fn route(mut self, route: &str, function: &str, security: Security) -> Self {
        let target = ApiRoute { function: function.parse().unwrap(), security, timeout_ms: 29_000 };
        self.definition().routes.insert(route.parse().unwrap(), target);
        if security == Security::Key {
            self = self.key("default");
        }
        self
    }

    /// Changes the API's definition.
    pub fn with_api(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        change(self.definition());
        self
    }

    fn definition(&mut self) -> &mut Definition {
        let alias = self.names.stage.to_string();
        self.desired.api = Some(Api { owned: true, tags: Default::default() });
        let stage = self.desired.stage.get_or_insert_with(|| ApiStage {
            definition: Definition::default(),
            deployed_by_mdo: true,
            variables: BTreeMap::from([("alias".to_owned(), alias)]),
            throttle: None,
            quota: None,
            recording: Recording::default(),
            tags: Default::default(),
        });
        &mut stage.definition
    }

    /// Adds a key.
    pub fn key(mut self, name: &str) -> Self {
        self.desired.keys.insert(name.parse().unwrap(), Key::open(true));
        self
    }

    /// Sets the usage plan.
    pub fn usage_plan(mut self, throttle: Option<Throttle>, quota: Option<Quota>) -> Self {
        let stage = self.desired.stage.as_mut().unwrap();
        (stage.throttle, stage.quota) = (throttle, quota);
        self
    }

    /// Adds a warm rule.
    pub fn warm(mut self, function: &str, rate: &str) -> Self {
        let rule = WarmRule {
            name: names().warm_rule(&function.parse().unwrap()),
            rate: Some(rate.parse().unwrap()),
            concurrency: 1,
            enabled: true,
            input: json!({"mdo": {"warm": true}}),
            tags: Default::default(),
        };
        self.desired.warm_rules.insert(function.parse().unwrap(), rule);
        self
    }

    /// What a deploy would change.
    pub async fn plan(&self) -> Plan {
        let scope = Scope::default();
        let observed = self.provider().observe(&scope).await.unwrap();
        let nothing = (BTreeSet::new(), BTreeSet::new());
        let desired = self.desired.clone();
        stack::plan(&self.names, desired, &observed.stack, &Selection::All, &nothing.0, &nothing.1)
    }

    /// What a first deploy would change, whatever is there.
    pub fn plan_from_nothing(&self) -> Plan {
        let nothing = (BTreeSet::new(), BTreeSet::new());
        let desired = self.desired.clone();
        stack::plan(&self.names, desired, &Stack::default(), &Selection::All, &nothing.0, &nothing.1)
    }

    /// Applies the stack, whole.
    pub async fn deploy(&self) -> Report {
        let report = self.run(&self.plan().await).await;
        assert!(report.is_complete(), "{report:?}");
        report
    }

    /// Removes the stack.
    pub async fn destroy(&self) -> Report {
        let scope = Scope::default();
        let observed = self.provider().observe(&scope).await.unwrap();
        let report = self.run(&stack::destroy(&self.names, &observed.stack, &observed.shared)).await;
        assert!(report.is_complete(), "{report:?}");
        report
    }

    /// Runs a plan.
    pub async fn run(&self, plan: &Plan) -> Report {
        let interrupt = CancellationToken::new();
        apply::apply(&self.provider(), plan, &self.packages, 4, interrupt, &|_| {}).await
    }

    /// The value of a key.
    pub async fn key_value(&self, name: &str) -> String {
        self.provider().key_value(&name.parse().unwrap()).await.unwrap().reveal().to_owned()
    }
}
