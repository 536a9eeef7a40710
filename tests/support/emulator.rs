//! One LocalStack server per test process: started on first use, on a loopback port, and ended with the process.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::account::{Account, Emulated, REGION};
use super::client::Client;
use super::http;
use super::python;
use super::uv;
use super::venv::tail;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/localstack");
/// What runs the functions of managed Python runtimes there; see `mdo_localstack.py`.
const PYTHON_CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/server/src/runtime/clients/python");
const SERVICES: [(&str, &str); 9] = [
    ("sts", "get_caller_identity"),
    ("iam", "list_roles"),
    ("s3", "list_buckets"),
    ("lambda", "list_functions"),
    ("apigateway", "get_rest_apis"),
    ("events", "list_rules"),
    ("logs", "describe_log_groups"),
    ("ssm", "describe_parameters"),
    ("secretsmanager", "list_secrets"),
];
const START_DEADLINE: Duration = Duration::from_secs(120);
const RUNS_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A running LocalStack. It ends when this process ends, in whatever way: see `start.py`.
pub struct Emulator {
    address: SocketAddr,
    client: Client,
    nobody: PathBuf,
    accounts: AtomicU64,
    _server: Child,
}

impl Emulator {
    /// The server of this test process, or nothing if `MDO_TEST_NO_EMULATOR=1` says to do without.
    ///
    /// The first call installs what is missing into `target/emulator/venv` and starts the server.
    ///
    /// # Panics
    ///
    /// With one line, the same in every test, if the emulator cannot be installed or started.
    pub fn shared() -> Option<&'static Emulator> {
        static SHARED: OnceLock<Result<Option<Emulator>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            if std::env::var_os("MDO_TEST_NO_EMULATOR").is_some_and(|value| value == "1") {
                say("skipping the tests that need the emulator: MDO_TEST_NO_EMULATOR=1");
                return Ok(None);
            }
            Emulator::start().map(Some)
        });
        match shared {
            Ok(emulator) => emulator.as_ref(),
            Err(error) => panic!("no emulator: {error}"),
        }
    }

    /// A fresh account, whose resources no other test sees.
    pub fn account(&'static self) -> Account {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        Account::new(self, format!("{number:012}"))
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's endpoint, as `AWS_ENDPOINT_URL` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn start() -> Result<Emulator, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .ok_or("the target folder has no parent")?
            .join("emulator");
        let python = python::installed(Path::new(SOURCES), &folder)?;
        let run = new_run(&folder.join("runs")).map_err(|error| error.to_string())?;
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let log = run.join("server.log");
        let mut server = launch(&python, &run, address, &log)
            .map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        wait_until_healthy(&mut server, address, &log)?;
        let emulator = Emulator {
            address,
            client: Client::start(&python, Path::new(SOURCES))?,
            nobody: run.join("nobody"),
            accounts: AtomicU64::new(100_000_000_001),
            _server: server,
        };
        emulator.touch_services()?;
        Ok(emulator)
    }

    /// Calls each service once: the server loads a service on its first call, which would count as that call's time. One after
    /// another, because modules of Python that need each other cannot be loaded by two threads at once.
    fn touch_services(&self) -> Result<(), String> {
        SERVICES.iter().try_for_each(|(service, operation)| {
            let call = json!({
                "endpoint": self.url(), "region": REGION, "account": "100000000000",
                "service": service, "operation": operation, "params": {},
            });
            self.client.call(call).map(drop)
        })
    }
}

impl Emulated for Emulator {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn has_servers(&self) -> bool {
        false
    }

    fn nobody(&self) -> &Path {
        &self.nobody
    }
}

/// Writes a line that the test harness does not capture.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn new_run(runs: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(runs)?;
    for entry in fs::read_dir(runs)?.flatten() {
        let age = entry.metadata().and_then(|about| about.modified());
        if age.is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() > RUNS_KEPT_FOR) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let run = runs.join(std::process::id().to_string());
    let _ = fs::remove_dir_all(&run);
    for folder in ["state/home", "state/volume", "state/tmp", "nobody"] {
        fs::create_dir_all(run.join(folder))?;
    }
    Ok(run)
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn launch(python: &Path, run: &Path, address: SocketAddr, log: &Path) -> io::Result<Child> {
    let state = run.join("state");
    let output = File::create(log)?;
    Command::new(python)
        .arg("-P") // The plugin is the installed one, not the file beside the script.
        .arg(Path::new(SOURCES).join("start.py"))
        .arg(&state)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", state.join("home"))
        .env("TMPDIR", state.join("tmp"))
        .env("LOCALSTACK_VOLUME_DIR", state.join("volume"))
        .env("GATEWAY_SERVER", "hypercorn")
        .env("GATEWAY_LISTEN", address.to_string())
        .env("LAMBDA_RUNTIME_EXECUTOR", "native")
        .env(
            "MDO_LAMBDA_PYTHONS",
            json!({ uv::python().runtime.to_string(): uv::python().program }).to_string(),
        )
        .env("MDO_LAMBDA_PYTHON_CLIENT", PYTHON_CLIENT)
        .env("DISABLE_EVENTS", "1")
        .env("SKIP_SSL_CERT_DOWNLOAD", "1")
        .env("DNS_ADDRESS", "0")
        .current_dir(run)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

fn wait_until_healthy(server: &mut Child, address: SocketAddr, log: &Path) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let health = http::request(address, "GET", "/_localstack/health", &[], b"");
        if health.is_ok_and(|answer| answer.status() == 200) {
            return Ok(());
        }
        let ended = server.try_wait().ok().flatten();
        if ended.is_some() || begun.elapsed() > START_DEADLINE {
            let _ = server.kill();
            let why = match ended {
                Some(status) => format!("LocalStack ended with {status}"),
                None => format!("LocalStack was not ready after {START_DEADLINE:?}"),
            };
            return Err(format!("{why}; the end of {}:\n{}", log.display(), tail(log)));
        }
        thread::sleep(Duration::from_millis(50));
    }
}
