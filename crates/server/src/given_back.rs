//! Gives memory back to the system once many connections are silent or gone. The C library keeps what was freed between what is still in
//! use, for the next time, and a server that was crowded once would stay as large.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How many connections have to rest or to end until it is worth it.
const MANY: usize = 1000;

/// How long is waited until then: the others that end meanwhile are given back at once.
const PAUSE: Duration = Duration::from_secs(2);

static FREED: AtomicUsize = AtomicUsize::new(0);
static IS_ABOUT_TO: AtomicBool = AtomicBool::new(false);

/// Notes that what a connection took is free, and gives back what many have left.
pub(crate) fn freed() {
    if FREED.fetch_add(1, Ordering::Relaxed) + 1 < MANY || IS_ABOUT_TO.swap(true, Ordering::Relaxed) {
        return;
    }
    tokio::spawn(async {
        tokio::time::sleep(PAUSE).await;
        FREED.store(0, Ordering::Relaxed);
        // It walks over all that is free.
        let _ = tokio::task::spawn_blocking(give_back).await;
        IS_ABOUT_TO.store(false, Ordering::Relaxed);
    });
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library has no other way to say it")]
fn give_back() {
    // SAFETY: it takes a number of bytes to keep, and may be called at any time by any thread.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries are asked for memory page by page, or have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
