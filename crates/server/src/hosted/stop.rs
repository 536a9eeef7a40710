//! How the program is asked to end, by signals: a first one in good order, a second one at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a first signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `SIGTERM`: a load balancer may still send requests, and is given the time to notice.
    Leave,
    /// `SIGINT`: somebody at a terminal, where there is no load balancer.
    Finish,
}

/// The signals that end the program. It has to wait for them itself: the first process of a container ends at no signal that it does not
/// handle.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From here on the signals do not end the process any more.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Leave,
            _ = self.interrupt.recv() => Asked::Finish,
        }
    }
}
