//! What befalls the n-th call of an operation: an error, a broken connection, or a halt at which the caller can be killed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::proxy::Fault;

/// What happens to one call, and to others from then on.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// This many calls of the operation are answered so, and do not reach the server.
    Answer(Fault, usize),
    /// The server does it, and the answer is this instead of the server's.
    AnswerAfter(Fault),
    /// The server does it, and the connection closes without an answer.
    DropAfter,
    /// The server does it, and the connection closes in the middle of the answer.
    Truncate,
    /// Nobody listens from this call on, which is dropped.
    Refuse,
    /// This call, and every other for this long, is dropped before it reaches the server.
    Outage(Duration),
    /// The call waits at this point until it is let go or discarded.
    Halt(Moment),
}

/// On which side of the server's work a call is halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has not reached the server.
    Before,
    /// The server has done it, and the answer is not on its way.
    After,
}

/// What the proxy does with the call that has just arrived.
#[derive(Clone, Debug)]
pub(super) enum Now {
    Forward,
    Answer(Fault),
    /// Forward it, and do this to the answer.
    Spoil(Disturbance),
    Drop,
    Halt(Moment),
}

/// The disturbance that a proxy has been told of, and how far things are.
#[derive(Default)]
pub(super) struct Disturbances {
    awaited: Option<(String, usize, Disturbance)>,
    seen: HashMap<String, usize>,
    reached: bool,
    refusing: bool,
    away_until: Option<Instant>,
}

impl Disturbances {
    pub(super) fn expect(&mut self, operation: &str, number: usize, disturbance: Disturbance) {
        self.awaited = Some((operation.to_owned(), number, disturbance));
        self.seen.clear();
    }

    /// Whether the disturbed call has come.
    pub(super) fn is_reached(&self) -> bool {
        self.reached
    }

    /// Whether nobody listens any more.
    pub(super) fn is_refusing(&self) -> bool {
        self.refusing
    }

    /// Counts a call that has arrived, and decides on it.
    pub(super) fn arrived(&mut self, operation: &str) -> Now {
        let number = self.seen.entry(operation.to_owned()).or_default();
        *number += 1;
        if self.refusing || self.away_until.is_some_and(|until| Instant::now() < until) {
            return Now::Drop;
        }
        let Some((name, from, disturbance)) = &self.awaited else { return Now::Forward };
        if name != operation || *number < *from {
            return Now::Forward;
        }
        let is_first = *number == *from;
        self.reached = true;
        match disturbance {
            Disturbance::Answer(fault, times) if *number - *from < *times => Now::Answer(fault.clone()),
            _ if !is_first => Now::Forward,
            Disturbance::Answer(..) => Now::Forward,
            Disturbance::AnswerAfter(_) | Disturbance::DropAfter | Disturbance::Truncate => {
                Now::Spoil(disturbance.clone())
            }
            Disturbance::Refuse => {
                self.refusing = true;
                Now::Drop
            }
            Disturbance::Outage(time) => {
                self.away_until = Some(Instant::now() + *time);
                Now::Drop
            }
            Disturbance::Halt(moment) => Now::Halt(*moment),
        }
    }
}
