//! What keeps a function from its derivatives, said before anything is changed.

use serde_json::json;

use super::{complained, mdo, on_an_empty_machine, project_that_wants, python};
use crate::support::project::TestProject;
use crate::support::uv;

/// Proves that a command complains of this alone, and that nothing was locked or built.
#[track_caller]
fn refuses(project: &TestProject, command: crate::support::command::Mdo<'_>, text: &str) {
    let output = command.exits(2);
    assert_eq!((output.stdout.as_str(), complained(&output).as_str()), ("", text));
    assert!(!project.path(".mdo/stages/dev/stack.json").exists());
}

#[test]
fn uv_that_is_missing_is_told_how_to_get() {
    let project = project_that_wants("colours\n");
    let python = python();
    for verb in ["dev --port 0", "derivative lock", "derivative create paint shades"] {
        let command = on_an_empty_machine(&project, verb).env("MDO_PYTHON", python.to_str().unwrap());
        refuses(
            &project,
            command,
            "error: mdo builds derivatives with uv, and this machine has none on PATH, in ~/.local/bin or in ~/.cargo/bin
  help: pip install uv
",
        );
    }
    assert!(!project.path("derivatives/colours/requirements.txt").exists());
    assert!(!project.path("derivatives/paint").exists());
}

#[test]
fn uv_that_is_named_but_not_there_is_named_again() {
    let project = project_that_wants("colours\n");
    refuses(
        &project,
        mdo(&project, "derivative lock").env("MDO_UV", "/no/such/uv"),
        "error: MDO_UV names /no/such/uv, which is not a program
  help: unset MDO_UV, or let it name the uv program
",
    );
}

#[test]
fn python_that_is_missing_is_told_before_anything_is_locked() {
    let project = project_that_wants("colours\n");
    let uv = uv::uv().to_str().unwrap();
    refuses(
        &project,
        on_an_empty_machine(&project, "dev --port 0").env("MDO_UV", uv),
        "error: function sample runs on python3.X, and this machine has no Python 3.X
  --> functions/sample/function.json:13:14
  help: uv python install 3.X, or set MDO_PYTHON=/path/to/python3.X
",
    );
    refuses(
        &project,
        on_an_empty_machine(&project, "derivative lock").env("MDO_UV", uv),
        "error: uv needs a Python to run with, of any version from 3.11 on, and this machine has none
  help: uv python install 3.X
",
    );
    assert!(!project.path("derivatives/colours/requirements.txt").exists());
}

#[test]
fn a_stale_lock_is_locked_anew_by_nobody_but_its_command() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    project.write("derivatives/colours/requirements.in", "colours>=1\n");
    for verb in ["plan --local", "deploy --local --yes", "dev --port 0", "derivative build"] {
        refuses(&project, mdo(&project, verb), "error: derivative colours: derivatives/colours/requirements.txt was made from another requirements.in
  help: mdo derivative lock colours
");
    }
    mdo(&project, "derivative lock").exits(0);
    mdo(&project, "plan --local").exits(0);
}

#[test]
fn a_function_that_is_no_python_has_none() {
    let project = project_that_wants("colours\n");
    project.set("sample", "runtime", json!("provided.al2023"));
    mdo(&project, "plan --local").exits(2).prints("").complains(
        "error: function sample: derivatives are for Python runtimes, and its runtime is `provided.al2023`
  --> functions/sample/function.json:3:18
  help: set `\"runtime\": \"python3.13\"`, or take the derivatives out
",
    );
    project.set("sample", "derivatives", json!(null));
    mdo(&project, "derivative create paint shades --function sample").exits(2).prints("").complains(
        "error: derivatives are for Python functions, and function sample runs on `provided.al2023`; nothing was written
  help: set \"runtime\": \"python3.13\" and a \"handler\" in functions/sample/function.json
",
    );
    assert!(!project.path("derivatives/paint").exists());
}

#[test]
fn a_name_that_is_mistyped_has_a_neighbour() {
    let project = project_that_wants("colours\n");
    project.set("sample", "derivatives", json!(["colors"]));
    refuses(
        &project,
        mdo(&project, "plan --local"),
        "error: function sample: there is no derivative `colors`
  --> functions/sample/function.json:4:5
  help: did you mean `colours`?
",
    );
    project.set("sample", "derivatives", json!(["sklearn"]));
    refuses(
        &project,
        mdo(&project, "plan --local"),
        "error: function sample: there is no derivative `sklearn`
  --> functions/sample/function.json:4:5
  help: `mdo derivative create sklearn PACKAGE…` makes it
",
    );
    project.set("sample", "derivatives", json!(["colours"]));
    refuses(
        &project,
        mdo(&project, "derivative lock colors"),
        "error: there is no derivative `colors`
  help: did you mean `colours`?
",
    );
}

#[test]
fn five_layers_are_the_most() {
    let project = project_that_wants("colours\n");
    let names: Vec<String> = (1..=6).map(|number| format!("part{number}")).collect();
    for name in &names {
        project.write(&format!("derivatives/{name}/requirements.in"), "shades\n");
    }
    project.set("sample", "derivatives", json!(names));
    refuses(
        &project,
        mdo(&project, "plan --local"),
        "error: `derivatives` has 6 entries: 5 is the most
  --> functions/sample/function.json:3:18
",
    );
    project.set("sample", "derivatives", json!(names[..4]));
    let layer = |number: u32| format!("arn:aws:lambda:us-east-1:123456789012:layer:own:{number}");
    project.set("sample", "layers", json!([layer(1), layer(2)]));
    refuses(
        &project,
        mdo(&project, "plan --local"),
        "error: function sample has 2 layers and 4 derivatives: Lambda takes 5 layers in all
  --> functions/sample/function.json:3:18
  help: put the packages of several derivatives into one
",
    );
}
