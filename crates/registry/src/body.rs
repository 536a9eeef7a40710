//! What a request carries: nothing, a text, or a file that is read while it is sent.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use mdo_model::Sha256;
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::{Error, Event, Observe};

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// What a request carries, which can be sent more than once.
#[derive(Clone)]
pub(crate) enum Payload {
    Nothing,
    Text(Bytes),
    File { path: PathBuf, digest: Sha256, size: u64, observe: Observe },
}

/// A payload on its way.
pub(crate) enum Sending {
    Text(Option<Bytes>),
    File { file: File, left: u64, total: u64, digest: Sha256, observe: Observe, moved: Arc<AtomicU64> },
}

impl Payload {
    /// Opens it. `moved` counts the bytes that have gone.
    pub(crate) async fn open(&self, moved: &Arc<AtomicU64>) -> Result<Sending, Error> {
        Ok(match self {
            Self::Nothing => Sending::Text(None),
            Self::Text(text) => Sending::Text(Some(text.clone())),
            Self::File { path, digest, size, observe } => {
                let unread = |source| Error::Disk { path: path.clone(), source };
                let file = File::open(path).await.map_err(unread)?;
                let found = file.metadata().await.map_err(unread)?.len();
                if found != *size {
                    let why = format!("has {found} bytes, and its layer has {size}");
                    return Err(unread(io::Error::other(why)));
                }
                let (digest, observe, moved) = (*digest, Arc::clone(observe), Arc::clone(moved));
                Sending::File { file, left: *size, total: *size, digest, observe, moved }
            }
        })
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::File { left: 0, .. } => Poll::Ready(None),
            Self::File { file, left, total, digest, observe, moved } => {
                let mut chunk = vec![0; CHUNK.min(usize::try_from(*left).unwrap_or(CHUNK))];
                let mut buffer = ReadBuf::new(&mut chunk);
                if let Err(error) = ready!(Pin::new(file).poll_read(context, &mut buffer)) {
                    return Poll::Ready(Some(Err(error)));
                }
                let read = buffer.filled().len();
                if read == 0 {
                    let short = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter");
                    return Poll::Ready(Some(Err(short)));
                }
                chunk.truncate(read);
                *left -= read as u64;
                moved.fetch_add(read as u64, Ordering::Relaxed);
                observe(Event::Bytes { digest: *digest, done: *total - *left, total: *total });
                Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None) | Self::File { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) => text.as_ref().map_or(0, |text| text.len() as u64),
            Self::File { left, .. } => *left,
        })
    }
}
