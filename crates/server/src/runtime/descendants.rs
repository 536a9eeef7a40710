//! The processes that a process has started, and those have started in turn. Linux only; elsewhere none are known.

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
