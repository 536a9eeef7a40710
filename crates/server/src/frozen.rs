//! A stage frozen into one file: what a container serves, without a store and without a provider.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mdo_model::Sha256;
use mdo_model::project::{
    FunctionName, Interpreter, KeyName, Names, ProjectName, Quota, StageName, Throttle,
};
use mdo_model::stack::{Definition, Function};
use serde::Deserialize;
use serde_json::error::Category;
use tokio::net::TcpListener;

use crate::activity::{Activity, Observer};
use crate::functions::{FunctionSite, ServedFunction, ServedFunctions};
use crate::gateway::{Front, Gateway, KeyRing, Meter, Served, Source};
use crate::listen::accept;
use crate::runtime::{Launcher, on_path};

/// A stage as the file holds it. Unknown keys are refused: a file of a newer mdo may mean more than this program does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The project.
    pub project: ProjectName,
    /// The stage; it is the first segment of every path.
    pub stage: StageName,
    /// The region that functions are told.
    #[serde(default)]
    pub region: Option<String>,
    /// What the API answers.
    pub definition: Definition,
    /// The stage's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Requests per second and burst of each key.
    #[serde(default)]
    pub throttle: Option<Throttle>,
    /// Requests per period of each key.
    #[serde(default)]
    pub quota: Option<Quota>,
    /// The enabled keys.
    #[serde(default)]
    pub keys: BTreeMap<KeyName, FrozenKey>,
    /// The functions.
    pub functions: BTreeMap<FunctionName, FrozenFunction>,
}

/// A key that is recognised by the digest of its value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenKey {
    /// Its id.
    pub id: String,
    /// The SHA-256 of its value, in hexadecimal digits.
    pub sha256: Sha256,
}

/// A function with its unpacked code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenFunction {
    /// The version.
    pub version: u64,
    /// The folder of its code; a relative one is below the file's own folder.
    pub code: PathBuf,
    /// The model, environment values included.
    pub function: Function,
}

impl FrozenFunction {
    /// Its bootstrap, or the interpreter that is on the container's `PATH`.
    fn launcher(&self) -> Launcher {
        match Interpreter::of(&self.function.configuration.runtime) {
            Some(interpreter) => {
                Launcher::interpreter(interpreter, on_path(&interpreter.program()), &self.code, &[])
            }
            None => Launcher::bootstrap(&self.code),
        }
    }
}

/// Why a file cannot be served.
#[derive(Debug)]
pub struct InvalidFrozen(String);

impl fmt::Display for InvalidFrozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFrozen {}

impl Frozen {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is not a frozen stage.
    pub fn read(path: &Path) -> Result<Self, InvalidFrozen> {
        let fault = |why: String| InvalidFrozen(format!("cannot serve {}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let mut frozen: Self = serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            match error.classify() {
                Category::Data => fault(format!("{} at {place}", unfit(&error))),
                _ => fault(format!("not JSON at {place}")),
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for function in frozen.functions.values_mut() {
            function.code = folder.join(&function.code);
        }
        frozen.check().map_err(fault)?;
        Ok(frozen)
    }

    /// Refuses what would fail at the first request only.
    fn check(&self) -> Result<(), String> {
        for (route, target) in &self.definition.routes {
            let function = &target.function;
            if !self.functions.contains_key(function) {
                return Err(format!(
                    "the route `{route}` calls the function {function}, which is not in the file"
                ));
            }
        }
        for (name, function) in &self.functions {
            if !function.code.is_dir() {
                return Err(format!("the code of function {name} is not at {}", function.code.display()));
            }
        }
        Ok(())
    }

    fn names(&self) -> Names {
        Names { project: self.project.clone(), stage: self.stage.clone() }
    }

    fn served(&self, observer: &Observer) -> (Served, ServedFunctions) {
        let names = self.names();
        let start = |(name, frozen): (&FunctionName, &FrozenFunction)| {
            let site = FunctionSite {
                names: &names,
                region: self.region.as_deref(),
                name,
                version: frozen.version,
                code: frozen.code.clone(),
                shown: None,
                launcher: frozen.launcher(),
            };
            let observer = Arc::clone(observer);
            let logs = Arc::new(move |line| observer(Activity::Log(line)));
            (name.clone(), ServedFunction::start(site, &frozen.function, logs))
        };
        let functions = ServedFunctions(self.functions.iter().map(start).collect());
        let keys = self.keys.iter().map(|(name, key)| (name, key.id.as_str(), *key.sha256.as_bytes()));
        let front = Front::new(
            &names,
            Some(self.definition.clone()),
            self.variables.clone(),
            KeyRing::of_digests(keys),
        );
        (Served { front: Arc::new(front), functions: Arc::new(functions.clone()) }, functions)
    }
}

/// What makes JSON no frozen stage. serde's own words may repeat a value, and values are secrets: only those that name a key are
/// passed on.
fn unfit(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let named = |prefix: &str| words.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    match (named("unknown field `"), named("missing field `")) {
        (Some(key), _) => format!("unknown key `{key}`"),
        (_, Some(key)) => format!("the key `{key}` is missing"),
        _ => "not a frozen stage: a value is of the wrong kind".to_owned(),
    }
}

/// What never changes.
struct Fixed(Served);

#[async_trait]
impl Source for Fixed {
    async fn current(&self) -> Served {
        self.0.clone()
    }
}

/// Serves a frozen stage until `stop` resolves; requests and events in flight are finished then.
pub async fn serve_frozen(
    frozen: &Frozen,
    listener: TcpListener,
    observer: Observer,
    stop: impl Future<Output = ()>,
) {
    let (served, functions) = frozen.served(&observer);
    let mut meter = Meter::default();
    let keys: BTreeSet<_> = frozen.keys.keys().cloned().collect();
    meter.set(frozen.throttle, frozen.quota, &keys);
    let port = listener.local_addr().map_or(0, |address| address.port());
    let meter = Arc::new(Mutex::new(meter));
    let gateway = Arc::new(Gateway::new(Arc::new(Fixed(served)), frozen.names(), meter, observer, port));
    let handler = move |request, peer| {
        let gateway = Arc::clone(&gateway);
        async move { gateway.handle(request, peer).await }
    };
    accept(listener, handler, stop).await;
    for function in functions.0.into_values() {
        function.runtime.retire().await;
    }
}
