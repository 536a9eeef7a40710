//! Whether what a disturbed command has said is true: its exit code and its table against what the account holds.

use serde_json::Value;

use super::campaign::Shortfalls;
use super::kinds::{Kind, Stop};
use super::sequences::Undisturbed;
use super::snapshot::Snapshot;

/// What a command has said.
pub(super) struct Told<'a> {
    pub status: i32,
    pub stdout: &'a str,
    pub stderr: &'a str,
    pub kind: &'a Kind,
    pub operation: &'a str,
}

/// Holds what was said against what is there now.
pub(super) fn judge(told: &Told<'_>, undisturbed: &Undisturbed, now: &Snapshot, shortfalls: &mut Shortfalls) {
    expected_code(told, shortfalls);
    let is_untouched = *now == undisturbed.before;
    let document = serde_json::from_str::<Value>(told.stdout).ok();
    let cut_off = matches!(told.kind.stop, Some(Stop::Kill | Stop::InterruptTwice));
    if document.is_none() && !cut_off && !told.stderr.contains("nothing was changed") {
        shortfalls.add("standard output is not one JSON document");
    }
    let changes = document.as_ref().and_then(|document| document["changes"].as_array());
    let outcomes: Vec<&str> =
        changes.into_iter().flatten().filter_map(|change| change["outcome"].as_str()).collect();
    let all_done = outcomes.iter().all(|outcome| *outcome == "done");
    match told.status {
        0 => {
            if !all_done {
                shortfalls.add(format!("exit 0, but the table says {outcomes:?}"));
            }
            shortfalls.within("after exit 0", |shortfalls| {
                shortfalls.unless_same(now, &undisturbed.after);
            });
        }
        1 | 2 | 4 if !is_untouched => {
            shortfalls.add(format!("exit {}, but something was done:", told.status));
            shortfalls.show(&now.difference(&undisturbed.before));
        }
        5 => {
            if all_done {
                shortfalls.add(format!("exit 5, but the table says {outcomes:?}"));
            }
            if is_untouched {
                shortfalls.add("exit 5, but nothing was done");
            }
        }
        130 => {
            if !outcomes.is_empty() && all_done {
                shortfalls.add("exit 130, but the table says that everything is done");
            }
            if told.stderr.contains("nothing was changed") && !is_untouched {
                shortfalls.add("`nothing was changed`, but something was:");
                shortfalls.show(&now.difference(&undisturbed.before));
            }
        }
        _ => {}
    }
    for change in changes.into_iter().flatten() {
        outcome_is_true(change, undisturbed, now, shortfalls);
    }
}

/// The exit codes that a fault may lead to.
fn expected_code(told: &Told<'_>, shortfalls: &mut Shortfalls) {
    let expected: &[i32] = match told.kind.stop {
        Some(Stop::Kill) => &[-1],
        // What was begun with the last call is finished, and then all is done.
        Some(Stop::Interrupt | Stop::Terminate) => &[0, 130],
        Some(Stop::InterruptTwice) => &[130],
        None if (told.kind.survives)(told.operation) => &[0],
        None => &[0, 1, 4, 5],
    };
    if !expected.contains(&told.status) {
        shortfalls.add(format!("exit {}, expected {expected:?}", told.status));
    }
}

/// What is called done is as it should be, and what is said not to have been begun is as it was.
fn outcome_is_true(change: &Value, undisturbed: &Undisturbed, now: &Snapshot, shortfalls: &mut Shortfalls) {
    let word = |key: &str| change[key].as_str().unwrap_or_default();
    let (kind, name, outcome) = (word("resource"), word("name"), word("outcome"));
    let of = |snapshot: &Snapshot| snapshot.part(kind, name);
    let (difference, said) = match outcome {
        "done" => (of(now).difference(&of(&undisturbed.after)), "done"),
        "skipped" | "interrupted" => {
            (of(now).on_its_own().difference(&of(&undisturbed.before).on_its_own()), "not begun")
        }
        _ => return,
    };
    if !difference.is_empty() {
        shortfalls.add(format!("{kind} {name} is called {outcome}, but is not as if {said}:"));
        shortfalls.show(&difference);
    }
}
