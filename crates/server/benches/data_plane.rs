//! How small and how quick the server program is, with the guide's sample as its function.
//!
//! ```text
//! cargo build --release -p sample_producer
//! MDO_CARGO_LAMBDA=…/bin/cargo-lambda cargo bench -p mdo-server
//! ```
//!
//! It needs `wrk`. With `MDO_CARGO_LAMBDA`, `cargo lambda watch` serves the very same bootstrap in the same run, in turn with ours: the
//! machine is as busy for the one as for the other. As many bootstraps as `MDO_BOOTSTRAPS` says (2) are there for each.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and one that fails here has failed"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CONNECTIONS: [u32; 3] = [1, 8, 64];
const ROUNDS: usize = 3;
const STARTS: usize = 20;
const REQUESTS: usize = 5000;
/// Where `cargo lambda watch` takes an event as it is. Its function URL answers 500 to what API Gateway takes from this function.
const INVOCATIONS: &str = "/2015-03-31/functions/sample_producer/invocations";

/// A process that ends with the benchmark.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let program = Path::new(env!("CARGO_BIN_EXE_mdo-server"));
    let bootstrap = fs::canonicalize(program.with_file_name("bootstrap")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bootstraps = std::env::var("MDO_BOOTSTRAPS").map_or(2, |count| count.parse().unwrap());
    write_stack(folder.path(), &bootstrap);

    println!("program              {:>8.2} MB", fs::metadata(program).unwrap().len() as f64 / 1e6);
    let mut starts: Vec<_> = (0..STARTS).map(|_| first_answer(folder.path(), bootstraps)).collect();
    starts.sort_unstable();
    println!(
        "first answer         {:>8.1} ms (median of {STARTS} starts, with the start of its function)",
        millis(starts[STARTS / 2])
    );
    let (told, log) = mpsc::channel();
    let (server, port) = serve(folder.path(), bootstraps, Some(told));
    println!("resident at rest     {:>8.2} MB", resident(&server.0));
    let [whole, gateway] = one_at_a_time(port, &log);
    for (what, mut times) in [("one at a time       ", whole), ("of it not the function", gateway)] {
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[times.len() * share / 100] * 1e3;
        println!("{what} {:>8.0} µs p50, {:.0} µs p99", at(50), at(99));
    }
    println!("resident then        {:>8.2} MB", resident(&server.0));
    drop(server);

    let other = std::env::var_os("MDO_CARGO_LAMBDA").map(PathBuf::from);
    println!(
        "\n| connections | mdo-server, requests/s | cargo lambda watch, requests/s |  |\n|---:|---:|---:|---:|"
    );
    for connections in CONNECTIONS {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (server, port) = serve(folder.path(), bootstraps, None);
            own.push(wrk(port, "/bench/sample_producer", connections, None));
            assert!(own.iter().all(|rate| *rate > 0.0), "nothing was answered");
            drop(server);
            if let Some(other) = &other {
                let (servers, port) = watch(other, &bootstrap, folder.path(), bootstraps);
                let script = folder.path().join("post.lua");
                others.push(wrk(port, INVOCATIONS, connections, Some(&script)));
                drop(servers);
            }
        }
        let (own, others) = (median(own), (!others.is_empty()).then(|| median(others)));
        let [others, times] = match others {
            // It loses an event whose client hangs up while a bootstrap has it, and the bootstrap with it.
            Some(0.0) => ["answers nothing".to_owned(), String::new()],
            Some(others) => [format!("{others:.0}"), format!("{:.2} ×", own / others)],
            None => ["not asked for".to_owned(), String::new()],
        };
        println!("| {connections} | {own:.0} | {others} | {times} |");
    }
}

fn write_stack(folder: &Path, bootstrap: &Path) {
    let code = folder.join("srv/sample_producer");
    fs::create_dir_all(&code).unwrap();
    fs::copy(bootstrap, code.join("bootstrap")).unwrap();
    let stack = json!({
        "format": 1,
        "project": "bench",
        "routes": { "GET /sample_producer": { "function": "sample_producer", "security": "open", "timeout_ms": 29_000 } },
        "functions": { "sample_producer": {
            "code": "srv/sample_producer", "sha256": "0".repeat(64), "runtime": "provided.al2023", "handler": "bootstrap",
            "architecture": std::env::consts::ARCH.replace("aarch64", "arm64"), "memory": 128, "timeout": 30,
        } },
    });
    fs::write(folder.join("stack.json"), stack.to_string()).unwrap();
}

fn serve(folder: &Path, bootstraps: u32, told: Option<Sender<String>>) -> (Running, u16) {
    let stage = json!({
        "format": 1, "stage": "bench", "memory": 64 + bootstraps * 128,
        "environment": { "sample_producer": { "N_CLASSES": "2" } },
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdo-server"));
    command.arg(folder.join("stack.json")).env("MDO_STAGE", stage.to_string()).env("PORT", "0");
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let port = line["detail"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    // The log is read, as the log driver of a container reads it.
    std::thread::spawn(move || match told {
        Some(told) => log.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))),
        None => {
            let mut room = vec![0; 64 * 1024];
            while log.read(&mut room).is_ok_and(|read| read > 0) {}
        }
    });
    (Running(server), port)
}

/// `cargo lambda watch`, with bootstraps that ask it for events.
fn watch(program: &Path, bootstrap: &Path, folder: &Path, bootstraps: u32) -> (Vec<Running>, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // It starts in a package only, and builds nothing of it here.
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
    let package =
        "[package]\nname = \"sample_producer\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), package).unwrap();
    fs::write(folder.join("post.lua"), "wrk.method = \"POST\"\nwrk.body = \"{}\"\n").unwrap();
    let mut command = Command::new(program);
    command.args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port"]);
    command.arg(port.to_string()).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = vec![Running(command.spawn().unwrap())];
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = running[0].0.try_wait().unwrap();
        assert!(ended.is_none(), "cargo lambda watch ended: {ended:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..bootstraps {
        let mut command = Command::new(bootstrap);
        command
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/sample_producer"))
            .env("N_CLASSES", "2");
        command.envs([("AWS_LAMBDA_FUNCTION_NAME", "sample_producer"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")]);
        command.envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_LAMBDA_LOG_GROUP_NAME", "")]);
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "").stdout(Stdio::null()).stderr(Stdio::null());
        running.push(Running(command.spawn().unwrap()));
    }
    // An event that comes before the first bootstrap has asked for one is never answered.
    std::thread::sleep(Duration::from_secs(1));
    (running, port)
}

fn connect(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// Asks for a sample.
fn ask(connection: &mut BufReader<TcpStream>, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let (mut head, mut line) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        assert!(connection.read_line(&mut line).unwrap() > 0);
        head += &line;
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    connection.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
}

fn first_answer(folder: &Path, bootstraps: u32) -> Duration {
    let start = Instant::now();
    let (server, port) = serve(folder, bootstraps, None);
    ask(&mut connect(port), "/bench/sample_producer");
    let took = start.elapsed();
    drop(server);
    took
}

/// How long requests take as their client sees them, and how long the server had them while the function did not, by its own log; in
/// milliseconds.
fn one_at_a_time(port: u16, log: &Receiver<String>) -> [Vec<f64>; 2] {
    let mut connection = connect(port);
    let times = (0..2 * REQUESTS).map(|_| {
        let start = Instant::now();
        ask(&mut connection, "/bench/sample_producer");
        let whole = millis(start.elapsed());
        let line: Value = serde_json::from_str(&log.recv().unwrap()).unwrap();
        let gateway = line["duration_ms"].as_f64().unwrap() - line["Duration"].as_f64().unwrap();
        (whole, gateway)
    });
    // The first half is warming up.
    times.skip(REQUESTS).unzip().into()
}

fn resident(server: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// Requests per second.
fn wrk(port: u16, path: &str, connections: u32, script: Option<&Path>) -> f64 {
    let url = format!("http://127.0.0.1:{port}{path}");
    // So that every bootstrap is warm.
    for seconds in ["1s", "4s"] {
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}")])
            .args(script.into_iter().flat_map(|script| [Path::new("-s"), script]))
            .arg(&url)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("Non-2xx"), "{text}");
        if seconds == "4s" {
            let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).unwrap();
            let rate = rate.trim().parse().unwrap();
            return rate;
        }
    }
    0.0
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
