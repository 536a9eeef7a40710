//! How many warm samples a second come through the gateway of `mdo dev`, and how long each takes.
//!
//! ```text
//! cargo bench --bench gateway
//! ```
//!
//! It starts the real `mdo dev` in an empty folder after `mdo init`, with a usage plan that lets everything in, and asks for
//! the guide's sample over kept-alive connections on loopback: first one at a time, then from several clients at once. The
//! same is done to a server that answers the same bytes from memory, so that what the client and loopback cost is seen
//! beside it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and one that fails here has failed"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../tests/support/http.rs"]
#[expect(dead_code, unreachable_pub, reason = "a benchmark uses the part that it needs")]
mod http;

use http::Message;

const WARM_UP: usize = 200;
const REQUESTS: usize = 5000;
const CLIENTS: [usize; 3] = [1, 2, 8];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mdo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdo"));
        command.args(arguments).current_dir(folder.path());
        command
    };
    assert!(mdo(&["init", "--name", "bench"]).stdout(Stdio::null()).status().unwrap().success());
    let manifest = folder.path().join("project.toml");
    let open = "name = \"bench\"\n[api]\nthrottle = false\nquota = false\n";
    std::fs::write(manifest, open).unwrap();
    let (server, address) = serve(mdo(&["dev", "--port", "0"]));
    let key = mdo(&["key", "show", "--local"]).output().unwrap().stdout;
    let key = String::from_utf8(key).unwrap().trim().to_owned();

    let body = exchange(&mut connect(address), &key).body;
    let plain = answer_from_memory(body);
    println!("{REQUESTS} warm requests for the guide's sample on each connection count");
    println!("| server         | clients | requests/s | p50      | p99      |");
    println!("|----------------|--------:|-----------:|---------:|---------:|");
    for clients in CLIENTS {
        row("mdo dev", address, &key, clients);
        row("from memory", plain, &key, clients);
    }
    end(server);
}

/// Starts `mdo dev`, and answers where it serves.
fn serve(mut command: Command) -> (Child, SocketAddr) {
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let serving = lines.find(|line| line.starts_with("Serving http://")).unwrap();
    let address = serving.split('/').nth(2).unwrap().parse().unwrap();
    thread::spawn(move || lines.for_each(drop));
    (server, address)
}

fn end(mut server: Child) {
    Command::new("kill").args(["-INT", &server.id().to_string()]).status().unwrap();
    server.wait().unwrap();
}

/// A server that answers every request with the same body.
fn answer_from_memory(body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let answer = Message { start: "HTTP/1.1 200 OK".to_owned(), headers, body };
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
                while let Ok(Some(_)) = Message::read_request(&mut reader, &mut writer) {
                    answer.write(&mut writer).unwrap();
                }
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

fn exchange(connection: &mut BufReader<TcpStream>, key: &str) -> Message {
    let host = connection.get_ref().peer_addr().unwrap();
    let request = format!("GET /dev/sample_producer HTTP/1.1\r\nHost: {host}\r\nx-api-key: {key}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let answer = Message::read_response(connection, "GET").unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer
}

fn row(server: &str, address: SocketAddr, key: &str, clients: usize) {
    let run = |requests: usize| {
        let mut connection = connect(address);
        (0..requests)
            .map(|_| {
                let start = Instant::now();
                exchange(&mut connection, key);
                start.elapsed()
            })
            .collect::<Vec<_>>()
    };
    let all = |requests: usize| -> Vec<Duration> {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| run(requests / clients))).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        })
    };
    all(WARM_UP);
    let start = Instant::now();
    let mut times = all(REQUESTS);
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6;
    println!("| {server:<14} | {clients:>7} | {rate:>10.0} | {:>5.0} µs | {:>5.0} µs |", at(0.5), at(0.99));
}
