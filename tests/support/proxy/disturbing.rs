//! How a proxy is told to disturb calls, and how it does: halts, broken connections, and nobody who listens.

use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::super::disturbance::{Disturbance, Disturbances, Moment, Now};
use super::super::http::Message;
use super::super::operations::Operation;
use super::holding::FOR_EVER;
use super::{POLL, Proxy, Shared, State};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 128;

/// After this long a connection is taken for one that never ends.
const STAYS_OPEN: Duration = Duration::from_secs(60);

/// Where the call is that a disturbance halts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    Awaited,
    Waiting,
    LetGo,
    Discarded,
}

impl Proxy {
    /// Disturbs the n-th call of an operation, counted from one.
    pub fn disturb(&self, operation: &str, number: usize, disturbance: Disturbance) {
        self.state().disturbances.expect(operation, number, disturbance);
    }

    /// Whether the call to disturb has come.
    pub fn has_disturbed(&self) -> bool {
        self.state().disturbances.is_reached()
    }

    /// Waits until the call to disturb is halted, or `ended` says that it will not come.
    #[track_caller]
    pub fn until_halted(&self, mut ended: impl FnMut() -> bool) {
        let begun = Instant::now();
        let mut state = self.state();
        while state.halt == Halt::Awaited && !ended() {
            assert!(begun.elapsed() < FOR_EVER, "the call to halt never came; {}", state.told());
            state = self.shared.moved.wait_timeout(state, POLL).unwrap().0;
        }
    }

    /// Whether a call is halted.
    pub fn is_halted(&self) -> bool {
        self.state().halt == Halt::Waiting
    }

    /// Lets the halted call go on; if none is halted yet, none will be.
    pub fn let_go(&self) {
        self.state().halt = Halt::LetGo;
        self.shared.moved.notify_all();
    }

    /// Lets the halted call go nowhere.
    pub fn discard(&self) {
        self.state().halt = Halt::Discarded;
        self.shared.moved.notify_all();
    }

    /// Waits until every connection of the process under test has ended, and with it every call that it has begun.
    #[track_caller]
    pub fn until_idle(&self) {
        let is_idle = |state: &State| state.connections == 0;
        self.until(self.state(), STAYS_OPEN, "a connection to the proxy does not end", is_idle);
    }

    /// Disturbs nothing any more, and listens again if nobody did.
    #[track_caller]
    pub fn heal(&self) {
        let mut state = self.state();
        state.disturbances = Disturbances::default();
        state.halt = Halt::Awaited;
        self.shared.moved.notify_all();
        self.until(state, FOR_EVER, "nobody listens again", |_| !self.shared.stopped.load(Ordering::Relaxed));
    }
}

impl Shared {
    /// The answer to a call, or none where the connection is to be cut.
    pub(super) fn disturbed(
        &self,
        now: &Now,
        upstream: &mut Option<BufReader<TcpStream>>,
        request: &Message,
        operation: &Operation,
    ) -> Option<Message> {
        match now {
            Now::Drop => return None,
            Now::Answer(fault) => return fault.answer(operation),
            Now::Halt(Moment::Before) if !self.halted() => return None,
            _ => {}
        }
        let answer = self.answer(upstream, request, operation);
        match now {
            Now::Halt(Moment::After) => answer.filter(|_| self.halted()),
            Now::Spoil(Disturbance::AnswerAfter(fault)) => fault.answer(operation),
            Now::Spoil(Disturbance::DropAfter) => None,
            _ => answer,
        }
    }

    /// Halts a call, and tells whether it may go on.
    fn halted(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        if state.halt == Halt::Awaited {
            state.halt = Halt::Waiting;
        }
        self.moved.notify_all();
        let state = self.moved.wait_while(state, |state| state.halt == Halt::Waiting).unwrap();
        state.halt != Halt::Discarded
    }

    /// Makes the thread that accepts connections leave, if nobody is to listen any more.
    pub(super) fn stop_listening_if_refusing(&self, client: &TcpStream) {
        let refuses = self.state.lock().unwrap().disturbances.is_refusing();
        if refuses && !self.stopped.swap(true, Ordering::Relaxed) {
            let _ = client.local_addr().and_then(TcpStream::connect);
        }
    }

    /// Serves whoever connects, until it is stopped.
    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            let shared = Arc::clone(self);
            shared.state.lock().unwrap().connections += 1;
            thread::spawn(move || {
                shared.serve(&stream);
                drop(stream);
                shared.state.lock().unwrap().connections -= 1;
                shared.moved.notify_all();
            });
        }
    }

    /// Keeps the port without listening there, so that nobody else gets it and every connection is refused, until the proxy is
    /// healed, or dropped and nothing more is to come.
    pub(super) fn refuse(&self, address: SocketAddr) -> Option<TcpListener> {
        let state = self.state.lock().unwrap();
        if state.is_dropped {
            return None;
        }
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        let refuses = |state: &mut State| state.disturbances.is_refusing() && !state.is_dropped;
        let state = self.moved.wait_while(state, refuses).unwrap();
        if state.is_dropped {
            return None;
        }
        socket.listen(BACKLOG).unwrap();
        self.stopped.store(false, Ordering::Relaxed);
        self.moved.notify_all();
        Some(socket.into())
    }
}
