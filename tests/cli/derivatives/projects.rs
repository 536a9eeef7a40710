//! Derivatives whose folder has a `pyproject.toml`.

use serde_json::json;

use super::{add_function, complained, mdo, printed, project, settings, wheel, wheels};
use crate::support::project::TestProject;

/// The project `shop`, whose machine has an index, and a folder `derivatives/paint` with a project that wants `colours`.
fn project_with_a_pyproject() -> TestProject {
    let project = project();
    let (index, cache) = (wheel::index(&wheels(&project)), project.home().join("uv-cache"));
    let text = format!("index-url = {index:?}\ncache-dir = {cache:?}\n");
    std::fs::write(project.home().join("uv.toml"), text).unwrap();
    wants(&project, "colours");
    project
}

fn wants(project: &TestProject, package: &str) {
    let text = format!(
        "[project]\nname = \"paint\"\nversion = \"1\"\nrequires-python = \">=3.12\"\ndependencies = [{package:?}]\n"
    );
    project.write("derivatives/paint/pyproject.toml", &text);
}

#[test]
fn one_is_created_from_its_folder_and_given_to_a_function() {
    let project = project_with_a_pyproject();
    mdo(&project, "derivative create paint shades --function sample").exits(2).prints("").complains(
        "error: derivatives/paint/pyproject.toml says what derivative `paint` holds; nothing was written
  help: name packages there, and none here: mdo derivative create paint
",
    );
    let output = mdo(&project, "derivative create paint --function sample").exits(0);
    assert_eq!(
        printed(&output),
        "  wrote  derivatives/paint/uv.lock
  wrote  derivatives/paint/requirements.txt
paint  python3.X CPU, 2 packages, _ bytes, _ KB zipped
  .mdo/derivatives/SHA256/zip/SHA256.zip
  sha256 SHA256
  imported colours, shades

function sample runs with paint now: mdo dev, or mdo deploy
"
    );
    assert_eq!(complained(&output), "");
    assert!(!project.path("derivatives/paint/requirements.in").exists());
    assert_eq!(settings(&project, "sample")["derivatives"], json!(["paint"]));
    mdo(&project, "plan --local").succeeds();
}

#[test]
fn one_without_packages_or_a_folder_is_not_created() {
    let project = project();
    mdo(&project, "derivative create paint").exits(2).prints("").complains(
        "error: derivative `paint` has neither a package nor a derivatives/paint/pyproject.toml
  help: name what it holds, as in: mdo derivative create paint scikit-learn
",
    );
    assert!(!project.path("derivatives").exists());
}

#[test]
fn a_folder_that_says_twice_what_is_wanted_is_refused_by_every_command() {
    let project = project_with_a_pyproject();
    project.write("derivatives/paint/requirements.in", "colours\n");
    add_function(&project, "sample", &["paint"]);
    for verb in ["derivative lock", "derivative build", "plan --local", "dev --port 0"] {
        mdo(&project, verb).exits(2).prints("").complains(
            "error: derivative paint: derivatives/paint has both a requirements.in and a pyproject.toml
  help: keep one: rm 'derivatives/paint/requirements.in' to lock its pyproject.toml, or rm 'derivatives/paint/pyproject.toml' to lock its requirements.in
",
        );
    }
}

#[test]
fn dev_locks_it_and_tells_that_it_is_stale() {
    let project = project_with_a_pyproject();
    add_function(&project, "sample", &["paint"]);
    let mut serving = mdo(&project, "dev --port 0").serves();
    assert_eq!(serving.get("/sample", None).text(), "1.0");
    wheel::Wheel::module("colours", "1.1").write(&wheels(&project));
    wheel::index(&wheels(&project));
    wants(&project, "colours>=1.1");
    serving.says("requirements.txt was made from another pyproject.toml");
    serving.says("  help: mdo derivative lock paint");
    mdo(&project, "derivative lock paint").exits(0);
    serving.comes_to("/sample", None, 200);
    serving.says("reloaded sample version 2");
    assert_eq!(serving.get("/sample", None).text(), "1.1");
    serving.signal("INT");
    serving.exits(0);
}
