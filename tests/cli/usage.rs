//! The edges of the process: arguments, streams, folders and exit codes.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::support::command::without_known_warnings;
use serde_json::json;

use crate::support::project::TestProject;

/// Runs a line of sh in the project's folder, with `$mdo` as the command under test.
fn shell(project: &TestProject, line: &str) -> (i32, String, String) {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(project.folder())
        .env_clear()
        .env("mdo", env!("CARGO_BIN_EXE_mdo"))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn without_a_project_it_says_what_writes_one() {
    let project = TestProject::local();
    project
        .mdo("list --local")
        .exits(2)
        .prints("")
        .complains("error: there is no project.toml in ROOT or above it\n  help: `mdo init` writes one\n");
}

#[test]
fn alarms_decide_trials_alone_and_in_a_time_and_on_aws() {
    let project = TestProject::local_with_echo();
    for (typed, told) in [
        ("deploy --alarm errors --for 10m", "--canary <PERCENT>"),
        ("deploy --canary 10% --alarm errors", "--for <TIME>"),
        ("deploy --canary 10% --for 10m", "--alarm <NAME>"),
        ("deploy --canary 10% --alarm errors --for soon", "invalid value 'soon' for '--for <TIME>'"),
        ("deploy --canary 10% --alarm errors --for 8d", "7d at most"),
        ("deploy --canary 10% --alarm errors, --for 10m", "a value is required for '--alarm <NAME>'"),
        ("canary watch --for 10m", "--alarm <NAME>"),
        ("canary watch", "--alarm <NAME>"),
        ("canary finish --alarm errors --for 10m", "--alarm is for `mdo canary watch`"),
        ("deploy --local --canary 10% --alarm errors --for 10m", "--local asks AWS for nothing"),
        ("canary watch --local --alarm errors --for 10m", "--local asks AWS for nothing"),
    ] {
        project.mdo(typed).exits(2).says(told);
    }
}

#[test]
fn a_home_is_not_needed() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").without("HOME").succeeds();
    project.mdo("invoke echo --local").without("HOME").succeeds();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = TestProject::local_with_echo();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mdo"))
        .args(["schema", "project"])
        .current_dir(project.folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn data_that_is_lost_is_an_error() {
    let project = TestProject::local_with_echo();
    for arguments in [&["plan", "--local", "--json"][..], &["--help"], &["deploy", "--help"], &["--version"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_mdo"))
            .args(arguments)
            .current_dir(project.folder())
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            without_known_warnings(&String::from_utf8(output.stderr).unwrap()),
            "error: cannot write standard output: No space left on device (os error 28)\n"
        );
    }
}

#[test]
fn a_verb_of_another_tool_points_at_what_does_it() {
    let project = TestProject::local_with_echo();
    for (typed, advice) in [
        ("tail echo", "`mdo logs` shows what functions have logged"),
        ("validate", "`mdo check` validates the files"),
        ("undo", "`mdo rollback` goes back to what a stage ran before"),
        ("remove", "`mdo destroy` removes a stage"),
        ("version", "`mdo --version` prints the version"),
        ("diff", "`mdo plan` shows what a deploy would change"),
        ("init shop", "pass the project's name as --name shop"),
        ("dev --local", "`mdo dev` always serves this machine: leave --local out"),
    ] {
        project.mdo(typed).exits(2).says(&format!("\n  help: {advice}"));
    }
}

#[test]
fn a_stage_may_stand_before_the_word_that_ends_a_trial() {
    let project = TestProject::local_with_echo();
    for typed in ["canary finish --stage prod", "canary --stage prod finish"] {
        project.mdo(&format!("{typed} --local")).exits(1).says("error: nothing is on trial at stage prod\n");
    }
}

#[test]
fn many_changes_are_summed_up_and_many_urls_cut_short() {
    let project = TestProject::local_with_echo();
    for number in 1..=12 {
        project.add_function(&format!("f{number}"), json!({}));
        project.set(&format!("f{number}"), "routes", json!([format!("GET /f{number}")]));
    }
    let output = project.mdo("deploy --local").exits(0);
    output.says("  1 role ").says(" s · 13 functions ").says("        and 3 more: mdo list\n");
}

#[test]
fn closed_streams_are_no_reason_to_fail() {
    let project = TestProject::local_with_echo();
    let (status, _, _) = shell(&project, "\"$mdo\" plan --local <&- >&- 2>&-");
    assert_eq!(status, 0);
}

#[test]
fn a_removed_folder_is_named() {
    let project = TestProject::local();
    let (status, stdout, stderr) =
        shell(&project, "mkdir gone; cd gone; rmdir ../gone; \"$mdo\" list --local");
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(
        stderr,
        "error: cannot determine the current directory: No such file or directory (os error 2)
  help: it may have been removed: change to one that exists
"
    );
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let project = TestProject::local_with_echo();
    let (status, stdout, stderr) = shell(&project, "\"$mdo\" plan --local \"$(printf '\\377')\"");
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: invalid UTF-8 was detected in one or more arguments\n"), "{stderr}");
}

#[test]
fn help_is_data_and_no_command_at_all_is_an_error() {
    let project = TestProject::local();
    let help = project.mdo("--help").succeeds();
    assert!(help.stdout.starts_with("Turns a folder of functions into a keyed, warm HTTP API"));
    let nothing = project.mdo("").exits(2);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", help.stdout.as_str()));
}

#[test]
fn schemas_describe_both_files() {
    let project = TestProject::local();
    for (file, key) in [("project", "default_stage"), ("function", "routes")] {
        let schema = project.mdo(&format!("schema {file}")).json();
        assert!(schema["properties"][key].is_object());
    }
    let table = project.mdo("schema function --markdown").succeeds().stdout;
    assert!(table.starts_with("| key | type | default | description |\n"), "{table}");
}
