//! What an open page is told while it is open: server-sent events, at the pace of whoever reads them.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use mdo_engine::logs::{Following, LogQuery, Logs, Millis, now};
use mdo_model::project::FunctionName;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Console;
use super::entry::Entry;
use super::overview::Firings;

/// How often there may be something new.
const RHYTHM: Duration = Duration::from_millis(250);

/// After how many looks without news a word is sent all the same: a page that is gone is noticed by it.
const SILENCE: u32 = 60;

/// How far back the log of a page that was just opened reaches, in milliseconds.
const BACK: Millis = 60 * 60 * 1000;

/// How many entries it has at most.
const ENTRIES: usize = 500;

/// How many messages may wait for a page that is slow.
const WAITING: usize = 4;

/// A page is gone.
struct Gone;

/// Begins to tell a page, which takes a place among those that are told.
pub(super) fn start(console: &Arc<Console>, place: OwnedSemaphorePermit) -> UnsyncBoxBody<Bytes, Infallible> {
    let (sender, receiver) = channel(WAITING);
    tokio::spawn(tell(Arc::clone(console), sender, place));
    body(receiver)
}

fn body(mut receiver: Receiver<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    let messages = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames = futures::StreamExt::map(messages, |bytes| Ok(Frame::data(bytes)));
    StreamBody::new(frames).boxed_unsync()
}

/// Tells a page until it is gone or the server ends; `place` is free again after that.
async fn tell(console: Arc<Console>, page: Sender<Bytes>, _place: OwnedSemaphorePermit) {
    let telling = async {
        let mut feed = Feed::new(&console, &page).await;
        // Whatever the page knew before, the log begins anew.
        let mut is_there = feed.send("begin", &()).await.is_ok();
        while is_there {
            is_there = feed.look().await.is_ok();
            tokio::time::sleep(RHYTHM).await;
        }
    };
    tokio::select! {
        () = telling => {}
        () = console.stop.cancelled() => {}
        () = page.closed() => {}
    }
}

/// What one page is told.
struct Feed<'a> {
    console: &'a Console,
    page: &'a Sender<Bytes>,
    overview: String,
    firings: Firings,
    functions: BTreeSet<FunctionName>,
    log: Following,
    silence: u32,
}

impl<'a> Feed<'a> {
    async fn new(console: &'a Console, page: &'a Sender<Bytes>) -> Self {
        let logs: Arc<dyn Logs> = Arc::new(console.live.provider.clone());
        let sources = logs.sources(&BTreeSet::new(), true).await.unwrap_or_default();
        let query = LogQuery { since: now() - BACK, ..LogQuery::default() };
        Self {
            console,
            page,
            overview: String::new(),
            firings: Firings::default(),
            functions: BTreeSet::new(),
            log: Following::new(logs, sources, query),
            silence: 0,
        }
    }

    /// Sends what is new.
    async fn look(&mut self) -> Result<(), Gone> {
        self.silence += 1;
        let stack = self.console.live.current().await;
        let overview = self.console.overview(&stack, &mut self.firings);
        let overview = serde_json::to_string(&overview).unwrap_or_default();
        if overview != self.overview {
            self.send_text("overview", &overview).await?;
            self.overview = overview;
        }
        let functions: BTreeSet<FunctionName> = stack.state.functions.keys().cloned().collect();
        self.look_into_log(functions).await?;
        if self.silence >= SILENCE {
            self.send_bytes(Bytes::from_static(b":\n\n")).await?;
        }
        Ok(())
    }

    async fn look_into_log(&mut self, functions: BTreeSet<FunctionName>) -> Result<(), Gone> {
        if self.functions != functions {
            // What is on this machine is always found.
            let sources = self.console.live.provider.sources(&functions, true).await.unwrap_or_default();
            self.log.set_sources(sources);
            self.functions = functions;
        }
        let (mut entries, mut left_out) = (VecDeque::new(), 0);
        let looked = self.log.look(now(), |ready| {
            entries.extend(ready);
            let many = entries.len().saturating_sub(ENTRIES);
            entries.drain(..many);
            left_out += many;
            ControlFlow::Continue(())
        });
        // What cannot be read now may be readable the next time.
        if looked.await.is_err() || entries.is_empty() {
            return Ok(());
        }
        self.send("log", &News { left_out, entries: entries.iter().map(Entry::new).collect() }).await
    }

    async fn send(&mut self, event: &str, data: &impl Serialize) -> Result<(), Gone> {
        let data = serde_json::to_string(data).unwrap_or_default();
        self.send_text(event, &data).await
    }

    async fn send_text(&mut self, event: &str, data: &str) -> Result<(), Gone> {
        self.send_bytes(Bytes::from(format!("event: {event}\ndata: {data}\n\n"))).await
    }

    async fn send_bytes(&mut self, message: Bytes) -> Result<(), Gone> {
        self.silence = 0;
        self.page.send(message).await.map_err(|_| Gone)
    }
}

/// New entries of the log.
#[derive(Serialize)]
struct News<'a> {
    /// How many older ones are not among them.
    left_out: usize,
    entries: Vec<Entry<'a>>,
}
