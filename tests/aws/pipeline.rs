//! The workflow of `mdo init --ci github`, run as GitHub would: its steps plan, comment and deploy.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::emulator::{Emulator, say};
use crate::support::project::TestProject;
use crate::support::proxy::{Fault, Proxy};
use crate::support::workflow::{self, Linters};

/// What stands for GitHub's own program: it knows one comment once there is one, and writes down what is asked of it.
const GH: &str = r#"#!/bin/sh
echo "$@" >> "$RUNNER_TEMP/asked"
case "$*" in *--jq*) cat "$RUNNER_TEMP/comment.id" 2> "$RUNNER_TEMP/none" || true ;; esac
"#;

/// A value that an environment file would not hold as it stands.
const TOKEN: &str = "hush 'hush' \"$HOME\" #1\nsecond line";

/// A runner of GitHub with a project that is checked out.
struct Runner<'a> {
    project: &'a TestProject,
    workflow: Value,
}

impl Runner<'_> {
    /// Runs a step with these variables besides GitHub's.
    fn step(&self, job: &str, name: &str, variables: &[(&str, &str)]) -> Output {
        let temporary = self.project.path("runner");
        let path = format!(
            "{}:{}:{}",
            temporary.display(),
            Path::new(env!("CARGO_BIN_EXE_mdo")).parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        let mut shell = Command::new("bash");
        shell.current_dir(self.project.folder()).env_clear().env("PATH", path);
        shell.envs(self.project.environment()).envs(variables.iter().copied());
        shell.env("RUNNER_TEMP", &temporary).env("GITHUB_STEP_SUMMARY", temporary.join("summary"));
        shell.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", self.project.folder());
        shell.env("GITHUB_REPOSITORY", "ours/shop").env("GITHUB_WORKFLOW", "mdo").env("STAGE", "dev");
        let output = workflow::run(workflow::step(&self.workflow, job, name), &mut shell);
        let mut said = self.project.said();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        output
    }

    fn left(&self, name: &str) -> String {
        self.project.read(&format!("runner/{name}"))
    }
}

#[test]
fn a_pull_request_is_planned_and_commented_on_and_what_is_merged_is_deployed() {
    let (Some(emulator), Some(linters)) = (Emulator::shared(), Linters::shared()) else { return };
    if Command::new("jq").arg("--version").output().is_err() {
        say("skipping what needs jq: this machine has none; apt-get install jq");
        return;
    }
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "required_environment", json!(["TOKEN", "GREETING"]));
    project.mdo("init --ci github").succeeds();
    project.write_executable("runner/gh", GH);
    let workflow = linters.read(&project.path(".github/workflows/mdo.yml"));
    let runner = Runner { project: &project, workflow };
    let secrets = [("SECRET_TOKEN", TOKEN), ("SECRET_GREETING", "hello")];
    let code = |output: Output| output.status.code();

    assert_eq!(code(runner.step("plan", "Check", &[])), Some(0));
    let unset = runner.step("plan", "Plan", &[("SECRET_TOKEN", TOKEN), ("SECRET_GREETING", "")]);
    assert!(
        String::from_utf8_lossy(&unset.stderr).contains("requires GREETING, which nothing sets"),
        "{unset:?}"
    );
    assert_eq!(code(unset), Some(2));

    assert_eq!(code(runner.step("plan", "Plan", &secrets)), Some(0), "changes are no failure");
    let plan = runner.left("plan.md");
    assert!(plan.contains("to create, nothing to update or delete") && plan.contains("+ TOKEN"), "{plan}");
    assert_eq!(runner.left("summary"), plan);
    assert_eq!(code(runner.step("plan", "Comment", &[("NUMBER", "7")])), Some(0));
    assert_eq!(runner.left("comment.md"), format!("<!-- mdo: plan dev -->\n{plan}"));
    project.write("runner/comment.id", "41\n42\n");
    assert_eq!(code(runner.step("plan", "Comment", &[("NUMBER", "7")])), Some(0));
    let asked = runner.left("asked");
    let writes: Vec<&str> = asked.lines().filter(|line| line.contains("--method")).collect();
    let body = format!("--field body=@{}", project.path("runner/comment.md").display());
    assert_eq!(
        writes,
        [
            format!("api --silent --method POST repos/ours/shop/issues/7/comments {body}"),
            format!("api --silent --method PATCH repos/ours/shop/issues/comments/42 {body}"),
        ]
    );

    let proxy = Proxy::start(project.account().emulator().address(), Duration::ZERO);
    proxy.fail_next("ImportRestApi", usize::MAX, Fault::denied("apigateway:POST"));
    let url = proxy.url();
    let through = [&secrets[..], &[("YES", ""), ("AWS_ENDPOINT_URL", &url)]].concat();
    let partly = runner.step("deploy", "Deploy", &through);
    assert!(
        String::from_utf8_lossy(&partly.stdout).contains("::error title=partly deployed::"),
        "{partly:?}"
    );
    let annotations = String::from_utf8_lossy(&partly.stderr);
    let annotated: Vec<&str> = annotations.lines().filter(|line| line.starts_with("::error::")).collect();
    assert!(annotated.len() == 1 && annotated[0].contains("apigateway:POST"), "{annotations}");
    assert_eq!(code(partly), Some(5));
    let deployed = runner.step("deploy", "Deploy", &[&secrets[..], &[("YES", "")]].concat());
    assert_eq!(code(deployed), Some(0));
    let live = Live::of(&project, "dev");
    assert_eq!(live.environment("echo")["TOKEN"], TOKEN);

    // A secret that is not set leaves what is live.
    let nothing = [("SECRET_TOKEN", ""), ("SECRET_GREETING", "")];
    assert_eq!(code(runner.step("plan", "Plan", &nothing)), Some(0));
    assert!(runner.left("plan.md").contains("Nothing to do."));

    fs::remove_dir_all(project.path("functions/echo")).unwrap();
    project.add_function("other", json!({"routes": ["GET /other"]}));
    let refused = runner.step("deploy", "Deploy", &[("YES", "")]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--yes"), "{refused:?}");
    assert_eq!(code(refused), Some(2), "nothing is deleted unless a person says so");
    assert_eq!(code(runner.step("deploy", "Deploy", &[("YES", "yes")])), Some(0));
    assert!(!project.said().contains("hush"), "no value is printed");
}
