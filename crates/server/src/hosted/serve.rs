//! Serves a hosted stage from its first request to its orderly end.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mdo_model::hosted::FrozenFunction;
use mdo_model::project::{FunctionConfiguration, FunctionName, Interpreter, Names};
use mdo_model::stack::{Function, Invoker};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use mdo_model::hosted::HEALTH_PATH;

use super::health::Health;
use super::log::Log;
use super::read::Hosted;
use super::stop::Asked;
use crate::functions::{FunctionSite, ServedFunction, ServedFunctions};
use crate::gateway::{Front, Gateway, KeyRing, Meter, Served, Source};
use crate::listen::{Patience, accept_with};
use crate::runtime::{Launcher, Limits, MemoryBudget, Surroundings, on_path};

/// What the end of the slowest function leaves to its answer.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// What never changes.
struct Fixed(Served);

#[async_trait]
impl Source for Fixed {
    async fn current(&self) -> Served {
        self.0.clone()
    }
}

/// Serves until `asked` resolves, and as long as it takes then: a load balancer is given the time to notice, what is begun is finished,
/// and every sandbox is ended.
pub async fn serve(hosted: &Hosted, listener: TcpListener, log: &Log, asked: impl Future<Output = Asked>) {
    let (served, functions) = hosted.start(log);
    let health = Arc::new(Health::default());
    let port = listener.local_addr().map_or(0, |address| address.port());
    let gateway = Gateway::new(Arc::new(Fixed(served)), hosted.names(), hosted.meter(), log.observer(), port);
    let entrance = Arc::new((gateway.behind_balancer(), Arc::clone(&health)));
    let handler = move |request: hyper::Request<_>, peer| {
        let entrance = Arc::clone(&entrance);
        async move {
            let (gateway, health) = &*entrance;
            match request.uri().path() {
                HEALTH_PATH => health.answer(),
                _ => gateway.handle(request, peer).await,
            }
        }
    };
    let grace = Duration::from_secs(hosted.longest_timeout().into()) + AFTERWARDS;
    let stop = async {
        let lame_duck = match asked.await {
            Asked::Leave => hosted.stage.lame_duck,
            Asked::Finish => 0,
        };
        health.leave();
        log.server("stopping", Some(&format!("goes on serving for {lame_duck} s")));
        tokio::time::sleep(Duration::from_secs(lame_duck.into())).await;
        log.server("draining", Some(&format!("accepts no more, finishes within {} s", grace.as_secs())));
    };
    accept_with(Patience::with_balancer(grace), listener, handler, stop).await;
    let mut ending = JoinSet::new();
    for function in functions.0.into_values() {
        ending.spawn(function.runtime.retire());
    }
    drop(ending.join_all().await);
}

impl Hosted {
    fn start(&self, log: &Log) -> (Served, ServedFunctions) {
        let names = self.names();
        let surroundings = Surroundings {
            inherited: self.inherited(),
            memory: self.memory_of_functions().map(MemoryBudget::new),
            is_terse: true,
            limits: Limits::default(),
        };
        let start = |(name, frozen): (&FunctionName, &FrozenFunction)| {
            let site = FunctionSite {
                names: &names,
                region: self.region.as_deref(),
                name,
                // Images have versions, functions in them do not.
                version: 1,
                code: frozen.code.clone(),
                shown: None,
                launcher: launcher(frozen),
                surroundings: surroundings.clone(),
            };
            let function = self.function(&names, name, frozen);
            (name.clone(), ServedFunction::start(site, &function, log.sink(name)))
        };
        let functions = ServedFunctions(self.stack.functions.iter().map(start).collect());
        let keys = self.stage.keys.iter().map(|(name, key)| (name, key.id.as_str(), *key.sha256.as_bytes()));
        let front = Front::new(
            &names,
            Some(self.stack.definition()),
            self.stage.variables.clone(),
            KeyRing::of_digests(keys),
        );
        (Served { front: Arc::new(front), functions: Arc::new(functions.clone()) }, functions)
    }

    fn function(&self, names: &Names, name: &FunctionName, frozen: &FrozenFunction) -> Function {
        Function {
            configuration: FunctionConfiguration {
                runtime: frozen.runtime.clone(),
                handler: frozen.handler.clone(),
                architecture: frozen.architecture,
                memory: frozen.memory,
                timeout: frozen.timeout,
                environment: self.stage.environment.get(name).cloned().unwrap_or_default(),
                tracing: frozen.tracing,
                ..FunctionConfiguration::default()
            },
            role: names.role(),
            concurrency: frozen.concurrency,
            code: Some(frozen.sha256),
            derivatives: Default::default(),
            invokers: BTreeSet::from([Invoker::Api]),
            owned: true,
            canary: None,
            tags: Default::default(),
        }
    }

    fn meter(&self) -> Arc<Mutex<Meter>> {
        let mut meter = Meter::default();
        let keys = self.stage.keys.keys().cloned().collect();
        meter.set(self.stage.share(), None, &keys);
        Arc::new(Mutex::new(meter))
    }
}

/// Its bootstrap, or the interpreter that is on the container's `PATH`.
fn launcher(frozen: &FrozenFunction) -> Launcher {
    match Interpreter::of(&frozen.runtime) {
        Some(interpreter) => {
            let program = on_path(&interpreter.program());
            Launcher::interpreter(interpreter, program, &frozen.code, &frozen.derivatives)
        }
        None => Launcher::bootstrap(&frozen.code),
    }
}
