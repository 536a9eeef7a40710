//! Runs another program to its end, passing on what it prints; ends it with all that it has started when nobody waits any more.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How often a silent program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// How long the output of an ended program is still awaited, when a process that it left behind holds the pipe.
const GRACE: Duration = Duration::from_millis(250);

/// Runs the command without input, in a process group of its own, passing each line of stdout and stderr to `observe`.
pub(super) fn run(
    mut command: Command,
    abandoned: &AtomicBool,
    observe: &mut dyn FnMut(&str),
) -> io::Result<ExitStatus> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let mut child = Reaped(command.spawn()?);
    // The command holds our ends of the pipe's writer: as long as it lives, the reader sees no end.
    drop(command);
    forward(&lines_of(reader), &mut child, abandoned, observe)?;
    child.0.wait()
}

/// A child that is never left behind as a zombie, even when an observer panics.
struct Reaped(Child);

impl Reaped {
    /// Ends the program with all that it has started.
    fn end(&self) {
        // A failure means that nobody is left.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.end();
            let _ = self.0.wait();
        }
    }
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(64);
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            if sender.send(shown(&line)).is_err() {
                break;
            }
            line.clear();
        }
    });
    lines
}

/// What a terminal would show of a line: after carriage returns, its last state.
fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end();
    line.rsplit('\r').next().unwrap_or(line).to_owned()
}

fn forward(
    lines: &Receiver<String>,
    child: &mut Reaped,
    abandoned: &AtomicBool,
    observe: &mut dyn FnMut(&str),
) -> io::Result<()> {
    let mut ended: Option<Instant> = None;
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => observe(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if abandoned.load(Ordering::Relaxed) {
            child.end();
        }
        if ended.is_none() && child.0.try_wait()?.is_some() {
            ended = Some(Instant::now());
        }
        if ended.is_some_and(|at| at.elapsed() > GRACE) {
            return Ok(());
        }
    }
}
