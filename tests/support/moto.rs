//! Moto, for what MiniStack has not: autoscaling that checks what it is asked for.

use std::net::SocketAddr;
use std::path::Path;

use super::python_server::{PythonServer, Started, are_unwanted};

/// Without what its `server` extra brings for services that are not asked for here: 17 s to install instead of minutes.
const SERVER: PythonServer = PythonServer {
    requirements: &["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
    module: "moto.server",
    folder: "emulator-moto",
    health: "/moto-api/",
    listens: |command, address| {
        command.args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()]);
    },
};

/// A running moto. It ends when this process ends.
pub struct Moto(Started);

impl Moto {
    /// A server for one test, or nothing if `MDO_TEST_NO_EMULATOR=1` says to do without.
    ///
    /// # Panics
    ///
    /// With one line, if it cannot be installed or started.
    pub fn start(root: &Path, target: &Path) -> Option<Moto> {
        if are_unwanted() {
            return None;
        }
        Some(Moto(SERVER.start(root, target).unwrap_or_else(|error| panic!("no moto: {error}"))))
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}
