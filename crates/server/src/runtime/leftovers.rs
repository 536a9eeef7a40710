//! What is left of sandboxes: processes that have left the process tree of theirs, and what a `kill -9` of the whole program
//! has left behind.
//!
//! A sandbox is known by its temporary folder: the folder's name says which process made it, and every process of the sandbox
//! has it in its environment as `TMPDIR`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// How the name of the temporary folder of a sandbox begins; the id of the process that made it follows.
const PREFIX: &str = "mdo-sandbox-";

/// The temporary folder of a sandbox of this process. It goes when this is dropped, and with it every process of the
/// sandbox that has left its tree.
pub(super) struct TemporaryFolder(TempDir);

impl TemporaryFolder {
    pub(super) fn new() -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        tempfile::Builder::new().prefix(&prefix).tempdir().map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        kill_strays(self.path());
    }
}

/// Kills every process that has this temporary folder in its environment.
fn kill_strays(temporary: &Path) {
    for pid in processes_with(temporary) {
        // One that is gone meanwhile is no loss.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Ends what is left of sandboxes whose program was killed, and removes their temporary folders. What cannot be removed
/// stays for the next time.
pub fn sweep() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()).filter(is_abandoned) {
        kill_strays(&folder);
        let _ = fs::remove_dir_all(folder);
    }
}

/// Whether a folder is the temporary one of a sandbox of this user whose program is no more.
fn is_abandoned(folder: &PathBuf) -> bool {
    let maker = folder
        .file_name()
        .and_then(|name| name.to_str()?.strip_prefix(PREFIX)?.split_once('-'))
        .and_then(|(pid, _)| Pid::from_raw(pid.parse().ok()?));
    let is_own = |data: fs::Metadata| data.is_dir() && data.uid() == rustix::process::geteuid().as_raw();
    maker.is_some_and(|maker| test_kill_process(maker) == Err(rustix::io::Errno::SRCH))
        && fs::symlink_metadata(folder).is_ok_and(is_own)
}

/// The processes of this user that have a temporary folder in their environment. None are known but on Linux.
fn processes_with(temporary: &Path) -> Vec<Pid> {
    let mark = format!("TMPDIR={}", temporary.display()).into_bytes();
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own)
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark)
        })
        .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_killed_program_has_left_is_ended_and_removed() {
        // A process that is no more; nobody else gets its id so soon.
        let mut gone = Command::new("true").spawn().unwrap();
        let (pid, folder) = (gone.id(), std::env::temp_dir());
        gone.wait().unwrap();
        let folder = folder.join(format!("{PREFIX}{pid}-abandoned"));
        fs::create_dir(&folder).unwrap();
        let mut orphan = Command::new("sleep").arg("600").env("TMPDIR", &folder).spawn().unwrap();
        let mine = TemporaryFolder::new().unwrap();
        // The environment is there once the program is executed.
        while processes_with(&folder).is_empty() {
            std::thread::yield_now();
        }

        sweep();

        assert!(!orphan.wait().unwrap().success());
        assert!(!folder.exists());
        assert!(mine.path().is_dir());
    }
}
