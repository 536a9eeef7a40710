//! `mdo-server [--listen ADDRESS] [STACK.json]`: serves a hosted stage; what a container of it runs.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use mdo_model::hosted::{PORT, STACK_FILE};
use mdo_server::hosted::{Hosted, Log, Stop, serve};
use mdo_server::runtime::reap_orphans;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

const USAGE: &str = "usage: mdo-server [--listen ADDRESS] [STACK.json]

It serves STACK.json (default /stack.json) at the stage that MDO_STAGE describes, on the port PORT (default 8080) of ADDRESS (default
127.0.0.1; 0.0.0.0 for everybody). MDO_LISTEN=ADDRESS:PORT wins over both.";

/// The exit code of what the user has to change: the command line, the file or the environment. As that of `mdo`.
const UNACCEPTABLE: u8 = 2;

/// The exit code after a second signal.
const INTERRUPTED: u8 = 130;

/// How long the end of the log is given to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the program ends in another way than after an orderly stop.
enum Failure {
    /// The command line is not one of ours.
    Usage,
    /// The file or the environment is not acceptable.
    Configuration(String),
    /// The system does not let it.
    System(String),
    /// It was told to end a second time.
    Interrupted,
}

/// The command line.
struct Arguments {
    address: IpAddr,
    stack: PathBuf,
}

fn main() -> ExitCode {
    let (code, why) = match run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage) => (UNACCEPTABLE, USAGE.to_owned()),
        Err(Failure::Configuration(why)) => (UNACCEPTABLE, format!("error: {why}")),
        Err(Failure::System(why)) => (1, format!("error: {why}")),
        Err(Failure::Interrupted) => return ExitCode::from(INTERRUPTED),
    };
    say(&why);
    ExitCode::from(code)
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}

fn run() -> Result<(), Failure> {
    let arguments = Arguments::parse(std::env::args_os().skip(1)).ok_or(Failure::Usage)?;
    let variable = |name: &str| std::env::var_os(name);
    let hosted = Hosted::read(&arguments.stack, variable)
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    let listen = listen_address(arguments.address, variable)?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(run_server(&hosted, listen));
    // A second signal does not wait for whatever still runs.
    runtime.shutdown_background();
    outcome
}

/// Half of the processors at most: functions need the others, and to hand work from one thread to another costs more than a small task has.
fn runtime() -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(1, |all| all.get() / 2);
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads.max(1)).enable_all().build()
}

async fn run_server(hosted: &Hosted, listen: SocketAddr) -> Result<(), Failure> {
    let (mut first, mut again) = (Stop::listen()?, Stop::listen()?);
    reap_orphans()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::System(format!("cannot listen on {listen}: {error}")))?;
    let log = Log::start(hosted.names());
    log.server("serving", Some(&format!("http://{}", listener.local_addr()?)));
    let second = async {
        again.asked().await;
        again.asked().await;
    };
    let outcome = tokio::select! {
        () = serve(hosted, listener, &log, first.asked()) => {
            log.server("stopped", None);
            Ok(())
        }
        () = second => {
            log.server("interrupted", Some("a second signal: what was running is lost"));
            Err(Failure::Interrupted)
        }
    };
    log.finish(LAST_WORDS);
    outcome
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = OsString>) -> Option<Self> {
        let (mut address, mut stack) = (None, None);
        while let Some(argument) = given.next() {
            if argument == "--listen" && address.is_none() {
                address = Some(given.next()?.to_str()?.parse().ok()?);
            } else if stack.is_none() && !argument.as_encoded_bytes().starts_with(b"-") {
                stack = Some(PathBuf::from(argument));
            } else {
                return None;
            }
        }
        Some(Self {
            address: address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            stack: stack.unwrap_or_else(|| Path::new(STACK_FILE).to_owned()),
        })
    }
}

/// Where to listen: an address as it is, because a name may stand for several.
fn listen_address(
    address: IpAddr,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<SocketAddr, Failure> {
    let fault = |name: &str, given: &OsString, wanted: &str| {
        Failure::Configuration(format!("{name} is `{}`, not {wanted}", given.display()))
    };
    if let Some(given) = variable("MDO_LISTEN") {
        let address = given.to_str().and_then(|given| given.parse().ok());
        return address
            .ok_or_else(|| fault("MDO_LISTEN", &given, "an IP address with a port, as in 0.0.0.0:8080"));
    }
    let port = match variable("PORT") {
        None => PORT,
        Some(given) => {
            let port = given.to_str().and_then(|given| given.parse().ok());
            port.ok_or_else(|| fault("PORT", &given, "a port from 0 to 65535"))?
        }
    };
    Ok(SocketAddr::new(address, port))
}

#[expect(clippy::print_stderr, reason = "why the program does not serve")]
fn say(line: &str) {
    eprintln!("{line}");
}
