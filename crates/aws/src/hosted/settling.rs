//! Calls that AWS is not ready for yet: a role has not got around, or what was there before is not gone.

use std::time::Duration;

use mdo_engine::{Cause, Error};
use tokio::time::Instant;

use crate::client::Aws;

/// How long what was in the way may take to go.
const SETTLES_WITHIN: Duration = Duration::from_secs(300);

/// The first pause between two calls, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Makes a call again while AWS is not ready for it, and tells `waiting` what for: `busy` where something is in the way.
///
/// # Errors
/// What AWS says when it is something else, or still the same after five minutes.
pub(super) async fn once_settled<T, F, Fut>(
    aws: &Aws,
    waiting: &(dyn Fn(String) + Send + Sync),
    busy: &str,
    call: F,
) -> Result<T, Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let (began, mut pause) = (Instant::now(), PAUSES.0);
    loop {
        let error = match call().await {
            Err(error) if began.elapsed() < SETTLES_WITHIN => error,
            answer => return answer,
        };
        match error.cause {
            Cause::RoleNotReady => waiting("for ECS to know its role".to_owned()),
            Cause::Busy => waiting(busy.to_owned()),
            _ => return Err(error),
        }
        aws.pause(pause).await?;
        pause = (pause * 2).min(PAUSES.1);
    }
}
