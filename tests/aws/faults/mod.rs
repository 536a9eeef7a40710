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
//! further sequence of calls joins by a line in `sequences.rs`, a further fault by a line in `kinds.rs`.

mod campaign;
mod deletions;
mod disturbed;
mod judgement;
mod kinds;
mod known;
mod races;
mod sequences;
mod snapshot;

use self::campaign::Case;
use crate::support::emulator::Emulator;

/// How many calls the ordinary run disturbs by each kind of fault.
const SAMPLE_OF_EACH_KIND: usize = 1;

#[test]
fn a_fault_at_any_call_is_told_truly_and_healed_by_the_next_run() {
    let Some(emulator) = Emulator::shared() else { return };
    let mut cases = Vec::new();
    for sequence in sequences::all().into_iter().filter(|sequence| campaign::may_choose(sequence.name)) {
        let undisturbed = sequence.undisturbed(emulator);
        for (operation, number) in undisturbed.calls() {
            for kind in kinds::all() {
                let name = format!("{}/{operation}#{number}/{}", sequence.name, kind.name);
                let (sequence, operation) = (sequence.clone(), operation.clone());
                let undisturbed = undisturbed.clone();
                cases.push(Case::new(name, kind.name, move || {
                    disturbed::run(emulator, &sequence, &undisturbed, (&operation, number), &kind)
                }));
            }
        }
    }
    campaign::run("faults", cases, SAMPLE_OF_EACH_KIND);
}
