//! Accepts connections and hands each request to a handler, until it is told to stop.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::connection::Connection;
use crate::resting::{self, Terms};
use crate::sent_head::{MAX_HEAD, SentHead};

/// How long requests in flight are given at the end.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long a server waits for its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long a connection may be idle, and how long the head of a request may take to come.
    pub idle: Duration,
    /// How long requests in flight are given at the end.
    pub grace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), grace: GRACE }
    }
}

impl Patience {
    /// With a load balancer as the client. It keeps an idle connection for 60 s and sends its next request on it: whoever hangs up
    /// before that fails a request.
    pub fn with_balancer(grace: Duration) -> Self {
        Self { idle: Duration::from_secs(75), grace }
    }
}

/// More headers than clients send: the gateway bounds how large they are together. hyper makes room for as many at every request.
const MAX_HEADERS: usize = 512;

/// Whether the server has ended, and with it whatever it was still answering.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerEnd(Arc<AtomicBool>);

impl ServerEnd {
    /// Whether it has come.
    pub(crate) fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long to wait when the system has no file descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves connections until `stop` resolves; requests in flight then have [`GRACE`] to end.
pub async fn accept<H, Answer, B>(listener: TcpListener, handler: H, stop: impl Future<Output = ()>)
where
    H: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + 'static,
    Answer: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    accept_with(Patience::default(), listener, handler, stop).await;
}

/// As [`accept`], with a patience of one's own.
pub async fn accept_with<H, Answer, B>(
    patience: Patience,
    listener: TcpListener,
    handler: H,
    stop: impl Future<Output = ()>,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + 'static,
    Answer: Future<Output = Response<B>> + Send,
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    let end = ServerEnd::default();
    let (stopper, stops) = watch::channel(false);
    let terms = Terms { http: protocol(patience), idle: patience.idle, stop: stops };
    // Every connection holds on to it, so that its end is the last one's.
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors: let some connections end first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without it an answer may wait for an acknowledgement; with it, or with neither, the answer is right.
        let _ = stream.set_nodelay(true);
        let (handler, end, open, terms) = (handler.clone(), end.clone(), open.clone(), terms.clone());
        let answer = move |mut request: Request<Incoming>, head: Option<SentHead>| {
            request.extensions_mut().insert(end.clone());
            if let Some(head) = head {
                request.extensions_mut().insert(head);
            }
            handler(request, peer)
        };
        tokio::spawn(async move {
            resting::serve(Connection::new(stream), terms, answer).await;
            drop(open);
        });
    }
    drop((listener, open));
    // Nobody listens where no connection is left.
    let _ = stopper.send(true);
    let _ = tokio::time::timeout(patience.grace, all_closed.recv()).await;
    end.0.store(true, Ordering::Relaxed);
}

fn protocol(patience: Patience) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.idle);
    http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    http
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// The client's end of a connection that is served with some patience.
    fn connect(patience: Patience) -> DuplexStream {
        let (client, server) = tokio::io::duplex(4096);
        let answer = |_: Request<Incoming>, _: Option<SentHead>| async {
            Response::new(Full::new(Bytes::from_static(b"ok")))
        };
        tokio::spawn(async move {
            let (_stopper, stop) = watch::channel(false);
            let terms = Terms { http: protocol(patience), idle: patience.idle, stop };
            resting::serve(Connection::new(server), terms, answer).await;
        });
        client
    }

    /// Whether a request is answered.
    async fn is_answered(client: &mut DuplexStream) -> bool {
        // A connection that is hung up on takes nothing.
        if client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
            return false;
        }
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            if client.read_buf(&mut answer).await.unwrap() == 0 {
                return false;
            }
        }
        true
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_outlives_the_60_seconds_of_a_load_balancer() {
        for (patience, idle, lives) in [
            (Patience::with_balancer(GRACE), 74, true),
            (Patience::with_balancer(GRACE), 76, false),
            (Patience::default(), 29, true),
            (Patience::default(), 31, false),
        ] {
            let mut client = connect(patience);
            assert!(is_answered(&mut client).await);
            tokio::time::sleep(Duration::from_secs(idle)).await;
            assert_eq!(is_answered(&mut client).await, lives, "{patience:?} after {idle} s");
        }
    }
}
