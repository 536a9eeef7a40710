//! What goes between a provider and the command while a call waits: the user's interrupt one way, words the other.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// How a command and its provider reach each other while a call is under way.
#[derive(Clone)]
pub struct Signals {
    /// Cancelled when the user asks for an end: what is under way is finished, and nothing is tried again.
    pub interrupt: CancellationToken,
    /// Says what is being waited for, where a person can read it.
    pub notify: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { interrupt: CancellationToken::new(), notify: Arc::new(|_| {}) }
    }
}
