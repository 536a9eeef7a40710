//! Whether the calls that make one change have written anything that a stack is made of: then, should the rest fail, a part
//! of the change is real.

use std::cell::Cell;

use crate::errors;

tokio::task_local! {
    static HAS_WRITTEN: Cell<bool>;
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
    HAS_WRITTEN
        .scope(Cell::new(false), async {
            let outcome = change.await;
            (outcome, HAS_WRITTEN.with(Cell::get))
        })
        .await
}

/// Notes a call that AWS has made.
pub(crate) fn note(operation: &str) {
    let name = errors::name_of(operation);
    let reads = ["Get", "List", "Describe", "Filter", "Head"].iter().any(|verb| name.starts_with(verb));
    if !reads && !SCRATCH.contains(&operation) {
        // Outside a change nobody asks.
        let _ = HAS_WRITTEN.try_with(|has_written| has_written.set(true));
    }
}

#[cfg(test)]
mod tests {
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
