//! This machine as a place where stacks live: what was applied is kept under `.mdo/`, and a server runs it. It does not
//! know the cloud's provider.

mod activity;
mod admission;
mod applying;
mod capabilities;
mod code;
mod console;
mod files;
mod former;
mod history;
mod live;
mod logs;
mod metrics;
mod schedule;
mod server;
mod state;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mdo_engine::{Applied, Cause, Error, LiveFunction as LiveFacts, Observed, Provider, Run, Scope};
use mdo_model::project::{DERIVATIVES, FunctionName, Interpreter, Names, StageName};
use mdo_model::stack::{Change, Function};
use mdo_server::runtime::{Launcher, LogSink, Surroundings};
use mdo_server::{FunctionSite, ServedFunction};

pub use activity::{Activity, Observer};
pub use admission::{HostName, InvalidHostName};
pub use console::Planner;
pub use mdo_server::runtime::Limits;
pub use mdo_server::{Teller, Told, give_back_code};
pub use server::{DEFAULT_PORT, Reloaded, ServeOptions, Server};
pub use store::is_build_named;

use code::Code;
use logs::Book;
use state::{StoredFunction, StoredStack};
use store::Store;

/// How long the last lines of a function may take to be written down.
const LAST_LINES: Duration = Duration::from_secs(2);

/// One project at one stage on this machine.
#[derive(Clone, Debug)]
pub struct LocalProvider {
    root: PathBuf,
    names: Names,
    region: Option<String>,
    store: Store,
    /// Writes down what functions log.
    book: Book,
    code: Code,
    /// The functions that events were run through, with their sandboxes.
    invoked: Invoked,
    /// The versions that were read, which need not be made anew.
    frozen: history::Frozen,
}

/// Functions that live as long as any clone of their provider.
#[derive(Clone, Default)]
struct Invoked(Arc<Mutex<BTreeMap<FunctionName, ServedFunction>>>);

impl std::fmt::Debug for Invoked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invoked").finish_non_exhaustive()
    }
}

impl LocalProvider {
    /// The base URL of the stage, where a process serves it now.
    pub fn served_at(&self) -> Option<String> {
        let port = self.store.port().filter(|port| server::answers(*port))?;
        Some(format!("http://127.0.0.1:{port}/{}", self.names.stage))
    }

    /// Forgets how much of its quota each key of the stage has used, for servers that are started from now on.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn reset_usage(&self) -> Result<(), Error> {
        self.store.save_usage(&BTreeMap::new())
    }

    /// The local stack of a project's stage, below the folder that holds `project.toml`. Nothing is read or written yet.
    ///
    /// `region` is what functions are told; without one it is `us-east-1`.
    pub fn open(root: &Path, names: Names, region: Option<String>) -> Self {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let store = Store::new(&root, &names);
        let code = Code::new(store.own());
        let book = Book::new(store.clone());
        Self {
            root,
            names,
            region,
            store,
            book,
            code,
            invoked: Invoked::default(),
            frozen: history::Frozen::default(),
        }
    }

    /// What things are called.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Reads or changes the store away from the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(answer) => answer,
            Err(error) => Err(Error::new(Cause::Other, error.to_string())),
        }
    }

    async fn update(
        &self,
        change: impl FnOnce(&mut StoredStack) -> Result<(), Error> + Send + 'static,
    ) -> Result<Applied, Error> {
        self.blocking(move |this| this.store.update(change)).await?;
        Ok(Applied::default())
    }

    /// The functions whose unpacked code is not there any more.
    fn lost(&self, state: &StoredStack) -> Vec<FunctionName> {
        let is_lost = |stored: &StoredFunction| {
            let code = stored.live().and_then(|live| live.function.code);
            !code.is_some_and(|code| self.code.is_there(code))
        };
        state.functions.iter().filter(|(_, stored)| is_lost(stored)).map(|(name, _)| name.clone()).collect()
    }

    /// A function for events from outside a server: the same as at the last event, as long as it did not change.
    fn invoked(&self, name: &FunctionName, stored: &StoredFunction) -> Option<ServedFunction> {
        let version = stored.live()?;
        let mut invoked = self.invoked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let present =
            invoked.get(name).and_then(|function| function.carry_on(stored.alias, &version.function));
        let (book, function) = (self.book.clone(), Arc::new(name.clone()));
        let logs: LogSink = Arc::new(move |line| book.line(&function, Arc::new(line)));
        let live = present.or_else(|| self.start(name, stored, logs, Limits::default()))?;
        invoked.insert(name.clone(), live.clone());
        Some(live)
    }

    /// Starts the version that a function's alias points at; its sandboxes begin with the first event.
    fn start(
        &self,
        name: &FunctionName,
        stored: &StoredFunction,
        logs: LogSink,
        limits: Limits,
    ) -> Option<ServedFunction> {
        let function = &stored.live()?.function;
        let code = self.code.folder(function.code?);
        let site = FunctionSite {
            names: &self.names,
            region: self.region.as_deref(),
            name,
            version: stored.alias,
            shown: Some(Path::new("functions").join(name.as_str())),
            launcher: self.launcher(function, &code),
            surroundings: Surroundings { limits, ..Surroundings::default() },
            code,
        };
        Some(ServedFunction::start(site, function, logs))
    }

    /// How the process of a function is started.
    fn launcher(&self, function: &Function, code: &Path) -> Launcher {
        let Some(interpreter) = Interpreter::of(&function.configuration.runtime) else {
            return Launcher::bootstrap(code);
        };
        let program = mdo_package::find_interpreter(interpreter, &self.root);
        // A name alone is no program: its events fail, and say so.
        let program = program.unwrap_or_else(|_| interpreter.program().into());
        let cache = self.store.own().path().join(DERIVATIVES);
        let inputs = function.derivatives.values().flatten();
        let trees: Vec<_> = inputs.map(|inputs| mdo_package::derivative::tree(&cache, *inputs)).collect();
        Launcher::interpreter(interpreter, program, code, &trees)
    }

    /// Whether the interpreter of a runtime is on this machine.
    fn has_interpreter(&self, runtime: &str) -> bool {
        Interpreter::of(runtime)
            .is_some_and(|interpreter| mdo_package::find_interpreter(interpreter, &self.root).is_ok())
    }

    /// Fails where a function's runtime is an interpreter that this machine does not have.
    fn check_interpreter(&self, name: &FunctionName, runtime: &str) -> Result<(), Error> {
        let Some(interpreter) = Interpreter::of(runtime) else { return Ok(()) };
        let Err(not_found) = mdo_package::find_interpreter(interpreter, &self.root) else { return Ok(()) };
        let message = format!("function {name} runs on {runtime}, and {not_found}");
        Err(Error::new(Cause::Invalid, message).with_help(not_found.help()))
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn location(&self) -> Result<String, Error> {
        Ok("this machine".to_owned())
    }

    async fn observe(&self, _scope: &Scope) -> Result<Observed, Error> {
        let (state, lost) = self
            .blocking(|this| {
                let state = this.store.load()?;
                let lost = this.lost(&state);
                Ok((state, lost))
            })
            .await?;
        let functions = state.functions.iter().map(|(name, function)| {
            let facts = LiveFacts {
                version: Some(function.alias.to_string()),
                modified: function.live().map(|version| version.published.clone()),
                rolled_back_from: function
                    .newest()
                    .filter(|newest| *newest > function.alias)
                    .map(|newest| newest.to_string()),
                canary: None,
            };
            (name.clone(), facts)
        });
        let mut stack = state.stack();
        for name in lost {
            stack.functions.entry(name).and_modify(|function| function.code = None);
        }
        Ok(Observed { stack, functions: functions.collect(), ..Observed::default() })
    }

    async fn apply(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        run.all_usable(change).await?;
        self.make_real(change, run).await
    }

    async fn stages(&self) -> Result<Vec<StageName>, Error> {
        let stages = self.blocking(|this| this.store.stages()).await?;
        Ok(stages.into_iter().filter(|(_, state)| !state.is_empty()).map(|(stage, _)| stage).collect())
    }

    fn endpoint(&self) -> Option<String> {
        let here = || format!("http://127.0.0.1:{DEFAULT_PORT}/{}", self.names.stage);
        Some(self.served_at().unwrap_or_else(here))
    }

    fn calls(&self) -> usize {
        0
    }
}
