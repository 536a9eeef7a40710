//! Writes what happens down, on a thread of its own: whoever logs waits for no disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mdo_engine::Error;
use mdo_model::project::FunctionName;
use mdo_server::runtime::LogLine;
use mdo_server::{Request, Teller, Told};

use super::record::Record;
use crate::store::Store;

/// What parts the name of who writes from what is written; no name has it.
const AFTER_NAME: char = '\n';

/// The writer of one stage's rings. Clones are the same writer.
#[derive(Clone, Debug)]
pub(crate) struct Book(Arc<Shared>);

struct Shared {
    store: Store,
    /// Started with the first line: most commands write none.
    teller: OnceLock<Teller>,
    /// What comes before the number in an id: no other process has it.
    run: String,
    next: Arc<AtomicU64>,
    problem: Arc<Mutex<Option<Error>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Book {
    pub(crate) fn new(store: Store) -> Self {
        let begun = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
        Self(Arc::new(Shared {
            store,
            teller: OnceLock::new(),
            run: format!("{begun:x}-{:x}-", std::process::id()),
            next: Arc::default(),
            problem: Arc::default(),
        }))
    }

    /// Writes a line of a function down.
    pub(crate) fn line(&self, function: &FunctionName, line: &LogLine) {
        let record = Record::of_line(self.0.id(), line);
        self.0.teller().log(page(Some(function), &record));
    }

    /// Writes a request down, beside the lines of the function that it was for.
    pub(crate) fn request(&self, request: &Request) {
        let record = Record::of_request(self.0.id(), request);
        self.0.teller().tell(page(request.function.as_ref(), &record));
    }

    /// Writes down that the event of an id, which comes now, is a ping.
    pub(crate) fn ping(&self, function: &FunctionName, request_id: String) {
        let record = Record::of_ping(self.0.id(), request_id);
        self.0.teller().tell(page(Some(function), &record));
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
    fn id(&self) -> String {
        format!("{}{:x}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn teller(&self) -> &Teller {
        self.teller.get_or_init(|| {
            let (store, problem) = (self.store.clone(), Arc::clone(&self.problem));
            let (run, next) = (self.run.clone(), Arc::clone(&self.next));
            let mut has_failed = false;
            Teller::start_batches(move |lines| {
                let id = || format!("{run}{:x}", next.fetch_add(1, Ordering::Relaxed));
                let written = write(&store, lines, id);
                if let Err(error) = written
                    && !std::mem::replace(&mut has_failed, true)
                {
                    *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            })
        })
    }
}

/// The name of who writes, and a line for its ring.
fn page(function: Option<&FunctionName>, record: &Record) -> String {
    let name = function.map(FunctionName::as_str).unwrap_or_default();
    // Texts and numbers, none of which JSON could not say.
    format!("{name}{AFTER_NAME}{}\n", serde_json::to_string(record).unwrap_or_default())
}

/// Adds lines to their rings, each ring at once.
fn write(store: &Store, lines: &[Told], id: impl Fn() -> String) -> Result<(), Error> {
    let mut rings: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        match line {
            Told::Text(line) => {
                let (name, record) = line.split_once(AFTER_NAME).unwrap_or_default();
                rings.entry(name.to_owned()).or_default().push_str(record);
                name.clone_into(&mut last);
            }
            Told::Dropped(_) => {
                let gap = Record::of_gap(id(), line.to_string());
                let gap = serde_json::to_string(&gap).unwrap_or_default();
                let ring = rings.entry(last.clone()).or_default();
                ring.push_str(&gap);
                ring.push('\n');
            }
        }
    }
    for (name, text) in rings {
        let function: Option<FunctionName> = name.parse().ok();
        store.ring(function.as_ref()).append(text.as_bytes())?;
    }
    Ok(())
}
