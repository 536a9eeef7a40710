//! How much memory a process and its descendants take. Linux only; elsewhere nothing is known.

use std::time::Duration;

use measure::Peak;
pub(super) use measure::tree_kb;
use tokio::time::Instant;

#[cfg(target_os = "linux")]
mod measure {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;

    use super::super::descendants::descendants;

    /// How large the status of a process is at most, as far as it is of interest: what comes after it are masks of processors.
    const STATUS: usize = 2048;

    /// Reads the most memory that a process was resident with: one call each time, because the file stays open.
    #[derive(Debug)]
    pub(crate) struct Peak(Option<File>);

    impl Peak {
        pub(crate) fn of(pid: u32) -> Self {
            Self(File::open(format!("/proc/{pid}/status")).ok())
        }

        /// The most so far, in KB; `None` where the process is over.
        pub(crate) fn kb(&self) -> Option<u64> {
            let mut room = [0; STATUS];
            let read = self.0.as_ref()?.read_at(&mut room, 0).ok()?;
            let status = str::from_utf8(&room[..read]).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.trim_end().parse().ok()
        }
    }

    /// The memory of a process and its descendants that the system cannot get back by dropping file pages, in KB.
    pub(crate) fn tree_kb(pid: u32) -> u64 {
        std::iter::once(pid).chain(descendants(pid)).filter_map(private_kb).sum()
    }

    fn private_kb(pid: u32) -> Option<u64> {
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let mut fields = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
        let resident = fields.next()?.ok()?;
        let shared = fields.next()?.ok()?;
        Some(resident.saturating_sub(shared) * (rustix::param::page_size() as u64 / 1024))
    }
}

#[cfg(not(target_os = "linux"))]
mod measure {
    #[derive(Debug)]
    pub struct Peak;

    impl Peak {
        pub fn of(_: u32) -> Self {
            Self
        }

        pub fn kb(&self) -> Option<u64> {
            None
        }
    }

    pub fn tree_kb(_: u32) -> u64 {
        0
    }
}

/// How often the peak is read at most: reading it takes a part of the time of a small event.
const INTERVAL: Duration = Duration::from_millis(10);

/// The same where no report shows it.
const UNSEEN_INTERVAL: Duration = Duration::from_secs(1);

/// The most memory that a sandbox took so far.
#[derive(Debug)]
pub(super) struct Watermark {
    peak: Peak,
    kb: u64,
    interval: Duration,
    next: Instant,
}

impl Watermark {
    /// That of a process; `is_shown` says whether each event tells it.
    pub(super) fn of(pid: u32, is_shown: bool) -> Self {
        let interval = if is_shown { INTERVAL } else { UNSEEN_INTERVAL };
        Self { peak: Peak::of(pid), kb: 0, interval, next: Instant::now() }
    }

    /// So much was seen, in KB.
    pub(super) fn rises_to(&mut self, kb: u64) {
        self.kb = self.kb.max(kb);
    }

    /// The most so far, in MB.
    pub(super) fn mb(&mut self) -> u64 {
        let now = Instant::now();
        if now >= self.next {
            self.rises_to(self.peak.kb().unwrap_or(0));
            self.next = now + self.interval;
        }
        self.kb.div_ceil(1024)
    }
}
