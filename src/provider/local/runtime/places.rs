//! How many sandboxes a function may have, and how many there are.

use tokio::sync::watch;

/// The places of one function. Clones are the same places.
#[derive(Clone)]
pub(super) struct Places {
    taken: watch::Sender<usize>,
    all: usize,
}

/// The right to be a sandbox, given back when dropped.
pub(super) struct Place {
    taken: watch::Sender<usize>,
}

impl Places {
    pub fn new(all: usize) -> Self {
        Self { taken: watch::Sender::new(0), all }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    /// Takes one, if there is one left.
    pub fn take(&self) -> Option<Place> {
        let is_free = |taken: &mut usize| {
            let is_free = *taken < self.all;
            *taken += usize::from(is_free);
            is_free
        };
        self.taken.send_if_modified(is_free).then(|| Place { taken: self.taken.clone() })
    }

    /// Waits until none is taken.
    pub async fn all_free(&self) {
        // The sender is ours: there is nothing that could fail.
        drop(self.taken.subscribe().wait_for(|taken| *taken == 0).await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.send_modify(|taken| *taken -= 1);
    }
}
