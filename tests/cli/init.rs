//! `mdo init`: what it writes, and that it never overwrites.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::support::project::TestProject;

const APEX: &str = r#"{"name": "shop", "memory": 128, "environment": {"LEVEL": "info"}}"#;

/// The project's files outside .mdo, sorted.
fn files(project: &TestProject) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![project.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(project.folder()).unwrap().display().to_string();
            match path.is_dir() {
                true if name != ".mdo" => folders.push(path),
                true => {}
                false => found.push(name),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_empty_folder_becomes_a_project_named_after_it() {
    let project = TestProject::local();
    project.mdo("init").succeeds().prints(
        "  wrote  project.toml
  wrote  functions/sample_producer/function.json
  wrote  functions/sample_producer/bootstrap
  wrote  .env
  wrote  .gitignore
  wrote  .mdoignore

Ready.
  run it here   mdo dev
  on AWS        mdo deploy -s N_CLASSES=2
  its routes    GET /sample_producer
",
    );
    assert!(project.read("project.toml").contains("\nname = \"shop\"\n"));
    let bootstrap = fs::metadata(project.path("functions/sample_producer/bootstrap")).unwrap();
    assert_eq!(bootstrap.permissions().mode() & 0o777, 0o755);
    project.mdo("plan --local -s N_CLASSES=2").succeeds();
}

#[test]
fn a_function_in_python_comes_with_scikit_learn_as_a_derivative() {
    let project = TestProject::local();
    project
        .mdo("init --runtime python3.12 --function draw")
        .env("MDO_UV", "/bin/sh")
        .env("PATH", "/none")
        .env("HOMEBREW_PREFIX", "/none")
        .exits(0)
        .prints(
            "  wrote  project.toml
  wrote  functions/draw/function.json
  wrote  functions/draw/sample.py
  wrote  derivatives/sklearn/requirements.in
  wrote  .env
  wrote  .gitignore
  wrote  .mdoignore

Ready.
  first         uv python install 3.12
  run it here   mdo dev
  on AWS        mdo derivative lock && mdo deploy -s N_CLASSES=2
  its routes    GET /draw
",
        );
    assert_eq!(project.read("derivatives/sklearn/requirements.in"), "scikit-learn\n");
    assert_eq!(project.read(".gitignore"), ".mdo/\n.env\n.venv/\n__pycache__/\n");
    let settings: Value = serde_json::from_str(&project.read("functions/draw/function.json")).unwrap();
    let keys = ["runtime", "handler", "derivatives", "memory", "routes", "required_environment"];
    assert_eq!(
        json!(keys.map(|key| settings[key].clone())),
        json!(["python3.12", "sample.handle", ["sklearn"], 512, ["GET /draw"], ["N_CLASSES"]])
    );
    project.mdo("derivative list").succeeds().says("sklearn     0         python3.12 ");
}

#[test]
fn next_steps_begin_with_what_this_machine_lacks() {
    let project = TestProject::local();
    let nowhere = project.path("nowhere").display().to_string();
    project
        .mdo("init --runtime python3.13")
        .env("PATH", &nowhere)
        .env("HOMEBREW_PREFIX", &nowhere)
        .succeeds()
        .says("Ready.\n  first         pip install uv\n  first         uv python install 3.13\n  run it here   mdo dev\n");
}

#[test]
fn a_runtime_that_does_not_run_here_is_none_to_start_with() {
    let project = TestProject::local();
    for runtime in ["python3.11", "nodejs22.x", "ruby"] {
        project.mdo(&format!("init --runtime {runtime}")).exits(2).says(&format!(
            "error: invalid value '{runtime}' for '--runtime <RUNTIME>'
  [possible values: provided.al2023, python3.12, python3.13, python3.14]
"
        ));
    }
    assert_eq!(files(&project), [""; 0]);
}

#[test]
fn name_description_and_function_can_be_given() {
    let project = TestProject::local();
    let description = "a \"quoted\" text\nin two lines";
    project
        .mdo_with(&["init", "--name", "ml-api", "--function", "draw", "--description", description])
        .succeeds();
    let manifest: toml::Table = project.read("project.toml").parse().unwrap();
    assert_eq!(manifest["name"].as_str(), Some("ml-api"));
    assert_eq!(manifest["description"].as_str(), Some(description));
    assert!(project.read("functions/draw/function.json").contains("\"routes\": [\"GET /draw\"]"));
}

#[test]
fn a_folder_whose_name_is_none_gets_another() {
    let project = TestProject::local();
    fs::create_dir(project.path("123")).unwrap();
    project.mdo("init").below("123").succeeds();
    assert!(project.read("123/project.toml").contains("\nname = \"ml_api\"\n"));
}

#[test]
fn a_project_is_not_written_twice() {
    let project = TestProject::local();
    project.write("project.toml", "name = \"mine\"\n");
    for flags in ["", "--apex"] {
        project.mdo(&format!("init {flags}")).exits(2).prints("").complains(
            "error: there is a project.toml here already; nothing was written
  help: mdo dev runs it, mdo plan shows what a deploy would change
",
        );
    }
    assert_eq!(files(&project), ["project.toml"]);
    assert_eq!(project.read("project.toml"), "name = \"mine\"\n");
}

#[test]
fn files_that_are_there_stay_as_they_are() {
    let project = TestProject::local();
    project.write(".gitignore", "node_modules/\n");
    project.write("README.md", "mine\n");
    project.write(".env", "N_CLASSES=3\n");
    project.mdo("init").succeeds().prints(
        "  wrote  project.toml
  wrote  functions/sample_producer/function.json
  wrote  functions/sample_producer/bootstrap
  wrote  .mdoignore
  kept   .env
  kept   .gitignore

Ready.
  run it here   mdo dev
  on AWS        mdo deploy -s N_CLASSES=2
  its routes    GET /sample_producer
",
    );
    assert_eq!(project.read(".env"), "N_CLASSES=3\n");
    assert_eq!(project.read(".gitignore"), "node_modules/\n");
    assert_eq!(project.read(".mdo/.gitignore"), "*\n");
    assert_eq!(project.read("README.md"), "mine\n");
}

#[test]
fn a_function_in_the_way_stops_it_before_anything_is_written() {
    let project = TestProject::local();
    project.write("functions/sample_producer/function.json", "{}");
    project.mdo("init").exits(2).complains(
        "error: functions/sample_producer/function.json exists already; nothing was written
  help: move it away, or start in an empty folder
",
    );
    assert_eq!(files(&project), ["functions/sample_producer/function.json"]);
}

#[test]
fn a_link_in_the_way_is_not_followed() {
    let project = TestProject::local();
    symlink("elsewhere.toml", project.path("project.toml")).unwrap();
    project.mdo("init").exits(2).complains(
        "error: project.toml exists already; nothing was written
  help: move it away, or start in an empty folder
",
    );
    assert!(!project.path("elsewhere.toml").exists());
}

#[test]
fn what_cannot_be_finished_leaves_nothing_behind() {
    let project = TestProject::local();
    project.write("functions", "in the way of a folder\n");
    project.mdo("init").exits(1).complains(
        "error: cannot write functions/sample_producer/function.json: Not a directory (os error 20); nothing was written\n",
    );
    assert_eq!(files(&project), ["functions"]);
}

#[test]
fn a_full_disk_leaves_no_half_project() {
    let project = TestProject::local();
    // The sampler is larger than a file may be here; a signal would end the process, so it is ignored.
    let script = r#"trap '' XFSZ; ulimit -f 64; exec "$0" init"#;
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_mdo")])
        .current_dir(project.folder())
        .env_clear()
        .env("HOME", project.home())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot write functions/sample_producer/bootstrap: File too large (os error 27); nothing was written\n"
    );
    assert_eq!(fs::read_dir(project.folder()).unwrap().count(), 0, "not even a folder stays");
}

#[test]
fn a_bad_name_is_refused_with_the_rule() {
    let project = TestProject::local();
    project.mdo_with(&["init", "--name", "my api"]).exits(2).complains(
        "error: invalid value 'my api' for '--name <NAME>': `my api` is not a project name: 1 to 32 letters, digits, `_` and `-`, starting with a letter

For more information, try '--help'.
",
    );
    assert!(files(&project).is_empty());
}

#[test]
fn an_apex_project_is_recognised_and_converted() {
    let project = TestProject::local();
    project.mdo("init --apex").exits(2).complains(
        "error: cannot read project.json: No such file or directory (os error 2)
  help: mdo init --apex runs in the folder of an apex project, which has a project.json
",
    );
    project.write("project.json", APEX);
    project.write(
        "functions/hello/function.json",
        r#"{ "runtime": "ruby3.4", "handler": "main.handle", "zip": "make" }"#,
    );
    project.write("functions/hello/main.rb", "def handle(event:, context:) = {}\n");
    project.mdo("init").exits(2).complains(
        "error: project.json says that this is an apex project; nothing was written
  help: mdo init --apex makes it ours
",
    );
    project.mdo("plan --local").exits(2).complains(
        "error: ROOT/project.json belongs to an apex project
  help: `mdo init --apex` converts it to project.toml
",
    );
    project
        .mdo("init --apex")
        .exits(0)
        .prints(
            "  wrote      project.toml
  wrote      functions/hello/function.apex.json
  converted  functions/hello/function.json

mdo no longer reads project.json. See what a deploy would do: mdo plan --adopt
",
        )
        .complains(
            "note: functions/hello/function.json: `zip` is left out: mdo packages the function's folder itself; let `hooks.build` leave in it what belongs there
note: no function has a route, so the conversion opens nothing to the world: write \"routes\": [\"GET /…\"] in the function.json of one that is for the API
",
        );
    assert_eq!(
        project.read("functions/hello/function.json"),
        r#"{ "runtime": "ruby3.4", "handler": "main.handle", "routes": [] }"#
    );
    project.mdo("plan --local").succeeds();
}

#[test]
fn an_apex_project_of_one_environment_alone_is_recognised() {
    let project = TestProject::local();
    project.write("project.dev.json", APEX);
    project.write_executable("functions/bare/bootstrap", "#!/bin/sh\n");
    project.mdo("init").exits(2).complains(
        "error: project.dev.json says that this is an apex project; nothing was written
  help: mdo init --apex makes it ours
",
    );
    project.mdo("init --apex").exits(0);
    assert!(project.read("project.toml").starts_with("name = \"shop\"\ndefault_stage = \"dev\"\n"));
    project.mdo("plan --local").succeeds();
}

#[test]
fn an_apex_project_with_everything_around_it_is_converted() {
    let project = TestProject::local();
    project.write("project.json", APEX);
    project.write("project.prod.json", r#"{"name": "shop", "environment": {"LEVEL": "warn"}}"#);
    project.write("infrastructure/main.tf", "");
    project.write(".apexignore", "*.md\nsrc/old\n");
    project.write("functions/.idea/workspace.xml", "");
    project.write_executable("functions/bare/bootstrap", "#!/bin/sh\n");
    project.write("functions/bare/.apexignore", "drafts\n");
    symlink("../../shared.py", project.path("functions/bare/shared.py")).unwrap();
    project.write("shared.py", "");
    project
        .mdo("init --apex")
        .exits(0)
        .prints(
            "  wrote      project.toml
  wrote      .mdoignore
  wrote      functions/bare/.mdoignore
  converted  functions/bare/function.json

mdo no longer reads project.json. See what a deploy would do: mdo plan --adopt
",
        )
        .complains(
            "note: no function has a route, so the conversion opens nothing to the world: write \"routes\": [\"GET /…\"] in the function.json of one that is for the API
note: infrastructure/ is left alone: mdo runs no Terraform, so run it there yourself
note: functions/bare/shared.py is a link that leaves the function's folder, which mdo does not package: copy what it points at, for instance in the build hook
",
        );
    assert_eq!(project.read("functions/bare/function.json"), "{\n  \"routes\": []\n}");
    assert_eq!(project.read(".mdoignore"), "*.md\nfunctions/*/src/old\n");
    assert!(project.read("project.toml").ends_with("\n[stages.prod.environment]\nLEVEL = \"warn\"\n"));
    fs::remove_file(project.path("functions/bare/shared.py")).unwrap();
    project.mdo("plan --local --stage prod").succeeds();
}
