//! Serves one connection: through hyper while its client asks for something, and on next to nothing while the client rests.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::{Connection, Pulse};
use crate::given_back;
use crate::sent_head::{SentHead, SentHeads};

/// For how long a client has to be silent until its connection rests. hyper holds some 20 KB for a connection as long as it has it.
const RESTS_AFTER: Duration = Duration::from_millis(250);

/// On what terms connections are served.
#[derive(Clone)]
pub(crate) struct Terms {
    pub http: http1::Builder,
    /// How long a client may be silent until it is hung up on.
    pub idle: Duration,
    /// Whether the server is about to stop: requests are answered, and no further one is taken.
    pub stop: watch::Receiver<bool>,
}

/// Serves a connection until its client goes away, is silent for too long, or the server stops.
pub(crate) async fn serve<S, H, Answer, B>(
    (mut connection, heads): (Connection<S>, SentHeads),
    mut terms: Terms,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Incoming>, Option<SentHead>) -> Answer + Clone,
    Answer: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
{
    loop {
        // Apart from this future, which is as large while the connection rests.
        let rested = Box::pin(converse(connection, &heads, &mut terms, handler.clone())).await;
        given_back::freed();
        let Some(rested) = rested else { return };
        connection = rested;
        let end = connection.pulse().last() + terms.idle;
        tokio::select! {
            begun = connection.begins() => if !begun { break },
            () = sleep_until(end) => break,
            // Who could stop it has gone: so has it.
            _ = terms.stop.wait_for(|stops| *stops) => break,
        }
    }
    given_back::freed();
}

/// Has hyper serve a connection; gives it back once its client is silent, and `None` once it has ended.
async fn converse<S, H, Answer, B>(
    connection: Connection<S>,
    heads: &SentHeads,
    terms: &mut Terms,
    handler: H,
) -> Option<Connection<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Incoming>, Option<SentHead>) -> Answer + Clone,
    Answer: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + 'static,
{
    let pulse = Arc::clone(connection.pulse());
    let answering = Arc::clone(&pulse);
    let service = service_fn(move |request: Request<Incoming>| {
        let pulse = Arc::clone(&answering);
        pulse.answers(true);
        // A connection has room for its answer as long as it lives, and most of them are idle.
        let answer = Box::pin(handler(request, heads.next()));
        async move {
            let response = answer.await;
            pulse.answers(false);
            Ok::<_, Infallible>(response)
        }
    });
    let mut conversation = terms.http.serve_connection(TokioIo::new(connection), service);
    let mut look = pin!(sleep(RESTS_AFTER));
    let mut stop = pin!(terms.stop.wait_for(|stops| *stops));
    let mut stops = false;
    let rests = poll_fn(|context| {
        if !stops && stop.as_mut().poll(context).is_ready() {
            stops = true;
            Pin::new(&mut conversation).graceful_shutdown();
        }
        // A connection ends in an error when its client goes away.
        if Pin::new(&mut conversation).poll(context).is_ready() {
            return Poll::Ready(false);
        }
        while look.as_mut().poll(context).is_ready() {
            match rest(&pulse, heads) {
                None if !stops => return Poll::Ready(true),
                at => look.as_mut().reset(at.unwrap_or_else(|| Instant::now() + RESTS_AFTER)),
            }
        }
        Poll::Pending
    });
    // What hyper has read and not used is no more than empty lines before a request, which do not count.
    rests.await.then(|| conversation.into_parts().io.into_inner())
}

/// When to look again whether a connection rests; `None` where it does.
fn rest(pulse: &Pulse, heads: &SentHeads) -> Option<Instant> {
    let now = Instant::now();
    if !pulse.is_between_requests() || !heads.is_empty() {
        return Some(now + RESTS_AFTER);
    }
    Some(pulse.last() + RESTS_AFTER).filter(|at| *at > now)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn terms() -> (watch::Sender<bool>, Terms) {
        let (stopper, stop) = watch::channel(false);
        let mut http = http1::Builder::new();
        http.timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
        (stopper, Terms { http, idle: Duration::from_secs(30), stop })
    }

    /// Answers after so many seconds as the path says, with the spelling of the header.
    async fn answer(request: Request<Incoming>, head: Option<SentHead>) -> Response<Full<Bytes>> {
        let seconds = request.uri().path().trim_start_matches('/').parse().unwrap();
        sleep(Duration::from_secs(seconds)).await;
        let spelling = head.unwrap().spelling("host").unwrap().to_owned();
        Response::new(Full::new(spelling.into()))
    }

    async fn is_answered(client: &mut DuplexStream, pieces: &[&str]) -> bool {
        for piece in pieces {
            client.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\nhOsT") {
            if client.read_buf(&mut text).await.unwrap() == 0 {
                return false;
            }
        }
        true
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_rests_between_requests_alone_and_then_answers_again() {
        let (client, server) = tokio::io::duplex(4096);
        let (connection, heads) = Connection::new(server);
        let (_stopper, mut terms) = terms();
        let asking = tokio::spawn(async move {
            let mut client = client;
            // Silent while it is answered, and amid a head: neither is a rest.
            assert!(is_answered(&mut client, &["GET /5 HTTP/1.1\r\nhOsT: x\r\n\r\n"]).await);
            client.write_all(b"GET /0 HT").await.unwrap();
            sleep(Duration::from_secs(5)).await;
            assert!(is_answered(&mut client, &["TP/1.1\r\nhOsT: x\r\n\r\n"]).await);
            client
        });
        let begun = Instant::now();
        let rested = converse(connection, &heads, &mut terms, answer).await.expect("a connection that rests");
        assert_eq!(begun.elapsed(), Duration::from_millis(10_250));
        let mut client = asking.await.unwrap();
        tokio::spawn(serve((rested, heads), terms, answer));
        for _ in 0..3 {
            sleep(Duration::from_secs(20)).await;
            assert!(is_answered(&mut client, &["G", "ET /0 HTTP/1.1\r\nhOsT: x\r\n\r\n"]).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_rests_ends_with_its_client_and_with_the_server() {
        let connect = || {
            let (client, server) = tokio::io::duplex(4096);
            let (stopper, terms) = terms();
            (client, stopper, tokio::spawn(serve(Connection::new(server), terms, answer)))
        };
        let (client, _stopper, serving) = connect();
        sleep(Duration::from_secs(5)).await;
        drop(client);
        serving.await.unwrap();

        let (_client, stopper, serving) = connect();
        sleep(Duration::from_secs(5)).await;
        stopper.send(true).unwrap();
        serving.await.unwrap();

        // Who is being answered is answered.
        let (mut client, stopper, serving) = connect();
        let asking =
            tokio::spawn(
                async move { is_answered(&mut client, &["GET /5 HTTP/1.1\r\nhOsT: x\r\n\r\n"]).await },
            );
        sleep(Duration::from_secs(2)).await;
        stopper.send(true).unwrap();
        assert!(asking.await.unwrap());
        serving.await.unwrap();
    }
}
