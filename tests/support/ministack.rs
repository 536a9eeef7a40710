//! One MiniStack server per test process: an emulator of what hosting needs and LocalStack has not. Started on first use, on a
//! loopback port, and ended with the process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::python_server::{PythonServer, Started, are_unwanted};

const SERVER: PythonServer = PythonServer {
    requirements: &["ministack==1.5.33"],
    module: "ministack.app",
    folder: "emulator-ministack",
    health: "/_ministack/health",
    listens: |command, address| {
        command.env("BIND_HOST", address.ip().to_string());
        command.env("GATEWAY_PORT", address.port().to_string()).env("LOG_LEVEL", "WARNING");
    },
};

/// The same server, which asks IAM about every call.
const GUARDED: PythonServer = PythonServer {
    listens: |command, address| {
        command.env("AUTH", "true");
        (SERVER.listens)(command, address);
    },
    ..SERVER
};

/// A running MiniStack.
pub struct Ministack {
    server: Started,
    accounts: AtomicU64,
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
        Ministack::started(SHARED.get_or_init(|| Ministack::start(&SERVER, root, target)))
    }

    /// As [`Ministack::shared`], one that asks IAM about every call. Whoever has an account's id as access key may do anything there.
    pub fn guarded(root: &Path, target: &Path) -> Option<&'static Ministack> {
        static GUARDED_ONE: OnceLock<Result<Option<Ministack>, String>> = OnceLock::new();
        Ministack::started(GUARDED_ONE.get_or_init(|| Ministack::start(&GUARDED, root, target)))
    }

    fn start(server: &PythonServer, root: &Path, target: &Path) -> Result<Option<Ministack>, String> {
        if are_unwanted() {
            return Ok(None);
        }
        let server = server.start(root, target)?;
        Ok(Some(Ministack { server, accounts: AtomicU64::new(200_000_000_001) }))
    }

    fn started(shared: &'static Result<Option<Ministack>, String>) -> Option<&'static Ministack> {
        match shared {
            Ok(server) => server.as_ref(),
            Err(error) => panic!("no MiniStack: {error}"),
        }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The Python that it runs on, which has a client of AWS as well.
    pub fn python(&self) -> &Path {
        &self.server.python
    }

    /// A folder for what this run leaves.
    pub fn run(&self) -> &Path {
        &self.server.run
    }

    /// The id of a fresh account, whose resources no other test sees; the server takes such an access key as the account's id.
    pub fn account(&self) -> String {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        format!("{number:012}")
    }
}
