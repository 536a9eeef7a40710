//! A sandbox's log: what the function writes, cut into lines, between Lambda's START, END and REPORT.
//!
//! Output and error share one pipe, so their order is kept. A background task empties it as it fills; the end of an event
//! empties it once more without asking the reactor, so that no line that was written before the answer comes after END.

use std::io::{self, ErrorKind, PipeReader, Read};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::net::unix::pipe::Receiver;

use super::lock;
use super::shown::Shown;

/// The longest line, in bytes; a longer one is cut into several.
const MAX_LINE: usize = 256 * 1024;
/// How much of an event's log is answered with it.
const TAIL: usize = 4096;
/// How much is read in one go: twice what a pipe holds, so that a function that never stops writing cannot hold END back.
const CHUNKS: usize = 32;
const CHUNK: usize = 4096;

/// One line of a function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read.
    pub at: SystemTime,
    /// The function's full name.
    pub function: Arc<str>,
    /// The event that was running, or that the sandbox was started for.
    pub request_id: Option<Arc<str>>,
    /// The sandbox's log stream, as on AWS: `2026/11/23/[1]0123…`.
    pub stream: Arc<str>,
    /// The line, without its end; what is not UTF-8 is replaced.
    pub text: String,
}

/// Where the lines go. It is called with a lock held: it must not block, nor call the runtime.
pub type LogSink = Arc<dyn Fn(LogLine) + Send + Sync>;

/// The log of one sandbox.
pub(super) struct SandboxLog {
    function: Arc<str>,
    stream: Arc<str>,
    sink: LogSink,
    shown: Shown,
    buffer: Mutex<LogBuffer>,
}

/// What was read and is not told yet, and what is known of the event that it belongs to.
#[derive(Default)]
struct LogBuffer {
    pipe: Option<PipeReader>,
    partial: Vec<u8>,
    request_id: Option<Arc<str>>,
    tail: Vec<u8>,
}

/// What is left in a pipe after reading.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    More,
    Closed,
}

impl SandboxLog {
    pub(super) fn new(function: Arc<str>, stream: Arc<str>, sink: LogSink, shown: Shown) -> Self {
        Self { function, stream, sink, shown, buffer: Mutex::default() }
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Reads from a pipe as long as somebody can write to it. The future ends with the pipe.
    pub(super) fn follow(self: &Arc<Self>, pipe: PipeReader) -> io::Result<impl Future<Output = ()> + use<>> {
        let receiver = Receiver::from_owned_fd(pipe.try_clone()?.into())?;
        lock(&self.buffer).pipe = Some(pipe);
        let log = Arc::clone(self);
        Ok(async move {
            while receiver.readable().await.is_ok() {
                match log.drain(&receiver) {
                    Left::Nothing => {}
                    Left::More => tokio::task::yield_now().await,
                    Left::Closed => break,
                }
            }
        })
    }

    /// From here on, lines belong to this event.
    pub(super) fn attribute(&self, request_id: Option<Arc<str>>) {
        let mut buffer = lock(&self.buffer);
        self.read(&mut buffer);
        buffer.request_id = request_id;
    }

    /// Writes a line of the platform's own.
    pub(super) fn write(&self, text: String) {
        let mut buffer = lock(&self.buffer);
        self.emit(&mut buffer, text);
    }

    /// Reads what is still in the pipe, a line that is not ended included.
    pub(super) fn settle(&self) {
        let mut buffer = lock(&self.buffer);
        self.read(&mut buffer);
        self.flush(&mut buffer);
    }

    /// The end of an event: what is still in the pipe, then the platform's lines. Answers the tail of the event's log.
    pub(super) fn finish(&self, lines: impl IntoIterator<Item = String>) -> Vec<u8> {
        let mut buffer = lock(&self.buffer);
        self.read(&mut buffer);
        self.flush(&mut buffer);
        for line in lines {
            self.emit(&mut buffer, line);
        }
        buffer.request_id = None;
        let mut tail = std::mem::take(&mut buffer.tail);
        trim(&mut tail);
        tail
    }

    /// Reads what the reactor knows of.
    fn drain(&self, receiver: &Receiver) -> Left {
        let mut buffer = lock(&self.buffer);
        let left = self.read_from(&mut buffer, |chunk| receiver.try_read(chunk));
        if left == Left::Closed {
            self.flush(&mut buffer);
        }
        left
    }

    /// Reads what there is, whether or not the reactor knows of it yet.
    fn read(&self, buffer: &mut LogBuffer) {
        if let Some(mut pipe) = buffer.pipe.take()
            && self.read_from(buffer, |chunk| pipe.read(chunk)) != Left::Closed
        {
            buffer.pipe = Some(pipe);
        }
    }

    fn read_from(
        &self,
        buffer: &mut LogBuffer,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Left {
        let mut chunk = [0; CHUNK];
        for _ in 0..CHUNKS {
            match read(&mut chunk) {
                Ok(0) => return Left::Closed,
                Ok(count) => self.split(buffer, &chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Left::Nothing,
                Err(_) => return Left::Closed,
            }
        }
        Left::More
    }

    fn split(&self, buffer: &mut LogBuffer, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    buffer.partial.extend_from_slice(end);
                    self.emit_partial(buffer);
                }
                None => buffer.partial.extend_from_slice(piece),
            }
            if buffer.partial.len() >= MAX_LINE {
                self.emit_partial(buffer);
            }
        }
    }

    fn flush(&self, buffer: &mut LogBuffer) {
        if !buffer.partial.is_empty() {
            self.emit_partial(buffer);
        }
    }

    fn emit_partial(&self, buffer: &mut LogBuffer) {
        let line = std::mem::take(&mut buffer.partial);
        for line in self.shown.lines(&line) {
            self.emit(buffer, line);
        }
    }

    fn emit(&self, buffer: &mut LogBuffer, text: String) {
        if buffer.request_id.is_some() {
            let kept = text.len().saturating_sub(TAIL);
            buffer.tail.extend_from_slice(&text.as_bytes()[kept..]);
            buffer.tail.push(b'\n');
            if buffer.tail.len() > 4 * TAIL {
                trim(&mut buffer.tail);
            }
        }
        (self.sink)(LogLine {
            at: SystemTime::now(),
            function: Arc::clone(&self.function),
            request_id: buffer.request_id.clone(),
            stream: Arc::clone(&self.stream),
            text,
        });
    }
}

fn trim(tail: &mut Vec<u8>) {
    tail.drain(..tail.len().saturating_sub(TAIL));
}
