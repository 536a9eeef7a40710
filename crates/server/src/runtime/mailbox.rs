//! Where a sandbox's Runtime API and the one who gives it events meet: one event at a time, each answered once.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::freezer::Freezer;
use super::lock;

/// An event that waits for the function to fetch it. It cannot be printed: its payload holds the caller's key.
pub(super) struct PendingEvent {
    pub request_id: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

/// What the function answered.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Bytes),
    Error(Report),
    TooLarge,
}

/// An error as the function reports it.
#[derive(Debug)]
pub(super) struct Report {
    pub document: Bytes,
    pub error_type: String,
}

/// An answer, and when its event was delivered.
#[derive(Debug)]
pub(super) struct Answered {
    pub answer: Answer,
    pub delivered: Instant,
}

/// Why a call to the Runtime API is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// The request id is not the one of the running event.
    UnknownRequest,
    /// It is not the moment for this call.
    WrongState,
}

/// How far the sandbox and the one who gives it events have come with each other.
#[derive(Default)]
struct Exchange {
    starting: Option<oneshot::Sender<Result<(), Report>>>,
    offered: Option<(PendingEvent, oneshot::Sender<Answered>)>,
    running: Option<Running>,
}

struct Running {
    request_id: String,
    delivered: Instant,
    reply: oneshot::Sender<Answered>,
}

/// The meeting point of one sandbox.
pub(super) struct Mailbox {
    exchange: Mutex<Exchange>,
    offered: Notify,
    freezer: Arc<Freezer>,
}

impl Mailbox {
    /// A mailbox, and the end of the initialisation: the first call for an event, or an error.
    pub(super) fn new(freezer: Arc<Freezer>) -> (Self, oneshot::Receiver<Result<(), Report>>) {
        let (started, start) = oneshot::channel();
        let exchange = Exchange { starting: Some(started), ..Exchange::default() };
        (Self { exchange: Mutex::new(exchange), offered: Notify::new(), freezer }, start)
    }

    /// Puts an event down for the function to fetch.
    pub(super) fn offer(&self, event: PendingEvent) -> oneshot::Receiver<Answered> {
        let (reply, answer) = oneshot::channel();
        lock(&self.exchange).offered = Some((event, reply));
        self.offered.notify_one();
        answer
    }

    /// Takes an event back that was not fetched. Says whether there was one.
    pub(super) fn withdraw(&self) -> bool {
        lock(&self.exchange).offered.take().is_some()
    }

    /// Fetches the next event, however long it takes to come.
    pub(super) async fn next(&self) -> Result<PendingEvent, Misuse> {
        if let Some(started) = lock(&self.exchange).starting.take() {
            drop(started.send(Ok(())));
        }
        loop {
            let offered = self.offered.notified();
            if let Some(event) = self.deliver()? {
                return Ok(event);
            }
            self.freezer.asks();
            offered.await;
        }
    }

    fn deliver(&self) -> Result<Option<PendingEvent>, Misuse> {
        let mut exchange = lock(&self.exchange);
        if exchange.running.is_some() {
            return Err(Misuse::WrongState);
        }
        let Some((event, reply)) = exchange.offered.take() else { return Ok(None) };
        let request_id = event.request_id.clone();
        exchange.running = Some(Running { request_id, delivered: Instant::now(), reply });
        Ok(Some(event))
    }

    /// Answers the running event.
    pub(super) fn answer(&self, request_id: &str, answer: Answer) -> Result<(), Misuse> {
        let mut exchange = lock(&self.exchange);
        match exchange.running.take() {
            None => Err(Misuse::WrongState),
            Some(running) if running.request_id != request_id => {
                exchange.running = Some(running);
                Err(Misuse::UnknownRequest)
            }
            Some(Running { delivered, reply, .. }) => {
                drop(reply.send(Answered { answer, delivered }));
                Ok(())
            }
        }
    }

    /// Says that the initialisation failed.
    pub(super) fn fail_start(&self, report: Report) -> Result<(), Misuse> {
        let started = lock(&self.exchange).starting.take().ok_or(Misuse::WrongState)?;
        drop(started.send(Err(report)));
        Ok(())
    }
}
