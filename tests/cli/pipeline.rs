//! `mdo init --ci github`: what of the workflow a project decides, where it is written, and that it is none to be ashamed of.

use std::fs;

use serde_json::{Value, json};

use crate::support::project::{MANIFEST, TestProject};
use crate::support::workflow::{Linters, step};

const WORKFLOW: &str = ".github/workflows/mdo.yml";

/// The lines of a workflow with one of these words, without the blanks around them.
fn lines<'a>(workflow: &'a str, word: &str) -> Vec<&'a str> {
    workflow.lines().map(str::trim).filter(|line| line.contains(word) && !line.starts_with('#')).collect()
}

#[test]
fn a_new_project_may_begin_with_its_workflow() {
    let project = TestProject::local();
    project.mdo("init --ci github").succeeds().says(
        "  wrote  .mdoignore
  wrote  .github/workflows/mdo.yml

Ready.
  run it here   mdo dev
  on AWS        mdo deploy -s N_CLASSES=2
  its routes    GET /sample_producer

In the settings of the repository on GitHub:
  variable     AWS_ROLE_TO_PLAN    the ARN of a role that may read; mdo policy --ci github:OWNER/REPO --pull-requests says whom it trusts
  variable     AWS_ROLE_TO_DEPLOY  the ARN of one that deploys; mdo policy --ci github:OWNER/REPO --environment STAGE says whom
  variable     AWS_REGION          the region of AWS
  variable     MDO_WHEEL           path or address of the wheel of mdo, installed in seconds
  variable     MDO_REPOSITORY      or the git address of mdo, to build it from; takes minutes
  secret       N_CLASSES           N_CLASSES of the functions; a variable where it is none
  environment  dev                 with a stage's own settings, which plans do not see, and who is asked before a deploy
",
    );
    // The same as of the project that is there now.
    let begun = project.read(WORKFLOW);
    fs::remove_file(project.path(WORKFLOW)).unwrap();
    project.mdo("init --ci github").succeeds();
    assert_eq!(project.read(WORKFLOW), begun);
    let python = TestProject::local();
    python.mdo("init --ci github --runtime python3.13").succeeds();
    assert_eq!(lines(&python.read(WORKFLOW), "uv"), ["pipx install uv"; 2]);
}

#[test]
fn stages_variables_and_region_are_those_of_the_files() {
    let project = TestProject::local_with_echo();
    project.set("echo", "required_environment", json!(["TOKEN", "GITHUB_USER", "GREETING"]));
    project.write(
        "project.toml",
        &format!(
            "{MANIFEST}default_stage = \"test\"\nregion = \"eu-west-1\"\nprofile = \"ours\"\n[defaults.environment]\nGREETING = \"hi\"\n\
             [stages.prod.environment]\nTOKEN = \"none\"\n[stages.qa]\n"
        ),
    );
    // Below the project's folder it is the same project.
    project.mdo("init --ci github").below("functions/echo").succeeds().prints(
        "  wrote  .github/workflows/mdo.yml

In the settings of the repository on GitHub:
  variable     AWS_ROLE_TO_PLAN      the ARN of a role that may read; mdo policy --ci github:OWNER/REPO --pull-requests says whom it trusts
  variable     AWS_ROLE_TO_DEPLOY    the ARN of one that deploys; mdo policy --ci github:OWNER/REPO --environment STAGE says whom
  variable     AWS_REGION            the region of stages whose files name none, instead of eu-west-1
  variable     MDO_WHEEL             path or address of the wheel of mdo, installed in seconds
  variable     MDO_REPOSITORY        or the git address of mdo, to build it from; takes minutes
  secret       VALUE_OF_GITHUB_USER  GITHUB_USER of the functions; a variable where it is none
  secret       TOKEN                 TOKEN of the functions; a variable where it is none
  environment  test, prod, qa        with a stage's own settings, which plans do not see, and who is asked before a deploy
",
    );
    let workflow = project.read(WORKFLOW);
    assert_eq!(
        lines(&workflow, r#""qa"]"#),
        [r#"options: ["test", "prod", "qa"]"#, r#"stage: ["test", "prod", "qa"]"#]
    );
    assert_eq!(lines(&workflow, "default: \""), [r#"default: "test""#]);
    assert_eq!(lines(&workflow, "aws-region"), ["aws-region: ${{ vars.AWS_REGION || 'eu-west-1' }}"; 2]);
    assert_eq!(
        lines(&workflow, "secrets."),
        [
            "SECRET_GITHUB_USER: ${{ secrets.VALUE_OF_GITHUB_USER || vars.VALUE_OF_GITHUB_USER }}",
            "SECRET_TOKEN: ${{ secrets.TOKEN || vars.TOKEN }}",
        ]
        .repeat(2)
    );
    // What prod's files set is not sent there over them.
    assert_eq!(
        lines(&workflow, "jq --null-input"),
        [r#"jq --null-input '{"GITHUB_USER": env.SECRET_GITHUB_USER, "TOKEN": (if env.STAGE | IN("qa", "test") then env.SECRET_TOKEN else null end)} | with_entries(select((.value // "") != ""))' |"#;
            2]
    );
    assert_eq!(lines(&workflow, "--profile ''").len(), 2, "no runner has the profile that the file names");
}

#[test]
fn a_project_that_asks_for_nothing_is_given_nothing() {
    let project = TestProject::local_with_echo();
    project.mdo("init --ci github").succeeds();
    let workflow = project.read(WORKFLOW);
    assert_eq!(lines(&workflow, "secrets."), [""; 0]);
    assert_eq!(
        lines(&workflow, "mdo plan"),
        ["mdo plan --stage \"$STAGE\" --markdown --exit-code > \"$RUNNER_TEMP/plan.md\" || code=$?"]
    );
    assert_eq!(
        lines(&workflow, "mdo deploy --stage"),
        ["mdo deploy --stage \"$STAGE\" ${YES:+--yes} || code=$?"]
    );
}

#[test]
fn a_project_that_is_a_part_of_a_checkout_has_a_workflow_of_its_own_name_where_github_looks() {
    let project = TestProject::local();
    project.git("init -q");
    project.write(".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/trunk\n");
    fs::create_dir_all(project.path("apis/shop")).unwrap();
    let output = project.mdo("init --ci github").below("apis/shop").succeeds();
    output.says("  wrote  ../../.github/workflows/mdo-shop.yml\n");
    let workflow = project.read(".github/workflows/mdo-shop.yml");
    assert_eq!(lines(&workflow, "name: mdo"), ["name: mdo-shop"]);
    assert_eq!(lines(&workflow, "working-directory"), [r#"working-directory: "apis/shop""#]);
    assert_eq!(
        lines(&workflow, "paths: "),
        [r#"paths: ["apis/shop/**", ".github/workflows/mdo-shop.yml"]"#; 2]
    );
    assert_eq!(
        lines(&workflow, "trunk"),
        [
            r#"branches: ["trunk"]"#,
            "if: github.event_name != 'pull_request' && github.ref == 'refs/heads/trunk'"
        ]
    );
}

#[test]
fn a_workflow_is_never_overwritten_and_what_is_asked_for_in_vain_is_said() {
    let project = TestProject::local();
    project.write(WORKFLOW, "mine\n");
    let in_the_way = "error: .github/workflows/mdo.yml exists already; nothing was written
  help: move it away, or start in an empty folder
";
    project.mdo("init --ci github").exits(2).prints("").complains(in_the_way);
    assert!(!project.path("project.toml").exists());
    project.write("project.toml", MANIFEST);
    project.mdo("init --ci github").exits(2).prints("").complains(in_the_way);
    assert_eq!(project.read(WORKFLOW), "mine\n");
    fs::remove_file(project.path(WORKFLOW)).unwrap();

    for flag in ["--name other", "--function echo", "--runtime python3.13"] {
        project.mdo(&format!("init --ci github {flag}")).exits(2).complains(
            "error: there is a project.toml here already; nothing was written
  help: mdo dev runs it, mdo plan shows what a deploy would change
",
        );
    }
    project.mdo("init --ci githb").exits(2).complains(
        "error: invalid value 'githb' for '--ci <PROVIDER>'
  [possible values: github]

  tip: a similar value exists: 'github'

For more information, try '--help'.
",
    );
    project.mdo("init --ci github --apex").exits(2).says("cannot be used with");
    project.write("project.toml", "name = \"shop\"\ndescripton = \"Echoes\"\n");
    project
        .mdo("init --ci github")
        .exits(2)
        .says("error: unknown key `descripton`\n  --> project.toml:2:1\n");
    assert!(!project.path(WORKFLOW).exists());
}

#[test]
fn linters_approve_of_each_workflow() {
    let Some(linters) = Linters::shared() else { return };
    let plain = TestProject::local_with_echo();
    let asking = TestProject::local_with_echo();
    asking.set("echo", "required_environment", json!(["TOKEN", "on"]));
    asking.write("project.toml", &format!("{MANIFEST}[stages.on]\n[stages.no]\nregion = \"eu-west-1\"\n"));
    let part = TestProject::local();
    part.git("init -q");
    fs::create_dir(part.path("apis")).unwrap();
    plain.mdo("init --ci github").succeeds();
    asking.mdo("init --ci github").succeeds();
    part.mdo("init --ci github --name shop --runtime python3.13").below("apis").succeeds();
    let files = [plain.path(WORKFLOW), asking.path(WORKFLOW), part.path(".github/workflows/mdo-shop.yml")];
    files.iter().for_each(|file| linters.approve(file));
    // Words that mean something else to YAML are stages all the same.
    let workflow = linters.read(&files[1]);
    assert_eq!(workflow["jobs"]["plan"]["strategy"]["matrix"]["stage"], json!(["dev", "no", "on"]));
    let permissions = |job: &str| workflow["jobs"][job]["permissions"].clone();
    assert_eq!(
        permissions("plan"),
        json!({"contents": "read", "id-token": "write", "pull-requests": "write"})
    );
    assert_eq!(permissions("deploy"), json!({"contents": "read", "id-token": "write"}));
    let role = |job: &str| step(&workflow, job, "Take the role")["with"]["role-to-assume"].clone();
    assert_eq!(role("plan"), Value::from("${{ vars.AWS_ROLE_TO_PLAN }}"));
    assert_eq!(role("deploy"), Value::from("${{ vars.AWS_ROLE_TO_DEPLOY }}"));
}
