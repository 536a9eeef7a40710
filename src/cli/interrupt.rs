//! Ctrl-C and SIGTERM: until something is begun they end the command; from then on the first one asks for an end in good
//! order, and the second one ends the process.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use mdo_engine::Signals;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output::{self, Failure, exit_code};

/// Cancelled by the first signal once something was begun. There is one for the process, as there is for signals: whatever
/// waits somewhere down in a call hears it.
static ASKED_TO_END: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// What goes between the command and its provider while a call waits.
pub(super) fn signals() -> Signals {
    Signals { interrupt: ASKED_TO_END.clone(), notify: Arc::new(output::notice) }
}

/// What a signal does to the command.
pub(super) struct Interrupt {
    /// Cancelled by the first signal once something was begun.
    pub token: CancellationToken,
    /// What that signal makes mdo say; `None` as long as nothing was begun.
    notice: Mutex<Option<&'static str>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self { token: ASKED_TO_END.clone(), notice: Mutex::default() }
    }
}

impl Interrupt {
    /// Runs a command that a signal may end, or whose token it cancels.
    pub(super) async fn around(
        &self,
        command: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
            return command.await;
        };
        tokio::pin!(command);
        tokio::select! {
            biased;
            outcome = &mut command => return outcome,
            () = received(&mut interrupt, &mut terminate) => {}
        }
        let notice = *self.notice.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(notice) = notice else {
            return Err(Failure::new(exit_code::INTERRUPTED, "interrupted; nothing was changed"));
        };
        output::message(notice);
        self.token.cancel();
        tokio::select! {
            biased;
            outcome = command => outcome,
            () = received(&mut interrupt, &mut terminate) => {
                Err(Failure::reported(exit_code::INTERRUPTED))
            }
        }
    }

    /// Says that from now on a command has to be ended in good order, and what the first signal says of that.
    pub(super) fn begin(&self, notice: &'static str) {
        self.notice.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(notice);
    }
}

async fn received(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
