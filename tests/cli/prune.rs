//! `mdo prune` on this machine, where deploys leave no versions of layers.

use serde_json::json;

use crate::support::project::TestProject;

#[test]
fn there_is_nothing_to_prune_on_this_machine() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let pruned = project.mdo("prune --local --stage prod").succeeds();
    assert_eq!(pruned.stdout, "shop · prod · this machine\n  nothing to prune on this machine\n");
    let document = project.mdo("prune --local --json").json();
    assert_eq!((&document["provider"], &document["changes"]), (&json!("local"), &json!([])));
    project.mdo("list --local").succeeds().says("key  echo");
}

#[test]
fn how_many_are_kept_is_a_number() {
    let project = TestProject::local_with_echo();
    project.mdo("prune --local --keep many").exits(2).says("invalid value 'many' for '--keep <N>'");
}
