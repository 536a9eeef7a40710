//! The functions of a stack as the embedded Lambda runs them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::LocalProvider;
use super::runtime::{FunctionRuntime, FunctionSpec, LogSink, Sandboxes};
use super::state::StoredFunction;
use crate::project::{Architecture, FunctionName, Tracing};
use crate::stack::{Function, Invoker};

/// How many sandboxes a function without reserved concurrency may have: more than the guide's usage plan lets in at once.
const SANDBOXES: usize = 32;

/// The region that functions are told when the project names none.
const REGION: &str = "us-east-1";

/// A function that runs.
#[derive(Clone)]
pub(super) struct LiveFunction {
    /// Its sandboxes.
    pub(super) runtime: FunctionRuntime,
    /// The version that the alias points at.
    pub(super) version: u64,
    function: Arc<Function>,
}

impl LiveFunction {
    /// Starts the version that the alias points at; its sandboxes begin with the first event.
    pub(super) fn start(
        provider: &LocalProvider,
        name: &FunctionName,
        stored: &StoredFunction,
        logs: LogSink,
    ) -> Option<Self> {
        let function = &stored.live()?.function;
        let code = provider.code.folder(function.code?);
        let runtime = FunctionRuntime::start(spec(provider, name, stored.alias, function, code), logs);
        Some(Self { runtime, version: stored.alias, function: Arc::new(function.clone()) })
    }

    /// The same sandboxes for the same version, with what may change without a new one; `None` when it takes new sandboxes.
    pub(super) fn carry_on(&self, stored: &StoredFunction) -> Option<Self> {
        let function = &stored.live()?.function;
        let mut same = function.clone();
        same.invokers.clone_from(&self.function.invokers);
        same.log_retention_days = self.function.log_retention_days;
        let same = self.version == stored.alias && same == *self.function;
        same.then(|| Self { function: Arc::new(function.clone()), ..self.clone() })
    }

    /// Whether somebody may call it.
    pub(super) fn allows(&self, invoker: Invoker) -> bool {
        self.function.invokers.contains(&invoker)
    }
}

/// Why a function cannot run on this machine, though it may well on AWS.
pub(super) fn obstacle(function: &Function) -> Option<String> {
    if !function.runtime.starts_with("provided") {
        let runtime = &function.runtime;
        return Some(format!(
            "this machine runs functions with a bootstrap only, and has no {runtime}: events fail here"
        ));
    }
    let built_for = function.architecture;
    let is_foreign = Architecture::of_this_machine().is_some_and(|own| own != built_for);
    is_foreign
        .then(|| format!("it is built for {built_for}, which this machine is not: events may fail here"))
}

fn spec(
    provider: &LocalProvider,
    name: &FunctionName,
    version: u64,
    function: &Function,
    code: PathBuf,
) -> FunctionSpec {
    let names = &provider.names;
    let region = provider.region.clone().unwrap_or_else(|| REGION.to_owned());
    let full = names.function(name);
    FunctionSpec {
        arn: format!("arn:aws:lambda:{region}:000000000000:function:{full}:{}", names.stage),
        name: full,
        version: version.to_string(),
        code,
        handler: function.handler.clone(),
        runtime: function.runtime.clone(),
        memory: function.memory,
        timeout: Duration::from_secs(u64::from(function.timeout)),
        environment: function.environment.clone(),
        log_group: names.log_group(name),
        region,
        sandboxes: match function.concurrency {
            Some(reserved) => Sandboxes::Reserved(reserved as usize),
            None => Sandboxes::Shared(SANDBOXES),
        },
        trace: function.tracing == Tracing::Active,
    }
}
