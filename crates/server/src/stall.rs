//! Hangs up on a client that does not read: what is written for it stays in memory as long as it takes none of it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// How long a client may take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a peer has taken nothing of what is written for it.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    /// When the peer is given up; only while it takes nothing.
    end: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// Whether the peer takes nothing of what is written for it.
    pub(crate) fn is_on(&self) -> bool {
        self.end.is_some()
    }

    /// What a write has come to, unless the peer has taken nothing for too long.
    pub(crate) fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.end = None;
            return written;
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::connection::Connection;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_hung_up_on_and_a_slow_one_is_served() {
        let (stream, mut client) = tokio::io::duplex(1);
        let (mut stream, _) = Connection::new(stream);
        let answer = tokio::spawn(async move {
            stream.write_all(b"slow").await?;
            stream.write_all(b"never").await
        });
        for letter in *b"slow" {
            sleep(PATIENCE - Duration::from_secs(1)).await;
            assert_eq!(client.read_u8().await.unwrap(), letter);
        }
        let error = answer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
