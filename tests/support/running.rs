//! A run of `mdo` that is under way: what it has said so far, and the signals that it is sent.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// After this long a line or an end is taken for one that never comes.
const FOR_EVER: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// A process whose outputs are read as they come.
pub struct Running {
    child: Child,
    readers: [JoinHandle<()>; 2],
    printed: Heard,
    said: Heard,
}

/// What was heard of an output so far, and who waits for more of it.
type Heard = Arc<(Mutex<Said>, Condvar)>;

#[derive(Default)]
struct Said {
    text: String,
    has_ended: bool,
}

/// Hears an output, line by line.
fn hear(output: impl Read + Send + 'static) -> (JoinHandle<()>, Heard) {
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    let reader = thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            hears.0.lock().unwrap().text += str::from_utf8(&line).expect("mdo writes UTF-8");
            hears.1.notify_all();
            line.clear();
        }
        hears.0.lock().unwrap().has_ended = true;
        hears.1.notify_all();
    });
    (reader, heard)
}

/// Waits for the end of a process, for so long at most; one that has ended is found in any case.
pub(super) fn end_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || begun.elapsed() > limit {
            return ended;
        }
        thread::sleep(POLL);
    }
}

impl Running {
    pub(super) fn new(mut child: Child) -> Running {
        let (stdout, printed) = hear(child.stdout.take().unwrap());
        let (stderr, said) = hear(child.stderr.take().unwrap());
        Running { child, readers: [stdout, stderr], printed, said }
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has said this on standard error, or has ended.
    pub fn until_it_says(&mut self, text: &str) {
        self.until(&Arc::clone(&self.said), 1, text);
    }

    /// Waits until it has printed so many lines that hold this on standard output, or has ended.
    pub fn until_it_prints(&mut self, lines: usize, text: &str) {
        self.until(&Arc::clone(&self.printed), lines, text);
    }

    /// Waits for lines of an output; what was heard of it is looked through once.
    fn until(&mut self, output: &Heard, lines: usize, text: &str) {
        let begun = Instant::now();
        let (mut found, mut read) = (0, 0);
        let mut heard = output.0.lock().unwrap();
        loop {
            found += heard.text[read..].lines().filter(|line| line.contains(text)).count();
            read = heard.text.len();
            if found >= lines || self.has_ended() {
                return;
            }
            assert!(begun.elapsed() < FOR_EVER, "it never came; it said:\n{}", heard.text);
            heard = output.1.wait_timeout(heard, POLL).unwrap().0;
        }
    }

    /// Waits for its end, and answers its exit code, -1 where a signal ended it, and both outputs.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn ends(self) -> (i32, String, String) {
        self.ends_within(FOR_EVER)
    }

    /// As [`Running::ends`], with a limit of one's own.
    ///
    /// # Panics
    ///
    /// If it does not end within the limit.
    pub fn ends_within(mut self, limit: Duration) -> (i32, String, String) {
        let begun = Instant::now();
        for output in [&self.printed, &self.said] {
            let left = limit.saturating_sub(begun.elapsed());
            let said = output.0.lock().unwrap();
            drop(output.1.wait_timeout_while(said, left, |said| !said.has_ended).unwrap());
        }
        let Some(status) = end_within(&mut self.child, limit.saturating_sub(begun.elapsed())) else {
            self.signal("KILL");
            let (printed, said) = (self.printed.0.lock().unwrap(), self.said.0.lock().unwrap());
            panic!("mdo did not end; it printed:\n{}\nand said:\n{}", printed.text, said.text);
        };
        let status = status.code().unwrap_or(-1);
        for reader in self.readers {
            reader.join().unwrap();
        }
        let heard = |output: Heard| std::mem::take(&mut output.0.lock().unwrap().text);
        (status, heard(self.printed), heard(self.said))
    }
}
