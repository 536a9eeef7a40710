//! What a Python function costs on this machine beyond Python itself: the guide's function warm through the gateway and cold, and our
//! client of the Runtime API beside an interpreter that does nothing.
//!
//! ```text
//! cargo bench --bench python
//! ```
//!
//! It needs Python 3.13, and installs scikit-learn below `target/` once. Where the guide's answer is not the golden one, it fails.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, and one that fails here has failed"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

#[path = "../tests/support/http.rs"]
#[expect(dead_code, unreachable_pub, reason = "a benchmark uses the part that it needs")]
mod http;
#[path = "../tests/support/venv.rs"]
#[expect(unreachable_pub, reason = "a part of the tests, too")]
mod venv;

use http::Message;

/// The guide's function, with the one change that it needs for Python 3.
const GUIDE: &str = r#"import json
import os
from sklearn.datasets import make_classification

def handle(event, context):
    x, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=0,
                               n_clusters_per_class=1, n_classes=int(os.environ["N_CLASSES"]))
    body = {"vec_0": list(x[:, 0]), "vec_1": list(x[:, 1]), "target": y.tolist()}
    return {"statusCode": 200, "body": json.dumps(body)}
"#;

/// The SHA-256 of its answer for two classes.
const GOLDEN: &str = "d7003557ca6a63caa1cdff5fa123796b16be3499f366ccf2879d19a27e0e9241";

const EMPTY: &str = "def handle(event, context): return {\"statusCode\": 200, \"body\": \"\"}\n";

const COLD: usize = 15;
const WARM_UP: usize = 50;
const WARM: usize = 1000;

fn main() {
    let base = mdo_package::find_python(13, Path::new("/")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = venv::with_packages(&target.join("managed/guide"), &base, &["scikit-learn==1.9.1"]).unwrap();
    let project = Project::new(&python);

    let code = project.folder.path().join("functions/guide");
    let pass = || timed(|| run(Command::new(&python).args(["-s", "-c", "pass"])));
    let import =
        || timed(|| run(Command::new(&python).args(["-s", "-c", "import sample"]).env("PYTHONPATH", &code)));
    // In turns: what else the machine does is the same for all of them.
    let rounds: Vec<_> =
        (0..COLD).map(|_| [pass(), project.init("empty"), import(), project.init("guide")]).collect();
    let [bare, empty, imported, guide] = [0, 1, 2, 3].map(|at| median(rounds.iter().map(|round| round[at])));
    println!("cold, median of {COLD}");
    println!("| {:<42} | {:>9} |", "python3.13 -c pass", shown(bare));
    println!("| {:<42} | {:>9} |", "an empty function, until its first event", shown(empty));
    println!("| {:<42} | {:>9} |", "python3.13 -c 'import sample', the guide's", shown(imported));
    println!("| {:<42} | {:>9} |", "the guide's function, until its first event", shown(guide));

    let (server, address) = project.serve();
    let mut connection = BufReader::new(TcpStream::connect(address).unwrap());
    connection.get_ref().set_nodelay(true).unwrap();
    let key = project.key();
    let first = timed(|| drop(exchange(&mut connection, "guide", &key)));
    let body = exchange(&mut connection, "guide", &key).body;
    assert_eq!(format!("{:x}", Sha256::digest(&body)), GOLDEN, "not the guide's answer");
    println!("| {:<42} | {:>9} |", "its first answer through the gateway", shown(first));
    println!("\nwarm through the gateway, {WARM} requests one at a time");
    for function in ["empty", "guide"] {
        (0..WARM_UP).for_each(|_| drop(exchange(&mut connection, function, &key)));
        let mut times: Vec<_> =
            (0..WARM).map(|_| timed(|| drop(exchange(&mut connection, function, &key)))).collect();
        times.sort_unstable();
        println!(
            "| {function:<8} | p50 {:>9} | p99 {:>9} |",
            shown(times[WARM / 2]),
            shown(times[WARM * 99 / 100])
        );
    }
    end(server);
}

/// A deployed project with the guide's function and an empty one.
struct Project {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Project {
    fn new(python: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("project.toml", "name = \"bench\"\n[api]\nthrottle = false\nquota = false\n");
        for (name, code) in [("guide", GUIDE), ("empty", EMPTY)] {
            write(&format!("functions/{name}/sample.py"), code);
            let settings = format!(
                r#"{{"runtime": "python3.13", "handler": "sample.handle", "memory": 1024, "routes": ["GET /{name}"]}}"#
            );
            write(&format!("functions/{name}/function.json"), &settings);
        }
        let project = Self { folder, python: python.to_owned() };
        let classes = ["deploy", "--local", "--yes", "-s", "N_CLASSES=2"];
        assert!(project.mdo(&classes).stdout(Stdio::null()).status().unwrap().success());
        project
    }

    fn mdo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdo"));
        command.args(arguments).current_dir(self.folder.path()).env("MDO_PYTHON", &self.python);
        command
    }

    /// How long a sandbox of the function took to ask for its first event.
    fn init(&self, function: &str) -> Duration {
        let output = self.mdo(&["invoke", function, "{}", "--local", "--logs"]).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        let init = log.split("Init Duration: ").nth(1).and_then(|rest| rest.split(' ').next());
        Duration::from_secs_f64(init.unwrap().parse::<f64>().unwrap() / 1000.0)
    }

    /// Starts `mdo dev`, and answers where it serves.
    fn serve(&self) -> (Child, SocketAddr) {
        let mut command = self.mdo(&["dev", "--port", "0", "-s", "N_CLASSES=2"]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving = lines.find(|line| line.starts_with("Serving http://")).unwrap();
        let address = serving.split('/').nth(2).unwrap().parse().unwrap();
        thread::spawn(move || lines.for_each(drop));
        (server, address)
    }

    fn key(&self) -> String {
        let output = self.mdo(&["key", "show", "--local"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn exchange(connection: &mut BufReader<TcpStream>, function: &str, key: &str) -> Message {
    let host = connection.get_ref().peer_addr().unwrap();
    let request = format!("GET /dev/{function} HTTP/1.1\r\nHost: {host}\r\nx-api-key: {key}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    Message::read_response(connection, "GET").unwrap()
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success());
}

fn end(mut server: Child) {
    Command::new("kill").args(["-INT", &server.id().to_string()]).status().unwrap();
    server.wait().unwrap();
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn shown(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
