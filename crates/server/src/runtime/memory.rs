//! How much memory a process and its descendants take. Linux only; elsewhere nothing is known.

#[cfg(target_os = "linux")]
mod measure {
    use std::fs;

    use super::super::descendants::descendants;

    /// The most memory that a process was resident with so far, in KB.
    pub(crate) fn peak_kb(pid: u32) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim_end().parse().ok()
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
    pub fn peak_kb(_: u32) -> Option<u64> {
        None
    }

    pub fn tree_kb(_: u32) -> u64 {
        0
    }
}

pub(super) use measure::{peak_kb, tree_kb};
