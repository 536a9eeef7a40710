//! What a running server serves: the stack as the store has it now, the functions' sandboxes, and the warm rules.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use mdo_engine::Error;
use mdo_model::project::FunctionName;
use mdo_model::stack::{Invoker, WarmRule};
use mdo_package::derivative::missing_module_help;
use mdo_server::gateway::{Front, KeyRing, Meter, Served, Source};
use mdo_server::runtime::{InvokeContext, Limits, LogSink};
use mdo_server::{Milliseconds, ServedFunction, ServedFunctions};

use super::activity::{Activity, Observer};
use super::files::Stamp;
use super::logs::Book;
use super::schedule::{Fire, Schedule};
use super::state::StoredStack;
use super::{LocalProvider, Reloaded};

/// What the errors of a Python function are called that a module is missing for.
const MISSING: [&str; 2] = ["Runtime.ImportModuleError", "ModuleNotFoundError"];

/// The functions and the front, as the store had them at one moment.
#[derive(Clone, Default)]
pub(super) struct ServedStack {
    stamp: Option<Stamp>,
    pub(super) front: Arc<Front>,
    pub(super) functions: Arc<ServedFunctions>,
    pub(super) warm_rules: Arc<BTreeMap<FunctionName, WarmRule>>,
    /// What all of it was made of.
    pub(super) state: Arc<StoredStack>,
}

/// What a running server serves.
pub(super) struct Live {
    pub(super) provider: LocalProvider,
    pub(super) observer: Observer,
    /// How sandboxes are kept.
    limits: Limits,
    pub(super) meter: Arc<Mutex<Meter>>,
    stack: ArcSwap<ServedStack>,
    following: tokio::sync::Mutex<()>,
    schedule: Schedule,
    /// Held by the one server of the stage that fires its warm rules.
    clock: Mutex<Option<File>>,
}

impl Live {
    /// Begins to serve what the store holds.
    pub(super) async fn start(
        provider: LocalProvider,
        observer: Observer,
        limits: Limits,
    ) -> Result<Arc<Self>, Error> {
        let usage = provider.store.usage()?;
        let live = Arc::new_cyclic(|weak: &Weak<Self>| Self {
            provider,
            observer,
            limits,
            meter: Arc::new(Mutex::new(Meter::new(usage))),
            stack: ArcSwap::default(),
            following: tokio::sync::Mutex::default(),
            schedule: Schedule::new(fire(weak.clone())),
            clock: Mutex::default(),
        });
        live.has_clock();
        live.follow(true).await?;
        Ok(live)
    }

    /// The present stack; a change of the store by any process is seen first.
    pub(super) async fn current(&self) -> Arc<ServedStack> {
        if self.provider.store.stamp() != self.stack.load().stamp
            && let Err(error) = self.follow(false).await
        {
            (self.observer)(Activity::problem(format!("kept the last good state: {error}")));
        }
        self.stack.load_full()
    }

    /// Follows the store. Functions that did not change keep their sandboxes; those of others end with the last event
    /// that is in flight.
    pub(super) async fn follow(&self, even_if_unchanged: bool) -> Result<Vec<Reloaded>, Error> {
        let _alone = self.following.lock().await;
        let stamp = self.provider.store.stamp();
        let before = self.stack.load_full();
        if stamp == before.stamp && !even_if_unchanged {
            return Ok(Vec::new());
        }
        let state = match self.provider.store.load() {
            Ok(state) => state,
            Err(error) => {
                // Told once, not at every request.
                self.stack.store(Arc::new(ServedStack { stamp, ..before.as_ref().clone() }));
                return Err(error);
            }
        };
        if state.is_empty() && !before.functions.0.is_empty() {
            let what = "the stack was removed: nothing is served until it is deployed again";
            (self.observer)(Activity::problem(what));
        }
        let (functions, reloaded) = self.functions(&state, &before);
        let front = self.front(&state);
        let warm_rules = Arc::new(state.warm_rules.clone());
        if let Some(stage) = &state.stage {
            let keys = state.keys.keys().cloned().collect();
            self.lock_meter().set(stage.throttle, stage.quota, &keys);
        }
        self.schedule.set(&warm_rules);
        self.stack.store(Arc::new(ServedStack {
            stamp,
            front: Arc::new(front),
            functions: Arc::new(ServedFunctions(functions)),
            warm_rules,
            state: Arc::new(state),
        }));
        for Reloaded { function, version } in &reloaded {
            (self.observer)(Activity::Reloaded { function: function.clone(), version: version.clone() });
        }
        Ok(reloaded)
    }

    fn functions(
        &self,
        state: &StoredStack,
        before: &ServedStack,
    ) -> (BTreeMap<FunctionName, ServedFunction>, Vec<Reloaded>) {
        let mut functions = BTreeMap::new();
        let mut reloaded = Vec::new();
        for (name, stored) in &state.functions {
            let present = before.functions.0.get(name);
            let Some(version) = stored.live() else { continue };
            if let Some(same) =
                present.and_then(|function| function.carry_on(stored.alias, &version.function))
            {
                functions.insert(name.clone(), same);
                continue;
            }
            let logs = told(name, Arc::clone(&self.observer), self.provider.book.clone());
            if let Some(function) = self.provider.start(name, stored, logs, self.limits) {
                if present.is_some() {
                    reloaded.push(Reloaded { function: name.clone(), version: function.version.to_string() });
                }
                functions.insert(name.clone(), function);
            }
        }
        (functions, reloaded)
    }

    fn front(&self, state: &StoredStack) -> Front {
        let definition = state.stage.as_ref().map(|stage| stage.definition.clone());
        let variables = state.stage.iter().flat_map(|stage| stage.variables.clone()).collect();
        Front::new(&self.provider.names, definition, variables, key_ring(state))
    }

    /// Writes down what is worth keeping. Best effort.
    pub(super) fn save(&self) {
        let usage = self.lock_meter().take_changes();
        if let Some(usage) = usage
            && let Err(error) = self.provider.store.save_usage(&usage)
        {
            (self.observer)(Activity::problem(format!("cannot save the use of quotas: {error}")));
        }
        if let Some(error) = self.provider.book.take_problem() {
            (self.observer)(Activity::problem(format!("cannot keep what functions log: {error}")));
        }
    }

    /// Ends the warm rules and every sandbox, after the events in flight.
    pub(super) async fn stop(&self) {
        self.schedule.set(&BTreeMap::new());
        let last = self.stack.swap(Arc::default());
        join_all(last.functions.0.values().map(|function| function.runtime.clone().retire())).await;
    }

    /// How long it is until each warm rule fires next; nothing where another server fires them.
    pub(super) fn due(&self) -> BTreeMap<FunctionName, Duration> {
        if self.has_clock() { self.schedule.due() } else { BTreeMap::new() }
    }

    pub(super) fn lock_meter(&self) -> std::sync::MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the stage's rules are for this server to fire: of several, for the first one, until it ends.
    fn has_clock(&self) -> bool {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if clock.is_none() {
            *clock = self.provider.store.take_clock().ok().flatten();
        }
        clock.is_some()
    }

    async fn ping(&self, name: FunctionName, rule: WarmRule) {
        if !self.has_clock() {
            return;
        }
        let start = Instant::now();
        let count = usize::from(rule.concurrency.max(1));
        let failure = self.send_pings(&name, &rule, count).await.err();
        let took = start.elapsed();
        let outcome = match &failure {
            Some(failure) => format!("failed: {failure}"),
            None => Milliseconds(took).to_string(),
        };
        let (provider, function) = (self.provider.clone(), name.clone());
        let saved = tokio::task::spawn_blocking(move || provider.store.record_ping(&function, outcome)).await;
        if let Ok(Err(error)) = saved {
            (self.observer)(Activity::problem(format!("cannot record a ping: {error}")));
        }
        (self.observer)(Activity::Ping { function: name, count, took, failure });
    }

    async fn send_pings(&self, name: &FunctionName, rule: &WarmRule, count: usize) -> Result<(), String> {
        let stack = self.current().await;
        let function = stack.functions.0.get(name).ok_or("there is no such function")?;
        if !function.allows(Invoker::WarmRule) {
            return Err("the function does not let its warm rule call it".to_owned());
        }
        let input = Bytes::from(rule.input.to_string());
        let pings = (0..count).map(|_| {
            let id = uuid::Uuid::new_v4().to_string();
            self.provider.book.ping(name, id.clone());
            let context = InvokeContext { request_id: Some(id), ..InvokeContext::default() };
            function.runtime.invoke(input.clone(), context)
        });
        for result in join_all(pings).await {
            let result = result.map_err(|refused| refused.to_string())?;
            if let Some(failure) = result.failure() {
                return Err(failure);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Source for Live {
    async fn current(&self) -> Served {
        let stack = Live::current(self).await;
        Served { front: Arc::clone(&stack.front), functions: Arc::clone(&stack.functions) as _ }
    }
}

/// Where a version of a function logs to: its lines are written down and told, and once how to bring a module that it misses.
fn told(function: &FunctionName, observer: Observer, book: Book) -> LogSink {
    let (function, was_helped) = (Arc::new(function.clone()), AtomicBool::new(false));
    Arc::new(move |line| {
        let is_missing = MISSING.iter().any(|kind| line.text.contains(kind));
        let help = is_missing.then(|| missing_module_help(&line.text)).flatten();
        let line = Arc::new(line);
        book.line(&function, Arc::clone(&line));
        observer(Activity::Served(mdo_server::Activity::Log(line)));
        if let Some(help) = help
            && !was_helped.swap(true, Ordering::Relaxed)
        {
            observer(Activity::problem(format!("function {function} did not find a module: {help}")));
        }
    })
}

/// The keys that open, and those that only explain themselves.
fn key_ring(state: &StoredStack) -> KeyRing {
    let (enabled, closed): (Vec<_>, Vec<_>) = state.keys.iter().partition(|(_, key)| key.resource.opens());
    let closed = closed.into_iter().map(|(name, key)| {
        let why = if key.resource.enabled { "key without the usage plan" } else { "key disabled" };
        (name, key.id.as_str(), &key.value, why)
    });
    let enabled = enabled.into_iter().map(|(name, key)| (name, key.id.as_str(), &key.value));
    KeyRing::new(enabled).with_closed(closed)
}

fn fire(live: Weak<Live>) -> Fire {
    Arc::new(move |function, rule| {
        let live = live.clone();
        Box::pin(async move {
            if let Some(live) = live.upgrade() {
                live.ping(function, rule).await;
            }
        })
    })
}
