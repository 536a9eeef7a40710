//! Builds that nothing names any more.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::wheel::Wheel;
use super::{mdo, project_that_wants, wheels};
use crate::support::project::TestProject;

/// The folders of the builds.
fn builds(project: &TestProject) -> Vec<PathBuf> {
    let builds = fs::read_dir(project.path(".mdo/derivatives")).unwrap();
    let mut builds: Vec<_> = builds.map(|entry| entry.unwrap().path()).collect();
    builds.sort();
    builds
}

/// Makes it two weeks since a build was used.
fn age(build: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(15 * 24 * 60 * 60);
    File::options().write(true).open(build.join("used")).unwrap().set_modified(long_ago).unwrap();
}

/// A project whose derivative was built, locked anew and built again; with the build that its lock no longer names.
fn project_with_an_old_build() -> (TestProject, PathBuf) {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    mdo(&project, "derivative build").exits(0);
    let old = builds(&project).remove(0);
    Wheel::module("colours", "1.1").write(&wheels(&project));
    mdo(&project, "derivative lock --upgrade").exits(0);
    mdo(&project, "derivative build").exits(0);
    assert_eq!(builds(&project).len(), 2);
    (project, old)
}

#[test]
fn a_build_goes_when_no_lock_names_it_and_nobody_has_used_it_for_two_weeks() {
    for verb in ["derivative build", "derivative lock", "deploy --local --yes"] {
        let (project, old) = project_with_an_old_build();
        mdo(&project, verb).exits(0);
        assert!(old.is_dir(), "it was used today");
        builds(&project).iter().for_each(|build| age(build));
        mdo(&project, verb).exits(0);
        assert_eq!(builds(&project).len(), 1, "{verb}");
        assert!(!old.exists());
    }
}

#[test]
fn a_build_stays_that_a_process_holds_or_a_local_stage_runs_with() {
    let (project, old) = project_with_an_old_build();
    age(&old);
    let held = File::open(old.join("used")).unwrap();
    held.lock_shared().unwrap();
    mdo(&project, "derivative build").exits(0);
    assert!(old.is_dir());
    drop(held);

    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    mdo(&project, "deploy --local --yes --stage prod").exits(0);
    let old = builds(&project).remove(0);
    Wheel::module("colours", "1.1").write(&wheels(&project));
    mdo(&project, "derivative lock --upgrade").exits(0);
    age(&old);
    mdo(&project, "deploy --local --yes --stage dev").exits(0);
    mdo(&project, "invoke sample {} --local --stage prod")
        .exits(0)
        .prints("{\"statusCode\": 200, \"body\": \"1.0\"}\n");
}

#[test]
fn nothing_goes_while_a_lock_is_stale_or_missing() {
    let (project, old) = project_with_an_old_build();
    age(&old);
    project.write("derivatives/paint/requirements.in", "shades\n");
    mdo(&project, "derivative build colours").exits(0);
    assert!(old.is_dir());
}

#[test]
fn a_link_in_the_place_of_the_builds_is_named_with_the_way_out() {
    let project = project_that_wants("colours\n");
    mdo(&project, "derivative lock").exits(0);
    let elsewhere = project.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir_all(project.path(".mdo")).unwrap();
    symlink(&elsewhere, project.path(".mdo/derivatives")).unwrap();
    for verb in ["derivative build", "plan --local", "deploy --local --yes"] {
        mdo(&project, verb).exits(1).prints("").complains(
            "error: ROOT/.mdo/derivatives is a link: mdo follows no link in its own folder
  help: remove the link and run again, mdo makes what it needs: rm 'ROOT/.mdo/derivatives'
",
        );
    }
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}
