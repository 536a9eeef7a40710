//! A load balancer before the servers, HAProxy with checks as AWS's has them: tasks come and go, and no request is lost.
//!
//! Checks come every 200 ms instead of every 5 s, and two in a row decide, as there; the lame duck is as much shorter.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::fixture::{Container, Serving, skipped};

/// Longer than two checks take.
const LAME_DUCK: u16 = 2;

/// How many clients ask at once, each on a connection that it keeps.
const CLIENTS: usize = 4;

const SLOTS: [&str; 4] = ["a", "b", "c", "d"];

/// How long it is waited before another program is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// A balancer with four places for servers; it ends with the test.
struct Balancer {
    folder: TempDir,
    child: Child,
}

impl Balancer {
    /// One that leads nowhere yet; nothing where this machine has no HAProxy.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let servers: String =
            SLOTS.iter().map(|slot| format!("  server {slot} 127.0.0.1:1 check disabled\n")).collect();
        let config = format!(
            "global
  stats socket {place}/admin.sock mode 600 level admin
  nbthread 1
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout check 2s
  timeout client 130s
  timeout server 130s
  timeout http-keep-alive 130s
frontend front
  bind unix@{place}/front.sock
  http-request add-header X-Forwarded-For 203.0.113.9
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Port 443
  default_backend tasks
backend tasks
  balance roundrobin
  http-reuse always
  option httpchk GET /-/health
  default-server inter 200ms rise 2 fall 2 pool-purge-delay 130s
{servers}"
        );
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(folder.path().join("haproxy.log")).unwrap();
        let mut haproxy = Command::new("haproxy");
        haproxy.args(["-db", "-f"]).arg(&path).stdout(Stdio::null()).stderr(log);
        let started = haproxy.spawn();
        let Ok(child) = started else {
            skipped("this machine has no HAProxy; apt-get install haproxy");
            return None;
        };
        let mut balancer = Self { folder, child };
        while UnixStream::connect(balancer.path("front.sock")).is_err() {
            let ended = balancer.child.try_wait().unwrap();
            let log = || fs::read_to_string(balancer.path("haproxy.log")).unwrap_or_default();
            assert!(ended.is_none(), "HAProxy did not start: {}", log());
            thread::sleep(PAUSE);
        }
        Some(balancer)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            thread::sleep(PAUSE);
        }
    }

    /// What the balancer answers to a command.
    fn tell(&self, command: &str) -> String {
        let mut admin = UnixStream::connect(self.path("admin.sock")).unwrap();
        admin.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        admin.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Registers a server, and waits until the balancer has found it well.
    fn register(&self, slot: &str, serving: &Serving) {
        let (host, port) = serving.address.split_once(':').unwrap();
        self.tell(&format!("set server tasks/{slot} addr {host} port {port}"));
        self.tell(&format!("set server tasks/{slot} state ready"));
        self.until(|balancer| balancer.state_of(slot).starts_with("UP"));
    }

    /// `UP`, `DOWN`, `MAINT` …
    fn state_of(&self, slot: &str) -> String {
        let stat = self.tell("show stat");
        let mut lines = stat.lines();
        let column = lines.next().unwrap().split(',').position(|name| name == "status").unwrap();
        let line = lines.find(|line| line.starts_with(&format!("tasks,{slot},"))).unwrap();
        line.split(',').nth(column).unwrap().to_owned()
    }

    /// Clients that ask one request after the other until they are told to stop.
    fn traffic(&self) -> Traffic {
        let ends = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|_| {
            let (path, ends) = (self.path("front.sock"), Arc::clone(&ends));
            thread::spawn(move || {
                let mut statuses = Vec::new();
                let mut connection = None;
                while !ends.load(Ordering::Relaxed) {
                    statuses.push(ask(&path, &mut connection, "/prod/open/7").0);
                }
                statuses
            })
        });
        Traffic { clients: clients.collect(), ends }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Traffic {
    clients: Vec<JoinHandle<Vec<u16>>>,
    ends: Arc<AtomicBool>,
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

impl Traffic {
    /// How many requests were made, and how many of them were not answered by 200.
    fn stop(mut self) -> (usize, usize) {
        self.ends.store(true, Ordering::Relaxed);
        let clients = std::mem::take(&mut self.clients);
        let statuses: Vec<u16> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (statuses.len(), statuses.iter().filter(|status| **status != 200).count())
    }
}

/// The status and the body of an answer on a kept connection; 0 where there was none.
fn ask(place: &PathBuf, kept: &mut Option<BufReader<UnixStream>>, path: &str) -> (u16, String) {
    let mut exchange = || -> std::io::Result<(u16, String)> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => BufReader::new(UnixStream::connect(place)?),
        };
        // A client may say what it likes of where it comes from.
        let request = format!("GET {path} HTTP/1.1\r\nHost: api.example\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if connection.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or_default()];
        connection.read_exact(&mut body)?;
        if !head.contains("connection: close") {
            *kept = Some(connection);
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    exchange().unwrap_or_default()
}

fn server(lame_duck: u16) -> Serving {
    Container::new().with(|_, stage| stage["lame_duck"] = json!(lame_duck)).start()
}

/// Two servers are replaced one after the other while clients ask, each told to stop while it is still registered.
fn roll(lame_duck: u16) -> Option<(usize, usize)> {
    let balancer = Balancer::start()?;
    let mut old = Vec::new();
    for slot in ["a", "b"] {
        let serving = server(lame_duck);
        balancer.register(slot, &serving);
        old.push((slot, serving));
    }
    let traffic = balancer.traffic();
    let mut new = Vec::new();
    for ((slot, former), next) in old.into_iter().zip(["c", "d"]) {
        let serving = server(lame_duck);
        balancer.register(next, &serving);
        former.signal("TERM");
        assert_eq!(former.end().0, Some(0));
        // Nobody but the checks tells the balancer: what it sends meanwhile is what a task loses that does not wait for them.
        balancer.until(|balancer| balancer.state_of(slot).starts_with("DOWN"));
        balancer.tell(&format!("set server tasks/{slot} state maint"));
        new.push(serving);
    }
    Some(traffic.stop())
}

#[test]
#[expect(clippy::print_stdout, reason = "how many requests there were is what the test has shown")]
fn no_request_is_lost_while_servers_are_replaced() {
    let Some((asked, failed)) = roll(LAME_DUCK) else { return };
    println!("{failed} of {asked} requests failed");
    assert!(asked > 5 * CLIENTS, "{asked}");
    assert_eq!(failed, 0, "of {asked}");
}

/// What the lame duck is for: the same without it loses what comes until the balancer has noticed.
#[test]
fn without_a_lame_duck_requests_are_lost() {
    let Some((asked, failed)) = roll(0) else { return };
    assert!(failed > 0, "of {asked}");
}

#[test]
fn a_request_that_takes_long_is_answered_by_a_server_that_was_told_to_stop() {
    let Some(balancer) = Balancer::start() else { return };
    let container = Container::new().with(|_, stage| stage["lame_duck"] = json!(LAME_DUCK));
    let meeting = container.meeting("meeting");
    let mut serving = container.start();
    balancer.register("a", &serving);
    let (place, path) = (balancer.path("front.sock"), format!("/prod/open/7?meet={}", meeting.display()));
    let running = thread::spawn(move || ask(&place, &mut None, &path));
    fs::read(meeting.join("arrived")).unwrap();
    serving.signal("TERM");
    serving.event("draining");
    fs::write(meeting.join("go"), "x").unwrap();
    let (status, body) = running.join().unwrap();
    assert_eq!(status, 200, "{body}");
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["event"]["requestContext"]["identity"]["sourceIp"], "203.0.113.9");
    for (name, value) in [("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443")] {
        assert_eq!(event["event"]["headers"][name], value);
    }
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn a_connection_that_the_balancer_kept_for_65_seconds_serves_the_next_request() {
    if std::env::var_os("MDO_SLOW").is_none() {
        skipped("it waits for 65 s; MDO_SLOW=1 runs it");
        return;
    }
    let Some(balancer) = Balancer::start() else { return };
    let serving = server(LAME_DUCK);
    balancer.register("a", &serving);
    let (place, mut kept) = (balancer.path("front.sock"), None);
    assert_eq!(ask(&place, &mut kept, "/prod/open/7").0, 200);
    thread::sleep(Duration::from_secs(65));
    assert_eq!(ask(&place, &mut kept, "/prod/open/7").0, 200);
    assert!(balancer.reused() > 0, "the second request has opened a connection of its own");
}

impl Balancer {
    /// How many requests went over a connection to a server that was there already.
    fn reused(&self) -> u64 {
        let stat = self.tell("show stat");
        let mut lines = stat.lines();
        let column = lines.next().unwrap().split(',').position(|name| name == "reuse").unwrap();
        let line = lines.find(|line| line.starts_with("tasks,a,")).unwrap();
        line.split(',').nth(column).unwrap().parse().unwrap_or_default()
    }
}
