//! A client of AWS that shares no code with mdo: one Python process with boto3, asked over its standard streams.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// After this long a call is taken for one that is never answered: the client itself gives up before.
const FOR_EVER: Duration = Duration::from_secs(300);

type Waiting = Arc<Mutex<HashMap<u64, Sender<Result<Value, String>>>>>;

/// The process behind the tests' AWS calls. It ends when its standard input closes, which is when this process ends.
pub struct Client {
    requests: Mutex<ChildStdin>,
    waiting: Waiting,
    next: AtomicU64,
    _process: Child,
}

impl Client {
    pub(super) fn start(python: &Path, sources: &Path) -> Result<Client, String> {
        let mut process = Command::new(python)
            .arg(sources.join("client.py"))
            .env_remove("AWS_PROFILE")
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        let requests = Mutex::new(process.stdin.take().ok_or("the client has no standard input")?);
        let answers = process.stdout.take().ok_or("the client has no standard output")?;
        let waiting = Waiting::default();
        let arrived = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                let Ok(mut answer) = serde_json::from_str::<Value>(&line) else { break };
                let caller = arrived.lock().unwrap().remove(&answer["id"].as_u64().unwrap());
                let result = match answer["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(answer["ok"].take()),
                };
                let _ = caller.map(|caller| caller.send(result));
            }
            arrived.lock().unwrap().clear();
        });
        Ok(Client { requests, waiting, next: AtomicU64::new(1), _process: process })
    }

    /// Performs one call and answers boto3's response, or its error as `Kind: message`.
    pub(super) fn call(&self, mut request: Value) -> Result<Value, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (caller, answer) = mpsc::channel();
        self.waiting.lock().unwrap().insert(id, caller);
        request["id"] = json!(id);
        let mut requests = self.requests.lock().unwrap();
        writeln!(requests, "{request}").map_err(|error| format!("the client is gone: {error}"))?;
        drop(requests);
        answer
            .recv_timeout(FOR_EVER)
            .unwrap_or_else(|error| Err(format!("no answer of the client: {error}; to {request}")))
    }
}
