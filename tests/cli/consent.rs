//! What is asked before something is deleted, at a terminal and without one.

use crate::support::project::TestProject;

#[test]
fn a_stage_goes_once_its_name_is_typed() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let question = "Delete 1 function and its logs, 1 key, the API, and the role at dev on this machine? Type the stage's name: ";
    for typed in ["y\n", "Dev\n", "\n"] {
        let refused = project.mdo("destroy --local").at_a_terminal().reads(typed).exits(1);
        refused.says(question).says("error: stage dev was left as it is; nothing was changed");
    }
    project.mdo("list --local").succeeds().says("key  echo");
    project.mdo("destroy --local").at_a_terminal().reads("dev\n").exits(0).says("Destroyed in");
    project.mdo("list --local").succeeds().says("nothing is deployed here");
}

#[test]
fn a_key_is_deleted_after_a_yes_that_names_it() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("key create alice --local").succeeds();
    let delete = || project.mdo("key delete alice --local").at_a_terminal();
    let question = "Delete key alice at dev on this machine? [y/N] ";
    delete().reads("n\n").exits(1).says(question).says("nothing was changed");
    delete().reads("yes\n").exits(0).says(question).says("Deleted in");
}

#[test]
fn a_deploy_names_the_function_that_goes_and_its_logs() {
    let project = TestProject::local_with_echo();
    project.add_function("cart", serde_json::json!({}));
    project.mdo("deploy --local").succeeds();
    std::fs::remove_dir_all(project.path("functions/cart")).unwrap();
    let deploy = || project.mdo("deploy --local").at_a_terminal();
    deploy().reads("n\n").exits(1).says("Delete function cart and its logs at dev on this machine? [y/N] ");
    deploy().reads("y\n").exits(0);
}

#[test]
fn nobody_is_asked_where_nobody_can_answer_and_yes_asks_nothing() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("destroy --local").reads("dev\n").exits(2).says("help: pass --yes");
    let asked = project.mdo("destroy --local --yes").at_a_terminal().exits(0);
    assert!(!asked.stdout.contains("Type the stage's name"), "{}", asked.transcript());
}
