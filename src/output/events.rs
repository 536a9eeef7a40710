//! Where the events of a command go that `--events` asks for: a file, or standard output in place of everything else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use mdo_engine::{Provider, RunEvent};
use mdo_model::project::Names;
use mdo_model::stack::{Plan, ResourceId};

use super::documents::EventDocument;
use super::{Failure, exit_code};

/// What stands for standard output.
pub(super) const STDOUT: &str = "-";

/// How many events there are of one upload at most.
const STEPS: u64 = 20;

/// Where events go.
enum Sink {
    Stdout,
    File(Mutex<File>),
}

struct Events {
    sink: Sink,
    start: Instant,
    /// How far the uploads were when it was told last, in steps.
    uploads: Mutex<BTreeMap<ResourceId, u64>>,
}

static EVENTS: OnceLock<Events> = OnceLock::new();

/// Opens what events are written to; the file is made anew. `command` is the command as it was typed, without values.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open(path: &Path, command: String) -> Result<(), Failure> {
    let sink = match path == Path::new(STDOUT) {
        true => Sink::Stdout,
        false => Sink::File(Mutex::new(File::create(path).map_err(|error| {
            let text = format!("cannot write the events to {}: {error}", path.display());
            Failure::with_help(exit_code::USAGE, text, "name a file that you may write to, or `-`")
        })?)),
    };
    drop(EVENTS.set(Events { sink, start: Instant::now(), uploads: Mutex::default() }));
    emit(|| EventDocument::begun(command));
    Ok(())
}

/// Whether standard output is for events alone.
pub(crate) fn take_stdout() -> bool {
    EVENTS.get().is_some_and(|events| matches!(events.sink, Sink::Stdout))
}

/// Tells that a plan is about to be run.
pub(crate) fn planned(plan: &Plan, provider: &dyn Provider) {
    emit(|| EventDocument::planned(plan, provider));
}

/// Tells what happens to a plan that is run.
pub(super) fn happened(event: &RunEvent<'_>, names: &Names) {
    if let (Some(events), RunEvent::Uploaded(id, sent, total)) = (EVENTS.get(), event) {
        let step = sent * STEPS / (*total).max(1);
        let mut uploads = lock(&events.uploads);
        if uploads.insert((*id).clone(), step) == Some(step) {
            return;
        }
    }
    emit(|| EventDocument::of_run(event, names));
}

/// Tells what is said on standard error.
pub(super) fn said(text: &str) {
    emit(|| EventDocument::said(anstream::adapter::strip_str(text).to_string().trim()));
}

/// Tells that the command is over.
pub(crate) fn ended(exit_code: u8) {
    if let Some(events) = EVENTS.get() {
        emit(|| EventDocument::ended(exit_code, events.start.elapsed().as_secs_f64()));
    }
}

fn emit(document: impl FnOnce() -> EventDocument) {
    let Some(events) = EVENTS.get() else { return };
    let Ok(mut line) = serde_json::to_string(&document()) else { return };
    line.push('\n');
    match &events.sink {
        Sink::Stdout => super::write_data(&line),
        Sink::File(file) => {
            if let Err(error) = lock(file).write_all(line.as_bytes()) {
                super::lose(&format!("the events: {error}"));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
