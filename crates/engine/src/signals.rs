//! What goes between a provider and the command while a call waits: the user's interrupt one way, words the other.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How a command and its provider reach each other while a call is under way.
#[derive(Clone)]
pub struct Signals {
    /// Cancelled when the user asks for an end: what is under way is finished, and nothing is tried again.
    pub interrupt: CancellationToken,
    /// Says what is being waited for, where a person can read it.
    pub notify: Arc<dyn Fn(&str) + Send + Sync>,
    /// Told of each call that was answered, or was not, for who looks for a fault.
    pub trace: Arc<dyn Fn(&CallTrace<'_>) + Send + Sync>,
}

/// One call to a provider. There is nothing of what was sent or answered in it.
#[derive(Clone, Copy, Debug)]
pub struct CallTrace<'a> {
    /// What was called, as `lambda:CreateFunction`.
    pub operation: &'a str,
    /// The resource that it was about; empty for none.
    pub on: &'a str,
    /// From its beginning to its answer.
    pub took: Duration,
    /// What came of it: `ok`, the service's word for what is wrong, or why there is none.
    pub outcome: &'a str,
}

impl Default for Signals {
    fn default() -> Self {
        Self { interrupt: CancellationToken::new(), notify: Arc::new(|_| {}), trace: Arc::new(|_| {}) }
    }
}
