//! What answers a request for the guide's sample costs, side by side in one run: `mdo dev`, `cargo lambda watch` with the same bootstrap,
//! the least that can stand between a client and that bootstrap, and a server that answers the same bytes from memory.
//!
//! ```text
//! apt-get install wrk
//! bash -c 'ulimit -n 25000; cargo bench --bench gateway'
//! ```
//!
//! It starts the real `mdo dev` in an empty folder after `mdo init`, with a usage plan that lets everything in, its access lines read and its
//! log written. `cargo-lambda` comes from PyPI into `target/cargo-lambda`. Every row is the median of [`ROUNDS`] turns, in which the servers take turns:
//! the machine is as busy for the one as for the other.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and one that fails here has failed"
)]

mod gateway {
    pub(crate) mod bare;
    pub(crate) mod others;
    pub(crate) mod served;
}
#[path = "../tests/support/http.rs"]
#[expect(dead_code, unreachable_pub, reason = "a benchmark uses the part that it needs")]
mod http;
#[path = "../tests/support/venv.rs"]
#[expect(unreachable_pub, reason = "it is the tests' as well")]
mod venv;

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use gateway::bare::Bare;
use gateway::others::{CargoLambda, bootstraps};
use gateway::served::{Served, resident_mb};

const CONNECTIONS: [u32; 3] = [1, 8, 64];
const ROUNDS: usize = 3;
const SECONDS: u32 = 4;
const COLD_STARTS: usize = 20;
const EDITS: usize = 10;
const IDLE: usize = 10_000;
const REQUESTS: usize = 3000;

fn main() {
    let bench = Served::project();
    rates(&bench);
    one_request(&bench);
    println!();
    cold_starts(&bench);
    edits(&bench);
    idle_connections(&bench);
}

/// Requests per second, and how long each took.
fn rates(bench: &Served) {
    let cargo_lambda = CargoLambda::install();
    let body = bench.serve(&[]).sample();
    let memory = gateway::bare::from_memory(body);
    println!("| connections | server | requests/s | p50 | p99 | to cargo lambda |");
    println!("|---:|---|---:|---:|---:|---:|");
    for connections in CONNECTIONS {
        let mut own = Vec::new();
        let mut other = Vec::new();
        let mut least = Vec::new();
        let mut limit = Vec::new();
        for _ in 0..ROUNDS {
            let served = bench.serve(&[]);
            own.push(wrk(served.address(), "/dev/sample_producer", connections, Some(served.key()), false));
            drop(served);
            let watched = cargo_lambda.watch(bench.bootstrap());
            other.push(wrk(watched.address(), CargoLambda::INVOCATIONS, connections, None, true));
            drop(watched);
            let bare = Bare::start();
            let running = bootstraps(bench.bootstrap(), &bare.address().to_string());
            least.push(wrk(bare.address(), "/dev/sample_producer", connections, None, false));
            drop(running);
            limit.push(wrk(memory, "/dev/sample_producer", connections, None, false));
        }
        let others = median(&mut other).rate;
        for (name, runs) in [
            ("mdo dev", &mut own),
            ("cargo lambda watch", &mut other),
            ("the least between client and bootstrap", &mut least),
            ("from memory", &mut limit),
        ] {
            let Load { rate, p50, p99 } = median(runs);
            let times = rate / others;
            println!("| {connections} | {name} | {rate:.0} | {p50} | {p99} | {times:.2} × |");
        }
    }
}

/// What the gateway adds to one request at a time.
fn one_request(bench: &Served) {
    let served = bench.serve(&[]);
    println!("\nresident at rest             {:>8.1} MB", resident_mb(served.pid()));
    let through = served.times(REQUESTS);
    println!("resident after the load      {:>8.1} MB", resident_mb(served.pid()));
    drop(served);
    let bare = Bare::start();
    let running = bootstraps(bench.bootstrap(), &bare.address().to_string());
    let direct = bare.round_trips(REQUESTS);
    drop(running);
    let [through, direct] = [through, direct].map(|times| share(times, 50));
    let added = through.saturating_sub(direct);
    println!(
        "one at a time, p50           {:>8.0} µs, of it the round trip of the Runtime API {:.0} µs, and what mdo dev adds {:.0} µs",
        micros(through),
        micros(direct),
        micros(added)
    );
}

fn cold_starts(bench: &Served) {
    let served = bench.serve(&["--idle", "50ms"]);
    let times = (0..COLD_STARTS).map(|_| {
        std::thread::sleep(Duration::from_millis(250));
        let start = Instant::now();
        served.sample();
        start.elapsed()
    });
    let times = times.collect();
    println!("cold start, p50              {:>8.1} ms through the gateway", micros(share(times, 50)) / 1e3);
    drop(served);
    let mut starts: Vec<Duration> = (0..5)
        .map(|_| {
            let start = Instant::now();
            bench.serve(&[]).sample();
            start.elapsed()
        })
        .collect();
    starts.sort_unstable();
    println!("start to first answer        {:>8.0} ms, median of 5", micros(starts[2]) / 1e3);
}

/// From a saved edit to an answer of the new version.
fn edits(bench: &Served) {
    let served = bench.serve(&[]);
    let times = (0..EDITS).map(|number| {
        let classes = 1 + number % 4;
        bench.edit(classes);
        let start = Instant::now();
        while served.classes() != classes {
            std::thread::sleep(Duration::from_millis(1));
        }
        start.elapsed()
    });
    let times = times.collect();
    println!("edit to new version          {:>8.0} ms, median of {EDITS}", micros(share(times, 50)) / 1e3);
}

fn idle_connections(bench: &Served) {
    let served = bench.serve(&[]);
    served.sample();
    let before = resident_mb(served.pid());
    let connections: Vec<TcpStream> = (0..IDLE).map_while(|_| connected(served.address())).collect();
    // Each has asked once, so that the server has seen it.
    let at_first = resident_mb(served.pid());
    let while_idle = || {
        std::thread::sleep(Duration::from_secs(5));
        resident_mb(served.pid())
    };
    let (during, count) = (while_idle(), connections.len());
    drop(connections);
    println!(
        "{count} idle connections     {during:>8.1} MB resident, {at_first:.1} at first, {before:.1} before and {:.1} after",
        while_idle()
    );
}

/// A connection that has asked for what is quickly refused, and waits.
fn connected(address: SocketAddr) -> Option<TcpStream> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET /dev/sample_producer HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = [0; 1024];
    (stream.read(&mut answer).ok()? > 0).then_some(stream)
}

/// What a load came to.
#[derive(Clone, Debug)]
struct Load {
    rate: f64,
    p50: String,
    p99: String,
}

fn median(runs: &mut [Load]) -> Load {
    runs.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    runs[runs.len() / 2].clone()
}

/// Asks as fast as it is answered.
fn wrk(address: SocketAddr, path: &str, connections: u32, key: Option<&str>, posts: bool) -> Load {
    let script = tempfile::NamedTempFile::new().unwrap();
    if posts {
        std::fs::write(script.path(), "wrk.method = \"POST\"\nwrk.body = \"{}\"\n").unwrap();
    }
    let run = |seconds: u32| {
        let mut command = Command::new("wrk");
        command.args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")]);
        command.args(key.into_iter().flat_map(|key| ["-H".to_owned(), format!("x-api-key: {key}")]));
        if posts {
            command.arg("-s").arg(script.path());
        }
        let output = command.arg(format!("http://{address}{path}")).output().expect("wrk is installed");
        String::from_utf8(output.stdout).unwrap()
    };
    // So that every sandbox is warm.
    run(1);
    let text = run(SECONDS);
    assert!(!text.contains("Non-2xx"), "{text}");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    };
    Load { rate: field("Requests/sec:").parse().unwrap(), p50: field("50%"), p99: field("99%") }
}

fn share(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[times.len() * percent / 100]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
