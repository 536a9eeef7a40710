//! A server from PyPI, installed on first use into a folder of its own below `target/`, on a loopback port. It ends when this process
//! ends, in whatever way: see `servers/start.py`.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::http;
use super::venv::{tail, with_packages};

const START: &str = "tests/support/servers/start.py";
const START_DEADLINE: Duration = Duration::from_secs(120);

/// What is started, and how it is known to be ready.
pub struct PythonServer {
    /// What pip installs.
    pub requirements: &'static [&'static str],
    /// The module whose `main` is the server.
    pub module: &'static str,
    /// The folder below `target/`.
    pub folder: &'static str,
    /// The path that answers 200 once it is ready.
    pub health: &'static str,
    /// What tells it where to listen.
    pub listens: fn(&mut Command, SocketAddr),
}

/// A server that runs.
pub struct Started {
    pub address: SocketAddr,
    /// The Python that it runs on.
    pub python: PathBuf,
    /// A folder for what this run leaves.
    pub run: PathBuf,
    _child: Child,
}

impl PythonServer {
    /// Installs what is missing, and starts it. `root` is the workspace's folder, and `target` where it builds to.
    pub fn start(&self, root: &Path, target: &Path) -> Result<Started, String> {
        let folder = target.join(self.folder);
        let python = with_packages(&folder, Path::new("python3"), self.requirements)?;
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = address.map_err(|error| format!("no free port: {error}"))?;
        // Of one server there may be several in a process.
        let run = folder.join("runs").join(format!("{}-{}", std::process::id(), address.port()));
        let log = run.join("server.log");
        let launched = self.launch(&python, &root.join(START), &run, address, &log);
        let mut child = launched.map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        self.wait_until_ready(&mut child, address, &log)?;
        Ok(Started { address, python, run, _child: child })
    }

    fn launch(
        &self,
        python: &PathBuf,
        script: &Path,
        run: &Path,
        address: SocketAddr,
        log: &Path,
    ) -> std::io::Result<Child> {
        fs::create_dir_all(run)?;
        let output = File::create(log)?;
        let mut command = Command::new(python);
        command
            .arg(script)
            .arg(self.module)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("HOME", run)
            .env("TMPDIR", run);
        (self.listens)(&mut command, address);
        let command = command.current_dir(run).stdin(Stdio::piped());
        command.stdout(output.try_clone()?).stderr(output).spawn()
    }

    fn wait_until_ready(&self, child: &mut Child, address: SocketAddr, log: &Path) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let health = http::request(address, "GET", self.health, &[], b"");
            if health.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            let ended = child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > START_DEADLINE {
                let _ = child.kill();
                let why = match ended {
                    Some(status) => format!("it ended with {status}"),
                    None => format!("it was not ready after {START_DEADLINE:?}"),
                };
                return Err(format!("{why}; the end of {}:\n{}", log.display(), tail(log)));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether the tests are to do without emulators: `MDO_TEST_NO_EMULATOR=1`.
pub fn are_unwanted() -> bool {
    std::env::var_os("MDO_TEST_NO_EMULATOR").is_some_and(|value| value == "1")
}
