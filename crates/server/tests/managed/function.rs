//! A function of some files, run by a launcher, and what came of an event.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mdo_model::project::Secret;
use mdo_server::runtime::{
    FunctionRuntime, FunctionSpec, InvokeContext, InvokeResult, Launcher, LogSink, Sandboxes,
};
use serde_json::Value;
use tempfile::TempDir;

/// The id of every event: answers and logs hold it.
pub(crate) const REQUEST: &str = "8d2f5f27-3b5c-4b3e-9a52-0c3a1f0d9d11";

pub(crate) struct Function {
    pub(crate) spec: FunctionSpec,
    _folder: Arc<TempDir>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// What came of an event.
pub(crate) struct Outcome {
    pub(crate) result: InvokeResult,
    pub(crate) lines: Vec<String>,
}

impl Outcome {
    pub(crate) fn payload(&self) -> Value {
        serde_json::from_slice(&self.result.payload).unwrap()
    }

    pub(crate) fn error_type(&self) -> Option<&str> {
        self.result.error.as_ref().map(|error| error.error_type.as_str())
    }
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> Arc<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Arc::new(folder)
}

impl Function {
    pub(crate) fn new(
        folder: &Arc<TempDir>,
        runtime: &str,
        handler: &str,
        launcher: impl FnOnce(&Path) -> Launcher,
    ) -> Self {
        let code: PathBuf = folder.path().into();
        let spec = FunctionSpec {
            name: "ml_api_sample".into(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample:dev".into(),
            version: "7".into(),
            launcher: launcher(&code),
            code,
            shown: None,
            handler: handler.into(),
            runtime: runtime.into(),
            memory: 256,
            timeout: Duration::from_secs(30),
            environment: BTreeMap::new(),
            log_group: "/aws/lambda/ml_api_sample".into(),
            region: "us-east-1".into(),
            sandboxes: Sandboxes::Shared(10),
            trace: false,
            surroundings: Default::default(),
        };
        Self { spec, _folder: Arc::clone(folder), lines: Arc::default() }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        let value = Secret::new(value);
        self.with(|spec| drop(spec.environment.insert(name.to_owned(), value)))
    }

    pub(crate) fn start(&self) -> FunctionRuntime {
        let lines = Arc::clone(&self.lines);
        let sink: LogSink = Arc::new(move |line| lines.lock().unwrap().push(line.text));
        FunctionRuntime::start(self.spec.clone(), sink)
    }

    /// Runs one event, and answers with the lines since the last one.
    pub(crate) async fn run(&self, runtime: &FunctionRuntime, event: &str) -> Outcome {
        self.run_in(runtime, event, InvokeContext::default()).await
    }

    pub(crate) async fn run_in(
        &self,
        runtime: &FunctionRuntime,
        event: &str,
        context: InvokeContext,
    ) -> Outcome {
        let context = InvokeContext { request_id: Some(REQUEST.to_owned()), ..context };
        let result = runtime.invoke(event.to_owned().into(), context).await.unwrap();
        Outcome { result, lines: std::mem::take(&mut self.lines.lock().unwrap()) }
    }

    /// Runs one event in a sandbox of its own.
    pub(crate) async fn once(&self, event: &str) -> Outcome {
        let runtime = self.start();
        let outcome = self.run(&runtime, event).await;
        runtime.retire().await;
        outcome
    }
}
