//! One MiniStack server per test process: an emulator of what hosting needs and LocalStack has not. Started on first use, on a
//! loopback port, and ended with the process.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::http;
use super::venv::{tail, with_packages};

const REQUIREMENTS: [&str; 1] = ["ministack==1.5.33"];
const START: &str = "tests/support/ministack/start.py";
const START_DEADLINE: Duration = Duration::from_secs(120);

/// A running MiniStack. It ends when this process ends, in whatever way: see `start.py`.
pub struct Ministack {
    address: SocketAddr,
    python: PathBuf,
    run: PathBuf,
    accounts: AtomicU64,
    _server: Child,
}

impl Ministack {
    /// The server of this test process, or nothing if `MDO_TEST_NO_EMULATOR=1` says to do without. `root` is the workspace's
    /// folder, and `target` where it builds to.
    ///
    /// The first call installs what is missing into `target/emulator-ministack` and starts the server.
    ///
    /// # Panics
    ///
    /// With one line, the same in every test, if it cannot be installed or started.
    pub fn shared(root: &Path, target: &Path) -> Option<&'static Ministack> {
        static SHARED: OnceLock<Result<Option<Ministack>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            if std::env::var_os("MDO_TEST_NO_EMULATOR").is_some_and(|value| value == "1") {
                return Ok(None);
            }
            Ministack::start(&root.join(START), &target.join("emulator-ministack")).map(Some)
        });
        match shared {
            Ok(server) => server.as_ref(),
            Err(error) => panic!("no MiniStack: {error}"),
        }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Python that it runs on, which has a client of AWS as well.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// A folder for what this run leaves.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The id of a fresh account, whose resources no other test sees; the server takes such an access key as the account's id.
    pub fn account(&self) -> String {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        format!("{number:012}")
    }

    fn start(script: &Path, folder: &Path) -> Result<Ministack, String> {
        let python = with_packages(folder, Path::new("python3"), &REQUIREMENTS)?;
        let run = folder.join("runs").join(std::process::id().to_string());
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let log = run.join("server.log");
        let mut server = launch(&python, script, &run, address, &log)
            .map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        wait_until_healthy(&mut server, address, &log)?;
        let accounts = AtomicU64::new(200_000_000_001);
        Ok(Ministack { address, python, run, accounts, _server: server })
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn launch(
    python: &Path,
    script: &Path,
    run: &Path,
    address: SocketAddr,
    log: &Path,
) -> std::io::Result<Child> {
    fs::create_dir_all(run)?;
    let output = File::create(log)?;
    Command::new(python)
        .arg(script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", run)
        .env("TMPDIR", run)
        .env("BIND_HOST", address.ip().to_string())
        .env("GATEWAY_PORT", address.port().to_string())
        .env("LOG_LEVEL", "WARNING")
        .current_dir(run)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

fn wait_until_healthy(server: &mut Child, address: SocketAddr, log: &Path) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let health = http::request(address, "GET", "/_ministack/health", &[], b"");
        if health.is_ok_and(|answer| answer.status() == 200) {
            return Ok(());
        }
        let ended = server.try_wait().ok().flatten();
        if ended.is_some() || begun.elapsed() > START_DEADLINE {
            let _ = server.kill();
            let why = match ended {
                Some(status) => format!("it ended with {status}"),
                None => format!("it was not ready after {START_DEADLINE:?}"),
            };
            return Err(format!("{why}; the end of {}:\n{}", log.display(), tail(log)));
        }
        thread::sleep(Duration::from_millis(50));
    }
}
