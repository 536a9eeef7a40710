//! Ctrl-C and SIGTERM: the first one asks for an end in good order, the second one ends the process.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::output::{self, exit_code};

/// Listens for signals while it lives. Afterwards nobody does, not even the system: once listened to, a signal ends no
/// process by itself any more.
pub(super) struct Interrupt {
    /// Cancelled by the first signal.
    pub token: CancellationToken,
    listener: JoinHandle<()>,
}

impl Interrupt {
    /// Listens from now on; the first signal makes it say `notice`.
    pub fn listen(notice: &'static str) -> Self {
        let token = CancellationToken::new();
        let cancel = token.clone();
        // Here and not in the task, which may begin too late for a signal that follows at once.
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let listener = tokio::spawn(async move {
            let [Ok(mut interrupt), Ok(mut terminate)] = signals else { return };
            received(&mut interrupt, &mut terminate).await;
            output::talk(notice);
            cancel.cancel();
            received(&mut interrupt, &mut terminate).await;
            std::process::exit(exit_code::INTERRUPTED.into());
        });
        Self { token, listener }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn received(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
