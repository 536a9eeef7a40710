//! Functions that run with derivatives on this machine.

use super::wheel::Wheel;
use super::{add_function, mdo, project, project_that_wants, wheels};

#[test]
fn dev_locks_what_was_never_locked_and_reloads_what_is_locked_anew() {
    let project = project_that_wants("colours\n");
    let mut serving = mdo(&project, "dev --port 0").serves();
    assert_eq!(serving.get("/sample", None).text(), "1.0");
    assert!(project.read("derivatives/colours/requirements.txt").contains("\ncolours==1.0 \\\n"));

    Wheel::module("colours", "1.1").write(&wheels(&project));
    project.write("derivatives/colours/requirements.in", "colours>=1.1\n");
    serving.says("requirements.txt was made from another requirements.in");
    serving.says("  help: mdo derivative lock colours");
    serving.says("  still serving the last good version");
    assert_eq!(serving.get("/sample", None).text(), "1.0");

    mdo(&project, "derivative lock colours").exits(0);
    serving.says("reloaded sample version 2");
    assert_eq!(serving.get("/sample", None).text(), "1.1");
    serving.signal("INT");
    serving.exits(0);
}

#[test]
fn dev_says_what_it_locked_before_it_builds() {
    let project = project_that_wants("colours\n");
    let serving = mdo(&project, "dev --port 0").serves();
    serving.signal("INT");
    let heard = serving.exits(0);
    let at = |text: &str| {
        heard.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{heard:#?}"))
    };
    assert_eq!(heard[at("locked ")], "locked colours: 2 packages, derivatives/colours/requirements.txt");
    assert!(at("locked ") < at("derivative colours: installing 2 packages"), "{heard:#?}");

    let again = mdo(&project, "dev --port 0").serves();
    again.signal("INT");
    assert!(!again.exits(0).iter().any(|line| line.starts_with("locked ")), "locked once is locked");
}

#[test]
fn a_derivative_that_comes_while_dev_runs_is_locked_and_served() {
    let project = project();
    project.write(
        "functions/sample/sample.py",
        "def handle(event, context):\n    return {\"body\": \"none\"}\n",
    );
    let mut serving = mdo(&project, "dev --port 0").serves();
    assert_eq!(serving.get("/sample", None).text(), "none");
    project.write("derivatives/colours/requirements.in", "colours\n");
    add_function(&project, "sample", &["colours"]);
    serving.says("locked colours: 2 packages, derivatives/colours/requirements.txt");
    serving.comes_to("/sample", None, 200);
    serving.says("reloaded sample version ");
    serving.signal("INT");
    serving.exits(0);
}

#[test]
fn plan_and_deploy_lock_nothing() {
    let project = project_that_wants("colours\n");
    for verb in ["plan --local", "deploy --local --yes", "plan --local --json"] {
        mdo(&project, verb).exits(2).complains(
            "error: derivative colours: derivatives/colours has no requirements.txt
  help: mdo derivative lock colours
",
        );
    }
    assert!(!project.path("derivatives/colours/requirements.txt").exists());
}

#[test]
fn two_functions_run_with_two_versions_of_a_package() {
    let project = project();
    Wheel::module("colours", "1.1").write(&wheels(&project));
    for (function, derivative, wanted) in
        [("old", "before", "colours==1.0\n"), ("new", "now", "colours==1.1\n")]
    {
        project.write(&format!("derivatives/{derivative}/requirements.in"), wanted);
        add_function(&project, function, &[derivative]);
    }
    project.remove("functions/sample");
    let serving = mdo(&project, "dev --port 0").serves();
    let (old, new) = (serving.get("/old", None).text(), serving.get("/new", None).text());
    assert_eq!((old.as_str(), new.as_str()), ("1.0", "1.1"));
    serving.signal("INT");
    serving.exits(0);
}

#[test]
fn a_stage_keeps_the_versions_that_it_was_deployed_with() {
    let project = project_that_wants("colours\n");
    let runs = |arguments: &str| mdo(&project, arguments).exits(0).stdout;
    let answer = |stage: &str| runs(&format!("invoke sample {{}} --local --stage {stage}"));
    runs("derivative lock");
    runs("deploy --local --yes --stage prod");
    Wheel::module("colours", "1.1").write(&wheels(&project));
    runs("derivative lock --upgrade");
    runs("deploy --local --yes --stage dev");
    let body = |version: &str| format!("{{\"statusCode\": 200, \"body\": \"{version}\"}}\n");
    assert_eq!((answer("dev"), answer("prod")), (body("1.1"), body("1.0")));
}
