//! How a proxy holds calls back until they are released, and waits for what never has to come.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::super::operations::Operation;
use super::{POLL, Proxy, Shared, State};

/// After this long a call is taken for one that never comes or ends.
pub(super) const FOR_EVER: Duration = Duration::from_secs(300);

/// Which calls are held.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Held {
    Operation(String),
    Writes,
}

impl Held {
    fn holds(&self, operation: &Operation) -> bool {
        match self {
            Held::Operation(name) => *name == operation.name,
            Held::Writes => operation.writes(),
        }
    }
}

impl Proxy {
    /// Holds every call of an operation, before it reaches the emulator, until `release`.
    pub fn hold(&self, operation: &str) {
        self.state().holds = Some(Held::Operation(operation.to_owned()));
    }

    /// Holds every call that changes something, before it reaches the emulator, until `release`.
    pub fn hold_writes(&self) {
        self.state().holds = Some(Held::Writes);
    }

    /// Holds every call of an operation instead of what is held so far, which goes on.
    pub fn hold_instead(&self, operation: &str) {
        self.hold(operation);
        self.shared.moved.notify_all();
    }

    /// Waits until a held call has arrived.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[track_caller]
    pub fn until_held(&self) {
        self.until_held_or(|| false);
    }

    /// Waits until a held call has arrived, or `ended` says that none will.
    ///
    /// # Panics
    ///
    /// If neither comes.
    #[track_caller]
    pub fn until_held_or(&self, mut ended: impl FnMut() -> bool) {
        let mut state = self.state();
        let is_held = |state: &State| {
            state.holds.as_ref().is_some_and(|held| state.held.iter().any(|call| held.holds(call)))
        };
        let begun = Instant::now();
        while !is_held(&state) && !ended() {
            assert!(begun.elapsed() < FOR_EVER, "the call to hold never came; {}", state.told());
            state = self.shared.moved.wait_timeout(state, POLL).unwrap().0;
        }
    }

    /// Lets held calls go on to the emulator, and waits until they have ended there, whether or not mdo still listens.
    ///
    /// # Panics
    ///
    /// If one of them does not end.
    #[track_caller]
    pub fn release(&self) {
        let mut state = self.state();
        state.holds = None;
        self.shared.moved.notify_all();
        self.until(state, FOR_EVER, "a held call does not end", |state| state.held.is_empty());
    }

    /// Waits until something is so, for so long at most.
    #[track_caller]
    pub(super) fn until(
        &self,
        state: MutexGuard<'_, State>,
        limit: Duration,
        otherwise: &str,
        is_so: impl Fn(&State) -> bool,
    ) {
        let waits = self.shared.moved.wait_timeout_while(state, limit, |state| !is_so(state));
        let (state, waited) = waits.unwrap();
        assert!(!waited.timed_out(), "{otherwise}; {}", state.told());
    }
}

impl Shared {
    /// Waits while calls of this operation are held, and tells whether they were.
    pub(super) fn pass(&self, operation: &Operation) -> bool {
        let mut state = self.state.lock().unwrap();
        let held = |state: &mut State| state.holds.as_ref().is_some_and(|held| held.holds(operation));
        let is_held = held(&mut state);
        if is_held {
            state.held.push(operation.clone());
            self.moved.notify_all();
            drop(self.moved.wait_while(state, held).unwrap());
        }
        is_held
    }
}

impl State {
    /// The calls so far, for whoever waits in vain.
    pub(super) fn told(&self) -> String {
        let calls = self.calls.iter().map(|call| format!("{} {}", call.operation.name, call.status));
        let held = self.held.iter().map(|call| call.name.as_str());
        format!("held: {:?}, ended: {:?}", held.collect::<Vec<_>>(), calls.collect::<Vec<_>>())
    }

    /// Notes that a held call has ended.
    pub(super) fn let_go(&mut self, operation: &Operation) {
        if let Some(index) = self.held.iter().position(|held| held.name == operation.name) {
            self.held.swap_remove(index);
        }
    }
}
