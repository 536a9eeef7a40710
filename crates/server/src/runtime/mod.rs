//! The embedded Lambda: runs a function's unpacked code in sandboxes, through the Lambda Runtime API: its `bootstrap`, or its handler in
//! an interpreter of this machine. It knows no stack, no stage and no HTTP front.

mod api;
mod budget;
mod children;
mod confine;
mod descendants;
mod environment;
mod failure;
mod freezer;
mod invocation;
mod launcher;
mod leftovers;
mod logs;
mod mailbox;
mod memory;
mod peer;
mod pool;
mod process;
mod sandbox;
mod shown;
mod slots;
mod spec;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use budget::MemoryBudget;
pub use children::reap_orphans;
pub use launcher::{Launcher, on_path};
pub use leftovers::sweep;
pub use logs::{LogLine, LogSink};
pub use spec::{
    FunctionError, FunctionSpec, InvokeContext, InvokeResult, Limits, MAX_REQUEST, MAX_RESPONSE, Occupancy,
    Refused, Sandboxes, Surroundings,
};

pub(crate) use spec::one_line;

use invocation::Call;
use pool::Pool;

/// One function at one version, and its sandboxes. Clones are the same runtime.
///
/// Sandboxes end with the last clone, after the events in flight, and with this process: at once on Linux, where the kernel sees to
/// it; elsewhere only if the process ends in an orderly way.
#[derive(Clone)]
pub struct FunctionRuntime {
    pool: Arc<Pool>,
}

impl FunctionRuntime {
    /// A runtime without a sandbox yet: the first event starts one. Needs a tokio runtime around it.
    pub fn start(spec: FunctionSpec, logs: LogSink) -> Self {
        let limits = spec.surroundings.limits;
        Self::start_with(spec, logs, limits)
    }

    /// The same, with limits of one's own.
    pub fn start_with(spec: FunctionSpec, logs: LogSink, limits: Limits) -> Self {
        Self { pool: Pool::new(spec, logs, limits) }
    }

    /// What it was started with; its code folder is absolute.
    pub fn spec(&self) -> &FunctionSpec {
        self.pool.spec()
    }

    /// Runs one event. It runs to its end even when nobody waits for this future any more, as on Lambda.
    ///
    /// # Errors
    /// When the event was not run. What the function did wrong is [`InvokeResult::error`].
    pub async fn invoke(&self, payload: Bytes, context: InvokeContext) -> Result<InvokeResult, Refused> {
        if payload.len() > MAX_REQUEST {
            return Err(Refused::TooLarge);
        }
        let lease = self.pool.lease().await?;
        let call = Call::new(self.spec(), payload, context);
        let running = tokio::spawn(invocation::run(Arc::clone(&self.pool), lease, call));
        match running.await {
            Ok(result) => Ok(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Refused::Retired),
        }
    }

    /// How many sandboxes there are at the moment.
    pub fn occupancy(&self) -> Occupancy {
        self.pool.occupancy()
    }

    /// Refuses further events, finishes those in flight, and ends every sandbox. When it returns, no process is left.
    pub async fn retire(self) {
        self.pool.retire().await;
    }
}

/// Locks what no panic can leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
