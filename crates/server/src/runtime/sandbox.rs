//! One sandbox: a process, its Runtime API, its log and its temporary folder, which live and end together.
//!
//! Without root a sandbox cannot have a `/tmp` of its own: it gets a folder of its own as `TMPDIR`, and shares `/tmp`.
//! The folder goes with the sandbox; when mdo itself is killed, the next one removes it.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::api;
use super::environment::{Placement, environment};
use super::failure::{Failure, entrypoint};
use super::freezer::Freezer;
use super::leftovers::TemporaryFolder;
use super::logs::SandboxLog;
use super::mailbox::{Answered, Mailbox, PendingEvent, Report};
use super::memory::{self, Watermark};
use super::process::Process;
use super::slots::Slot;
use super::spec::{FunctionSpec, Limits};

/// How often the memory of a busy sandbox is looked at.
const MEMORY_POLL: Duration = Duration::from_millis(100);
/// How long a killed process is waited for; one that hangs in the kernel is left to its thread.
const KILL_WAIT: Duration = Duration::from_secs(2);

/// A started sandbox. Dropping it kills its processes.
pub(super) struct Sandbox {
    process: Process,
    mailbox: Arc<Mailbox>,
    log: Arc<SandboxLog>,
    freezer: Arc<Freezer>,
    memory_kb: u64,
    watermark: Box<Watermark>,
    killed: bool,
    /// How long the initialisation took.
    pub init: Duration,
    /// The end of the free part of the initialisation: the first event's clock runs from here at the latest.
    pub free_until: Instant,
    _tasks: JoinSet<()>,
    _temporary: TemporaryFolder,
    slot: Slot,
}

/// How an event ended.
pub(super) enum Ending {
    Answered(Answered),
    Failed(Failure),
    /// The process ended before it fetched the event.
    NotFetched(ExitStatus),
}

enum Watched<T> {
    Came(T),
    Exited(ExitStatus),
    TimedOut,
    OutOfMemory,
}

impl Sandbox {
    /// Starts the process and waits until it asks for its first event.
    pub(super) async fn start(
        spec: &FunctionSpec,
        limits: Limits,
        log: Arc<SandboxLog>,
        slot: Slot,
    ) -> Result<Self, Failure> {
        let (mut sandbox, ready) = Self::launch(spec, limits, log, slot).await?;
        let begun = sandbox.free_until - limits.init;
        let deadline = sandbox.free_until + spec.timeout;
        let failure = match sandbox.watch(ready, deadline).await {
            Watched::Came(Ok(())) => {
                sandbox.init = begun.elapsed();
                return Ok(sandbox);
            }
            Watched::Came(Err(report)) => {
                Failure::Reported { document: report.document, error_type: report.error_type }
            }
            Watched::Exited(status) => Failure::Exit(status),
            Watched::TimedOut => Failure::Timeout(spec.timeout),
            Watched::OutOfMemory => Failure::OutOfMemory,
        };
        drop(sandbox.end().await);
        Err(failure)
    }

    async fn launch(
        spec: &FunctionSpec,
        limits: Limits,
        log: Arc<SandboxLog>,
        slot: Slot,
    ) -> Result<(Self, oneshot::Receiver<Result<(), Report>>), Failure> {
        let host = |what: &str, error: std::io::Error| Failure::Host(format!("{what}: {error}"));
        let begun = Instant::now();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| host("no port for the Runtime API", error))?;
        let api = listener.local_addr().map_err(|error| host("no port for the Runtime API", error))?;
        let temporary = TemporaryFolder::new(log.stream());
        let temporary = temporary.map_err(|error| host("no temporary folder", error))?;
        let (reader, writer) = std::io::pipe().map_err(|error| host("no pipe for the log", error))?;

        let freezer = Freezer::new(limits.freezes);
        let (mailbox, ready) = Mailbox::new(Arc::clone(&freezer));
        let mailbox = Arc::new(mailbox);
        let mut tasks = JoinSet::new();
        tasks.spawn(log.follow(reader).map_err(|error| host("no pipe for the log", error))?);
        let (started, start) = oneshot::channel();
        tasks.spawn(api::serve(listener, Arc::clone(&mailbox), Arc::clone(&log), start));

        let placement = Placement { api, log_stream: log.stream(), temporary: temporary.path() };
        let variables = environment(spec, &placement, |name| std::env::var_os(name));
        let process = Process::start(&spec.launcher, &spec.code, variables, writer).await;
        let process = process.map_err(|error| entrypoint(&spec.launcher.program, &error))?;
        freezer.holds(process.group());
        // Whoever serves lives as long as the sandbox, so somebody hears it.
        let _ = started.send(process.pid());
        let sandbox = Self {
            mailbox,
            log,
            freezer,
            memory_kb: u64::from(spec.memory) * 1024,
            watermark: Box::new(Watermark::of(process.pid(), !spec.surroundings.is_terse)),
            process,
            killed: false,
            init: Duration::ZERO,
            free_until: begun + limits.init,
            _tasks: tasks,
            _temporary: temporary,
            slot,
        };
        Ok((sandbox, ready))
    }

    /// Gives an event to the function and waits for what comes of it. After a failure the processes are gone.
    pub(super) async fn handle(&mut self, event: PendingEvent, deadline: Instant, limit: Duration) -> Ending {
        self.freezer.wakes();
        let answer = self.mailbox.offer(event);
        let failure = match self.watch(answer, deadline).await {
            Watched::Came(answered) => return Ending::Answered(answered),
            Watched::Exited(status) if self.mailbox.withdraw() => return Ending::NotFetched(status),
            Watched::Exited(status) => Failure::Exit(status),
            Watched::TimedOut => Failure::Timeout(limit),
            Watched::OutOfMemory => Failure::OutOfMemory,
        };
        self.kill().await;
        Ending::Failed(failure)
    }

    /// Waits for one thing, while nothing worse happens to the process.
    async fn watch<T>(&mut self, mut awaited: oneshot::Receiver<T>, deadline: Instant) -> Watched<T> {
        let tick = sleep_until(deadline.min(Instant::now() + MEMORY_POLL));
        tokio::pin!(tick);
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                came = &mut awaited, if open => match came {
                    Ok(value) => return Watched::Came(value),
                    Err(_) => open = false,
                },
                status = self.process.exited() => return Watched::Exited(status),
                () = &mut tick => {
                    if Instant::now() >= deadline {
                        return Watched::TimedOut;
                    }
                    if self.takes_too_much() {
                        return Watched::OutOfMemory;
                    }
                    tick.as_mut().reset(deadline.min(Instant::now() + MEMORY_POLL));
                }
            }
        }
    }

    fn takes_too_much(&mut self) -> bool {
        let taken = memory::tree_kb(self.process.pid());
        self.watermark.rises_to(taken);
        taken > self.memory_kb
    }

    /// The most memory that the sandbox took so far, in MB.
    pub(super) fn peak_mb(&mut self) -> u64 {
        self.watermark.mb()
    }

    /// It waits for its next event.
    pub(super) fn rests(&self) {
        self.freezer.rests();
    }

    /// The sandbox's log.
    pub(super) fn log(&self) -> &Arc<SandboxLog> {
        &self.log
    }

    /// Whether its process is over, or about to be.
    pub(super) fn has_ended(&self) -> bool {
        self.killed || self.process.has_exited()
    }

    /// The end of its process.
    pub(super) fn exit(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.process.watch()
    }

    async fn kill(&mut self) {
        self.killed = true;
        self.process.kill();
        drop(timeout(KILL_WAIT, self.process.exited()).await);
    }

    /// Ends the sandbox and waits for it. Answers its slot, for a successor.
    pub(super) async fn end(mut self) -> Slot {
        self.kill().await;
        self.slot
    }
}
