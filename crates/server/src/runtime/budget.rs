//! The memory that the sandboxes of several functions share, and who waits for some. A container has so much and no more: what does
//! not fit waits, and sandboxes that are idle make room for other functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::lock;

/// How many events may wait for a sandbox, over all functions.
const MOST_WAITING: usize = 1000;

/// How long an event waits before the next sandbox that is free makes room for it, whoever's it is: until then a function that is busy
/// keeps its warm sandboxes.
const PATIENCE: Duration = Duration::from_secs(1);

/// So much memory, in MB, for the sandboxes of several functions.
pub struct MemoryBudget {
    state: Mutex<State>,
    most_waiting: usize,
    /// Held by the one who makes room: so nobody ends more sandboxes than it takes.
    clearing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    free: u32,
    members: Vec<Arc<dyn Member>>,
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    tickets: u64,
}

struct Waiting {
    member: MemberId,
    since: Instant,
}

/// Who shares a budget: the pool of a function.
pub(super) trait Member: Send + Sync {
    /// What wakes those of its events that wait.
    fn freed(&self) -> &Notify;
    /// Since when its longest idle sandbox is idle.
    fn idle_since(&self) -> Option<Instant>;
    /// Ends that sandbox.
    fn end_idle(&self) -> Ended;
}

/// The end of a sandbox, which takes a moment.
pub(super) type Ended = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A member of a budget, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberId(usize);

/// A part of the budget. It is given back when this is dropped.
pub(super) struct Share {
    budget: Arc<MemoryBudget>,
    memory: u32,
}

/// A place in the queue. It is given up when this is dropped.
pub(super) struct Ticket {
    budget: Arc<MemoryBudget>,
    number: u64,
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBudget({} MB free)", lock(&self.state).free)
    }
}

impl MemoryBudget {
    /// A budget of so many MB.
    pub fn new(memory: u32) -> Arc<Self> {
        Self::with_queue(memory, MOST_WAITING)
    }

    /// The same, with another bound of how many events may wait.
    pub fn with_queue(memory: u32, most_waiting: usize) -> Arc<Self> {
        let state = State { free: memory, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), most_waiting, clearing: tokio::sync::Mutex::default() })
    }

    /// Takes part in it.
    pub(super) fn join(&self, member: Arc<dyn Member>) -> MemberId {
        let mut state = lock(&self.state);
        state.members.push(member);
        MemberId(state.members.len() - 1)
    }

    /// Takes so many MB, if they are free and nobody else has waited too long.
    pub(super) fn take(self: &Arc<Self>, member: MemberId, memory: u32) -> Option<Share> {
        let mut state = lock(&self.state);
        if state.free < memory || state.owes_another(member) {
            return None;
        }
        state.free -= memory;
        Some(Share { budget: Arc::clone(self), memory })
    }

    /// A place in the queue; `None` when it is full.
    pub(super) fn queue(self: &Arc<Self>, member: MemberId) -> Option<Ticket> {
        let mut state = lock(&self.state);
        if state.waiting.len() >= self.most_waiting {
            return None;
        }
        state.tickets += 1;
        let number = state.tickets;
        state.waiting.insert(number, Waiting { member, since: Instant::now() });
        Some(Ticket { budget: Arc::clone(self), number })
    }

    /// Ends the sandbox that is idle for the longest time, unless there is room already. Says whether it is worth to try again.
    pub(super) async fn make_room(&self, member: MemberId, memory: u32) -> bool {
        let _alone = self.clearing.lock().await;
        let members = {
            let state = lock(&self.state);
            if state.owes_another(member) {
                return false;
            }
            if state.free >= memory {
                return true;
            }
            state.members.clone()
        };
        let idle = members.iter().filter_map(|member| Some((member.idle_since()?, member)));
        match idle.min_by_key(|(since, _)| *since) {
            Some((_, member)) => {
                member.end_idle().await;
                true
            }
            None => false,
        }
    }

    /// Whether a sandbox of a member that has become free has to make room for somebody else, who has waited too long.
    pub(super) fn owes_another(&self, member: MemberId) -> bool {
        lock(&self.state).owes_another(member)
    }

    /// A sandbox of a member is idle: if none of its own events waits, one of another function may have its room.
    pub(super) fn offer(&self, member: MemberId) {
        let state = lock(&self.state);
        if !state.waiting.values().any(|waiting| waiting.member == member) {
            state.wake();
        }
    }
}

impl State {
    fn owes_another(&self, member: MemberId) -> bool {
        let first = self.waiting.values().next();
        first.is_some_and(|first| first.member != member && first.since.elapsed() >= PATIENCE)
    }

    /// Lets one event of each function that waits look again.
    fn wake(&self) {
        if !self.waiting.is_empty() {
            self.members.iter().for_each(|member| member.freed().notify_one());
        }
    }

    /// The same, but for one function: whoever is woken in vain waits behind everybody else.
    fn wake_but(&self, one: MemberId) {
        if !self.waiting.is_empty() {
            let others = self.members.iter().enumerate().filter(|(at, _)| *at != one.0);
            others.for_each(|(_, member)| member.freed().notify_one());
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = lock(&self.budget.state);
        state.free += self.memory;
        state.wake();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.budget.state);
        let is_first = state.waiting.keys().next() == Some(&self.number);
        let Some(gone) = state.waiting.remove(&self.number) else { return };
        if is_first && gone.since.elapsed() >= PATIENCE {
            // It was what the others had to wait for.
            state.wake_but(gone.member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function whose sandboxes are shares alone.
    #[derive(Default)]
    struct Function {
        freed: Notify,
        idle: Mutex<Vec<(Instant, Share)>>,
    }

    impl Member for Function {
        fn freed(&self) -> &Notify {
            &self.freed
        }

        fn idle_since(&self) -> Option<Instant> {
            lock(&self.idle).first().map(|(since, _)| *since)
        }

        fn end_idle(&self) -> Ended {
            let ended = lock(&self.idle).remove(0);
            Box::pin(async move { drop(ended) })
        }
    }

    fn members(budget: &MemoryBudget) -> [(Arc<Function>, MemberId); 2] {
        std::array::from_fn(|_| {
            let function = Arc::<Function>::default();
            let id = budget.join(Arc::clone(&function) as _);
            (function, id)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_taken_than_there_is_and_what_is_given_back_wakes_who_waits() {
        let budget = MemoryBudget::new(300);
        let [(_, first), (second, other)] = members(&budget);
        let shares = [budget.take(first, 128).unwrap(), budget.take(first, 128).unwrap()];
        assert!(budget.take(other, 128).is_none());
        let _ticket = budget.queue(other).unwrap();
        drop(shares);
        second.freed.notified().await;
        assert!(budget.take(other, 256).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_idle_for_the_longest_time_makes_room() {
        let budget = MemoryBudget::new(256);
        let [(first, id), (second, other)] = members(&budget);
        for (function, member) in [(&first, id), (&second, other)] {
            let share = budget.take(member, 128).unwrap();
            lock(&function.idle).push((Instant::now(), share));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(budget.make_room(other, 128).await);
        assert_eq!((lock(&first.idle).len(), lock(&second.idle).len()), (0, 1));
        // There is room now: nobody else has to go.
        assert!(budget.make_room(other, 128).await);
        assert_eq!(lock(&second.idle).len(), 1);
        let share = budget.take(other, 128).unwrap();
        lock(&second.idle).clear();
        let _busy = budget.take(id, 128).unwrap();
        assert!(!budget.make_room(id, 128).await, "nobody is idle");
        drop(share);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_too_long_is_next_whoever_else_comes() {
        let budget = MemoryBudget::new(128);
        let [(_, busy), (_, patient)] = members(&budget);
        let share = budget.take(busy, 128).unwrap();
        let ticket = budget.queue(patient).unwrap();
        assert!(!budget.owes_another(busy));
        tokio::time::advance(PATIENCE).await;
        assert!(budget.owes_another(busy) && !budget.owes_another(patient));
        drop(share);
        assert!(budget.take(busy, 128).is_none());
        assert!(budget.take(patient, 128).is_some());
        drop(ticket);
        assert!(budget.take(busy, 128).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_and_who_goes_leaves_a_place() {
        let budget = MemoryBudget::with_queue(0, 2);
        let [(_, id), _] = members(&budget);
        let tickets = [budget.queue(id).unwrap(), budget.queue(id).unwrap()];
        assert!(budget.queue(id).is_none());
        drop(tickets);
        assert!(budget.queue(id).is_some());
    }
}
