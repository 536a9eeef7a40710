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
pub(super) struct TemporaryFolder {
    own: Option<TempDir>,
    /// The variable that every process of the sandbox has in its environment.
    mark: Vec<u8>,
}

impl TemporaryFolder {
    /// A folder of its own. Where nothing can be written, as in a container whose root is read-only and that has no volume for it, there
    /// is none: then the sandbox is known by its log stream.
    pub(super) fn new(log_stream: &str) -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        match tempfile::Builder::new().prefix(&prefix).tempdir() {
            Ok(folder) => Ok(Self { mark: mark(folder.path()), own: Some(folder) }),
            Err(error) if is_read_only(error.kind()) => {
                let mark = format!("AWS_LAMBDA_LOG_STREAM_NAME={log_stream}").into_bytes();
                Ok(Self { own: None, mark })
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.own.as_ref().map_or(Path::new("/tmp"), TempDir::path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        kill_strays(&self.mark);
    }
}

fn is_read_only(error: io::ErrorKind) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};

    matches!(error, ReadOnlyFilesystem | PermissionDenied | NotFound)
}

/// The variable by which the processes of the sandbox with a temporary folder are known.
fn mark(temporary: &Path) -> Vec<u8> {
    format!("TMPDIR={}", temporary.display()).into_bytes()
}

/// Kills every process that has a mark in its environment.
fn kill_strays(mark: &[u8]) {
    for pid in processes_with(mark) {
        // One that is gone meanwhile is no loss.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Ends what is left of sandboxes whose program was killed, and removes their temporary folders. What cannot be removed
/// stays for the next time.
pub fn sweep() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in entries.map(|entry| entry.path()).filter(is_abandoned) {
        kill_strays(&mark(&folder));
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

/// The processes of this user that have a mark in their environment. None are known but on Linux.
fn processes_with(mark: &[u8]) -> Vec<Pid> {
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
        let mine = TemporaryFolder::new("stream").unwrap();
        // The environment is there once the program is executed.
        while processes_with(&mark(&folder)).is_empty() {
            std::thread::yield_now();
        }

        sweep();

        assert!(!orphan.wait().unwrap().success());
        assert!(!folder.exists());
        assert!(mine.path().is_dir());
    }
}
