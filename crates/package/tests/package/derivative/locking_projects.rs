//! Locking a `pyproject.toml` through uv's own lock of it.

use std::fs;

use mdo_package::derivative::{self, LockOptions, PythonRuntime, Tools, Wanted};

use super::project::{Project, names};
use super::uv::python;
use super::wheel::Wheel;

/// A project that wants `colours` 1.0, which needs `shades`.
fn project() -> Project {
    Project::new()
        .wheel(Wheel::module("colours", "1.0").requires("shades"))
        .wheel(Wheel::module("shades", "0.3"))
        .wheel(Wheel::module("easel", "2.0"))
        .indexed()
        .wants_as_project(&["colours"])
}

fn pinned(project: &Project) -> Vec<String> {
    let locked = project.lock().unwrap_or_else(|error| panic!("{error}"));
    locked.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect()
}

fn why_stale(project: &Project) -> String {
    project.shown(&project.lock_text(project.recipe.runtime).unwrap_err())
}

#[test]
fn pins_the_dependencies_with_hashes_and_builds_them() {
    let project = project();
    let locked = project.lock().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(locked.wanted, Wanted::Pyproject);
    let changes: Vec<_> = locked.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["colours 1.0 (new)", "shades 0.3 (new)"]);
    let text = fs::read_to_string(&locked.path).unwrap();
    let begin = "# Written by `mdo derivative lock sklearn`. Change pyproject.toml, and lock again.\n# mdo: python 3.";
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(text.matches("--hash=sha256:").count(), 2);
    assert_eq!(names(&project.folder()), ["pyproject.toml", "requirements.txt", "uv.lock"]);
    let project = project.locked();
    assert_eq!(project.recipe.lock, text);
    let packages: Vec<_> = project.build().unwrap().distributions.into_iter().map(|one| one.name).collect();
    assert_eq!(packages, ["colours", "shades"]);
}

#[test]
fn leaves_the_group_of_development_and_the_project_itself_out() {
    let project = project().wants_as_project(&["easel"]);
    assert_eq!(pinned(&project), ["easel 2.0"]);
}

#[test]
fn keeps_a_uv_lock_as_it_is_until_an_upgrade_is_asked_for() {
    let project = project().locked();
    let uv_lock = || fs::read_to_string(project.folder().join("uv.lock")).unwrap();
    let before = uv_lock();
    Wheel::module("colours", "1.1").write(&project.wheels());
    super::wheel::index(&project.wheels());
    assert_eq!(project.lock().unwrap().changes, []);
    assert_eq!(uv_lock(), before);
    let changes: Vec<_> = project.lock_with(true).unwrap().changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["colours 1.0 → 1.1", "shades 0.3 (gone)"]);
    assert_ne!(uv_lock(), before);
}

#[test]
fn takes_the_versions_of_a_uv_lock_that_somebody_else_has_made() {
    let project = project().locked();
    fs::remove_file(project.folder().join("requirements.txt")).unwrap();
    Wheel::module("colours", "1.1").write(&project.wheels());
    super::wheel::index(&project.wheels());
    assert_eq!(pinned(&project), ["colours 1.0", "shades 0.3"]);
}

#[test]
fn brings_a_uv_lock_of_another_project_file_up_to_date_and_keeps_what_fits() {
    let project = project().locked();
    Wheel::module("colours", "1.1").write(&project.wheels());
    super::wheel::index(&project.wheels());
    let project = project.wants_as_project(&["colours", "easel"]);
    assert_eq!(
        why_stale(&project),
        "derivative sklearn: ~/derivatives/sklearn/requirements.txt was made from another pyproject.toml"
    );
    assert_eq!(pinned(&project), ["colours 1.0", "easel 2.0", "shades 0.3"]);
    project.lock_text(project.recipe.runtime).unwrap();
}

#[test]
fn tells_a_lock_of_another_uv_lock_and_of_one_that_is_gone() {
    let project = project().locked();
    let path = project.folder().join("uv.lock");
    let lock = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# looked at by us\n\n{lock}").replace('\n', "\r\n")).unwrap();
    project.lock_text(project.recipe.runtime).unwrap();
    fs::write(&path, lock.replace("0.3", "0.4")).unwrap();
    let of_lock = "derivative sklearn: ~/derivatives/sklearn/requirements.txt was made from";
    assert_eq!(why_stale(&project), format!("{of_lock} another uv.lock"));
    fs::remove_file(&path).unwrap();
    assert_eq!(why_stale(&project), format!("{of_lock} a uv.lock that is gone"));
}

#[test]
fn tells_a_lock_of_the_other_kind() {
    let project = project().locked();
    fs::remove_file(project.folder().join("pyproject.toml")).unwrap();
    let project = project.wants("colours\n");
    assert_eq!(
        why_stale(&project),
        "derivative sklearn: ~/derivatives/sklearn/requirements.txt was made from pyproject.toml, and the folder has \
         requirements.in now"
    );
    project.lock().unwrap();
    project.lock_text(project.recipe.runtime).unwrap();
}

#[test]
fn writes_anew_what_was_edited_by_hand() {
    let project = project().locked();
    let path = project.folder().join("requirements.txt");
    fs::write(&path, project.recipe.lock.replace("shades==0.3", "shades==0.2")).unwrap();
    assert_eq!(
        why_stale(&project),
        "derivative sklearn: ~/derivatives/sklearn/requirements.txt was edited by hand"
    );
    let distrusted = project.lock().unwrap().distrusted;
    assert_eq!(distrusted, Some("was edited by hand: it is written anew from uv.lock"));
    assert_eq!(fs::read_to_string(&path).unwrap(), project.recipe.lock);
}

#[test]
fn refuses_a_folder_that_says_twice_what_is_wanted() {
    let project = project().wants("colours\n");
    for error in [project.lock().unwrap_err(), project.lock_text(project.recipe.runtime).unwrap_err()] {
        assert_eq!(
            project.shown(&error),
            "derivative sklearn: ~/derivatives/sklearn has both a requirements.in and a pyproject.toml"
        );
        assert_eq!(
            error.relative_to(project.home.path()).help().unwrap(),
            "keep one: rm 'derivatives/sklearn/requirements.in' to lock its pyproject.toml, or rm \
             'derivatives/sklearn/pyproject.toml' to lock its requirements.in"
        );
    }
}

#[test]
fn says_what_uv_says_of_a_package_that_does_not_exist() {
    let project = project().wants_as_project(&["colors"]);
    let error = project.lock().unwrap_err();
    let said = project.shown(&error);
    let begin = "derivative sklearn: uv cannot lock its pyproject.toml\n  error: No solution found";
    assert!(said.starts_with(begin), "{said}");
    assert_eq!(
        error.help().unwrap(),
        "correct `colors` in derivatives/sklearn/pyproject.toml, or name its index in UV_INDEX_URL"
    );
    assert_eq!(names(&project.folder()), ["pyproject.toml"]);
}

#[test]
fn says_what_uv_says_of_a_file_that_it_cannot_read() {
    let project = project();
    fs::write(project.folder().join("pyproject.toml"), "[project\n").unwrap();
    let said = project.shown(&project.lock().unwrap_err());
    let begin =
        "derivative sklearn: uv cannot lock its pyproject.toml\n  error: Failed to parse: pyproject.toml\n";
    assert!(said.starts_with(begin), "{said}");
}

#[test]
fn refuses_a_package_without_a_hash() {
    let project = project();
    let library = project.folder().join("easel");
    fs::create_dir_all(&library).unwrap();
    fs::write(library.join("pyproject.toml"), "[project]\nname = \"easel\"\nversion = \"1\"\n").unwrap();
    let wanted = fs::read_to_string(project.folder().join("pyproject.toml")).unwrap();
    let wanted =
        wanted.replace("\"colours\"", "\"easel\"") + "\n[tool.uv.sources]\neasel = {path = \"easel\"}\n";
    fs::write(project.folder().join("pyproject.toml"), wanted).unwrap();
    let error = project.lock().unwrap_err();
    assert_eq!(
        project.shown(&error),
        "derivative sklearn: ~/derivatives/sklearn/uv.lock has no hash of `./easel`: it comes from a folder or a \
         repository, not from an index"
    );
}

#[test]
fn refuses_a_project_that_does_not_allow_the_python_of_the_runtime() {
    let project = project();
    let ours = python().runtime.minor();
    let path = project.folder().join("pyproject.toml");
    let wanted = fs::read_to_string(&path).unwrap();
    fs::write(&path, wanted.replace(">=3.12", &format!(">=3.12,<3.{ours}"))).unwrap();
    let error = project.lock().unwrap_err();
    let said = error.to_string();
    assert!(said.ends_with(&format!(", and the runtime is {}", python().runtime)), "{said}");
    assert!(said.contains("/pyproject.toml wants Python "), "{said}");
    assert!(error.help().unwrap().starts_with("set `requires-python` there to a range with 3."));

    // A machine whose only Python is newer than the runtime's.
    fs::write(&path, wanted.replace(">=3.12", ">=3.11,<3.12")).unwrap();
    let runtime = PythonRuntime::ALL[0];
    assert_eq!(runtime.minor(), 11);
    let tools = Tools { runtime_python: None, ..project.tools() };
    let options = LockOptions { runtime, upgrade: false };
    let error = derivative::lock("sklearn", &project.folder(), &options, &tools, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "derivative sklearn: locking its pyproject.toml needs Python 3.11, and this machine has none"
    );
    assert_eq!(error.help().unwrap(), "uv python install 3.11");
}
