//! Two commands at once, aligned so that each sees the account before the other has changed it.

use std::collections::BTreeSet;

use serde_json::json;

use super::campaign::{self, Case, Shortfalls};
use super::disturbed::{has_no_changes, reason, succeeds};
use super::sequences::Sequence;
use super::snapshot::Snapshot;
use crate::live::Live;
use crate::support::account::Account;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;
use crate::support::running::Running;

/// Where two first deploys are held until both are there: at their first write, or at this one.
const FIRST: [&str; 10] = [
    "first write",
    "CreateRole",
    "CreateFunction",
    "CreateAlias",
    "ImportRestApi",
    "CreateDeployment",
    "CreateUsagePlan",
    "CreateApiKey",
    "CreateUsagePlanKey",
    "PutRule",
];

/// The same for two updates.
const UPDATE: [&str; 10] = [
    "first write",
    "UpdateFunctionConfiguration",
    "UpdateFunctionCode",
    "PublishVersion",
    "UpdateAlias",
    "PutRestApi",
    "CreateDeployment",
    "UpdateUsagePlan",
    "PutRule",
    "PutTargets",
];

const SAMPLE: usize = 2;

#[test]
fn two_first_deploys_of_two_stages_at_once_end_on_one_api() {
    let Some(emulator) = Emulator::shared() else { return };
    race("two first deploys of two stages", &FIRST, move |at| {
        let dev = TestProject::with_echo(emulator.account());
        let prod = TestProject::with_echo(dev.account().shared());
        let commands = ["deploy --yes --json --stage dev", "deploy --yes --json --stage prod"];
        let mut shortfalls = at_once(emulator, [&dev, &prod], commands, at);
        let alone = TestProject::with_echo(emulator.account());
        for command in commands {
            alone.mdo(command).exits(0);
        }
        shortfalls.unless_same(&Snapshot::of(dev.account()), &Snapshot::of(alone.account()));
        for plan in ["plan --json --stage dev", "plan --json --stage prod"] {
            has_no_changes(&dev, plan, &mut shortfalls);
        }
        destroyed(&dev, &mut shortfalls);
        shortfalls
    });
}

#[test]
fn two_first_deploys_of_one_stage_at_once_end_on_one_api() {
    let Some(emulator) = Emulator::shared() else { return };
    race("two first deploys of one stage", &FIRST, move |at| {
        let one = TestProject::with_echo(emulator.account());
        let other = TestProject::with_echo(one.account().shared());
        let mut shortfalls = at_once(emulator, [&one, &other], ["deploy --yes --json"; 2], at);
        let alone = TestProject::with_echo(emulator.account());
        alone.mdo("deploy --yes --json").exits(0);
        shortfalls.unless_same(&Snapshot::of(one.account()), &Snapshot::of(alone.account()));
        has_no_changes(&one, "plan --json", &mut shortfalls);
        destroyed(&one, &mut shortfalls);
        shortfalls
    });
}

#[test]
fn two_updates_at_once_end_as_one_or_the_other() {
    let Some(emulator) = Emulator::shared() else { return };
    race("two updates of one stage", &UPDATE, move |at| {
        let one = edited(emulator.account(), &EDITS[0]);
        let other = edited(one.account().shared(), &EDITS[1]);
        let mut shortfalls = at_once(emulator, [&one, &other], EDITS.each_ref().map(|edit| edit.command), at);
        let now = Snapshot::of(one.account());
        let alone = EDITS.each_ref().map(|edit| {
            let alone = edited(emulator.account(), edit);
            alone.mdo(edit.command).exits(0);
            Snapshot::of(alone.account())
        });
        if !alone.contains(&now) {
            shortfalls.add("mixed: it differs from one update in");
            shortfalls.show(&now.difference(&alone[0]));
            shortfalls.add("mixed: it differs from the other update in");
            shortfalls.show(&now.difference(&alone[1]));
        }
        succeeds(&one, EDITS[0].command, &mut shortfalls);
        shortfalls.unless_same(&Snapshot::of(one.account()), &alone[0]);
        has_no_changes(&one, "plan --json", &mut shortfalls);
        destroyed(&one, &mut shortfalls);
        shortfalls
    });
}

/// What an update asks for.
struct Edit {
    command: &'static str,
    edition: &'static str,
    memory: u32,
    path: &'static str,
    rate: u32,
    warm: &'static str,
}

const EDITS: [Edit; 2] = [
    Edit {
        command: "deploy --yes --json -s GREETING=one",
        edition: "second",
        memory: 256,
        path: "/new",
        rate: 3,
        warm: "1m",
    },
    Edit {
        command: "deploy --yes --json -s GREETING=other",
        edition: "third",
        memory: 512,
        path: "/none",
        rate: 5,
        warm: "2m",
    },
];

/// A deployed project whose files ask for something else in everything.
fn edited(account: Account, edit: &Edit) -> TestProject {
    let project = TestProject::with_echo(account);
    if Live::of(&project, "dev").apis().is_empty() {
        project.mdo("deploy --yes -s GREETING=before").exits(0);
    }
    let throttle = format!("[api]\nthrottle = {{ rate = {}, burst = 9 }}\n", edit.rate);
    project.write("project.toml", &format!("{MANIFEST}{throttle}"));
    project.set_edition("echo", edit.edition);
    project.set("echo", "memory", json!(edit.memory));
    project.set("echo", "routes", json!(["GET /echo", format!("POST {}", edit.path)]));
    project.set("echo", "warm", json!({"rate": edit.warm}));
    project
}

/// A race for each call at which both are held.
fn race(
    name: &'static str,
    held_at: &[&'static str],
    run: impl Fn(&str) -> Shortfalls + Copy + Send + 'static,
) {
    if campaign::may_choose(name) {
        let case = |at: &&'static str| {
            let at = *at;
            Case::new(format!("{name}/held at {at}"), [""], move || run(at))
        };
        campaign::run(name, held_at.iter().map(case).collect(), SAMPLE);
    }
}

/// Runs two commands at once, each held at a call until the other is there, and proves that each succeeds, or says that
/// the other was there.
fn at_once(
    emulator: &'static Emulator,
    projects: [&TestProject; 2],
    commands: [&str; 2],
    at: &str,
) -> Shortfalls {
    let proxies = [Sequence::proxy(emulator), Sequence::proxy(emulator)];
    // Each has read the account before the other changes it.
    proxies.iter().for_each(Proxy::hold_writes);
    let mut runs: Vec<_> =
        (0..2).map(|index| projects[index].mdo(commands[index]).through(&proxies[index]).begins()).collect();
    let both_held = |runs: &mut [Running]| {
        for (proxy, running) in proxies.iter().zip(runs) {
            proxy.until_held_or(|| running.has_ended());
        }
    };
    both_held(&mut runs);
    if at != "first write" {
        proxies.iter().for_each(|proxy| proxy.hold_instead(at));
        both_held(&mut runs);
    }
    std::thread::scope(|scope| {
        proxies.iter().for_each(|proxy| drop(scope.spawn(|| proxy.release())));
    });
    let ends: Vec<_> = runs.into_iter().map(Running::ends).collect();
    proxies.iter().for_each(Proxy::until_idle);
    let transcript: Vec<String> = ends
        .iter()
        .zip(commands)
        .map(|((status, stdout, stderr), command)| {
            format!("$ mdo {command}\n{stdout}{stderr}[exit {status}]")
        })
        .collect();
    let mut shortfalls = Shortfalls::new(transcript.join("\n"));
    for ((status, stdout, stderr), command) in ends.iter().zip(commands) {
        let gives_way = stdout.contains("at the same time") || stderr.contains("at the same time");
        if !(*status == 0 || [1, 5].contains(status) && gives_way) {
            shortfalls.add(format!("`mdo {command}` ends with {status}"));
            shortfalls.show(&reason(stdout));
        }
    }
    let statuses: BTreeSet<i32> = ends.iter().map(|(status, ..)| *status).collect();
    if !statuses.contains(&0) {
        shortfalls.add(format!("neither command succeeds: {statuses:?}"));
    }
    shortfalls
}

fn destroyed(project: &TestProject, shortfalls: &mut Shortfalls) {
    shortfalls.within("destroy", |shortfalls| {
        succeeds(project, "destroy --all --yes --json", shortfalls);
        shortfalls.unless_same(&Snapshot::of(project.account()), &Snapshot::default());
    });
}
