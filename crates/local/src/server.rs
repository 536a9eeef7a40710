//! Serves one local stack on 127.0.0.1 until it is told to stop.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Either;
use hyper::Request;
use hyper::body::Incoming;
use mdo_engine::{Cause, Error};
use mdo_model::project::{FunctionName, KeyName, Quota};
use mdo_server::gateway::{Gateway, Source, today};
use mdo_server::runtime::Limits;
use mdo_server::{GRACE, accept};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Observer};
use super::admission::{Admission, HostName, Part};
use super::console::{Answer, Console, Notices, Planner};
use super::live::Live;
use super::{LAST_LINES, LocalProvider, admission};

/// The port of a server when none is asked for.
pub const DEFAULT_PORT: u16 = 3000;

/// How long a listener on this machine may take to answer.
const KNOCK: Duration = Duration::from_millis(100);

/// How often usage is written down and changes by other processes are looked for when no request asks.
const ROUND: Duration = Duration::from_secs(1);

/// A function that serves a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The function.
    pub function: FunctionName,
    /// Its version.
    pub version: String,
}

/// What requests reach.
struct Entrance {
    live: Arc<Live>,
    gateway: Gateway,
    admission: Admission,
    console: Arc<Console>,
}

impl Entrance {
    fn new(live: &Arc<Live>, console: Arc<Console>, port: u16, hosts: Vec<HostName>) -> Self {
        let (observer, book) = (Arc::clone(&live.observer), live.provider.book.clone());
        let observer = Arc::new(move |activity| {
            if let mdo_server::Activity::Request(request) = &activity {
                book.request(Arc::clone(request));
            }
            observer(Activity::Served(activity));
        });
        let source = Arc::clone(live) as Arc<dyn Source>;
        let (names, meter) = (live.provider.names.clone(), Arc::clone(&live.meter));
        let gateway = Gateway::new(source, names, meter, observer, port);
        Self { live: Arc::clone(live), gateway, admission: Admission::new(port, hosts), console }
    }
}

/// A local stack that is being served.
pub struct Server {
    address: SocketAddr,
    live: Arc<Live>,
    console: Arc<Console>,
    notices: Arc<Notices>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What a server is told beside its stack.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Names that it goes by, beside those of this machine.
    pub hosts: Vec<HostName>,
    /// What plans a deploy for the console; without it nobody does.
    pub planner: Option<Planner>,
    /// How sandboxes are kept while they have no event.
    pub limits: Limits,
}

impl Server {
    /// Serves what was applied, on [`DEFAULT_PORT`] or another; port 0 lets the system choose. It follows later changes
    /// of the store, those of other processes included. It goes by the names of this machine alone.
    ///
    /// # Errors
    /// When the port is taken, or the state cannot be read.
    pub async fn start(
        provider: &LocalProvider,
        port: Option<u16>,
        observer: Observer,
    ) -> Result<Self, Error> {
        let listener = Self::bind(port.unwrap_or(DEFAULT_PORT)).await?;
        Self::serve(provider, listener, ServeOptions::default(), observer).await
    }

    /// Takes a port and lets requests wait; 0 lets the system choose.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(port: u16) -> Result<TcpListener, Error> {
        // Nobody but this machine: what answers here has no TLS and runs with the user's rights.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        listener.map_err(|error| cannot_listen(port, &error))
    }

    /// As [`Server::start`], on a port that was taken before.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn serve(
        provider: &LocalProvider,
        listener: TcpListener,
        options: ServeOptions,
        observer: Observer,
    ) -> Result<Self, Error> {
        let address = listener.local_addr()?;
        // What a killed server has left may still run, and hold files and ports.
        let _ = tokio::task::spawn_blocking(mdo_server::runtime::sweep).await;
        let notices = Arc::new(Notices::default());
        let live = Live::start(provider.clone(), noting(&notices, observer), options.limits).await?;
        provider.store.save_port(address.port())?;
        let stop = CancellationToken::new();
        let ServeOptions { hosts, planner, limits: _ } = options;
        let console = Console::new(&live, Arc::clone(&notices), planner, address.port(), stop.clone())?;
        let entrance = Arc::new(Entrance::new(&live, Arc::clone(&console), address.port(), hosts));
        let handler = move |request, peer| {
            let entrance = Arc::clone(&entrance);
            async move { answer(&entrance, request, peer).await }
        };
        let tasks = vec![
            tokio::spawn(accept(listener, handler, stop.clone().cancelled_owned())),
            tokio::spawn(keep_up(Arc::clone(&live), stop.clone())),
        ];
        Ok(Self { address, live, console, notices, stop, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the stage, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.live.provider.names.stage)
    }

    /// Where the console is opened, with its token: a secret of the user's.
    pub fn console_url(&self) -> String {
        format!("http://{}{}", self.address, self.console.path())
    }

    /// Tells the console whether the files as they are now are served: `mistake` says why not.
    pub fn edited(&self, mistake: Option<String>) {
        self.notices.edited(mistake);
    }

    /// Tells the console what a reload has changed, a line for each change.
    pub fn reloaded(&self, changes: Vec<String>) {
        self.notices.reloaded(changes);
    }

    /// The quota of the usage plan, and how much of it each key has used today, this week or this month.
    pub fn used(&self) -> Option<(Quota, BTreeMap<KeyName, u32>)> {
        self.live.lock_meter().used(today())
    }

    /// Serves what was applied since, without failing a request, and answers which functions changed. A request does
    /// the same by itself; this makes it happen now.
    ///
    /// # Errors
    /// When the state cannot be read; the last one stays in force.
    pub async fn reload(&self) -> Result<Vec<Reloaded>, Error> {
        self.live.follow(false).await
    }

    /// Accepts nothing more, finishes what is in flight within a few seconds, and ends every sandbox.
    pub async fn shutdown(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A task that panicked has nothing left to finish.
            let _ = task.await;
        }
        let _ = tokio::time::timeout(GRACE, self.live.stop()).await;
        let book = self.live.provider.book.clone();
        let _ = tokio::task::spawn_blocking(move || book.finish(LAST_LINES)).await;
        self.live.save();
        // Nobody is told of a port where nobody listens; who finds one all the same tries it first.
        let _ = self.live.provider.store.forget_port(self.address.port());
    }
}

/// Whether anybody listens on a port of this machine.
pub(super) fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    std::net::TcpStream::connect_timeout(&address, KNOCK).is_ok()
}

fn cannot_listen(port: u16, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Error::new(Cause::Concurrent, format!("port {port} on 127.0.0.1 is taken by another process"))
                .with_help("choose another one with --port, or any free one with --port 0")
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(Cause::Other, format!("port {port} is not open to you"))
                .with_help("choose one above 1023 with --port")
        }
        _ => Error::new(Cause::Other, format!("cannot listen on 127.0.0.1:{port}: {error}")),
    }
}

/// The console, and the stage below its name, for whom they are meant.
async fn answer(entrance: &Entrance, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    let (head, body) = request.into_parts();
    let is_console = Console::is_asked(&head);
    let part = match is_console {
        true => Part::Page,
        // Only a page may be of another origin; for anybody else nothing has to be looked up.
        false if !admission::is_of_page(&head.headers) => Part::Api { cors: false },
        false => Part::Api { cors: entrance.live.current().await.front.allows_cors() },
    };
    if let Err(unwelcome) = entrance.admission.check(&head, part) {
        let reason = unwelcome.reason(part);
        (entrance.live.observer)(Activity::problem(format!(
            "refused {} {}: {reason}",
            head.method,
            head.uri.path()
        )));
        return admission::refusal(&reason, part);
    }
    if is_console {
        return entrance.console.answer(&head, body).await;
    }
    entrance.gateway.handle(Request::from_parts(head, body), peer).await.map(Either::Left)
}

/// An observer that lets the console know as well.
fn noting(notices: &Arc<Notices>, observer: Observer) -> Observer {
    let notices = Arc::clone(notices);
    Arc::new(move |activity| {
        notices.note(&activity);
        observer(activity);
    })
}

/// Sees changes by other processes, and writes usage down, also when no request asks.
async fn keep_up(live: Arc<Live>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = stop.cancelled() => return,
        }
        live.current().await;
        let saving = Arc::clone(&live);
        let _ = tokio::task::spawn_blocking(move || saving.save()).await;
    }
}
