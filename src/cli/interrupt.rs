//! Ctrl-C, SIGTERM and a terminal that is closed: until something is begun they end the command; from then on the first one asks for an end in good
//! order, and the second one ends the process.

use std::io;
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
    Signals {
        interrupt: ASKED_TO_END.clone(),
        notify: Arc::new(output::notice),
        trace: Arc::new(output::trace),
    }
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
        let Ok(mut requests) = EndRequests::listen() else {
            return command.await;
        };
        tokio::pin!(command);
        tokio::select! {
            biased;
            outcome = &mut command => return outcome,
            () = requests.received() => {}
        }
        let notice = *self.notice.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(notice) = notice else {
            return Err(Failure::new(exit_code::INTERRUPTED, "interrupted; nothing was changed"));
        };
        if !notice.is_empty() {
            output::message(notice);
        }
        self.token.cancel();
        tokio::select! {
            biased;
            outcome = command => outcome,
            () = requests.received() => {
                Err(Failure::reported(exit_code::INTERRUPTED))
            }
        }
    }

    /// Says that from now on the first signal is how a command is meant to end, about which nothing has to be said.
    pub(super) fn begin_quietly(&self) {
        self.begin("");
    }

    /// Changes what the first signal says of a command that has begun something.
    pub(super) fn say(&self, notice: &'static str) {
        *self.notice.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice);
    }

    /// Says that from now on a command has to be ended in good order, and what the first signal says of that.
    pub(super) fn begin(&self, notice: &'static str) {
        self.notice.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(notice);
    }
}

/// The signals that ask for an end.
struct EndRequests {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where it is ignored: who starts mdo with `nohup` means it to outlive the terminal.
    hangup: Option<Signal>,
}

impl EndRequests {
    fn listen() -> io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    async fn received(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hangup => {}
        }
    }
}

/// Whether this process was started with SIGHUP ignored. Known on Linux alone; elsewhere nobody is taken to have meant it.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    // SIGHUP is signal 1, and the first bit is its.
    mask & 1 == 1
}
