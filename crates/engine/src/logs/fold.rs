//! Makes entries for people of events: one line of START, END and REPORT, and the lines of a trace together, whatever other sandboxes
//! write in between.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use mdo_model::project::FunctionName;

use super::level::is_panic;
use super::{Level, LogBody, LogEvent, LogReport, LogRequest, Millis};

/// How long after a line the next one of a trace may come, in milliseconds.
const TRACE_WITHIN: Millis = 250;

/// How many lines are kept together at most.
const LONGEST: usize = 1_000;

/// What is told as one.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// When it began.
    pub at: Millis,
    /// Who wrote it; `None` where it is the API itself, or the server.
    pub function: Option<FunctionName>,
    /// The sandbox that wrote it.
    pub stream: Arc<str>,
    /// The event that the function was at, as far as that is known.
    pub request_id: Option<Arc<str>>,
    /// What it says.
    pub body: LogEntryBody,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntryBody {
    /// What was written: a line, or the lines of a trace.
    Lines(Vec<String>),
    /// How an event of a function went, and the API's request that it came from, where the log knows that.
    Run(LogReport, Option<LogRequest>),
    /// A request that no function has answered.
    Request(LogRequest),
}

impl LogEntry {
    /// How serious it is: what its lines say first, or how its event went.
    pub fn level(&self) -> Level {
        let of_request = |request: &LogRequest| match request.status {
            Some(500..) => Level::Error,
            Some(400..) | None => Level::Warn,
            Some(_) => Level::Info,
        };
        match &self.body {
            LogEntryBody::Lines(lines) => lines.iter().find_map(|line| Level::of(line)).unwrap_or_default(),
            LogEntryBody::Run(report, _) if report.status.is_some() => Level::Error,
            LogEntryBody::Run(_, request) => request.as_ref().map(of_request).unwrap_or_default(),
            LogEntryBody::Request(request) => of_request(request),
        }
    }
}

/// What becomes of events, until it is told.
#[derive(Debug, Default)]
pub struct Fold {
    waiting: VecDeque<Waiting>,
    /// The number of the first that waits.
    first: u64,
    streams: HashMap<Arc<str>, Stream>,
}

/// An entry that may still grow.
#[derive(Debug)]
struct Waiting {
    entry: LogEntry,
    /// When it grew last.
    touched: Millis,
}

/// What is known of a sandbox.
#[derive(Debug, Default)]
struct Stream {
    /// The event that it is at.
    request_id: Option<Arc<str>>,
    /// The number of its last entry of lines.
    last: Option<u64>,
}

impl Fold {
    /// Takes the next event.
    pub fn push(&mut self, event: LogEvent) {
        match event.body {
            LogBody::Silent | LogBody::Ping(_) => {}
            LogBody::Start(ref id) => self.stream(&event).request_id = Some(Arc::clone(id)),
            LogBody::End(_) => self.stream(&event).last = None,
            LogBody::Report(ref id, ref report) => {
                let (id, report) = (Arc::clone(id), report.clone());
                let stream = self.stream(&event);
                (stream.request_id, stream.last) = (None, None);
                let request = self.take_request(&event, &id);
                self.add(&event, Some(id), LogEntryBody::Run(report, request));
            }
            LogBody::Request(ref request) => self.request(&event, request.clone()),
            LogBody::Text(ref text) | LogBody::Gap(ref text) => self.text(&event, text),
        }
    }

    /// What is ready to be told at a time: what has not grown since, in order.
    pub fn ready(&mut self, at: Millis) -> Vec<LogEntry> {
        let mut ready = Vec::new();
        while self.waiting.front().is_some_and(|waiting| waiting.touched <= at) {
            let entry = self.waiting.pop_front().map(|waiting| waiting.entry);
            ready.extend(entry.filter(|entry| entry.body != LogEntryBody::Lines(Vec::new())));
            self.first += 1;
        }
        ready
    }

    /// What is ready as the events themselves have gone on: nothing that is told now can still grow by one that is in order.
    pub fn ready_before(&mut self, latest: Millis) -> Vec<LogEntry> {
        self.ready(latest - TRACE_WITHIN - 1)
    }

    /// Everything that is left.
    pub fn finish(&mut self) -> Vec<LogEntry> {
        self.ready(Millis::MAX)
    }

    fn stream(&mut self, event: &LogEvent) -> &mut Stream {
        self.streams.entry(Arc::clone(&event.stream)).or_default()
    }

    /// Adds an entry and answers its number.
    fn add(&mut self, event: &LogEvent, request_id: Option<Arc<str>>, body: LogEntryBody) -> u64 {
        let entry = LogEntry {
            at: event.at,
            function: event.function.clone(),
            stream: Arc::clone(&event.stream),
            request_id,
            body,
        };
        self.waiting.push_back(Waiting { entry, touched: event.at });
        self.first + self.waiting.len() as u64 - 1
    }

    fn request(&mut self, event: &LogEvent, mut request: LogRequest) {
        if let Some(report) = request.report.take() {
            self.add(event, event.request_id.clone(), LogEntryBody::Run(report, Some(request)));
            return;
        }
        let of_same = |entry: &&mut LogEntry| {
            entry.request_id == event.request_id && matches!(entry.body, LogEntryBody::Run(_, None))
        };
        let run = self.waiting.iter_mut().rev().map(|waiting| &mut waiting.entry).find(of_same);
        match run.map(|entry| &mut entry.body) {
            Some(LogEntryBody::Run(_, from)) => *from = Some(request),
            _ => drop(self.add(event, event.request_id.clone(), LogEntryBody::Request(request))),
        }
    }

    /// The request of a run, where it stands before its report: at one time, one log is as good as another.
    fn take_request(&mut self, report: &LogEvent, id: &Arc<str>) -> Option<LogRequest> {
        let same_time = self.waiting.iter().enumerate().rev();
        let same_time = same_time.take_while(|(_, waiting)| waiting.entry.at >= report.at);
        let mut requests =
            same_time.filter(|(_, Waiting { entry, .. })| entry.request_id.as_ref() == Some(id));
        let at = requests.find(|(_, waiting)| matches!(waiting.entry.body, LogEntryBody::Request(_)))?.0;
        let LogEntryBody::Request(request) = &self.waiting[at].entry.body else { return None };
        let request = request.clone();
        // Its place is taken by nothing: others are known by their numbers.
        self.waiting[at].entry.body = LogEntryBody::Lines(Vec::new());
        Some(request)
    }

    fn text(&mut self, event: &LogEvent, text: &str) {
        // Lambda's runtimes separate the lines of a trace by carriage returns.
        let mut lines = text.trim_end_matches(['\n', '\r']).split(['\n', '\r']).map(str::to_owned);
        let stream = self.stream(event);
        let (last, current) = (stream.last, stream.request_id.clone());
        let last = last.and_then(|number| number.checked_sub(self.first));
        let last = last.and_then(|at| self.waiting.get_mut(usize::try_from(at).ok()?));
        if let Some(Waiting { entry, touched }) = last
            && event.at - *touched <= TRACE_WITHIN
            && let LogEntryBody::Lines(before) = &mut entry.body
            && before.len() < LONGEST
            && goes_on(before, text)
        {
            before.extend(lines.by_ref());
            *touched = event.at;
            return;
        }
        let number =
            self.add(event, event.request_id.clone().or(current), LogEntryBody::Lines(lines.collect()));
        self.stream(event).last = Some(number);
    }
}

/// Whether a line belongs to those before it: it is indented, or the trace that they are is not at its end.
fn goes_on(before: &[String], line: &str) -> bool {
    const WITHIN: [&str; 6] = [
        "Traceback (most recent call last)",
        "During handling of the above",
        "The above exception was",
        "Caused by",
        "stack backtrace:",
        "note: run with `RUST_BACKTRACE",
    ];
    if line.starts_with([' ', '\t', '\u{a0}']) {
        return true;
    }
    let last = before.last().map_or("", String::as_str);
    let is_python = before.iter().any(|line| line.starts_with("Traceback (most recent call last)"));
    let panics = before.iter().any(|line| is_panic(line));
    if (is_python || panics) && (line.is_empty() || WITHIN.iter().any(|words| line.starts_with(words))) {
        return true;
    }
    // The exception below its frames; the message below where it was.
    is_python && last.starts_with([' ', '\t', '\u{a0}']) || is_panic(last)
}

#[cfg(test)]
mod tests {
    use super::super::sample::line;
    use super::*;

    const START: &str = "START RequestId: r1 Version: 7";
    const REPORT: &str = "REPORT RequestId: r1\tDuration: 12.30 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 45 MB\t";

    fn folded(events: impl IntoIterator<Item = LogEvent>) -> Vec<LogEntry> {
        let mut fold = Fold::default();
        events.into_iter().for_each(|event| fold.push(event));
        fold.finish()
    }

    fn lines(entry: &LogEntry) -> Vec<&str> {
        match &entry.body {
            LogEntryBody::Lines(lines) => lines.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn an_event_of_a_function_is_its_lines_and_one_more() {
        let entries = folded([
            line("f", "s", 1, "INIT_START Runtime Version: x"),
            line("f", "s", 2, START),
            line("f", "s", 3, "hello"),
            line("f", "s", 4, "END RequestId: r1"),
            line("f", "s", 4, REPORT),
            line("f", "s", 5, "after all"),
        ]);
        assert_eq!(entries.len(), 3);
        assert_eq!((lines(&entries[0]), entries[0].request_id.as_deref()), (vec!["hello"], Some("r1")));
        let LogEntryBody::Run(report, None) = &entries[1].body else { panic!("{entries:?}") };
        assert_eq!((report.duration_ms, report.max_memory_mb), (12.3, Some(45)));
        assert_eq!((lines(&entries[2]), entries[2].request_id.as_deref()), (vec!["after all"], None));
    }

    #[test]
    fn the_lines_of_a_trace_stay_together_whatever_others_write_meanwhile() {
        let trace = [
            "Traceback (most recent call last):",
            "  File \"a.py\", line 1, in f",
            "    g()",
            "KeyError: 1",
            "",
            "During handling of the above exception, another exception occurred:",
            "",
            "Traceback (most recent call last):",
            "  File \"a.py\", line 3, in f",
            "ValueError: boom",
        ];
        let mut events: Vec<LogEvent> = Vec::new();
        for (number, text) in (0..).zip(trace) {
            events.push(line("f", "s", number, text));
            events.push(line("g", "t", number, "tick"));
        }
        events.push(line("f", "s", 11, "the next"));
        let entries = folded(events);
        assert_eq!(lines(&entries[0]), trace);
        assert_eq!(entries[0].level(), Level::Error);
        assert_eq!(lines(entries.last().unwrap()), ["the next"]);
        assert_eq!(entries.iter().filter(|entry| lines(entry) == ["tick"]).count(), trace.len());
    }

    #[test]
    fn a_panic_keeps_its_message_and_an_event_of_many_lines_is_one() {
        let entries = folded([
            line("f", "s", 1, "thread 'main' panicked at src/main.rs:3:5:"),
            line("f", "s", 1, "boom"),
            line(
                "f",
                "s",
                1,
                "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            ),
            line("f", "s", 1, "more"),
            line("p", "u", 2, "[ERROR] KeyError\rTraceback:\r\u{a0}File x\n"),
            line("f", "s", 900, "  indented, and long after"),
        ]);
        assert_eq!(lines(&entries[0]).len(), 3);
        assert_eq!(lines(&entries[1]), ["more"]);
        assert_eq!(lines(&entries[2]), ["[ERROR] KeyError", "Traceback:", "\u{a0}File x"]);
        assert_eq!(lines(&entries[3]), ["  indented, and long after"]);
    }

    #[test]
    fn the_request_of_a_run_joins_it_and_one_without_a_run_stands_alone() {
        let request = |id: &str, status| LogEvent {
            request_id: Some(id.into()),
            body: LogBody::Request(LogRequest { status: Some(status), ..LogRequest::default() }),
            ..line("f", "", 20, "")
        };
        let entries = folded([
            line("f", "s", 2, START),
            line("f", "s", 4, REPORT),
            request("r1", 200),
            request("r2", 403),
        ]);
        let LogEntryBody::Run(_, Some(of_run)) = &entries[0].body else { panic!("{entries:?}") };
        assert_eq!(of_run.status, Some(200));
        let LogEntryBody::Request(refused) = &entries[1].body else { panic!("{entries:?}") };
        assert_eq!((refused.status, entries[1].level()), (Some(403), Level::Warn));
        assert_eq!(entries.len(), 2);

        let first = LogEvent { at: 4, ..request("r1", 200) };
        let turned = folded([line("f", "s", 2, START), first, line("f", "s", 4, REPORT)]);
        assert_eq!(turned.len(), 1);
        assert!(matches!(&turned[0].body, LogEntryBody::Run(_, Some(_))));
    }

    #[test]
    fn nothing_is_told_before_it_can_no_longer_grow() {
        let mut fold = Fold::default();
        fold.push(line("f", "s", 1_000, "Traceback (most recent call last):"));
        assert!(fold.ready_before(1_250).is_empty());
        fold.push(line("f", "s", 1_200, "  File \"a.py\""));
        assert!(fold.ready_before(1_300).is_empty());
        let told = fold.ready_before(1_500);
        assert_eq!(told.len(), 1);
        // It was told: what follows is another entry.
        fold.push(line("f", "s", 1_210, "ValueError: late"));
        assert_eq!(lines(&fold.finish()[0]), ["ValueError: late"]);
    }
}
