//! The contract's table at the emulator, after a real `mdo deploy`.

use crate::live::{Live, text};
use crate::support::contract::{self, Front, STAGES};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

#[test]
fn the_emulator_keeps_the_fronts_contract_but_for_what_the_table_says() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::empty(emulator.account());
    contract::write(&project);
    let mut front = Front::emulator();
    for stage in STAGES {
        project.mdo(&format!("deploy --yes --stage {stage}")).succeeds();
        let live = Live::of(&project, stage);
        let prefix = format!("/_aws/execute-api/{}", live.api());
        front = front.stage(stage, emulator.address(), prefix, text(&live.key("default")["value"]));
    }
    contract::run(&front);
}
