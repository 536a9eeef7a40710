//! The live display of a run: one line per resource in flight, on a terminal; nothing elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mdo_engine::{Finished, Outcome, RunEvent};
use mdo_model::project::Names;
use mdo_model::stack::{Action, ResourceId};
use mdo_package::Bytes;

/// The display that is on the terminal now, if any.
static LIVE: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Prints while no line of the display is in the way.
pub(super) fn above_lines(print: impl FnOnce()) {
    match lock(&LIVE).clone() {
        Some(lines) => lines.suspend(print),
        None => print(),
    }
}

/// How long a person waits without a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for `work`, and says on a terminal what it is about when it takes more than a second.
pub(crate) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let lines = MultiProgress::new();
    let bar = lines.add(ProgressBar::new_spinner().with_style(style("  {spinner} {msg}  {elapsed}")));
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    let display = Display::show(lines);
    let done = work.await;
    bar.finish_and_clear();
    drop(display);
    done
}

/// The display while it is on the terminal, unless another one is there.
struct Display(bool);

impl Display {
    fn show(lines: MultiProgress) -> Self {
        let mut live = lock(&LIVE);
        let is_first = live.is_none();
        live.get_or_insert(lines);
        Self(is_first)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if self.0 {
            lock(&LIVE).take();
        }
    }
}

/// Shows a run's events on standard error while they happen, and writes them down where that is asked for.
pub(crate) struct Progress {
    lines: Option<MultiProgress>,
    names: Names,
    bars: Mutex<BTreeMap<ResourceId, ProgressBar>>,
    /// What has been said of waiting where there are no bars, so that it is said once.
    said: Mutex<BTreeSet<(ResourceId, String)>>,
}

impl Progress {
    /// A display that is silent unless standard error is a terminal and `quiet` is not set.
    pub(crate) fn new(names: Names, quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal();
        let lines = live.then(MultiProgress::new);
        lock(&LIVE).clone_from(&lines);
        Self { lines, names, bars: Mutex::default(), said: Mutex::default() }
    }

    /// Takes one event.
    pub(crate) fn on(&self, event: RunEvent<'_>) {
        super::events::happened(&event, &self.names);
        if let RunEvent::Finished(finished) = event {
            super::talk::note_down(&told(finished, &self.names));
        }
        let Some(lines) = &self.lines else {
            if let RunEvent::Waiting(id, what) = event
                && lock(&self.said).insert((id.clone(), what.clone()))
            {
                super::message(&format!("  {id}: waiting, {what}"));
            }
            return;
        };
        let mut bars = lock(&self.bars);
        match event {
            RunEvent::Started(change) => {
                let verb = match change.action {
                    Action::Create => "creating",
                    Action::Update => "updating",
                    Action::Delete => "deleting",
                };
                let bar = lines.add(ProgressBar::new_spinner().with_style(line_style()));
                bar.set_prefix(format!("{:<9}  {}", change.id.kind, change.id.full_name(&self.names)));
                bar.set_message(verb);
                bar.enable_steady_tick(Duration::from_millis(100));
                bars.insert(change.id.clone(), bar);
            }
            RunEvent::Waiting(id, what) => {
                if let Some(bar) = bars.get(id) {
                    bar.set_message(format!("waiting, {what}"));
                }
            }
            RunEvent::Uploaded(id, sent, total) => {
                if let Some(bar) = bars.get(id) {
                    bar.set_style(upload_style());
                    bar.set_length(total);
                    bar.set_position(sent);
                    bar.set_message(format!("uploaded {} of {}", Bytes(sent), Bytes(total)));
                }
            }
            RunEvent::Finished(finished) => {
                if let Some(bar) = bars.remove(&finished.id) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

/// What came of a change, for the log.
fn told(finished: &Finished, names: &Names) -> String {
    let outcome = match &finished.outcome {
        Outcome::Done(_) => "done".to_owned(),
        Outcome::Failed(error) => format!("failed, {error}"),
        Outcome::Skipped(needed) => format!("skipped, {needed} is not there"),
        Outcome::Interrupted => "interrupted".to_owned(),
    };
    let took = finished.took.as_secs_f64();
    format!("{} {}  {took:.3} s  {outcome}", finished.id.kind, finished.id.full_name(names))
}

/// The steps of one piece of work, on standard error: a line that changes on a terminal, a line for each elsewhere.
pub(crate) struct Steps {
    what: String,
    bar: Option<ProgressBar>,
}

impl Steps {
    /// Begins the work on something: `derivative sklearn`.
    pub(crate) fn begin(what: String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_style(line_style());
            bar.set_prefix(what.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { what, bar }
    }

    /// Tells what a program says meanwhile: on a terminal, until it says more.
    pub(crate) fn detail(&self, line: &str) {
        if let Some(bar) = self.bar.as_ref().filter(|_| !line.trim().is_empty()) {
            bar.set_message(line.trim().to_owned());
        }
    }

    /// Tells what it is about now.
    pub(crate) fn next(&self, step: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(step.to_owned()),
            None => super::message(&format!("  {}: {step}", self.what)),
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        lock(&LIVE).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn line_style() -> ProgressStyle {
    style("  {spinner} {prefix}  {msg}  {elapsed}")
}

fn upload_style() -> ProgressStyle {
    style("  {spinner} {prefix}  [{bar:24}] {msg}  {elapsed}").progress_chars("=> ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("|/-\\ ")
}
