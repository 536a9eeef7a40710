//! The processes that a process has started, and those have started in turn, and those of its group. Linux only; elsewhere none
//! are known.

#[cfg(target_os = "linux")]
mod tree {
    use std::fs;

    /// Every living descendant of a process, parents before their children.
    pub(crate) fn descendants(pid: u32) -> Vec<u32> {
        let mut found = children(pid);
        let mut at = 0;
        while let Some(&pid) = found.get(at) {
            found.extend(children(pid));
            at += 1;
        }
        found
    }

    /// Every process of a process group.
    pub(crate) fn group(group: u32) -> Vec<u32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| group_of(*pid) == Some(group)).collect()
    }

    fn group_of(pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program may hold anything, also a parenthesis.
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_ascii_whitespace().nth(2)?.parse().ok()
    }

    fn children(pid: u32) -> Vec<u32> {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
        threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|line| line.split_ascii_whitespace().flat_map(str::parse).collect::<Vec<_>>())
            .collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod tree {
    pub fn descendants(_: u32) -> Vec<u32> {
        Vec::new()
    }
}

pub(super) use tree::descendants;
#[cfg(target_os = "linux")]
pub(super) use tree::group;
