//! Calls in rounds: one that arrives waits until all of the round before have ended and no more have come for a while.
//! So how deep calls depend on one another does not hang on how long the emulator takes for each.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The rounds of one proxy.
pub struct Rounds {
    quiet: Duration,
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    round: usize,
    waiting: usize,
    running: usize,
    last_move: Instant,
}

impl Rounds {
    /// A round begins when nothing has moved for as long as `quiet`.
    pub fn new(quiet: Duration) -> Rounds {
        let state = State { round: 0, waiting: 0, running: 0, last_move: Instant::now() };
        Rounds { quiet, state: Mutex::new(state), moved: Condvar::new() }
    }

    /// Waits for the next round, and takes part in it until `leave`.
    pub fn enter(&self) {
        let mut state = self.state();
        state.waiting += 1;
        state.last_move = Instant::now();
        let arrived_in = state.round;
        while state.round == arrived_in {
            let still = self.quiet.saturating_sub(state.last_move.elapsed());
            if state.running == 0 && still.is_zero() {
                state.round += 1;
                state.running = std::mem::take(&mut state.waiting);
                self.moved.notify_all();
            } else {
                let pause = still.max(Duration::from_millis(1));
                state = self.moved.wait_timeout(state, pause).unwrap().0;
            }
        }
    }

    /// The call has its answer.
    pub fn leave(&self) {
        let mut state = self.state();
        state.running -= 1;
        state.last_move = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
