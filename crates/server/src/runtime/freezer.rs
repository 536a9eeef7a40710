//! Stops the processes of a sandbox between events, as Lambda does: what a function does in the background stands still until the next
//! event comes.

use std::sync::{Arc, Mutex};

use super::lock;
use super::process::Group;

/// Stops a sandbox that has nothing to do, and lets it go on. Without being switched on it does nothing.
pub(super) struct Freezer(Option<Mutex<State>>);

#[derive(Default)]
struct State {
    group: Option<Group>,
    /// Whether no event is run.
    is_idle: bool,
    /// Whether the function asks for an event.
    is_asking: bool,
    is_frozen: bool,
}

impl Freezer {
    pub(super) fn new(is_on: bool) -> Arc<Self> {
        Arc::new(Self(is_on.then(Mutex::default)))
    }

    /// Tells which processes the sandbox has.
    pub(super) fn holds(&self, group: Group) {
        self.change(|state| state.group = Some(group));
    }

    /// The function asks for an event, and there is none.
    pub(super) fn asks(&self) {
        self.change(|state| state.is_asking = true);
    }

    /// The sandbox waits for its next event. Its function is stopped as soon as it asks for it, and not before: what it does after an
    /// answer belongs to the event.
    pub(super) fn rests(&self) {
        self.change(|state| state.is_idle = true);
    }

    /// An event comes.
    pub(super) fn wakes(&self) {
        self.change(|state| (state.is_idle, state.is_asking) = (false, false));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let Some(state) = &self.0 else { return };
        let state = &mut *lock(state);
        change(state);
        let is_to_freeze = state.is_idle && state.is_asking;
        if let Some(group) = &state.group
            && is_to_freeze != state.is_frozen
        {
            state.is_frozen = is_to_freeze;
            if is_to_freeze { group.stop() } else { group.go_on() }
        }
    }
}
