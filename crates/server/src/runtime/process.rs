//! A function's process: how it is started, watched and killed, with everything that it started itself.
//!
//! Each process has a thread of ours that starts it and waits for it. The thread lives as long as the process does, because Linux
//! ties the parent's death signal to the thread that forked, not to our process.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString, c_char};
use std::io::{self, PipeWriter};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::sync::{oneshot, watch};

use super::children;
use super::confine::Confinement;
use super::descendants::descendants;
use super::launcher::Launcher;
use super::lock;

/// How often an executable that somebody still writes to is tried again, and after what pause.
const BUSY_TRIES: usize = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The processes of a group, to be stopped for a while.
pub(super) struct Group {
    pid: Pid,
    /// Whether the pid is still ours, so that a signal cannot hit a stranger.
    owned: Arc<Mutex<bool>>,
}

impl Group {
    /// Stops them.
    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if *lock(&self.owned) {
            // A failure means that nobody is left.
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

/// A running process group. It is killed when this is dropped.
pub(super) struct Process {
    pid: Pid,
    /// Whether the pid is still ours, so that a signal cannot hit a stranger.
    owned: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts a launcher's program in `code`, in a process group of its own. Its output and error go to `log`.
    pub(super) async fn start(
        launcher: &Launcher,
        code: &Path,
        environment: BTreeMap<OsString, OsString>,
        log: PipeWriter,
    ) -> io::Result<Self> {
        let path = &launcher.program;
        if !path.is_absolute() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let image = Image::new(path, &launcher.arguments, environment)?;
        let confinement = Confinement::new(code)?;
        let parent = rustix::process::getpid();
        let mut command = Command::new(path);
        command.current_dir(code).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log).process_group(0);
        #[expect(unsafe_code, reason = "what the child does before exec; see the comment")]
        // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                // Where the system does not let it, the function runs all the same.
                confinement.enter();
                die_with_parent(parent).and_then(|()| Err(image.execute()))
            })
        };

        let owned = Arc::new(Mutex::new(true));
        let ownership = Arc::clone(&owned);
        let (exited, exit) = watch::channel(None);
        let (started, start) = oneshot::channel();
        thread::Builder::new().name("mdo-sandbox".into()).spawn(move || {
            let child = match spawn(&mut command) {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))),
            };
            // Our ends of the pipe: it must end when the process does.
            drop(command);
            let pid = Pid::from_child(&child);
            if started.send(Ok(pid)).is_err() {
                kill_group(pid);
            }
            exited.send_replace(Some(wait(child, pid, &ownership)));
        })?;
        let pid = start.await.map_err(io::Error::other)??;
        Ok(Self { pid, owned, exit })
    }

    /// The process id, for people and for `/proc`.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Its processes.
    pub(super) fn group(&self) -> Group {
        Group { pid: self.pid, owned: Arc::clone(&self.owned) }
    }

    /// Whether it is over.
    pub(super) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for the end of the process.
    pub(super) async fn exited(&mut self) -> ExitStatus {
        wait_for_exit(&mut self.exit).await
    }

    /// Somebody else who wants to know of the end.
    pub(super) fn watch(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.exit.clone()
    }

    /// Kills the process, every other of its group, and those that have left the group.
    pub(super) fn kill(&self) {
        let owned = lock(&self.owned);
        if *owned {
            let strays = descendants(self.pid());
            kill_group(self.pid);
            for pid in strays.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                // Most of them are gone with the group.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the process of a watch is over.
pub(super) async fn wait_for_exit(exit: &mut watch::Receiver<Option<ExitStatus>>) -> ExitStatus {
    let lost = ExitStatus::from_raw(Signal::KILL.as_raw());
    exit.wait_for(Option::is_some).await.map_or(lost, |status| status.unwrap_or(lost))
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match children::bear(|| command.spawn()) {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
    children::bear(|| command.spawn())
}

/// Waits for the end, ends what is left of the group while the pid cannot be anybody else's, and only then lets go of it.
fn wait(mut child: Child, pid: Pid, owned: &Mutex<bool>) -> ExitStatus {
    let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    while matches!(ended(), Err(Errno::INTR)) {}
    let mut owned = lock(owned);
    kill_group(pid);
    *owned = false;
    let status = child.wait();
    children::bury(child.id());
    status.unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw()))
}

/// A failure means that nobody is left to kill.
fn kill_group(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
}

/// What the child executes. Rust's own way would hand a file that is no executable to the shell, as `execvp` does; Lambda does not.
struct Image {
    path: CString,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    _texts: [Vec<CString>; 2],
}

#[expect(unsafe_code, reason = "pointers for execve; see the comment")]
// SAFETY: the pointers are to the buffers of `path` and `_texts`, which are owned, never changed, and do not move with the struct.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "pointers for execve; see the comment")]
// SAFETY: as above; nothing is ever written through a shared reference.
unsafe impl Sync for Image {}

impl Image {
    fn new(
        path: &Path,
        arguments: &[OsString],
        environment: BTreeMap<OsString, OsString>,
    ) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let further = arguments.iter().map(|argument| CString::new(argument.as_bytes()));
        let further = further.collect::<Result<Vec<_>, _>>()?;
        let joined = environment.into_iter().map(|(mut variable, value)| {
            variable.push("=");
            variable.push(value);
            CString::new(variable.into_vec())
        });
        let variables = joined.collect::<Result<Vec<_>, _>>()?;
        let pointers = |texts: &[CString]| -> Vec<_> { texts.iter().map(|text| text.as_ptr()).collect() };
        let arguments = [&[path.as_ptr()], pointers(&further).as_slice(), &[ptr::null()]].concat();
        let environment = [pointers(&variables).as_slice(), &[ptr::null()]].concat();
        Ok(Self { path, arguments, environment, _texts: [further, variables] })
    }

    /// Comes back only when it fails.
    fn execute(&self) -> io::Error {
        #[expect(unsafe_code, reason = "std has no execve; see the comment")]
        // SAFETY: the path and both arrays are valid, end with a zero, and live as long as `self`.
        unsafe {
            libc::execve(self.path.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr())
        };
        io::Error::last_os_error()
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have been gone before this was asked for.
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: Pid) -> io::Result<()> {
    Ok(())
}
