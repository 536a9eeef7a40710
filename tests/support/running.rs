//! A run of `mdo` that is under way: what it has said so far, and the signals that it is sent.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// After this long a run is taken for one that never ends.
const FOR_EVER: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// A process whose outputs are read as they come.
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<()>,
    said: Arc<(Mutex<String>, Condvar)>,
}

impl Running {
    pub(super) fn new(mut child: Child) -> Running {
        let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let said = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let hears = Arc::clone(&said);
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let stderr = thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                hears.0.lock().unwrap().push_str(&(line + "\n"));
                hears.1.notify_all();
            }
        });
        Running { child, stdout, stderr, said }
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has said this on standard error, or has ended.
    pub fn until_it_says(&mut self, text: &str) {
        let said = Arc::clone(&self.said);
        let mut heard = said.0.lock().unwrap();
        while !heard.contains(text) && !self.has_ended() {
            heard = said.1.wait_timeout(heard, POLL).unwrap().0;
        }
    }

    /// Waits for its end, and answers its exit code, -1 where a signal ended it, and both outputs.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn ends(mut self) -> (i32, String, String) {
        let begun = Instant::now();
        while !self.has_ended() {
            if begun.elapsed() > FOR_EVER {
                self.signal("KILL");
                panic!("mdo did not end; it said:\n{}", self.said.0.lock().unwrap());
            }
            thread::sleep(POLL);
        }
        let status = self.child.wait().unwrap().code().unwrap_or(-1);
        let stdout = self.stdout.join().unwrap();
        self.stderr.join().unwrap();
        let stderr = self.said.0.lock().unwrap().clone();
        (status, stdout, stderr)
    }
}
