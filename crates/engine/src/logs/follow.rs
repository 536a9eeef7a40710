//! Following a log that tells its events late and out of order, without losing one or telling one twice.
//!
//! CloudWatch Logs lists an event under the time at which it was written, and some seconds after that: who asks for what is newer than
//! the last one that was seen loses what comes late. So each look goes back a little, now and then it goes back further, and what was
//! told before is known by its id.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{LogEvent, Millis};

/// How late events come, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Lateness {
    /// Nearly all of them: each look goes back so far.
    pub mostly: Millis,
    /// Any: some looks go back so far, and what comes later is lost.
    pub at_most: Millis,
}

/// How long at most until the next look that goes back far.
const FAR_EVERY: Millis = 20_000;

/// What was told, and from when on to look again.
#[derive(Debug)]
pub struct Follower {
    begin: Millis,
    late: Lateness,
    seen: HashMap<u64, Millis>,
    last_look: Option<Millis>,
    last_far: Millis,
}

impl Follower {
    /// Follows from a time on.
    pub fn new(begin: Millis, late: Lateness) -> Self {
        Self { begin, late, seen: HashMap::new(), last_look: None, last_far: begin }
    }

    /// From when on to look now.
    pub fn look(&mut self, now: Millis) -> Millis {
        let since = match self.last_look {
            None => self.begin,
            Some(last) if now - self.last_far >= FAR_EVERY => {
                self.last_far = now;
                last - self.late.at_most
            }
            Some(last) => last - self.late.mostly,
        };
        if self.last_look.is_none() {
            self.last_far = now;
        }
        self.last_look = Some(now);
        // This look may go back further than any that follows, where the last one took long.
        let oldest = since.min(now - self.late.at_most);
        self.seen.retain(|_, at| *at >= oldest);
        since.max(self.begin)
    }

    /// Whether an event was not told before. It is from now on.
    pub fn is_new(&mut self, event: &LogEvent) -> bool {
        let mut hasher = DefaultHasher::new();
        (event.function.as_ref(), &event.stream, &event.id).hash(&mut hasher);
        self.seen.insert(hasher.finish(), event.at).is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::sample::line;
    use super::*;

    const CLOUDWATCH: Lateness = Lateness { mostly: 10_000, at_most: 120_000 };

    /// A log whose events can be read some time after they were written.
    struct Late(Vec<(Millis, LogEvent)>);

    impl Late {
        fn read(&self, since: Millis, now: Millis) -> impl Iterator<Item = &LogEvent> {
            let readable = self.0.iter().filter(move |(visible, _)| *visible <= now);
            readable.map(|(_, event)| event).filter(move |event| event.at >= since && event.at <= now)
        }
    }

    #[test]
    fn a_thousand_lines_a_second_for_a_minute_are_told_once_each_however_late_they_come() {
        // Mostly within seconds, some within a minute and a half, and none in order.
        let delay = |number: i64| if number % 97 == 0 { 90_000 } else { (number * 7919) % 8_000 };
        let events = (0..60_000).map(|number| {
            let at = 1_000_000 + number;
            (at + delay(number), line("busy", "s", at, &format!("line {number}")))
        });
        let log = Late(events.collect());
        let mut follower = Follower::new(1_000_000, CLOUDWATCH);
        let mut told: BTreeMap<String, u32> = BTreeMap::new();
        let mut most = 0;
        for round in 0..100 {
            let now = 1_000_000 + round * 2_000;
            let since = follower.look(now);
            for event in log.read(since, now) {
                if follower.is_new(event) {
                    *told.entry(event.id.clone()).or_default() += 1;
                }
            }
            most = most.max(follower.seen.len());
        }
        assert_eq!(told.len(), 60_000);
        assert!(told.values().all(|times| *times == 1));
        assert!(most <= 60_000);
    }

    #[test]
    fn what_was_told_long_ago_is_forgotten_and_nothing_before_the_beginning_is_asked_for() {
        let mut follower = Follower::new(5_000, CLOUDWATCH);
        assert_eq!(follower.look(6_000), 5_000);
        assert!(follower.is_new(&line("a", "s", 5_500, "x")));
        assert!(!follower.is_new(&line("a", "s", 5_500, "x")));
        assert!(follower.is_new(&line("b", "s", 5_500, "x")));
        assert_eq!(follower.look(8_000), 5_000);
        assert_eq!(follower.look(500_000), 5_000);
        follower.look(700_000);
        assert!(follower.seen.is_empty());
        assert_eq!(follower.look(701_000), 690_000);
    }

    #[test]
    fn a_look_that_took_long_is_followed_by_one_that_knows_what_was_told_all_the_same() {
        let mut follower = Follower::new(0, Lateness { mostly: 1_000, at_most: 5_000 });
        follower.look(10_000);
        let event = line("a", "s", 9_500, "x");
        assert!(follower.is_new(&event));
        assert_eq!(follower.look(60_000), 5_000);
        assert!(!follower.is_new(&event));
    }
}
