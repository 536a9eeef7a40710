//! Our own children, told apart from orphans. The first process of a container becomes the parent of every process whose parent has
//! ended, and they stay in the table of processes until it takes note of their end.

use std::collections::HashSet;
use std::io;
use std::process::Child;
use std::sync::{LazyLock, Mutex, PoisonError, RwLock, TryLockError};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::lock;

/// Held while a child is born: until it is known as ours, nobody may take note of its end but who starts it.
static BIRTHS: RwLock<()> = RwLock::new(());

/// The children that somebody of us waits for.
static OWN: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);

/// A birth or a death of our own may have been in the way of an orphan.
static CHANGED: Notify = Notify::const_new();

/// Starts a child that the caller waits for.
pub(super) fn bear(spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    let child = {
        let _birth = BIRTHS.read().unwrap_or_else(PoisonError::into_inner);
        let child = spawn();
        if let Ok(child) = &child {
            lock(&OWN).insert(child.id());
        }
        child
    };
    CHANGED.notify_one();
    child
}

/// The caller has waited for a child of its own.
pub(super) fn bury(pid: u32) {
    lock(&OWN).remove(&pid);
    CHANGED.notify_one();
}

/// Takes note of the end of orphans, for as long as this process lives.
///
/// # Errors
/// When signals cannot be had.
pub fn reap_orphans() -> io::Result<()> {
    let mut deaths = signal(SignalKind::child())?;
    tokio::spawn(async move {
        loop {
            reap();
            tokio::select! {
                _ = deaths.recv() => {}
                () = CHANGED.notified() => {}
            }
        }
    });
    Ok(())
}

/// Takes note of every orphan that has ended. Where a child of ours has ended too, its own end is taken note of first; `CHANGED` says
/// when.
fn reap() {
    let _nobody_is_born = match BIRTHS.try_write() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Whoever is born says so.
        Err(TryLockError::WouldBlock) => return,
    };
    while let Some(pid) = ended() {
        if lock(&OWN).contains(&pid.unsigned_abs()) {
            return;
        }
        #[expect(
            unsafe_code,
            reason = "rustix does not say which child has ended, so that libc is asked; see the comment"
        )]
        // SAFETY: a null pointer says that the status is not wanted.
        unsafe {
            libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG);
        }
    }
}

/// A child that has ended and that nobody has taken note of.
fn ended() -> Option<i32> {
    #[expect(unsafe_code, reason = "rustix does not say which child has ended; see the comment")]
    // SAFETY: all zeros is a valid `siginfo_t`, the pointer is to one that outlives the call, and of a child's end it holds the pid.
    let (outcome, pid) = unsafe {
        let mut information: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let outcome = libc::waitid(libc::P_ALL, 0, &raw mut information, options);
        (outcome, information.si_pid())
    };
    (outcome == 0 && pid > 0).then_some(pid)
}
