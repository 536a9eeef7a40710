//! What is in use, as it was read last, for who removes one thing after the other: another pipeline may deploy meanwhile, and to read it
//! anew for each would take most of the time.

use std::collections::BTreeSet;
use std::time::Duration;

use mdo_engine::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// For how long what was read is taken to be so.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// The names of what is in use, and when that was read.
#[derive(Debug, Default)]
pub(crate) struct LastLook(Mutex<Option<(Instant, BTreeSet<String>)>>);

impl LastLook {
    /// Whether something is in use. A fresh look is believed that nothing uses it; what it found in use may be free by now, and is read
    /// anew with `read`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn has(
        &self,
        name: &str,
        read: impl Future<Output = Result<BTreeSet<String>, Error>>,
    ) -> Result<bool, Error> {
        let mut last = self.0.lock().await;
        let fresh = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH_FOR);
        if fresh.is_some_and(|(_, in_use)| !in_use.contains(name)) {
            return Ok(false);
        }
        let begun = Instant::now();
        let in_use = read.await?;
        let is_in_use = in_use.contains(name);
        *last = Some((begun, in_use));
        Ok(is_in_use)
    }
}
