//! The sandboxes of a function: who is idle, how many there may be, and when one has been idle for too long.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::budget::{Ended, Member, MemberId, MemoryBudget};
use super::lock;
use super::logs::{LogSink, SandboxLog};
use super::process::wait_for_exit;
use super::sandbox::Sandbox;
use super::shown::Shown;
use super::slots::{Slot, Slots};
use super::spec::{FunctionSpec, Limits, Occupancy, Refused, Sandboxes};

/// How long the reaper rests at least, however short sandboxes may be idle.
const REAP_PAUSE: Duration = Duration::from_millis(10);

/// The sandboxes of one function.
pub(super) struct Pool {
    spec: FunctionSpec,
    limits: Limits,
    name: Arc<str>,
    logs: LogSink,
    shown: Shown,
    slots: Slots,
    idle: Arc<Mutex<IdleSandboxes>>,
    budget: Option<(Arc<MemoryBudget>, MemberId)>,
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
        let slots = Slots::new(match spec.sandboxes {
            Sandboxes::Reserved(all) | Sandboxes::Shared(all) => all,
        });
        let idle = Arc::<Mutex<IdleSandboxes>>::default();
        let budget = spec.surroundings.memory.as_ref().map(|budget| {
            let member = SharedPool { slots: slots.clone(), idle: Arc::clone(&idle) };
            (Arc::clone(budget), budget.join(Arc::new(member)))
        });
        Arc::new_cyclic(|pool| Self {
            name: spec.name.as_str().into(),
            limits,
            logs,
            shown: Shown::new(&spec.code, spec.shown.as_deref()),
            slots,
            idle,
            budget,
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

    /// Who runs the next event: the sandbox that was used last, else a new one. Waits for one where nothing is reserved, as many as
    /// may.
    pub(super) async fn lease(&self) -> Result<Lease, Refused> {
        let mut ticket = None;
        loop {
            let freed = self.slots.freed();
            tokio::pin!(freed);
            // From here on nothing that becomes free goes unnoticed.
            freed.as_mut().enable();
            if let Some(lease) = self.lease_now()? {
                return Ok(lease);
            }
            if matches!(self.spec.sandboxes, Sandboxes::Reserved(_)) && !self.slots.has_free() {
                return Err(Refused::Throttled);
            }
            if let Some((budget, member)) = &self.budget {
                if budget.make_room(*member, self.spec.memory).await {
                    // Somebody else may have been quicker, who then has to wait no more.
                    tokio::task::yield_now().await;
                    continue;
                }
                if ticket.is_none() {
                    ticket = Some(budget.queue(*member).ok_or(Refused::Crowded)?);
                    // What became free before it was known that somebody waits has told nobody.
                    continue;
                }
            }
            freed.await;
        }
    }

    fn lease_now(&self) -> Result<Option<Lease>, Refused> {
        let mut idle = lock(&self.idle);
        if idle.retired {
            return Err(Refused::Retired);
        }
        if let Some(last) = idle.sandboxes.pop() {
            return Ok(Some(Lease::Warm(last.sandbox)));
        }
        drop(idle);
        if !self.slots.has_free() {
            return Ok(None);
        }
        let share = match &self.budget {
            None => None,
            Some((budget, member)) => match budget.take(*member, self.spec.memory) {
                None => return Ok(None),
                share => share,
            },
        };
        Ok(self.slots.take(share).map(Lease::Cold))
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
        if let Some((budget, member)) = &self.budget
            && budget.owes_another(*member)
        {
            // The answer does not wait for it.
            tokio::spawn(async move { drop(sandbox.end().await) });
            return;
        }
        let refused = {
            let mut idle = lock(&self.idle);
            if idle.retired || sandbox.has_ended() {
                Some(sandbox)
            } else {
                sandbox.rests();
                idle.sandboxes.push(Idle { sandbox, since: Instant::now() });
                self.slots.free_one();
                None
            }
        };
        match (refused, &self.budget) {
            (Some(sandbox), _) => drop(sandbox.end().await),
            (None, Some((budget, member))) => budget.offer(*member),
            (None, None) => {}
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

/// What a pool shares with its budget, and what does not keep it alive.
struct SharedPool {
    slots: Slots,
    idle: Arc<Mutex<IdleSandboxes>>,
}

impl Member for SharedPool {
    fn freed(&self) -> &Notify {
        self.slots.notify()
    }

    fn idle_since(&self) -> Option<Instant> {
        lock(&self.idle).sandboxes.first().map(|idle| idle.since)
    }

    fn end_idle(&self) -> Ended {
        let longest = {
            let mut idle = lock(&self.idle);
            (!idle.sandboxes.is_empty()).then(|| idle.sandboxes.remove(0))
        };
        Box::pin(async move {
            if let Some(longest) = longest {
                drop(longest.sandbox.end().await);
            }
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.reaper.abort();
        // The budget goes on; the sandboxes do not.
        drop(std::mem::take(&mut lock(&self.idle).sandboxes));
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
        wake = (oldest + limits.idle).max(now + REAP_PAUSE);
    }
}
