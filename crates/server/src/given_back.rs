//! Gives memory back to the system: what many connections have left once they are silent or gone, and the code that only the start of the
//! program has run. The C library keeps what was freed between what is still in use, for the next time, and a server that was crowded
//! once would stay as large; the system keeps code mapped, and much around it, until it is short of memory.

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

/// Lets go of the program's code and constants: what goes on running is mapped again from the file, and most of what started it is not.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system has no other way to say it")]
pub fn give_back_code() {
    use rustix::mm::{Advice, madvise};

    let (Ok(maps), Ok(program)) = (std::fs::read_to_string("/proc/self/smaps"), std::env::current_exe())
    else {
        return;
    };
    for range in maps::of_file(&maps, &program.to_string_lossy()) {
        let start = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: every page of the range is the file's own and cannot be written to: it is read as before when it is needed.
        let _ = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) };
    }
}

/// Elsewhere nothing is known of what is mapped.
#[cfg(not(target_os = "linux"))]
pub fn give_back_code() {}

/// Mappings as `/proc/PID/smaps` lists them: <https://docs.kernel.org/filesystems/proc.html>.
#[cfg(target_os = "linux")]
mod maps {
    use std::ops::Range;

    /// The addresses where a file is mapped as it is: not to be written to, and without a page that was changed before that, as those are
    /// that hold addresses.
    pub(super) fn of_file(maps: &str, path: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut present = None;
        for line in maps.lines() {
            if let Some(range) = range(line) {
                let mut words = line.split_ascii_whitespace().skip(1);
                let is_readable = words.next().is_some_and(|rights| !rights.contains('w'));
                present = (is_readable && line.ends_with(path)).then_some(range);
            } else if line.split_ascii_whitespace().eq(["Anonymous:", "0", "kB"]) {
                found.extend(present.take());
            }
        }
        found
    }

    /// The addresses with which the lines of a mapping begin.
    fn range(line: &str) -> Option<Range<usize>> {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let address = |digits| usize::from_str_radix(digits, 16).ok();
        Some(address(start)?..address(end)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const MAPS: &str = "\
1000-3000 r--p 00000000 fe:00 12  /usr/bin/mdo
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
3000-6000 r-xp 00002000 fe:00 12  /usr/bin/mdo
Anonymous:             0 kB
6000-7000 r--p 00005000 fe:00 12  /usr/bin/mdo
Anonymous:             4 kB
7000-8000 rw-p 00006000 fe:00 12  /usr/bin/mdo
Anonymous:             0 kB
8000-9000 r-xp 00000000 fe:00 13  /usr/lib/libc.so.6
Anonymous:             0 kB
9000-a000 r--p 00000000 00:00 0
Anonymous:             0 kB
";

        #[test]
        fn only_what_the_file_can_give_again_is_let_go() {
            assert_eq!(of_file(MAPS, "/usr/bin/mdo"), [0x1000..0x3000, 0x3000..0x6000]);
            assert_eq!(of_file("", "/usr/bin/mdo"), []);
        }

        #[test]
        fn what_was_let_go_runs_again() {
            let sum = || (0..100_u64).fold(7, |sum, number| sum ^ number.wrapping_mul(sum | 3));
            let before = sum();
            super::super::give_back_code();
            assert_eq!(sum(), before);
        }
    }
}
