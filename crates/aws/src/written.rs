//! Whether the calls that make one change have written anything that a stack is made of: then, should the rest fail, a part
//! of the change is real.

use std::cell::Cell;

use futures::future::{Either, join, select};
use mdo_engine::Error;

use crate::errors;

tokio::task_local! {
    /// How many writes there were that nothing has undone.
    static WRITES: Cell<u32>;
}

/// What writes only what no stage serves: `$LATEST`, versions that no alias points at, the API's working definition, revisions
/// that no service runs.
const SCRATCH: [&str; 5] = [
    "lambda:UpdateFunctionConfiguration",
    "lambda:UpdateFunctionCode",
    "lambda:PublishVersion",
    "apigateway:PutRestApi",
    "ecs:RegisterTaskDefinition",
];

/// Runs a change, and answers also whether it has written anything.
pub(crate) async fn watching<T>(change: impl Future<Output = T>) -> (T, bool) {
    WRITES
        .scope(Cell::new(0), async {
            let outcome = change.await;
            (outcome, WRITES.with(Cell::get) > 0)
        })
        .await
}

/// Notes a call that AWS has made.
pub(crate) fn note(operation: &str) {
    let name = errors::name_of(operation);
    let reads = ["Get", "List", "Describe", "Filter", "Head"].iter().any(|verb| name.starts_with(verb));
    if !reads && !SCRATCH.contains(&operation) {
        // Outside a change nobody asks.
        let _ = WRITES.try_with(|writes| writes.set(writes.get() + 1));
    }
}

/// Notes that the last write has undone the one before it.
pub(crate) fn undone() {
    let _ = WRITES.try_with(|writes| writes.set(writes.get().saturating_sub(2)));
}

/// Runs writes side by side, each to its end whatever becomes of the other: who drops a call that is under way does not know what
/// it has done.
///
/// # Errors
/// The first one's, or the other's.
pub(crate) async fn both<A, B>(
    one: impl Future<Output = Result<A, Error>>,
    other: impl Future<Output = Result<B, Error>>,
) -> Result<(A, B), Error> {
    // Boxed, because together they are more than a thread's stack may hold.
    let (one, other) = join(Box::pin(one), Box::pin(other)).await;
    Ok((one?, other?))
}

/// Runs writes to their end beside something that may be dropped at any time, as soon as the writes have failed.
///
/// # Errors
/// That of whichever fails first.
pub(crate) async fn beside<A, B>(
    writes: impl Future<Output = Result<A, Error>>,
    rest: impl Future<Output = Result<B, Error>>,
) -> Result<(A, B), Error> {
    match select(Box::pin(writes), Box::pin(rest)).await {
        Either::Left((writes, rest)) => Ok((writes?, rest.await?)),
        Either::Right((rest, writes)) => {
            let writes = writes.await;
            let rest = rest?;
            Ok((writes?, rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use mdo_engine::Cause;

    use super::*;

    #[tokio::test]
    async fn reads_and_scratch_are_no_part_of_a_change() {
        let scratch = async {
            note("lambda:GetFunction");
            note("lambda:PublishVersion");
        };
        assert_eq!(watching(scratch).await, ((), false));
        let alias = async {
            note("lambda:UpdateAlias");
            note("lambda:GetFunction");
        };
        assert_eq!(watching(alias).await, ((), true));
        note("lambda:UpdateAlias");
    }

    #[tokio::test]
    async fn what_was_undone_is_no_part_of_a_change_and_what_was_not_is() {
        let back = async {
            note("ecs:UpdateService");
            note("ecs:UpdateService");
            undone();
        };
        assert_eq!(watching(back).await, ((), false));
        let with_another = async {
            note("logs:PutRetentionPolicy");
            note("ecs:UpdateService");
            note("ecs:UpdateService");
            undone();
        };
        assert_eq!(watching(with_another).await, ((), true));
    }

    #[tokio::test]
    async fn a_write_that_is_under_way_ends_though_what_is_beside_it_fails() {
        let failure = || Error::new(Cause::Interrupted, "interrupted");
        let write = || async {
            tokio::task::yield_now().await;
            note("ecs:CreateCluster");
            Ok(())
        };
        let fails = || async { Err::<(), _>(failure()) };
        assert_eq!(watching(both(fails(), write())).await, (Err(failure()), true));
        assert_eq!(watching(beside(write(), fails())).await, (Err(failure()), true));
        let never = std::future::pending::<Result<(), Error>>();
        assert_eq!(watching(beside(fails(), never)).await, (Err(failure()), false));
    }

    #[tokio::test]
    async fn of_changes_side_by_side_each_knows_its_own_writes() {
        let (write, read) = tokio::join!(
            watching(async {
                tokio::task::yield_now().await;
                note("iam:CreateRole");
                tokio::task::yield_now().await;
            }),
            watching(async {
                tokio::task::yield_now().await;
                note("iam:GetRole");
                tokio::task::yield_now().await;
            }),
        );
        assert_eq!((write.1, read.1), (true, false));
    }
}
