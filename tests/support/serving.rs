//! A running `mdo dev`: what it serves, what it says, and how it ends. It is killed when the test ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::http::{self, Response};
use super::running::end_within;

/// When a line that does not come is given up. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A started `mdo dev` that serves.
pub struct Serving {
    child: Child,
    shown: String,
    lines: Receiver<String>,
    heard: Vec<String>,
    url: String,
    page: String,
}

impl Serving {
    pub(super) fn start(mut command: Command, shown: String) -> Serving {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        let mut serving =
            Serving { child, shown, lines, heard: Vec::new(), url: String::new(), page: String::new() };
        let line = serving.says("Serving ");
        serving.url = line.split(' ').nth(1).unwrap().to_owned();
        serving.page = serving.says("  page  ").split_whitespace().nth(1).unwrap().to_owned();
        serving
    }

    /// Waits for a line of either output that holds a text, and answers it. Each line is found once.
    pub fn says(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {text:?}: {error}\n{}", self.transcript()));
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The address of the console, with its token.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let host = self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        host.unwrap().parse().unwrap()
    }

    /// Gets a path below the stage, with a key or without one.
    pub fn get(&self, path: &str, key: Option<&str>) -> Response {
        let stage = self.url.rsplit('/').next().unwrap();
        let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        http::request(self.address(), "GET", &format!("/{stage}{path}"), &headers, b"").unwrap()
    }

    /// Waits until a path below the stage answers with a status, because a deploy puts one resource in place after another.
    #[track_caller]
    pub fn comes_to(&self, path: &str, key: Option<&str>, status: u16) {
        let end = Instant::now() + PATIENCE;
        while self.get(path, key).status() != status {
            assert!(Instant::now() < end, "{path} never answered {status}\n{}", self.transcript());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end, and proves that it has an exit code.
    #[track_caller]
    pub fn exits(mut self, code: i32) -> Vec<String> {
        let status = end_within(&mut self.child, PATIENCE);
        let status = status.unwrap_or_else(|| panic!("it does not end\n{}", self.transcript()));
        self.heard.extend(self.lines.iter());
        assert_eq!(status.code(), Some(code), "{}", self.transcript());
        std::mem::take(&mut self.heard)
    }

    fn transcript(&self) -> String {
        format!("$ {}\n{}", self.shown, self.heard.join("\n"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
