//! `mdo dev` and build hooks: what is built when, and what a build writes.

use std::fs;

use serde_json::json;

use crate::support::project::TestProject;

/// How often the hook of a function has run, as it notes beside the project.
fn runs(project: &TestProject, function: &str) -> usize {
    let notes = fs::read_to_string(project.home().join(format!("{function}.runs"))).unwrap_or_default();
    notes.lines().count()
}

/// A hook that notes its run, and then does something.
fn noting(project: &TestProject, function: &str, then: &str) -> serde_json::Value {
    let notes = project.home().join(format!("{function}.runs"));
    json!({"build": format!("echo run >> '{}'; {then}", notes.display())})
}

#[test]
fn a_hook_that_writes_something_else_each_time_makes_one_version_of_each_edit() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/source.txt", "first");
    project.set(
        "echo",
        "hooks",
        noting(&project, "echo", "date +%s%N > built.txt; head -c 9 /dev/urandom > $$.new"),
    );
    let mut serving = project.mdo("dev --port 0").serves();
    for (edit, version) in [("second", 2), ("third", 3), ("fourth", 4)] {
        project.write("functions/echo/source.txt", edit);
        serving.says(&format!("reloaded echo version {version}"));
    }
    assert_eq!(runs(&project, "echo"), 4);
    serving.signal("INT");
    serving.exits(0);
    assert_eq!(runs(&project, "echo"), 4);
}

#[test]
fn an_edit_builds_the_function_that_was_edited_and_no_other() {
    let project = TestProject::local_with_echo();
    project.add_function("other", json!({"routes": []}));
    for function in ["echo", "other"] {
        project.set(function, "hooks", noting(&project, function, "true"));
    }
    let mut serving = project.mdo("dev --port 0").serves();
    project.set_edition("echo", "second");
    serving.says("reloaded echo version 2");
    assert_eq!((runs(&project, "echo"), runs(&project, "other")), (2, 1));
    // What holds for all of them builds all of them.
    project.write(".mdoignore", "*.md\n");
    project.set_edition("other", "second");
    serving.says("reloaded other version 2");
    assert_eq!(runs(&project, "other"), 2);
}

#[test]
fn an_edit_during_a_build_stops_it_and_begins_anew() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/source.txt", "first");
    let go = project.home().join("go");
    fs::write(&go, "").unwrap();
    let wait = format!(
        "echo building; while [ ! -e '{}' ]; do sleep 0.02; done; cp source.txt built.txt",
        go.display()
    );
    project.set("echo", "hooks", json!({"build": wait}));
    let mut serving = project.mdo("dev --port 0").serves();
    fs::remove_file(&go).unwrap();
    project.write("functions/echo/source.txt", "second");
    serving.says("  echo: building");
    project.write("functions/echo/source.txt", "third");
    serving.says("  echo: building");
    fs::write(&go, "").unwrap();
    serving.says("reloaded echo version 2");
    assert_eq!(project.read("functions/echo/built.txt"), "third");
}

#[test]
fn an_edit_inside_a_packaged_folder_of_a_tool_reloads() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/node_modules/greet/index.js", "one");
    let mut serving = project.mdo("dev --port 0").serves();
    project.write("functions/echo/node_modules/greet/index.js", "two");
    serving.says("reloaded echo version 2");
}
