//! A proxy in front of the emulator: it adds a fixed latency to every call, records it, and fails it when told to.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{self, Message};
use super::operations::Operation;
use super::recording::{Call, Recording};
use super::rounds::Rounds;
use super::strict::Settling;

/// How long no call may come before a round begins: long beside what mdo needs between two calls.
const QUIET: Duration = Duration::from_millis(150);

/// How a call fails without reaching the emulator.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error of AWS, in the form of the service that is called.
    Error { status: u16, code: String, message: String, headers: Vec<(String, String)> },
    /// The connection closes without an answer.
    Reset,
}

impl Fault {
    /// An error with this HTTP status, code and message.
    pub fn error(status: u16, code: &str, message: &str) -> Fault {
        Fault::Error { status, code: code.to_owned(), message: message.to_owned(), headers: Vec::new() }
    }

    /// What Lambda and API Gateway answer to too many calls.
    pub fn throttled() -> Fault {
        Fault::error(429, "TooManyRequestsException", "Rate exceeded")
    }

    /// What AWS answers to a caller without the permission.
    pub fn denied(action: &str) -> Fault {
        let message =
            format!("User: arn:aws:iam::000000000000:user/test is not authorized to perform: {action}");
        Fault::error(403, "AccessDeniedException", &message)
    }

    fn answer(&self, operation: &Operation) -> Option<Message> {
        let Fault::Error { status, code, message, headers } = self else { return None };
        let (kind, body) = match operation.service.as_str() {
            "iam" | "sts" => {
                ("text/xml", format!("<ErrorResponse><Error>{}</Error></ErrorResponse>", xml(code, message)))
            }
            "s3" => ("application/xml", format!("<Error>{}</Error>", xml(code, message))),
            _ => ("application/json", json!({"__type": code, "message": message}).to_string()),
        };
        let mut all = headers.clone();
        all.push(("Content-Type".to_owned(), kind.to_owned()));
        all.push(("x-amzn-ErrorType".to_owned(), code.clone()));
        Some(Message { start: format!("HTTP/1.1 {status} Error"), headers: all, body: body.into_bytes() })
    }
}

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
    holds: Option<String>,
    /// How many calls have been held and have not ended yet.
    held: usize,
    in_all: Duration,
    edits: Vec<(String, Edit)>,
}

/// Changes the answer to a call with this path.
type Edit = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

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
            holds: None,
            held: 0,
            in_all: Duration::ZERO,
            edits: Vec::new(),
        };
        let stopped = AtomicBool::new(false);
        let (state, moved) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { upstream, latency, rounds, stopped, state, moved });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Proxy { shared, address }
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

    /// Changes the answers to an operation, which are JSON, on their way: what the emulator does not do as AWS does.
    pub fn edit(&self, operation: &str, edit: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.state().edits.push((operation.to_owned(), Arc::new(edit)));
    }

    /// Holds every call of an operation, before it reaches the emulator, until `release`.
    pub fn hold(&self, operation: &str) {
        self.state().holds = Some(operation.to_owned());
    }

    /// Waits until a held call has arrived.
    pub fn until_held(&self) {
        let state = self.state();
        drop(self.shared.moved.wait_while(state, |state| state.held == 0).unwrap());
    }

    /// Lets held calls go on to the emulator, and waits until they have ended there, whether or not mdo still listens.
    pub fn release(&self) {
        let mut state = self.state();
        state.holds = None;
        self.shared.moved.notify_all();
        drop(self.shared.moved.wait_while(state, |state| state.held > 0).unwrap());
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

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
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
            let answer = self.answer(&mut upstream, &request, &operation);
            let in_all = self.state.lock().unwrap().in_all;
            thread::sleep(in_all.saturating_sub(start.elapsed()));
            let status = answer.as_ref().map_or(0, Message::status);
            // Recorded before it is sent, so that a client that has its answer also finds the call recorded.
            self.record(start, &request, operation, status, was_held);
            self.rounds.iter().for_each(Rounds::leave);
            let Some(answer) = answer else { return };
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
        if let Some(fault) = self.fault(operation, request.target()) {
            return fault.answer(operation);
        }
        let mut answer = match exchange(upstream, self.upstream, request) {
            Ok(answer) => answer,
            Err(error) => Fault::error(502, "ProxyError", &error.to_string()).answer(operation)?,
        };
        if answer.status() < 300
            && operation.service == "lambda"
            && let Some(settling) = &mut self.state.lock().unwrap().settling
        {
            answer.body = settling.answered(operation, request.target(), answer.body);
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

    /// Waits while calls of this operation are held, and tells whether they were.
    fn pass(&self, operation: &Operation) -> bool {
        let mut state = self.state.lock().unwrap();
        let is_held = state.holds.as_ref() == Some(&operation.name);
        if is_held {
            state.held += 1;
            self.moved.notify_all();
            let still = |state: &mut State| state.holds.as_ref() == Some(&operation.name);
            drop(self.moved.wait_while(state, still).unwrap());
        }
        is_held
    }

    fn fault(&self, operation: &Operation, path: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let due = state.faults.iter_mut().find(|(name, times, _)| *name == operation.name && *times > 0);
        if let Some((_, times, fault)) = due {
            *times -= 1;
            return Some(fault.clone());
        }
        state.settling.as_ref()?.refuses(operation, path)
    }

    fn record(&self, start: Instant, request: &Message, operation: Operation, status: u16, was_held: bool) {
        let mut state = self.state.lock().unwrap();
        if was_held {
            state.held -= 1;
            self.moved.notify_all();
        }
        let began = state.began;
        state.calls.push(Call {
            start: start.saturating_duration_since(began),
            end: began.elapsed(),
            method: request.method().to_owned(),
            path: request.target().to_owned(),
            operation,
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

fn xml(code: &str, message: &str) -> String {
    format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>")
}
