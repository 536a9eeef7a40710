//! A proxy in front of the emulator: it adds a fixed latency to every call, records it, and fails it when told to.

#[path = "proxy/disturbing.rs"]
mod disturbing;
#[path = "proxy/holding.rs"]
mod holding;

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::disturbing::Halt;
use self::holding::Held;
use super::disturbance::{Disturbance, Disturbances, Now};
pub use super::fault::Fault;
use super::http::{self, Message};
use super::operations::{Operation, REGISTRY};
use super::recording::{Call, Recording};
use super::rounds::Rounds;
use super::strict::{Settling, Unique};

/// How long no call may come before a round begins: long beside what mdo needs between two calls.
const QUIET: Duration = Duration::from_millis(150);
/// The largest body that is kept, in bytes.
const LARGEST: usize = 256 * 1024;
/// How often somebody who waits for a call looks whether the process under test has ended.
const POLL: Duration = Duration::from_millis(5);

/// A proxy on a loopback port. Dropping it stops it from accepting.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    upstream: SocketAddr,
    latency: Duration,
    rounds: Option<Rounds>,
    stopped: AtomicBool,
    state: Mutex<State>,
    /// Notified when a held call arrives, when held calls are let go, and when one of them has ended.
    moved: Condvar,
}

struct State {
    began: Instant,
    calls: Vec<Call>,
    faults: Vec<(String, usize, Fault)>,
    settling: Option<Settling>,
    unique: Unique,
    holds: Option<Held>,
    /// The calls that have been held and have not ended yet.
    held: Vec<Operation>,
    in_all: Duration,
    edits: Vec<(String, Edit)>,
    stand_ins: Vec<(String, StandIn)>,
    elsewhere: Vec<(String, SocketAddr)>,
    /// The host that requests to a registry are passed on under.
    registry: Option<String>,
    /// The time that answers say.
    date: Option<String>,
    disturbances: Disturbances,
    /// Whether the call that is halted, if one is, must not go on.
    halt: Halt,
    connections: usize,
    is_dropped: bool,
}

/// Changes the answer to a call with this path.
type Edit = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;
type StandIn = Arc<dyn Fn(&str, &Value) -> Result<Value, Fault> + Send + Sync>;

impl Proxy {
    /// Starts a proxy in front of a server, which adds this latency to every call.
    pub fn start(upstream: SocketAddr, latency: Duration) -> Proxy {
        Proxy::new(upstream, latency, None)
    }

    /// Starts a proxy in front of a server, which lets calls through in rounds, so that the recording's depth is exact.
    pub fn in_rounds(upstream: SocketAddr) -> Proxy {
        Proxy::new(upstream, Duration::ZERO, Some(Rounds::new(QUIET)))
    }

    fn new(upstream: SocketAddr, latency: Duration, rounds: Option<Rounds>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            began: Instant::now(),
            calls: Vec::new(),
            faults: Vec::new(),
            settling: None,
            unique: Unique::default(),
            holds: None,
            held: Vec::new(),
            in_all: Duration::ZERO,
            edits: Vec::new(),
            stand_ins: Vec::new(),
            elsewhere: Vec::new(),
            registry: None,
            date: None,
            disturbances: Disturbances::default(),
            halt: Halt::Awaited,
            connections: 0,
            is_dropped: false,
        };
        let stopped = AtomicBool::new(false);
        let (state, moved) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { upstream, latency, rounds, stopped, state, moved });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            let mut listening = Some(listener);
            while let Some(listener) = listening {
                serving.accept(&listener);
                drop(listener);
                listening = serving.refuse(address);
            }
        });
        Proxy { shared, address }
    }

    /// The server that it stands before.
    pub fn upstream(&self) -> SocketAddr {
        self.shared.upstream
    }

    /// The endpoint to give to the process under test.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fails the next calls of an operation, such as `CreateFunction`, this many times.
    pub fn fail_next(&self, operation: &str, times: usize, fault: Fault) {
        self.state().faults.push((operation.to_owned(), times, fault));
    }

    /// From now on every call takes this long in all, or as long as the emulator needs where that is longer.
    pub fn take_in_all(&self, time: Duration) {
        self.state().in_all = time;
    }

    /// From now on a function refuses updates for this long after each creation and update, as on AWS.
    pub fn be_strict(&self, settles_after: Duration) {
        self.state().settling = Some(Settling::new(settles_after));
    }

    /// From now on an operation with the same body as one that has succeeded is refused so, as on AWS.
    pub fn refuse_twice(&self, operation: &str, fault: Fault) {
        self.state().unique.refuse(operation, fault);
    }

    /// Changes the answers to an operation, which are JSON, on their way: what the emulator does not do as AWS does.
    pub fn edit(&self, operation: &str, edit: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.state().edits.push((operation.to_owned(), Arc::new(edit)));
    }

    /// Passes requests to a registry of images on under this host: the emulator tells accounts apart by it.
    pub fn serve_registry_as(&self, host: &str) {
        self.state().registry = Some(host.to_owned());
    }

    /// Answers every call of a service, such as `application-autoscaling`, whose bodies are JSON, in place of an emulator that has
    /// it not.
    pub fn stand_in(
        &self,
        service: &str,
        answer: impl Fn(&str, &Value) -> Result<Value, Fault> + Send + Sync + 'static,
    ) {
        self.state().stand_ins.push((service.to_owned(), Arc::new(answer)));
    }

    /// From now on every answer says that it is this time, as HTTP writes it.
    pub fn tells_the_time(&self, date: &str) {
        self.state().date = Some(date.to_owned());
    }

    /// Passes every call of a service, such as `monitoring`, on to another server: to an emulator that does it as AWS does.
    pub fn pass_on(&self, service: &str, server: SocketAddr) {
        self.state().elsewhere.push((service.to_owned(), server));
    }

    /// The calls so far, or since the last `forget`.
    pub fn recording(&self) -> Recording {
        Recording::new(self.state().calls.clone())
    }

    /// Begins the recording anew.
    pub fn forget(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.began = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Whoever has panicked with it says why; a second panic here would end the whole process before that is read.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).is_dropped = true;
        self.shared.moved.notify_all();
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Serves one connection of the client, over one connection to the server.
    fn serve(&self, client: &TcpStream) {
        let _ = client.set_nodelay(true);
        let mut upstream = None;
        let mut reader = BufReader::new(client);
        let mut writer = client;
        while let Ok(Some(request)) = Message::read_request(&mut reader, &mut writer) {
            let start = Instant::now();
            let operation = Operation::of(&request);
            thread::sleep(self.latency);
            self.rounds.iter().for_each(Rounds::enter);
            let was_held = self.pass(&operation);
            let now = self.state.lock().unwrap().disturbances.arrived(&operation.name);
            let answer = self.disturbed(&now, &mut upstream, &request, &operation);
            let in_all = self.state.lock().unwrap().in_all;
            thread::sleep(in_all.saturating_sub(start.elapsed()));
            let status = answer.as_ref().map_or(0, Message::status);
            // Recorded before it is sent, so that a client that has its answer also finds the call recorded.
            self.record(start, &request, operation, status, was_held);
            self.rounds.iter().for_each(Rounds::leave);
            if let Now::Drop = now {
                self.stop_listening_if_refusing(client);
            }
            let Some(mut answer) = answer else { return };
            if let Some(date) = self.state.lock().unwrap().date.clone() {
                answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
                answer.headers.push(("Date".to_owned(), date));
            }
            if let Now::Spoil(Disturbance::Truncate) = now {
                let _ = answer.write_half(&mut writer);
                return;
            }
            if answer.write(&mut writer).is_err() || asks_to_close(&request) || asks_to_close(&answer) {
                return;
            }
        }
    }

    fn answer(
        &self,
        upstream: &mut Option<BufReader<TcpStream>>,
        request: &Message,
        operation: &Operation,
    ) -> Option<Message> {
        if let Some(fault) = self.fault(operation, request) {
            return fault.answer(operation);
        }
        let stand_ins = self.state.lock().unwrap().stand_ins.clone();
        if let Some((_, answer)) = stand_ins.iter().rev().find(|(service, _)| *service == operation.service) {
            let asked = serde_json::from_slice(&request.body).unwrap_or_default();
            return match answer(&operation.name, &asked) {
                Ok(body) => Some(Message {
                    start: "HTTP/1.1 200 OK".to_owned(),
                    headers: vec![("Content-Type".to_owned(), "application/x-amz-json-1.1".to_owned())],
                    body: body.to_string().into_bytes(),
                }),
                Err(fault) => fault.answer(operation),
            };
        }
        let registry = self.state.lock().unwrap().registry.clone().filter(|_| operation.service == REGISTRY);
        let renamed = registry.map(|host| request.for_host(&host));
        let sent = renamed.as_ref().unwrap_or(request);
        let elsewhere = self.state.lock().unwrap().elsewhere.clone();
        let elsewhere = elsewhere.into_iter().find(|(service, _)| *service == operation.service);
        let exchanged = match elsewhere {
            Some((_, server)) => exchange(&mut None, server, sent),
            None => exchange(upstream, self.upstream, sent),
        };
        let mut answer = match exchanged {
            Ok(answer) => answer,
            Err(error) => Fault::error(502, "ProxyError", &error.to_string()).answer(operation)?,
        };
        if answer.status() < 300
            && operation.service == "lambda"
            && let Some(settling) = &mut self.state.lock().unwrap().settling
        {
            answer.body = settling.answered(operation, request.target(), answer.body);
        }
        if answer.status() < 300 {
            self.state.lock().unwrap().unique.answered(operation, &request.body);
        }
        let mut edits = self.state.lock().unwrap().edits.clone();
        edits.retain(|(name, _)| *name == operation.name && answer.status() < 300);
        for (_, edit) in edits {
            let mut body = serde_json::from_slice(&answer.body).unwrap();
            edit(request.target(), &mut body);
            answer.body = body.to_string().into_bytes();
        }
        Some(answer)
    }

    fn fault(&self, operation: &Operation, request: &Message) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let due = state.faults.iter_mut().find(|(name, times, _)| *name == operation.name && *times > 0);
        if let Some((_, times, fault)) = due {
            *times -= 1;
            return Some(fault.clone());
        }
        let is_there = state.unique.refuses(operation, &request.body);
        is_there.or_else(|| state.settling.as_ref()?.refuses(operation, request.target()))
    }

    fn record(&self, start: Instant, request: &Message, operation: Operation, status: u16, was_held: bool) {
        let mut state = self.state.lock().unwrap();
        if was_held {
            state.let_go(&operation);
            self.moved.notify_all();
        }
        let began = state.began;
        state.calls.push(Call {
            start: start.saturating_duration_since(began),
            end: began.elapsed(),
            method: request.method().to_owned(),
            path: request.target().to_owned(),
            operation,
            sent: request.body.len(),
            body: if request.body.len() > LARGEST { Arc::default() } else { request.body.clone().into() },
            status,
        });
    }
}

/// Forwards a request over the kept connection, or over a new one if the server has closed that.
fn exchange(
    kept: &mut Option<BufReader<TcpStream>>,
    address: SocketAddr,
    request: &Message,
) -> io::Result<Message> {
    if let Some(mut reader) = kept.take()
        && request.write(reader.get_mut()).is_ok()
        && let Ok(answer) = Message::read_response(&mut reader, request.method())
    {
        *kept = (!asks_to_close(&answer)).then_some(reader);
        return Ok(answer);
    }
    let mut reader = BufReader::new(http::connect(address)?);
    request.write(reader.get_mut())?;
    let answer = Message::read_response(&mut reader, request.method())?;
    *kept = (!asks_to_close(&answer)).then_some(reader);
    Ok(answer)
}

fn asks_to_close(message: &Message) -> bool {
    message.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}
