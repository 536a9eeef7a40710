//! What stands for the limits: a server that answers from memory, and the least that can stand between a client and a bootstrap.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};

/// Serves on a port of its own with what `answer` answers.
fn serve<A, F>(runtime: &Runtime, answer: A) -> SocketAddr
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    Response::builder().header("content-type", "application/json").body(Full::new(body)).unwrap()
}

/// A server that answers every request with the same bytes, until the process ends.
pub(crate) fn from_memory(body: Vec<u8>) -> SocketAddr {
    let runtime = Box::leak(Box::new(Runtime::new().unwrap()));
    let body = Bytes::from(body);
    serve(runtime, move |_| {
        let body = body.clone();
        async move { json(body) }
    })
}

/// Hands each request to a bootstrap as an empty event, and the bootstrap's answer back. It checks nothing and logs nothing.
pub(crate) struct Bare {
    address: SocketAddr,
    desk: Arc<Desk>,
    runtime: Runtime,
}

#[derive(Default)]
struct Desk {
    events: Mutex<Events>,
    waiting: Semaphored,
}

#[derive(Default)]
struct Events {
    next: u64,
    offered: Vec<(u64, oneshot::Sender<Bytes>)>,
    running: HashMap<u64, oneshot::Sender<Bytes>>,
}

struct Semaphored(Semaphore);

impl Default for Semaphored {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Desk {
    /// Offers an event, and answers what comes of it.
    async fn run(&self) -> Bytes {
        let (reply, answer) = oneshot::channel();
        {
            let mut events = self.events.lock().unwrap();
            events.next += 1;
            let id = events.next;
            events.offered.push((id, reply));
        }
        self.waiting.0.add_permits(1);
        answer.await.unwrap_or_default()
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.waiting.0.acquire().await.unwrap().forget();
        let mut events = self.events.lock().unwrap();
        let (id, reply) = events.offered.pop().unwrap();
        events.running.insert(id, reply);
        let mut response = json(Bytes::from_static(b"{}"));
        let headers = response.headers_mut();
        headers.insert("lambda-runtime-aws-request-id", id.into());
        headers.insert("lambda-runtime-deadline-ms", 4_000_000_000_000_u64.into());
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path.ends_with("/next") {
            return self.next().await;
        }
        if request.method() == Method::POST {
            let id = path.rsplit('/').nth(1).and_then(|id| id.parse().ok()).unwrap_or_default();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            if let Some(reply) = self.events.lock().unwrap().running.remove(&id) {
                let _ = reply.send(body);
            }
            return json(Bytes::new());
        }
        json(self.run().await)
    }
}

impl Bare {
    pub(crate) fn start() -> Self {
        let (runtime, desk) = (Runtime::new().unwrap(), Arc::<Desk>::default());
        let served = Arc::clone(&desk);
        let address = serve(&runtime, move |request| {
            let desk = Arc::clone(&served);
            async move { desk.answer(request).await }
        });
        Self { address, desk, runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it takes from an event to its answer through the Runtime API alone, without a client.
    pub(crate) fn round_trips(&self, count: usize) -> Vec<Duration> {
        let mut times = Vec::new();
        for _ in 0..2 * count {
            let start = Instant::now();
            self.runtime.block_on(self.desk.run());
            times.push(start.elapsed());
        }
        // The first half is warming up.
        times.split_off(count)
    }
}
