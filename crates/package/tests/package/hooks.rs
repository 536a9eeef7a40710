//! How build and clean hooks run, and what is said when one fails.

use mdo_package::PackageError;

use super::elf::{Elf, X86_64};
use super::function::Function;

fn build(function: &Function) -> (Vec<String>, Result<(), PackageError>) {
    let mut lines = Vec::new();
    let result =
        function.with_source(|source| mdo_package::build(source, &mut |line| lines.push(line.to_owned())));
    (lines, result)
}

#[test]
fn know_what_they_build_and_where() {
    let function =
        Function::empty().build_hook("echo $MDO_FUNCTION $MDO_ARCHITECTURE $MDO_RUNTIME; pwd; cat");
    let (lines, result) = build(&function);
    result.unwrap();
    let folder = function.folder().canonicalize().unwrap();
    assert_eq!(lines, ["sample_producer x86_64 provided.al2023", folder.to_str().unwrap()]);
}

#[test]
fn are_observed_line_by_line_on_both_streams() {
    let function =
        Function::empty().build_hook("echo one; echo two >&2; printf '10%%\\r100%%\\n'; printf three");
    let (lines, result) = build(&function);
    result.unwrap();
    assert_eq!(lines, ["one", "two", "100%", "three"]);
}

#[test]
fn that_fail_show_their_last_lines() {
    let function = Function::empty().build_hook("seq 30; exit 3");
    let error = build(&function).1.unwrap_err();
    let shown: Vec<String> = (11..=30).map(|line| format!("\n  {line}")).collect();
    assert_eq!(
        error.to_string(),
        format!(
            "function sample_producer: the build hook `seq 30; exit 3` failed with exit status 3{}",
            shown.concat()
        )
    );
    assert_eq!(error.help(), Some(format!("run it by hand in {}", function.folder().display())));
    assert!(matches!(function.package(), Err(PackageError::Hook { .. })));
}

#[test]
fn that_are_killed_say_by_what() {
    let error = build(&Function::empty().build_hook("kill -9 $$")).1.unwrap_err();
    assert_eq!(
        error.to_string(),
        "function sample_producer: the build hook `kill -9 $$` failed with signal 9"
    );
}

#[test]
fn that_leave_a_process_behind_still_end() {
    let function = Function::empty().build_hook("sleep 1000 & echo done; echo $! > pid");
    let (lines, result) = build(&function);
    result.unwrap();
    assert_eq!(lines, ["done"]);
    let pid = std::fs::read_to_string(function.folder().join("pid")).unwrap();
    let ended = std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(ended.success(), "the hook ended while the process it left behind lived");
}

#[test]
fn see_no_trace_of_the_cargo_that_started_mdo() {
    let function = Function::empty()
        .build_hook("env | grep -E '^(CARGO_PKG_|CARGO_MANIFEST|CARGO=|OUT_DIR)' ; echo ${CARGO_HOME-unset}");
    let (lines, result) = build(&function);
    result.unwrap();
    let home = std::env::var("CARGO_HOME").unwrap_or_else(|_| "unset".to_owned());
    assert_eq!(lines, [home]);
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo started this test");
}

#[test]
fn clean_what_they_built_once_it_is_packaged() {
    let function = Function::empty()
        .file("source", Elf::program(X86_64).bytes())
        .build_hook("cp source bootstrap && chmod +x bootstrap")
        .clean_hook("rm bootstrap");
    assert_eq!(function.names(), ["bootstrap", "source"]);
    assert!(!function.folder().join("bootstrap").exists());
}

#[test]
fn that_fail_to_clean_are_a_warning() {
    let function = Function::ready().clean_hook("echo stuck; exit 4");
    assert_eq!(
        function.package().unwrap().warnings,
        ["function sample_producer: the clean hook `echo stuck; exit 4` failed with exit status 4\n  stuck"]
    );
}

#[test]
fn clean_up_after_a_package_that_was_refused() {
    let function = Function::empty().build_hook("touch made").clean_hook("rm made");
    function.package().unwrap_err();
    assert!(!function.folder().join("made").exists());
}

#[test]
fn are_optional() {
    let (lines, result) = build(&Function::empty());
    result.unwrap();
    assert_eq!(lines, Vec::<String>::new());
}
