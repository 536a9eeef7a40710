//! Cold start, warm round trip, size and memory of the sampler's bootstrap, beside a static C bootstrap that only
//! says hello.
//!
//! ```text
//! cargo bench --bench sampler
//! ```
//!
//! It builds the bootstrap with the build hook of `functions/sample_producer/function.json` and the C program with
//! `cc -O2 -static`, serves both of them Lambda's Runtime API (2018-06-01) on loopback, and takes about ten seconds
//! after the builds. A cold start is the time from spawning the process to its first response; a warm round trip the
//! time from handing out an event to having read the response. Loopback and this server are in both.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const COLD_STARTS: usize = 101;
const WARM_UP: usize = 500;
const WARM_ROUND_TRIPS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// What API Gateway sends for `GET /dev/sample_producer`, shortened.
const EVENT: &str = r#"{"resource":"/sample_producer","path":"/sample_producer","httpMethod":"GET","headers":{"Accept":"*/*","Host":"a1b2c3.execute-api.us-east-1.amazonaws.com","User-Agent":"curl/8.5.0","X-Amzn-Trace-Id":"Root=1-00000000-000000000000000000000000","X-Forwarded-For":"192.0.2.1","X-Forwarded-Port":"443","X-Forwarded-Proto":"https","x-api-key":"00000000000000000000"},"multiValueHeaders":{"Accept":["*/*"],"Host":["a1b2c3.execute-api.us-east-1.amazonaws.com"],"User-Agent":["curl/8.5.0"]},"queryStringParameters":null,"multiValueQueryStringParameters":null,"pathParameters":null,"stageVariables":{"alias":"dev"},"requestContext":{"resourceId":"abc123","resourcePath":"/sample_producer","httpMethod":"GET","path":"/dev/sample_producer","accountId":"123456789012","protocol":"HTTP/1.1","stage":"dev","requestId":"00000000-0000-0000-0000-000000000000","identity":{"sourceIp":"192.0.2.1","userAgent":"curl/8.5.0"},"apiId":"a1b2c3"},"body":null,"isBase64Encoded":false}"#;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let hello = build_hello()?;
    let sampler = build_sampler()?;
    let (hello, sampler) = measure_side_by_side(&hello, &sampler)?;
    print_table(&hello, &sampler);
    Ok(())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn build_hello() -> Result<PathBuf> {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let binary = folder.join("hello");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-static", "-s", "-o"]).arg(&binary).arg(root().join("benches/hello.c"));
    succeed(&mut compiler)?;
    Ok(binary)
}

fn build_sampler() -> Result<PathBuf> {
    let folder = root().join("functions/sample_producer");
    let settings: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("function.json"))?)?;
    let hook = settings["hooks"]["build"].as_str().ok_or("function.json has no build hook")?;
    succeed(Command::new("sh").args(["-c", hook]).current_dir(&folder))?;
    Ok(folder.join("bootstrap"))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// What is measured of one bootstrap.
struct Measured {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
    size: u64,
    resident: u64,
    answer: usize,
}

/// Cold starts take turns, so that whatever else the machine does falls on both.
fn measure_side_by_side(hello: &Path, sampler: &Path) -> Result<(Measured, Measured)> {
    let mut cold = [Vec::new(), Vec::new()];
    for _ in 0..COLD_STARTS {
        for (binary, cold) in [hello, sampler].into_iter().zip(&mut cold) {
            cold.push(cold_start(binary)?);
        }
    }
    let [hello_cold, sampler_cold] = cold;
    Ok((measure_warm(hello, hello_cold)?, measure_warm(sampler, sampler_cold)?))
}

fn cold_start(binary: &Path) -> Result<Duration> {
    let sandbox = Sandbox::start(binary, 1)?;
    let state = sandbox.api.wait_until_answered(1)?;
    let first = state.answered.first().ok_or("no response")?;
    Ok(first.at.duration_since(sandbox.spawned))
}

fn measure_warm(binary: &Path, cold: Vec<Duration>) -> Result<Measured> {
    let events = WARM_UP + WARM_ROUND_TRIPS;
    let sandbox = Sandbox::start(binary, events)?;
    let state = sandbox.api.wait_until_answered(events)?;
    let warm = state.answered.iter().skip(WARM_UP).map(|answer| answer.took).collect();
    let answer = state.answered.last().map_or(0, |answer| answer.length);
    Ok(Measured {
        cold,
        warm,
        size: fs::metadata(binary)?.len(),
        resident: resident_bytes(sandbox.process.id())?,
        answer,
    })
}

/// The memory that the process holds now.
fn resident_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// A running bootstrap and the Runtime API that it talks to; killed when dropped.
struct Sandbox {
    api: Arc<RuntimeApi>,
    process: Child,
    spawned: Instant,
}

impl Sandbox {
    fn start(binary: &Path, events: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let api = Arc::new(RuntimeApi::new(events));
        let serving = Arc::clone(&api);
        thread::spawn(move || serving.serve(&listener));

        let mut command = Command::new(binary);
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "ml_api_sample_producer"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/ml_api_sample_producer"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("N_CLASSES", "2"),
        ]);
        let spawned = Instant::now();
        let process = command.spawn()?;
        Ok(Self { api, process, spawned })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One answered event.
struct Answered {
    at: Instant,
    took: Duration,
    length: usize,
}

#[derive(Default)]
struct State {
    handed_out: usize,
    last_handed_out: Option<Instant>,
    answered: Vec<Answered>,
    failed: Option<String>,
}

/// As much of Lambda's Runtime API as a bootstrap needs: next, response, error.
struct RuntimeApi {
    events: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl RuntimeApi {
    fn new(events: usize) -> Self {
        Self { events, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_answered(&self, count: usize) -> Result<MutexGuard<'_, State>> {
        let unfinished = |state: &mut State| state.answered.len() < count && state.failed.is_none();
        let waited = self.changed.wait_timeout_while(self.state(), PATIENCE, unfinished);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.failed {
            Some(failure) => Err(failure.clone().into()),
            None if timeout.timed_out() => Err("the bootstrap does not answer".into()),
            None => Ok(state),
        }
    }

    /// A thread for each connection: a bootstrap has one or two.
    fn serve(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((connection, _)) = listener.accept() {
            let api = Arc::clone(&self);
            thread::spawn(move || api.converse(connection));
        }
    }

    /// Ends with an error when the bootstrap closes the connection, which is how every conversation ends.
    fn converse(&self, connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut writer = connection.try_clone()?;
        let mut reader = BufReader::with_capacity(1 << 16, connection);
        loop {
            let request = HttpRequest::read(&mut reader)?;
            let action = request.path.rsplit('/').next().unwrap_or_default();
            match action {
                "next" => self.next(&mut writer)?,
                "response" => self.response(&request, &mut writer)?,
                _ => self.error(&request, &mut writer)?,
            }
        }
    }

    /// Hands out an event. With none left the request stays open, as Lambda's does.
    fn next(&self, writer: &mut TcpStream) -> io::Result<()> {
        let mut state = self.state();
        if state.handed_out == self.events {
            return Ok(());
        }
        state.handed_out += 1;
        let number = state.handed_out;
        drop(state);
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
             Lambda-Runtime-Aws-Request-Id: 00000000-0000-0000-0000-{number:012}\r\n\
             Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample_producer\r\n\
             Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000\r\n\
             Content-Length: {}\r\n\r\n{EVENT}",
            EVENT.len()
        );
        self.state().last_handed_out = Some(Instant::now());
        writer.write_all(response.as_bytes())
    }

    fn response(&self, request: &HttpRequest, writer: &mut TcpStream) -> io::Result<()> {
        let at = Instant::now();
        let mut state = self.state();
        let took = state.last_handed_out.map(|handed_out| at - handed_out).unwrap_or_default();
        let length = request.body.len();
        if request.body.starts_with(br#"{"statusCode":200,"#) {
            state.answered.push(Answered { at, took, length });
        } else {
            state.failed = Some(String::from_utf8_lossy(&request.body).into_owned());
        }
        let finished = state.answered.len() == self.events || state.failed.is_some();
        drop(state);
        if finished {
            self.changed.notify_all();
        }
        accept(writer)
    }

    fn error(&self, request: &HttpRequest, writer: &mut TcpStream) -> io::Result<()> {
        self.state().failed = Some(String::from_utf8_lossy(&request.body).into_owned());
        self.changed.notify_all();
        accept(writer)
    }
}

fn accept(writer: &mut TcpStream) -> io::Result<()> {
    writer.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
}

struct HttpRequest {
    path: String,
    body: Vec<u8>,
}

impl HttpRequest {
    fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let request_line = read_line(reader)?;
        let path = request_line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let line = read_line(reader)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let body = if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            read_chunks(reader)?
        } else {
            let length = headers.get("content-length").and_then(|length| length.parse().ok());
            read_exactly(reader, length.unwrap_or(0))?
        };
        Ok(Self { path, body })
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn read_exactly(reader: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&read_line(reader)?, 16).map_err(io::Error::other)?;
        body.extend(read_exactly(reader, length)?);
        read_line(reader)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn print_table(hello: &Measured, sampler: &Measured) {
    println!("{:<22} {:>12} {:>12} {:>8}", "", "C hello", "sampler", "ratio");
    let row = |name: &str, unit: &str, digits: usize, of: &dyn Fn(&Measured) -> f64| {
        let (hello, sampler) = (of(hello), of(sampler));
        let shown = |value: f64| format!("{value:.digits$} {unit}");
        println!("{name:<22} {:>12} {:>12} {:>7.2}x", shown(hello), shown(sampler), sampler / hello);
    };
    row("cold start, median", "ms", 2, &|m| quantile(&m.cold, 0.5) * 1e3);
    row("cold start, least", "ms", 2, &|m| quantile(&m.cold, 0.0) * 1e3);
    row("warm, p50", "us", 0, &|m| quantile(&m.warm, 0.5) * 1e6);
    row("warm, p99", "us", 0, &|m| quantile(&m.warm, 0.99) * 1e6);
    row("size of the binary", "kB", 0, &|m| m.size as f64 / 1e3);
    row("resident memory", "kB", 0, &|m| m.resident as f64 / 1e3);
    row("size of an answer", "B", 0, &|m| m.answer as f64);
}

/// In seconds.
fn quantile(times: &[Duration], fraction: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = ((sorted.len() - 1) as f64 * fraction).round() as usize;
    sorted.get(place).map_or(0.0, Duration::as_secs_f64)
}
