//! How many sandboxes a function may have, how many there are, and who waits for one.

use std::sync::Arc;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

use super::budget::Share;

/// The slots of one function. Clones are the same slots.
#[derive(Clone)]
pub(super) struct Slots {
    taken: watch::Sender<usize>,
    freed: Arc<Notify>,
    all: usize,
}

/// The right to be a sandbox, given back when dropped.
pub(super) struct Slot {
    taken: watch::Sender<usize>,
    freed: Arc<Notify>,
    /// The memory that it takes, where functions share one budget.
    _share: Option<Share>,
}

impl Slots {
    pub(super) fn new(all: usize) -> Self {
        Self { taken: watch::Sender::new(0), freed: Arc::default(), all }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    /// Whether there is one left.
    pub(super) fn has_free(&self) -> bool {
        self.taken() < self.all
    }

    /// Takes one with its share of the memory, if there is one left.
    pub(super) fn take(&self, share: Option<Share>) -> Option<Slot> {
        let is_free = |taken: &mut usize| {
            let is_free = *taken < self.all;
            *taken += usize::from(is_free);
            is_free
        };
        let slot = || Slot { taken: self.taken.clone(), freed: Arc::clone(&self.freed), _share: share };
        self.taken.send_if_modified(is_free).then(slot)
    }

    /// What says that a slot, or the sandbox in one, became free.
    pub(super) fn notify(&self) -> &Notify {
        &self.freed
    }

    /// Resolves when a slot, or the sandbox in one, becomes free.
    pub(super) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Says that the sandbox in a slot is free.
    pub(super) fn free_one(&self) {
        self.freed.notify_one();
    }

    /// Makes everybody who waits look again.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
    }

    /// Waits until none is taken.
    pub(super) async fn all_free(&self) {
        // The sender is ours: there is nothing that could fail.
        drop(self.taken.subscribe().wait_for(|taken| *taken == 0).await);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| *taken -= 1);
        self.freed.notify_one();
    }
}
