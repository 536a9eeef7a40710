//! Prints what happens, line by line, on a thread of its own: whoever tells something never waits for a terminal, nor for its line to be
//! put into words, and what a terminal does not keep up with does not pile up.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much of functions' logs may wait to be printed, in bytes.
const LOGS: usize = 4 * 1024 * 1024;

/// How much of everything may wait, in bytes: beyond what logs may take, there is room for what the platform says itself.
const ALL: usize = 2 * LOGS;

/// How much is printed in one go, in bytes.
const BATCH: usize = 64 * 1024;

/// How long the thread naps after it has printed. What comes meanwhile is printed in one go and wakes nobody, because to wake a thread for
/// each line would take longer than to tell it.
const NAP: Duration = Duration::from_millis(5);

/// What a line takes beyond its text, about, in bytes.
const OVERHEAD: usize = 256;

/// What becomes a line.
pub trait Line: Send + 'static {
    /// How long its texts are, in bytes.
    fn len_of_texts(&self) -> usize;
}

/// A queue of lines that are printed in order. Clones are the same queue. The thread lives as long as the process.
pub struct Teller<L>(Arc<Shared<L>>);

impl<L> Clone for Teller<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<L> {
    queue: Mutex<Queue<L>>,
    /// Something is there to be printed.
    told: Condvar,
    /// Something was printed.
    printed: Condvar,
}

struct Queue<L> {
    lines: VecDeque<Told<L>>,
    bytes: usize,
    is_printing: bool,
    /// Whether the thread waits for a line: waking it takes a system call.
    is_waiting: bool,
}

/// What is to be printed.
pub enum Told<L> {
    /// What becomes a line.
    Line(L),
    /// Lines for which there was no room.
    Dropped(Dropped),
}

/// So many lines for which there was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped(pub u64);

impl<L: Line> Teller<L> {
    /// Starts the thread that prints, as many lines at a time as are there, within [`BATCH`] bytes.
    pub fn start(mut print: impl FnMut(&[Told<L>]) + Send + 'static) -> Self {
        let queue = Queue { lines: VecDeque::new(), bytes: 0, is_printing: false, is_waiting: false };
        let (told, printed) = (Condvar::new(), Condvar::new());
        let teller = Self(Arc::new(Shared { queue: Mutex::new(queue), told, printed }));
        let shared = Arc::clone(&teller.0);
        std::thread::spawn(move || {
            let mut batch = Vec::new();
            loop {
                shared.next(&mut batch);
                print(&batch);
                batch.clear();
                shared.has_printed();
            }
        });
        teller
    }

    /// Tells a line of a function's log. A function may print faster than anybody reads.
    pub fn log(&self, line: L) {
        // One long gap tells more than many short ones: once lines are dropped, half of the room has to become free.
        self.0.push(line, LOGS, LOGS / 2);
    }

    /// Tells anything else.
    pub fn tell(&self, line: L) {
        self.0.push(line, ALL, ALL);
    }

    /// Waits until everything is printed, for so long at most: whoever reads may have stopped reading.
    pub fn finish(&self, patience: Duration) {
        let busy = |queue: &mut Queue<L>| queue.is_printing || !queue.lines.is_empty();
        // Late or not, the process ends next.
        drop(self.0.printed.wait_timeout_while(self.0.lock(), patience, busy));
    }
}

impl<L: Line> Shared<L> {
    fn lock(&self) -> MutexGuard<'_, Queue<L>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: L, room: usize, after_gap: usize) {
        let taken = line.len_of_texts() + OVERHEAD;
        let mut queue = self.lock();
        let is_gap = matches!(queue.lines.back(), Some(Told::Dropped(_)));
        let room = if is_gap { after_gap } else { room };
        if queue.bytes + taken <= room {
            queue.bytes += taken;
            queue.lines.push_back(Told::Line(line));
        } else if let Some(Told::Dropped(Dropped(count))) = queue.lines.back_mut() {
            *count += 1;
        } else {
            queue.lines.push_back(Told::Dropped(Dropped(1)));
        }
        if std::mem::take(&mut queue.is_waiting) {
            self.told.notify_one();
        }
    }

    fn next(&self, batch: &mut Vec<Told<L>>) {
        let mut queue = self.lock();
        while queue.lines.is_empty() {
            queue.is_waiting = true;
            queue = self.told.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while bytes < BATCH
            && let Some(line) = queue.lines.pop_front()
        {
            if let Told::Line(line) = &line {
                bytes += line.len_of_texts() + OVERHEAD;
            }
            batch.push(line);
        }
        queue.bytes -= bytes;
        queue.is_printing = true;
    }

    fn has_printed(&self) {
        let is_behind = {
            let mut queue = self.lock();
            queue.is_printing = false;
            queue.bytes >= BATCH
        };
        self.printed.notify_all();
        if !is_behind {
            std::thread::sleep(NAP);
        }
    }
}

impl<L: std::fmt::Display> std::fmt::Display for Told<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => line.fmt(f),
            Self::Dropped(dropped) => dropped.fmt(f),
        }
    }
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("… 1 line dropped"),
            count => write!(f, "… {} lines dropped", thousands(count)),
        }
    }
}

/// A number as `1,234`.
fn thousands(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        more => format!("{},{:03}", thousands(more), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    impl Line for String {
        fn len_of_texts(&self) -> usize {
            self.len()
        }
    }

    /// A teller whose reader is busy with its first line, what lets the reader go on, and what it has read.
    fn unread() -> (Teller<String>, mpsc::Sender<()>, Arc<Mutex<Vec<String>>>) {
        let (go, gone) = mpsc::channel::<()>();
        let (arrive, arrived) = mpsc::channel();
        let printed = Arc::<Mutex<Vec<String>>>::default();
        let read = Arc::clone(&printed);
        let teller = Teller::start(move |lines: &[Told<String>]| {
            // The test may have ended.
            let _ = arrive.send(());
            // Only the first lines wait: later the sender is gone.
            let _ = gone.recv();
            read.lock().unwrap().extend(lines.iter().map(ToString::to_string));
        });
        teller.tell("first".to_owned());
        arrived.recv().unwrap();
        (teller, go, printed)
    }

    #[test]
    fn a_function_that_prints_without_end_takes_no_memory_and_its_lost_lines_are_counted() {
        let (teller, go, printed) = unread();
        let line = "x".repeat(1000);
        for _ in 0..100_000 {
            teller.log(line.clone());
        }
        teller.tell("GET /dev/open 200 1.0 ms".to_owned());
        assert!(teller.0.lock().bytes <= LOGS + 1000);
        drop(go);
        teller.finish(Duration::from_secs(600));
        let printed = printed.lock().unwrap();
        let kept = printed.iter().filter(|text| **text == line).count();
        assert!((3000..5000).contains(&kept), "{kept}");
        let dropped = format!("… {} lines dropped", thousands(100_000 - kept as u64));
        assert_eq!(printed[printed.len() - 2..], [dropped, "GET /dev/open 200 1.0 ms".to_owned()]);
    }

    #[test]
    fn a_count_has_its_thousands_apart() {
        for (number, text) in [(1, "1"), (999, "999"), (1234, "1,234"), (1_000_007, "1,000,007")] {
            assert_eq!(thousands(number), text);
        }
    }
}
