//! How much mdo says, in which colours, and what it writes down.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::project::TestProject;

#[test]
fn notes_and_warnings_are_left_out_where_that_is_asked_for_and_errors_never() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    project.mdo("logs --local").succeeds().says("note: nothing was logged since ");
    project.mdo("logs --local --quiet").succeeds().complains("");
    project.mdo("logs -q nope --local").exits(2).says("error: no function matches `nope`");
    project.mdo("logs --local -q -v").exits(2).says("cannot be used with");
}

#[test]
fn colours_are_used_where_they_are_asked_for_and_nowhere_else() {
    let project = TestProject::local_with_echo();
    assert!(!project.mdo("plan --local").succeeds().stdout.contains('\u{1b}'));
    assert!(project.mdo("plan --local --color always").succeeds().stdout.contains('\u{1b}'));
    assert!(!project.mdo("plan --local --color never").succeeds().stdout.contains('\u{1b}'));
    let asked = project.mdo("--color always plan --local").env("NO_COLOR", "1").succeeds();
    assert!(asked.stdout.contains('\u{1b}'));
}

#[test]
fn what_was_said_is_written_down_without_a_secret_for_its_owner_alone() {
    let project = TestProject::local_with_echo();
    let secret = "hush-hush-hush";
    project.mdo(&format!("deploy nope --local -s TOKEN={secret} --log-file mdo.log")).exits(2);
    project.mdo("logs --local --log-file mdo.log").succeeds();
    let log = project.read("mdo.log");
    assert!(!log.contains(secret), "{log}");
    assert!(log.contains("Z mdo deploy nope --local -s TOKEN=… --log-file mdo.log  (mdo "), "{log}");
    assert!(
        log.contains("Z error: no function matches `nope`") && log.contains("Z note: nothing was logged"),
        "{log}"
    );
    project.mdo(&format!("deploy --local -s TOKEN={secret} --log-file mdo.log")).succeeds();
    let log = project.read("mdo.log");
    assert!(!log.contains(secret), "{log}");
    let done: Vec<&str> = log.lines().filter(|line| line.ends_with(" s  done")).collect();
    assert_eq!(done.len(), 6, "{log}");
    assert!(done.iter().any(|line| line.contains("Z function shop_echo  ")), "{log}");
    assert!(log.ends_with("Z exit code 0\n") && log.contains("Z exit code 2\n"), "{log}");
    let mode = fs::metadata(project.path("mdo.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    project
        .mdo("list --local --log-file no/such/folder")
        .exits(2)
        .says("cannot write the log no/such/folder");
}
