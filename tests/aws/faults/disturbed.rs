//! One run of a sequence with a fault at one of its calls, and the runs that heal it.

use serde_json::{Value, json};

use super::campaign::Shortfalls;
use super::judgement::{self, Told};
use super::kinds::{Kind, Stop};
use super::scene::Scene;
use super::sequences::{Sequence, Undisturbed};
use super::snapshot::Snapshot;
use crate::support::project::TestProject;
use crate::support::running::Running;

/// Disturbs one call of a sequence, and says in what mdo falls short.
pub(super) fn run(
    sequence: &Sequence,
    undisturbed: &Undisturbed,
    (operation, number): (&str, usize),
    kind: &Kind,
) -> Shortfalls {
    let scene = sequence.prepared();
    let project = &scene.project;
    scene.disturb(operation, number, &kind.disturbance);
    let mut running = scene.begins(sequence.command);
    if let Some(stop) = kind.stop {
        stopped(&mut running, &scene, stop);
    }
    let (status, stdout, stderr) = running.ends();
    if kind.stop == Some(Stop::Kill) {
        scene.discard();
    } else {
        scene.let_go();
    }
    scene.until_idle();
    let is_disturbed = scene.has_disturbed();
    scene.heal();
    let mut shortfalls =
        Shortfalls::new(format!("$ mdo {}\n{stdout}{stderr}[exit {status}]", sequence.command));
    if !is_disturbed {
        shortfalls.note("the call did not come this time");
    }

    let now = Snapshot::of(project.account());
    let (stdout, stderr) = (stdout.as_str(), stderr.as_str());
    let speaks_json = sequence.command.contains("--json");
    let told = Told { status, stdout, stderr, speaks_json, kind, operation, is_disturbed };
    judgement::judge(&told, undisturbed, &now, &mut shortfalls);
    if status != 0 && (sequence.repeats || now != undisturbed.after) {
        shortfalls.within("the clean run that follows", |shortfalls| {
            succeeds(project, sequence.command, shortfalls);
            let healed = Snapshot::of(project.account());
            shortfalls.unless_same(&healed, &undisturbed.after);
        });
    }
    settled_and_destroyed(project, sequence, undisturbed, &mut shortfalls);
    shortfalls
}

/// Proves that nothing is left to do, and that nothing is left after a destroy.
pub(super) fn settled_and_destroyed(
    project: &TestProject,
    sequence: &Sequence,
    undisturbed: &Undisturbed,
    shortfalls: &mut Shortfalls,
) {
    if let Some(command) = sequence.goes_on {
        shortfalls.within("what goes on from there", |shortfalls| {
            succeeds(project, command, shortfalls);
        });
    }
    shortfalls.within("when all is done", |shortfalls| {
        has_no_changes(project, sequence.settled, shortfalls);
    });
    if !undisturbed.after.is_empty() {
        shortfalls.within("destroy", |shortfalls| {
            succeeds(project, sequence.destroys, shortfalls);
            shortfalls.unless_same(&Snapshot::of(project.account()), &Snapshot::default());
        });
    }
}

/// Sends the signals while the call is halted.
fn stopped(running: &mut Running, scene: &Scene, stop: Stop) {
    scene.until_halted(running);
    match stop {
        Stop::Kill => running.signal("KILL"),
        Stop::Interrupt | Stop::Terminate => {
            running.signal(if stop == Stop::Interrupt { "INT" } else { "TERM" });
            running.until_it_says("interrupted");
            scene.let_go();
        }
        Stop::InterruptTwice => {
            running.signal("INT");
            running.until_it_says("interrupted");
            running.signal("INT");
        }
    }
}

/// Runs a command that has to end with 0, and answers its document.
pub(super) fn succeeds(project: &TestProject, command: &str, shortfalls: &mut Shortfalls) -> Option<Value> {
    let (status, stdout, stderr) = project.mdo(command).begins().ends();
    if status != 0 {
        shortfalls.add(format!("`mdo {command}` ends with {status}: {}", reason(&stdout)));
        shortfalls.show(&stderr);
        return None;
    }
    serde_json::from_str(&stdout).ok()
}

/// Proves that a command has nothing to do.
pub(super) fn has_no_changes(project: &TestProject, command: &str, shortfalls: &mut Shortfalls) {
    if let Some(document) = succeeds(project, command, shortfalls)
        && document["changes"] != json!([])
    {
        shortfalls.add(format!("`mdo {command}` finds {}", changes(&document)));
    }
}

/// The errors of a document on one line.
pub(super) fn reason(stdout: &str) -> String {
    let Ok(document) = serde_json::from_str::<Value>(stdout) else { return stdout.trim().to_owned() };
    let changes = document["changes"].as_array().into_iter().flatten();
    let errors = changes.chain([&document]).map(|part| &part["error"]["message"]).filter_map(Value::as_str);
    errors.collect::<Vec<_>>().join("; ")
}

/// The changes of a document on one line.
fn changes(document: &Value) -> String {
    let line = |change: &Value| format!("{} {} {}", change["action"], change["resource"], change["fields"]);
    let all: Vec<String> = document["changes"].as_array().into_iter().flatten().map(line).collect();
    all.join("; ")
}
