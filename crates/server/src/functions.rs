//! The functions of a stack as the data plane runs them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mdo_model::project::{Architecture, FunctionName, Interpreter, Names, Tracing};
use mdo_model::stack::{Function, Invoker};

use crate::gateway::{Functions, NotRun};
use crate::runtime::{
    FunctionRuntime, FunctionSpec, InvokeContext, InvokeResult, Launcher, LogSink, Sandboxes, Surroundings,
};

/// How many sandboxes a function without reserved concurrency may have: more than the guide's usage plan lets in at once.
const SANDBOXES: usize = 32;

/// The region that functions are told when nobody names one.
const REGION: &str = "us-east-1";

/// Where a function runs, beyond what its model says.
#[derive(Clone, Debug)]
pub struct FunctionSite<'a> {
    /// Project and stage.
    pub names: &'a Names,
    /// The region that it is told; without one it is `us-east-1`.
    pub region: Option<&'a str>,
    /// The function's short name.
    pub name: &'a FunctionName,
    /// The version that the alias points at.
    pub version: u64,
    /// The folder of its unpacked code.
    pub code: PathBuf,
    /// The folder whose files people know the code by, if it is another one.
    pub shown: Option<PathBuf>,
    /// How its process is started.
    pub launcher: Launcher,
    /// What the program around gives it.
    pub surroundings: Surroundings,
}

/// A function that runs. Clones are the same sandboxes.
#[derive(Clone)]
pub struct ServedFunction {
    /// Its sandboxes.
    pub runtime: FunctionRuntime,
    /// The version that the alias points at.
    pub version: u64,
    function: Arc<Function>,
}

impl ServedFunction {
    /// Starts a version; its sandboxes begin with the first event.
    pub fn start(site: FunctionSite<'_>, function: &Function, logs: LogSink) -> Self {
        let version = site.version;
        let runtime = FunctionRuntime::start(spec(site, function), logs);
        Self { runtime, version, function: Arc::new(function.clone()) }
    }

    /// The same sandboxes for the same version, with what may change without a new one; `None` when it takes new
    /// sandboxes.
    pub fn carry_on(&self, version: u64, function: &Function) -> Option<Self> {
        let mut same = function.clone();
        same.invokers.clone_from(&self.function.invokers);
        let same = self.version == version && same == *self.function;
        same.then(|| Self { function: Arc::new(function.clone()), ..self.clone() })
    }

    /// Whether somebody may call it.
    pub fn allows(&self, invoker: Invoker) -> bool {
        self.function.invokers.contains(&invoker)
    }
}

/// The functions of a stage at one moment.
#[derive(Clone, Default)]
pub struct ServedFunctions(pub BTreeMap<FunctionName, ServedFunction>);

#[async_trait]
impl Functions for ServedFunctions {
    async fn invoke(
        &self,
        function: &FunctionName,
        event: Bytes,
        context: InvokeContext,
    ) -> Result<InvokeResult, NotRun> {
        let function = self.0.get(function).ok_or(NotRun::Absent)?;
        if !function.allows(Invoker::Api) {
            return Err(NotRun::NotAllowed);
        }
        Ok(function.runtime.invoke(event, context).await?)
    }
}

/// Why a function cannot run on this machine, though it may well on AWS. `has_interpreter` says whether that of its runtime is here.
pub fn obstacle(function: &Function, has_interpreter: bool) -> Option<String> {
    let runtime = &function.configuration.runtime;
    if !runtime.starts_with("provided") {
        let why = match Interpreter::of(runtime) {
            _ if has_interpreter => return None,
            Some(interpreter) => format!("this machine has no {interpreter}"),
            None => "this machine runs a bootstrap, Python and Node.js only".to_owned(),
        };
        return Some(format!("{why}, and {runtime} cannot run here: events fail"));
    }
    let built_for = function.configuration.architecture;
    let is_foreign = Architecture::of_this_machine().is_some_and(|own| own != built_for);
    is_foreign
        .then(|| format!("it is built for {built_for}, which this machine is not: events may fail here"))
}

fn spec(site: FunctionSite<'_>, function: &Function) -> FunctionSpec {
    let FunctionSite { names, region, name, version, code, shown, launcher, surroundings } = site;
    let region = region.unwrap_or(REGION).to_owned();
    let full = names.function(name);
    FunctionSpec {
        arn: format!("arn:aws:lambda:{region}:000000000000:function:{full}:{}", names.stage),
        name: full,
        version: version.to_string(),
        code,
        shown,
        launcher,
        handler: function.configuration.handler.clone(),
        runtime: function.configuration.runtime.clone(),
        memory: function.configuration.memory,
        timeout: Duration::from_secs(u64::from(function.configuration.timeout)),
        environment: function.configuration.environment.clone(),
        log_group: names.log_group(name),
        region,
        sandboxes: match function.concurrency {
            Some(reserved) => Sandboxes::Reserved(reserved as usize),
            // Memory alone bounds them.
            None if surroundings.memory.is_some() => Sandboxes::Shared(usize::MAX),
            None => Sandboxes::Shared(SANDBOXES),
        },
        trace: function.configuration.tracing == Tracing::Active,
        surroundings,
    }
}
