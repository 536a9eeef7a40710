//! Accepts connections and hands each request to a handler, until it is told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use crate::connection::Connection;
use crate::sent_head::MAX_HEAD;

/// How long requests in flight are given at the end.
pub const GRACE: Duration = Duration::from_secs(5);

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
pub async fn accept<H, Answer>(listener: TcpListener, handler: H, stop: impl Future<Output = ()>)
where
    H: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + 'static,
    Answer: Future<Output = Response<Full<Bytes>>> + Send,
{
    let graceful = GracefulShutdown::new();
    let end = ServerEnd::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
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
        let handler = handler.clone();
        let (stream, heads) = Connection::new(stream);
        let end = end.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(end.clone());
            if let Some(head) = heads.next() {
                request.extensions_mut().insert(head);
            }
            let answer = handler(request, peer);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        // A connection ends in an error when its client goes away.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    end.0.store(true, Ordering::Relaxed);
}
