//! The sandboxes of a function: who is idle, how many there may be, and when one has been idle for too long.

use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::lock;
use super::logs::{LogSink, SandboxLog};
use super::process::wait_for_exit;
use super::sandbox::Sandbox;
use super::shown::Shown;
use super::slots::{Slot, Slots};
use super::spec::{FunctionSpec, Limits, Occupancy, Refused, Sandboxes};

/// The sandboxes of one function.
pub(super) struct Pool {
    spec: FunctionSpec,
    limits: Limits,
    name: Arc<str>,
    logs: LogSink,
    shown: Shown,
    slots: Slots,
    idle: Mutex<IdleSandboxes>,
    reaper: AbortHandle,
}

/// The sandboxes that wait for an event; none do once the function is retired.
#[derive(Default)]
struct IdleSandboxes {
    /// Sorted by how long they have been idle, the most recently used at the end.
    sandboxes: Vec<Idle>,
    retired: bool,
}

struct Idle {
    sandbox: Sandbox,
    since: Instant,
}

/// The right to run an event now.
pub(super) enum Lease {
    /// In a sandbox that is there.
    Warm(Sandbox),
    /// In one that is to be started.
    Cold(Slot),
}

impl Pool {
    pub(super) fn new(mut spec: FunctionSpec, logs: LogSink, limits: Limits) -> Arc<Self> {
        spec.code = std::path::absolute(&spec.code).unwrap_or(spec.code);
        Arc::new_cyclic(|pool| Self {
            name: spec.name.as_str().into(),
            limits,
            logs,
            shown: Shown::new(&spec.code, spec.shown.as_deref()),
            slots: Slots::new(match spec.sandboxes {
                Sandboxes::Reserved(all) | Sandboxes::Shared(all) => all,
            }),
            idle: Mutex::default(),
            reaper: tokio::spawn(reap(Weak::clone(pool), limits)).abort_handle(),
            spec,
        })
    }

    pub(super) fn spec(&self) -> &FunctionSpec {
        &self.spec
    }

    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Who runs the next event: the sandbox that was used last, else a new one. Waits for one where nothing is reserved.
    pub(super) async fn lease(&self) -> Result<Lease, Refused> {
        loop {
            let freed = self.slots.freed();
            tokio::pin!(freed);
            // From here on nothing that becomes free goes unnoticed.
            freed.as_mut().enable();
            match (self.lease_now()?, self.spec.sandboxes) {
                (Some(lease), _) => return Ok(lease),
                (None, Sandboxes::Reserved(_)) => return Err(Refused::Throttled),
                (None, Sandboxes::Shared(_)) => freed.await,
            }
        }
    }

    fn lease_now(&self) -> Result<Option<Lease>, Refused> {
        let mut idle = lock(&self.idle);
        if idle.retired {
            return Err(Refused::Retired);
        }
        Ok(match idle.sandboxes.pop() {
            Some(last) => Some(Lease::Warm(last.sandbox)),
            None => self.slots.take().map(Lease::Cold),
        })
    }

    /// A log for a new sandbox, in a stream of its own.
    pub(super) fn open_log(&self) -> Arc<SandboxLog> {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let day = now.get(..10).unwrap_or_default().replace('-', "/");
        let stream = format!("{day}/[{}]{}", self.spec.version, Uuid::new_v4().simple());
        let (name, sink) = (Arc::clone(&self.name), Arc::clone(&self.logs));
        Arc::new(SandboxLog::new(name, stream.into(), sink, self.shown.clone()))
    }

    /// A sandbox is free for the next event.
    pub(super) async fn release(&self, sandbox: Sandbox) {
        let refused = {
            let mut idle = lock(&self.idle);
            if idle.retired || sandbox.has_ended() {
                Some(sandbox)
            } else {
                idle.sandboxes.push(Idle { sandbox, since: Instant::now() });
                self.slots.free_one();
                None
            }
        };
        if let Some(sandbox) = refused {
            drop(sandbox.end().await);
        }
    }

    /// Forgets a sandbox when its process ends while it is idle.
    pub(super) fn watch_exit(self: &Arc<Self>, sandbox: &Sandbox) {
        let pool = Arc::downgrade(self);
        let mut exit = sandbox.exit();
        tokio::spawn(async move {
            wait_for_exit(&mut exit).await;
            if let Some(pool) = pool.upgrade() {
                pool.take_idle(|idle| idle.sandbox.has_ended());
            }
        });
    }

    fn take_idle(&self, unwanted: impl Fn(&Idle) -> bool) -> Vec<Idle> {
        lock(&self.idle).sandboxes.extract_if(.., |idle| unwanted(idle)).collect()
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let idle = lock(&self.idle).sandboxes.len();
        Occupancy { idle, busy: self.slots.taken().saturating_sub(idle) }
    }

    pub(super) async fn retire(&self) {
        let idle = {
            let mut idle = lock(&self.idle);
            idle.retired = true;
            std::mem::take(&mut idle.sandboxes)
        };
        self.slots.wake_all();
        for idle in idle {
            drop(idle.sandbox.end().await);
        }
        self.slots.all_free().await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.reaper.abort();
    }
}

async fn reap(pool: Weak<Pool>, limits: Limits) {
    let mut wake = Instant::now() + limits.idle;
    loop {
        sleep_until(wake).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        for idle in pool.take_idle(|idle| now.duration_since(idle.since) >= limits.idle) {
            drop(idle.sandbox.end().await);
        }
        let oldest = lock(&pool.idle).sandboxes.first().map_or(now, |idle| idle.since);
        wake = oldest + limits.idle;
    }
}
