//! A connection on its way to hyper: what is read is noted, and a peer that stalls is hung up on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::sent_head::{Follower, SentHeads};
use crate::stall::Stall;

/// How much is read of a request with which a connection wakes up.
const FIRST_READ: usize = 64;

/// Whether a connection is at anything, for who does not hold it while hyper does.
#[derive(Debug)]
pub(crate) struct Pulse {
    born: Instant,
    /// When something was last read or written, in milliseconds since then.
    last: AtomicU64,
    /// Whether a request has come in part.
    is_amid_request: AtomicBool,
    is_answering: AtomicBool,
    is_stalled: AtomicBool,
}

impl Pulse {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            last: AtomicU64::default(),
            is_amid_request: AtomicBool::default(),
            is_answering: AtomicBool::default(),
            is_stalled: AtomicBool::default(),
        }
    }

    /// When something was last read or written.
    pub(crate) fn last(&self) -> Instant {
        self.born + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Notes whether a request is being answered.
    pub(crate) fn answers(&self, is_answering: bool) {
        self.is_answering.store(is_answering, Ordering::Relaxed);
    }

    /// Whether every request has come whole, is answered, and its answer written.
    pub(crate) fn is_between_requests(&self) -> bool {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        !is_set(&self.is_amid_request) && !is_set(&self.is_answering) && !is_set(&self.is_stalled)
    }

    fn beat(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }
}

/// A connection whose heads are noted as they are read, and whose writes fail when its peer takes nothing.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    /// The beginning of a request that nobody has read yet.
    unread: Vec<u8>,
    follower: Follower,
    stall: Stall,
    pulse: Arc<Pulse>,
}

impl<S> Connection<S> {
    /// A connection from its beginning, and where its heads are to be found.
    pub(crate) fn new(stream: S) -> (Self, SentHeads) {
        let (follower, heads) = Follower::new();
        let (unread, stall) = (Vec::new(), Stall::default());
        (Self { stream, unread, follower, stall, pulse: Arc::new(Pulse::new()) }, heads)
    }

    /// What it is at.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn wrote<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let written = self.stall.judge(context, written);
        self.pulse.is_stalled.store(self.stall.is_on(), Ordering::Relaxed);
        self.pulse.beat();
        written
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Waits, on little memory, until the client begins a request; false where it has gone.
    pub(crate) async fn begins(&mut self) -> bool {
        self.follower.rest();
        let mut first = [0; FIRST_READ];
        match self.stream.read(&mut first).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.unread = first[..read].to_vec();
                true
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.unread.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let taken = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..taken]);
            self.unread.drain(..taken);
        }
        self.follower.read(&buffer.filled()[before..]);
        self.pulse.is_amid_request.store(!self.follower.is_between_requests(), Ordering::Relaxed);
        self.pulse.beat();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
