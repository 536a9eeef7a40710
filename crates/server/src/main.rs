//! `mdo-server STACK.json`: serves a frozen stage; what a container of a hosted stage runs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use mdo_server::{Frozen, serve_frozen};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where it listens when `MDO_LISTEN` does not say.
const LISTEN: &str = "127.0.0.1:8080";

const USAGE: &str = "usage: mdo-server STACK.json    (MDO_LISTEN=ADDRESS:PORT, default 127.0.0.1:8080)";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let frozen = Frozen::read(Path::new(&path))?;
    let listen = std::env::var("MDO_LISTEN").unwrap_or_else(|_| LISTEN.to_owned());
    let listen: SocketAddr =
        listen.parse().map_err(|_| format!("MDO_LISTEN is `{listen}`, not an address with a port"))?;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    say(&format!("serving stage {} on http://{}", frozen.stage, listener.local_addr()?));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve_frozen(&frozen, listener, Arc::new(|activity| say(&activity.to_string())), stop).await;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the program's log")]
fn say(line: &str) {
    eprintln!("{line}");
}
