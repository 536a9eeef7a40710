//! `mdo-server STACK.json`: serves a frozen stage; what a container of a hosted stage runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mdo_server::{Activity, Frozen, Teller, serve_frozen};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where it listens when `MDO_LISTEN` does not say.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const USAGE: &str = "usage: mdo-server STACK.json    (MDO_LISTEN=ADDRESS:PORT, default 127.0.0.1:8080)";

/// The exit code of what the user has to change: the command line, the file or `MDO_LISTEN`. As that of `mdo`.
const UNACCEPTABLE: u8 = 2;

/// How long the end of the log is given to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the program ends without having served.
enum Failure {
    /// The command line is not one of ours.
    Usage,
    /// The file or the address is not acceptable.
    Configuration(String),
    /// The system does not let it.
    System(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage) => {
            say(USAGE);
            ExitCode::from(UNACCEPTABLE)
        }
        Err(Failure::Configuration(why)) => {
            say(&format!("error: {why}"));
            ExitCode::from(UNACCEPTABLE)
        }
        Err(Failure::System(why)) => {
            say(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}

#[tokio::main]
async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else { return Err(Failure::Usage) };
    let frozen = Frozen::read(Path::new(&path)).map_err(|error| Failure::Configuration(error.to_string()))?;
    let listen = listen_address()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::System(format!("cannot listen on {listen}: {error}")))?;
    say(&format!("serving stage {} on http://{}", frozen.stage, listener.local_addr()?));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let teller = Teller::start(say);
    let observer = teller.clone();
    serve_frozen(&frozen, listener, Arc::new(move |activity: Activity| activity.tell(&observer)), stop).await;
    teller.finish(LAST_WORDS);
    Ok(())
}

/// Where to listen: an address as it is, because a name may stand for several.
fn listen_address() -> Result<SocketAddr, Failure> {
    let Some(given) = std::env::var_os("MDO_LISTEN") else { return Ok(LISTEN) };
    let address = given.to_str().and_then(|given| given.parse().ok());
    address.ok_or_else(|| {
        let given = given.display();
        Failure::Configuration(format!(
            "MDO_LISTEN is `{given}`, not an IP address with a port, as in 0.0.0.0:8080"
        ))
    })
}

#[expect(clippy::print_stderr, reason = "the program's log")]
fn say(line: &str) {
    eprintln!("{line}");
}
