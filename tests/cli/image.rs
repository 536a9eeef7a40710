//! `mdo image`: what it prints, what it writes, and what it refuses.

use crate::support::podman::static_server as server;
use crate::support::project::TestProject;

const HOSTED: &str = "name = \"shop\"\n[server]\nhttp = true\n[stages.prod]\nhosting = \"server\"\n";

/// A project with the reference function, whose stage `prod` is hosted.
fn project() -> TestProject {
    let project = TestProject::local();
    project.mdo("init").succeeds();
    project.write("project.toml", HOSTED);
    project
}

fn image(project: &TestProject, arguments: &[&str]) -> serde_json::Value {
    let server = server().display().to_string();
    let all = [&["image", "--json", "--server-program", &server], arguments].concat();
    project.mdo_with(&all).json()
}

#[test]
fn one_image_serves_every_stage_and_is_the_same_in_another_folder() {
    let (one, other) = (project(), project());
    let first = image(&one, &["--stage", "prod"]);
    assert_eq!(image(&one, &[])["digest"], first["digest"]);
    assert_eq!(image(&other, &["--stage", "prod"]), first);
    let layers = first["layers"].as_array().unwrap().iter();
    let layers: Vec<&str> = layers.map(|layer| layer["what"].as_str().unwrap()).collect();
    assert_eq!(layers, ["server", "function sample_producer", "stack.json"]);
}

#[test]
fn a_setting_changes_the_last_layer_alone() {
    let project = project();
    let before = image(&project, &[]);
    project.set("sample_producer", "timeout", 7.into());
    let after = image(&project, &[]);
    assert_ne!(before["digest"], after["digest"]);
    let digests = |image: &serde_json::Value| -> Vec<String> {
        image["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].to_string()).collect()
    };
    let (before, after) = (digests(&before), digests(&after));
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
}

#[test]
fn what_has_no_way_to_run_is_refused_with_the_way_out() {
    let project = project();
    let output = project.mdo("image --server-program nowhere").exits(2);
    assert!(
        output.stderr.contains("error: there is no server program at nowhere\n  help: "),
        "{}",
        output.stderr
    );
    let output = project.mdo("image --json -o -").exits(2);
    assert!(output.stderr.contains("cannot both go to standard output"), "{}", output.stderr);
    project.set("sample_producer", "architecture", "arm64".into());
    let server = server().display().to_string();
    let output = project.mdo_with(&["image", "--server-program", &server]).exits(2);
    assert!(output.stderr.contains("function sample_producer"), "{}", output.stderr);
}

#[test]
fn a_hosted_stage_is_served_here_without_anything_to_keep_warm() {
    let project = project();
    let plan = project.mdo("plan --local --stage prod -s N_CLASSES=2").succeeds().stdout;
    assert!(!plan.contains("warm rule") && plan.contains("+ stage"), "{plan}");
}
