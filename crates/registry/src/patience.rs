//! How often something that may pass is tried again, and how long one waits.

use std::time::Duration;

use crate::{Error, Event, Observe};

/// The longest that a registry's `Retry-After` is obeyed.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// How patient we are with a registry.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often something is tried in all.
    pub tries: u32,
    /// The wait before the second try; each following one is twice as long.
    pub first_wait: Duration,
    /// How long nothing may move on a connection.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first_wait: Duration::from_millis(250), stall: Duration::from_secs(60) }
    }
}

/// What went wrong in one try, and when the registry wants the next one.
#[derive(Debug)]
pub(crate) struct Fault {
    pub error: Error,
    pub after: Option<Duration>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, after: None }
    }
}

impl Patience {
    /// Tries until it succeeds, fails for good, or has been tried often enough.
    pub(crate) async fn keep_trying<T, F: Future<Output = Result<T, Fault>> + Send>(
        self,
        observe: &Observe,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let mut wait = self.first_wait;
        let mut left = self.tries;
        loop {
            left = left.saturating_sub(1);
            let fault = match attempt().await {
                Ok(done) => return Ok(done),
                Err(fault) if left == 0 || !fault.error.is_passing() => return Err(fault.error),
                Err(fault) => fault,
            };
            let pause = fault.after.map_or(wait, |after| after.min(LONGEST));
            observe(Event::Waiting { why: fault.error.to_string(), wait: pause });
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
    }
}
