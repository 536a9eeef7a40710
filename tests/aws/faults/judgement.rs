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
    /// Whether the command was asked for one JSON document.
    pub speaks_json: bool,
    pub kind: &'a Kind,
    pub operation: &'a str,
    /// Whether the call that was to be disturbed came: how often some are made depends on time.
    pub is_disturbed: bool,
}

/// Holds what was said against what is there now.
pub(super) fn judge(told: &Told<'_>, undisturbed: &Undisturbed, now: &Snapshot, shortfalls: &mut Shortfalls) {
    expected_code(told, shortfalls);
    let is_untouched = *now == undisturbed.before;
    let document = serde_json::from_str::<Value>(told.stdout).ok();
    let cut_off = matches!(told.kind.stop, Some(Stop::Kill | Stop::InterruptTwice));
    if document.is_none() && told.speaks_json && !cut_off && !told.stderr.contains("nothing was changed") {
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
            if told.speaks_json && all_done {
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
        outcome_is_true(change, told, undisturbed, now, shortfalls);
    }
}

/// The exit codes that a fault may lead to.
fn expected_code(told: &Told<'_>, shortfalls: &mut Shortfalls) {
    let expected: &[i32] = match told.kind.stop {
        _ if !told.is_disturbed => &[0],
        Some(Stop::Kill) => &[-1],
        // What was begun with the last call is finished, and then all is done.
        Some(Stop::Interrupt | Stop::Terminate) => &[0, 130],
        Some(Stop::InterruptTwice) => &[130],
        None if (told.kind.survives)(told.operation) => &[0],
        // 2: AWS does not accept what was asked for, and nothing was changed.
        None => &[0, 1, 2, 4, 5],
    };
    if !expected.contains(&told.status) {
        shortfalls.add(format!("exit {}, expected {expected:?}", told.status));
    }
}

/// What is called done is as it should be, what is said not to have been begun is as it was, and what is called partly done
/// is not.
fn outcome_is_true(
    change: &Value,
    told: &Told<'_>,
    undisturbed: &Undisturbed,
    now: &Snapshot,
    shortfalls: &mut Shortfalls,
) {
    let word = |key: &str| change[key].as_str().unwrap_or_default();
    let (kind, name, outcome) = (word("resource"), word("name"), word("outcome"));
    let of = |snapshot: &Snapshot| snapshot.part(kind, name);
    if outcome == "done" {
        let difference = of(now).difference(&of(&undisturbed.after));
        if !difference.is_empty() {
            shortfalls.add(format!("{kind} {name} is called done, but is not:"));
            shortfalls.show(&difference);
        }
        return;
    }
    // Who has no answer cannot know what the call has done.
    if outcome == "failed" && told.kind.leaves_open {
        return;
    }
    let difference = of(now).on_its_own().difference(&of(&undisturbed.before).on_its_own());
    match change["partly_done"].as_bool() {
        // A deletion of what is not there succeeds, and changes nothing.
        Some(true) if change["action"] != "delete" && of(now) == of(&undisturbed.before) => {
            shortfalls.add(format!("{kind} {name} is called partly done, but is as before"));
        }
        Some(false) if !difference.is_empty() => {
            shortfalls.add(format!("{kind} {name} is called {outcome}, but is not as if not begun:"));
            shortfalls.show(&difference);
        }
        Some(_) => {}
        None => shortfalls.add(format!("{kind} {name} is called {outcome}, without `partly_done`")),
    }
}
