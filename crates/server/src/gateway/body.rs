//! The bodies of requests on their way in: bounded one by one and all together, in bytes and in time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_LENGTH;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use super::refusal::{Declined, Refusal};
use crate::runtime::MAX_REQUEST;

/// The largest body, in bytes. API Gateway takes 10 MB, but with a body above Lambda's limit it gives the same answer.
const MAX_BODY: usize = MAX_REQUEST;

/// How much all bodies may hold together until their functions have answered, in bytes.
const ROOM: usize = 64 * 1024 * 1024;

/// The same in a container, where the server has 64 MB for everything: a body and its event, for two of the largest requests.
const ROOM_OF_CONTAINER: usize = 16 * 1024 * 1024;

/// How long a body may pause.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a body may take in all: the largest one at 20 KB/s, or so.
const WHOLE: Duration = Duration::from_secs(300);

/// How much of a refused body is read so that its sender gets to see the answer, in bytes.
const MAX_DRAINED: usize = 64 * 1024 * 1024;

/// How long a refused client may go on sending before it is answered all the same.
const DRAINING: Duration = Duration::from_secs(5);

/// Why there is no body.
#[derive(Debug)]
pub(super) enum NoBody {
    /// It is refused.
    Declined(Declined),
    /// Its client broke off.
    Abandoned,
}

/// A body, and the room that it takes.
pub(super) struct Held<'a> {
    pub(super) bytes: Bytes,
    _room: SemaphorePermit<'a>,
}

/// The room for bodies. Only what has come takes any: an announcement costs nothing.
pub(super) struct Bodies {
    room: Semaphore,
    bytes: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::of(ROOM)
    }
}

impl Bodies {
    /// The room of a container.
    pub(super) fn of_container() -> Self {
        Self::of(ROOM_OF_CONTAINER)
    }

    fn of(bytes: usize) -> Self {
        Self { room: Semaphore::new(bytes), bytes }
    }

    /// The whole body.
    pub(super) async fn collect(&self, headers: &HeaderMap, body: &mut Incoming) -> Result<Held<'_>, NoBody> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > MAX_BODY) {
            return Err(too_long());
        }
        let deadline = Instant::now() + WHOLE;
        let mut room = self.take(0)?;
        let mut whole = BytesMut::new();
        while let Some(data) = next(body, deadline).await? {
            if whole.len() + data.len() > MAX_BODY {
                return Err(too_long());
            }
            room.merge(self.take(data.len())?);
            if whole.is_empty() && body.is_end_stream() {
                return Ok(Held { bytes: data, _room: room });
            }
            whole.extend_from_slice(&data);
        }
        Ok(Held { bytes: whole.freeze(), _room: room })
    }

    fn take(&self, bytes: usize) -> Result<SemaphorePermit<'_>, NoBody> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Who waited for room would hold what it has meanwhile, and all of them could wait for each other.
        self.room.try_acquire_many(bytes).map_err(|_| {
            let why = format!("the bodies of all requests together are above {} bytes", self.bytes);
            NoBody::Declined(Refusal::Unavailable.because(why))
        })
    }
}

/// The next piece of a body; `None` at its end.
async fn next(body: &mut Incoming, deadline: Instant) -> Result<Option<Bytes>, NoBody> {
    loop {
        let frame = timeout_at(deadline.min(Instant::now() + PAUSE), body.frame()).await;
        match frame.map_err(|_| too_slow(deadline))? {
            None => return Ok(None),
            Some(Err(_)) => return Err(NoBody::Abandoned),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn too_long() -> NoBody {
    NoBody::Declined(Refusal::RequestTooLong.because(format!("the body is above {MAX_BODY} bytes")))
}

fn too_slow(deadline: Instant) -> NoBody {
    let why = if Instant::now() < deadline {
        format!("no byte of the body within {} s", PAUSE.as_secs())
    } else {
        format!("the body is not whole after {} s", WHOLE.as_secs())
    };
    NoBody::Declined(Refusal::RequestTimeout.because(why))
}

/// Reads what a refused client still sends: closing on it would take the answer away from it.
pub(super) async fn drain(body: &mut Incoming) {
    let draining = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Who is not through by then is answered all the same.
    let _ = timeout(DRAINING, draining).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_their_room_and_give_it_back() {
        let bodies = Bodies::default();
        let first = bodies.take(ROOM).unwrap();
        assert!(bodies.take(0).is_ok());
        assert!(matches!(
            bodies.take(1),
            Err(NoBody::Declined(Declined { refusal: Refusal::Unavailable, .. }))
        ));
        drop(first);
        assert!(bodies.take(1).is_ok());
    }
}
