//! The contract's table at the embedded provider, through the real `mdo dev`.

use crate::support::contract::{self, Front, STAGES};
use crate::support::project::TestProject;

#[test]
fn the_embedded_provider_keeps_the_fronts_contract() {
    let project = TestProject::local();
    contract::write(&project);
    let serving = STAGES.map(|stage| {
        (stage, project.mdo(&format!("dev --stage {stage} --port 0 --host one.example")).serves())
    });
    let mut front = Front::embedded();
    for (stage, serving) in &serving {
        let key = project.mdo(&format!("key show default --local --stage {stage}")).succeeds().stdout;
        front = front.stage(stage, serving.address(), String::new(), key.trim().to_owned());
    }
    contract::run(&front);
}
