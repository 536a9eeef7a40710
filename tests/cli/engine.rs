//! Container engines: how they are found, what they are asked, and what is said where they fail. A script stands in for one.

use std::fs;

use crate::support::podman::{Podman, static_server};
use crate::support::project::TestProject;

const OWN: &str = "name = \"shop\"\n[stages.prod]\nhosting = \"server\"\n[server]\nhttp = true\ndockerfile = \"Dockerfile\"\n";

/// Notes what it is asked, and does no more than its `version`.
const BROKEN: &str = "#!/bin/sh\necho \"$*\" >> asked.txt\n[ \"$1\" = version ] && exit 0\necho 'no space left' >&2\nexit 125\n";

/// A docker without its daemon.
const ASLEEP: &str = "#!/bin/sh\necho 'Client: 28.0' \necho 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2\nexit 1\n";

fn project(engine: &str) -> TestProject {
    let project = TestProject::local();
    project.write("project.toml", OWN);
    project.write("Dockerfile", "FROM scratch\n");
    project.write_executable("engine", engine);
    project.set_variable("MDO_CONTAINER_ENGINE", project.path("engine").display().to_string());
    project
}

#[test]
fn an_engine_that_fails_is_told_with_its_own_words() {
    let project = project(BROKEN);
    project.set_variable("MDO_CONTAINER_OPTIONS", "--runtime runc");
    let output = project.mdo("image --stage prod").exits(1);
    output.says("  engine: no space left\n").says("error: `engine build` ended with exit status: 125");
    let root = project.folder().display();
    let asked = project.read("asked.txt");
    let build = format!(
        "build --runtime runc --platform linux/amd64 --tag shop-prod-mdo --file {root}/Dockerfile {root}"
    );
    assert_eq!(asked.lines().collect::<Vec<_>>(), ["version", &build]);
}

#[test]
fn an_engine_that_does_not_work_is_told_with_its_reason() {
    let asleep = project(ASLEEP);
    let output = asleep.mdo("image --stage prod").exits(2);
    output
        .says("no container engine builds images here (")
        .says("Cannot connect to the Docker daemon at unix:");
    let none = project(BROKEN);
    none.set_variable("MDO_CONTAINER_ENGINE", "");
    let output = none.mdo("image --stage prod").env("PATH", "/nowhere").exits(2);
    output.says("docker: not found; podman: not found; finch: not found; buildah: not found");
    output.says("help: install podman or docker, or name an engine in MDO_CONTAINER_ENGINE");
    let output = none.mdo("dev --stage prod --port 0").env("PATH", "/nowhere").exits(2);
    output.says("no container engine");
}

#[test]
fn an_engine_that_builds_alone_runs_nothing() {
    let project = project(BROKEN);
    project.set_variable("MDO_CONTAINER_ENGINE", "/usr/bin/buildah");
    project.write(
        "project.toml",
        &OWN.replace(
            "dockerfile = \"Dockerfile\"",
            &format!("image = \"ghcr.io/o/n@sha256:{}\"", "a".repeat(64)),
        ),
    );
    let output = project.mdo("image --run --check --stage prod").exits(2);
    output.says("/usr/bin/buildah: builds images and does not run them");
}

#[test]
fn an_image_that_is_elsewhere_is_not_made() {
    let reference = format!("ghcr.io/o/n@sha256:{}", "a".repeat(64));
    let project = project(BROKEN);
    project.write(
        "project.toml",
        &OWN.replace("dockerfile = \"Dockerfile\"", &format!("image = \"{reference}\"")),
    );
    let output = project.mdo("image --stage prod").exits(2);
    output.says(&format!("stage prod runs {reference}: there is nothing to make"));
    project.mdo("image --run --check --stage prod").exits(1).says("the container did not start");
    assert!(project.read("asked.txt").contains(&format!("--env PORT=8080 {reference}\n")));
}

#[test]
fn the_image_runs_here_as_a_task_would_and_leaves_nothing_behind() {
    let Some(podman) = Podman::here() else { return };
    let project = TestProject::local();
    project.mdo("init").succeeds();
    podman.is_the_engine_of(&project);
    let server = static_server().display().to_string();
    let run = ["image", "--run", "--check", "-s", "N_CLASSES=2", "--server-program", &server];
    let output = project.mdo_with(&run).exits(0);
    output.says("  health  200 after ").says("/dev/sample_producer  200, ");
    assert!(!output.stderr.contains("N_CLASSES"), "{}", output.stderr);
    assert_eq!(podman.running(), "");

    let mut running =
        project.mdo_with(&["image", "--run", "-s", "N_CLASSES=2", "--server-program", &server]).begins();
    running.until_it_says("\"type\":\"request\"");
    running.signal("INT");
    assert_eq!(running.ends().0, 0);
    assert_eq!(podman.running(), "");
}

#[test]
fn a_dockerfile_is_built_into_the_image_of_the_stage() {
    let Some(podman) = Podman::here() else { return };
    let project = project(BROKEN);
    podman.is_the_engine_of(&project);
    project.write("Dockerfile", "FROM scratch\nCOPY project.toml /project.toml\n");
    let made = project.mdo("image --stage prod --json -o own.tar").exits(0).document();
    assert_eq!(made["layers"].as_array().unwrap().len(), 1, "{made:#}");
    assert!(fs::metadata(project.path("own.tar")).unwrap().len() > 1000);
}
