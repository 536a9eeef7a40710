//! `cargo lambda watch`, and bootstraps that ask somebody for events.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::venv::with_packages;

/// How many bootstraps there are: one for each core.
const BOOTSTRAPS: usize = 2;

/// A process that ends with the benchmark.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bootstraps that ask a Runtime API for events.
pub(crate) fn bootstraps(bootstrap: PathBuf, api: &str) -> Vec<Running> {
    let start = |_| {
        let mut command = Command::new(&bootstrap);
        command.env("AWS_LAMBDA_RUNTIME_API", api).env("N_CLASSES", "2");
        command.envs([("AWS_LAMBDA_FUNCTION_NAME", "sample_producer"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")]);
        command.envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_LAMBDA_LOG_GROUP_NAME", "")]);
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "").stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    };
    let running = (0..BOOTSTRAPS).map(start).collect();
    // An event that comes before the first bootstrap has asked for one is never answered by cargo lambda.
    std::thread::sleep(Duration::from_secs(1));
    running
}

/// `cargo lambda`, from PyPI.
pub(crate) struct CargoLambda {
    program: PathBuf,
    folder: TempDir,
}

/// It serves.
pub(crate) struct Watched {
    address: SocketAddr,
    _bootstraps: Vec<Running>,
    _server: Running,
}

impl Watched {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl CargoLambda {
    /// Where it takes an event as it is. Its function URL answers 500 to what API Gateway takes from this function.
    pub(crate) const INVOCATIONS: &str = "/2015-03-31/functions/sample_producer/invocations";

    pub(crate) fn install() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cargo-lambda");
        let python = with_packages(&folder, Path::new("python3"), &["cargo-lambda"]).unwrap();
        let package = tempfile::tempdir().unwrap();
        // It starts in a package only, and builds nothing of it here.
        fs::create_dir_all(package.path().join("src")).unwrap();
        fs::write(package.path().join("src/main.rs"), "fn main() {}\n").unwrap();
        let manifest =
            "[package]\nname = \"sample_producer\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(package.path().join("Cargo.toml"), manifest).unwrap();
        Self { program: python.with_file_name("cargo-lambda"), folder: package }
    }

    pub(crate) fn watch(&self, bootstrap: PathBuf) -> Watched {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(&self.program);
        command.args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"]);
        command.args(["--invoke-port", &address.port().to_string()]).current_dir(self.folder.path());
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Running(server);
        while TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let bootstraps = bootstraps(bootstrap, &format!("http://{address}/.rt/sample_producer"));
        Watched { address, _bootstraps: bootstraps, _server: server }
    }
}
