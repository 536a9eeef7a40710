//! Writes what happens down, on a thread of its own: whoever logs waits for no disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use mdo_engine::Error;
use mdo_model::project::FunctionName;
use mdo_server::runtime::LogLine;
use mdo_server::{Line, Request, Teller, Told};

use super::record::Record;
use crate::store::Store;

/// The writer of one stage's rings. Clones are the same writer.
#[derive(Clone, Debug)]
pub(crate) struct Book(Arc<Shared>);

struct Shared {
    store: Store,
    /// Started with the first line: most commands write none.
    teller: OnceLock<Teller<Entry>>,
    problem: Arc<Mutex<Option<Error>>>,
}

/// What is written down.
enum Entry {
    Line(Arc<FunctionName>, Arc<LogLine>),
    Request(Arc<Request>),
    /// The event of an id, which comes at this time, is a ping.
    Ping(FunctionName, String, SystemTime),
}

impl Line for Entry {
    fn len_of_texts(&self) -> usize {
        match self {
            Self::Line(_, line) => line.text.len(),
            Self::Request(request) => request.len_of_texts(),
            Self::Ping(_, id, _) => id.len(),
        }
    }
}

/// What gives every line an id that no other line has, of this process or another.
struct Ids {
    run: String,
    next: u64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Book {
    pub(crate) fn new(store: Store) -> Self {
        Self(Arc::new(Shared { store, teller: OnceLock::new(), problem: Arc::default() }))
    }

    /// Writes a line of a function down.
    pub(crate) fn line(&self, function: &Arc<FunctionName>, line: Arc<LogLine>) {
        self.0.teller().log(Entry::Line(Arc::clone(function), line));
    }

    /// Writes a request down, beside the lines of the function that it was for.
    pub(crate) fn request(&self, request: Arc<Request>) {
        self.0.teller().tell(Entry::Request(request));
    }

    /// Writes down that the event of an id, which comes now, is a ping.
    pub(crate) fn ping(&self, function: &FunctionName, request_id: String) {
        self.0.teller().tell(Entry::Ping(function.clone(), request_id, SystemTime::now()));
    }

    /// Waits until everything is written, for so long at most.
    pub(crate) fn finish(&self, patience: Duration) {
        if let Some(teller) = self.0.teller.get() {
            teller.finish(patience);
        }
    }

    /// Why something could not be written, told once.
    pub(crate) fn take_problem(&self) -> Option<Error> {
        self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Shared {
    fn teller(&self) -> &Teller<Entry> {
        self.teller.get_or_init(|| {
            let (store, problem) = (self.store.clone(), Arc::clone(&self.problem));
            let mut ids = Ids::new();
            let mut has_failed = false;
            Teller::start(move |entries| {
                if let Err(error) = write(&store, entries, &mut ids)
                    && !std::mem::replace(&mut has_failed, true)
                {
                    *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            })
        })
    }
}

impl Ids {
    fn new() -> Self {
        let begun = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
        Self { run: format!("{begun:x}-{:x}-", std::process::id()), next: 0 }
    }

    fn next(&mut self) -> String {
        self.next += 1;
        format!("{}{:x}", self.run, self.next)
    }
}

impl Entry {
    /// Whose ring it is for.
    fn function(&self) -> Option<&FunctionName> {
        match self {
            Self::Line(function, _) => Some(function),
            Self::Request(request) => request.function.as_ref(),
            Self::Ping(function, ..) => Some(function),
        }
    }

    fn record(&self, id: String) -> Record {
        match self {
            Self::Line(_, line) => Record::of_line(id, line),
            Self::Request(request) => Record::of_request(id, request),
            Self::Ping(_, request_id, at) => Record::of_ping(id, request_id.clone(), *at),
        }
    }
}

/// Adds lines to their rings, each ring at once.
fn write(store: &Store, entries: &[Told<Entry>], ids: &mut Ids) -> Result<(), Error> {
    let mut rings: BTreeMap<Option<&FunctionName>, Vec<u8>> = BTreeMap::new();
    // A gap is told where the lines before it are.
    let mut function = None;
    for entry in entries {
        let record = match entry {
            Told::Line(entry) => {
                function = entry.function();
                entry.record(ids.next())
            }
            Told::Dropped(dropped) => Record::of_gap(ids.next(), dropped.to_string()),
        };
        let ring = rings.entry(function).or_default();
        // Texts and numbers, none of which JSON could not say, and a place that takes all.
        let _ = serde_json::to_writer(&mut *ring, &record);
        ring.push(b'\n');
    }
    for (function, lines) in rings {
        store.ring(function).append(&lines)?;
    }
    Ok(())
}
