//! Faults at every call, races, and resources deleted by hand: whatever happens, the exit code and the table tell the truth,
//! and one clean run reaches what an undisturbed one would have.
//!
//! An ordinary `cargo test` runs a sample that is the same each time. The whole, a part of it, or one case again:
//!
//! ```text
//! MDO_FAULTS=all cargo test -p mdo --test aws faults::
//! MDO_FAULTS=5% cargo test -p mdo --test aws faults::
//! MDO_FAULTS=75-100% cargo test -p mdo --test aws faults::
//! MDO_FAULTS='update of everything/PutRestApi#1' cargo test -p mdo --test aws faults::
//! MDO_FAULTS='first deploy/CreateAlias#1/dropped after' cargo test -p mdo --test aws faults::
//! ```
//!
//! The emulator forgets nothing: 2,500 cases took 16 GB. The whole is run in quarters where a machine has less.
//!
//! A case is named by words between slashes. Each may be a pattern, as of files, and words at the end may be left out. A
//! further sequence of calls joins by a line in `sequences.rs`, a further fault by a line in `kinds.rs`. Sequences of stages that
//! servers host, on MiniStack, are in `servers.rs`.

mod campaign;
mod deletions;
mod disturbed;
mod hosting;
mod judgement;
mod kinds;
mod known;
mod races;
mod scene;
mod sequences;
mod servers;
mod snapshot;

use std::thread;

use self::campaign::Case;
use self::kinds::Kind;
use self::sequences::Sequence;
use crate::support::emulator::Emulator;
use crate::support::hosted::HostedProject;

/// How many calls of each sequence, and how many by each kind of fault, the ordinary run disturbs.
const SAMPLE_OF_EACH: usize = 1;

/// How many calls of each sequence of a hosted stage the ordinary run disturbs.
const SAMPLE_OF_EACH_SEQUENCE: usize = 3;

#[test]
fn a_fault_at_any_call_is_told_truly_and_healed_by_the_next_run() {
    if Emulator::shared().is_some() {
        let by_both = |sequence: &str, kind: &str| vec![sequence.to_owned(), kind.to_owned()];
        let cases = cases(sequences::all(), &kinds::all(), by_both);
        campaign::run("faults", cases, SAMPLE_OF_EACH);
    }
}

#[test]
fn a_fault_at_any_call_of_a_hosted_stage_is_told_truly_and_healed_by_the_next_run() {
    if HostedProject::empty().is_some() {
        let by_sequence = |sequence: &str, _: &str| vec![sequence.to_owned()];
        let cases = cases(servers::all(), &kinds::of_servers(), by_sequence);
        campaign::run("faults of hosted stages", cases, SAMPLE_OF_EACH_SEQUENCE);
    }
}

/// Every call of these sequences, disturbed by every kind of fault that it can meet, as far as may be asked for. The sample holds
/// some of each group, which the names of sequence and kind tell.
fn cases(sequences: Vec<Sequence>, kinds: &[Kind], groups: fn(&str, &str) -> Vec<String>) -> Vec<Case> {
    let chosen = sequences.into_iter().filter(|sequence| campaign::may_choose(sequence.name));
    let undisturbed = thread::scope(|scope| {
        let runs = chosen.map(|sequence| scope.spawn(move || (sequence.undisturbed(), sequence)));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    let mut cases = Vec::new();
    for (undisturbed, sequence) in undisturbed {
        for (operation, number) in undisturbed.calls() {
            for kind in kinds.iter().filter(|kind| (kind.meets)(&operation)).cloned() {
                let name = format!("{}/{operation}#{number}/{}", sequence.name, kind.name);
                let (sequence, operation) = (sequence.clone(), operation.clone());
                let undisturbed = undisturbed.clone();
                cases.push(Case::new(name, groups(sequence.name, kind.name), move || {
                    disturbed::run(&sequence, &undisturbed, (&operation, number), &kind)
                }));
            }
        }
    }
    cases
}
