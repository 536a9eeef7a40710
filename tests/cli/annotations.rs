//! Errors and warnings as annotations of GitHub, where a workflow of GitHub runs mdo, and nowhere else.

use serde_json::json;

use crate::support::command::Mdo;
use crate::support::project::{MANIFEST, TestProject};

/// Runs a command as a workflow of GitHub that has checked out the folder around the project.
fn on_github<'a>(project: &'a TestProject, command: &str) -> Mdo<'a> {
    let around = project.folder().parent().unwrap().display().to_string();
    project.mdo(command).env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", &around)
}

#[test]
fn an_error_is_shown_at_its_line_with_the_way_out() {
    let project = TestProject::local_with_echo();
    project.write("project.toml", "name = \"shop\"\ndescripton = \"Echoes\"\n");
    project.write("functions/echo/function.json", "{\n  \"memory\": \"128\"\n}\n");
    let said = "error: unknown key `descripton`
  --> project.toml:2:1
  help: did you mean `description`?
error: `memory` must be a whole number, not a string
  --> functions/echo/function.json:2:13
  help: write the value without quotes
";
    let annotations = "\
::error file=shop/project.toml,line=2,col=1::unknown key `descripton`%0Ahelp: did you mean `description`?
::error file=shop/functions/echo/function.json,line=2,col=13::`memory` must be a whole number, not a string%0Ahelp: write the value without quotes
";
    project.mdo("plan --local").exits(2).complains(said);
    // A job in a container may not know where its checkout is.
    std::fs::create_dir(project.folder().parent().unwrap().join(".git")).unwrap();
    project
        .mdo("plan --local")
        .env("GITHUB_ACTIONS", "true")
        .exits(2)
        .complains(&format!("{said}{annotations}"));
    project.mdo("plan --local").env("GITHUB_ACTIONS", "false").exits(2).complains(said);
    on_github(&project, "plan --local").exits(2).prints("").complains(&format!("{said}{annotations}"));
    // Below the project's folder it is the same file, and a document is the same document.
    let json = on_github(&project, "plan --local --json").below("functions/echo").exits(2);
    json.complains(&format!("{said}{annotations}"));
    assert_eq!(json.document(), project.mdo("plan --local --json").exits(2).document());
}

#[test]
fn a_failure_without_a_file_is_shown_too() {
    let project = TestProject::local_with_echo();
    on_github(&project, "logs nope --local").exits(2).complains(
        "error: no function matches `nope`
  help: the project has echo
::error::no function matches `nope`%0Ahelp: the project has echo
",
    );
    let unknown = on_github(&project, "plan --nope").exits(2);
    assert!(
        unknown.stderr.ends_with(
            "\n::error::unexpected argument '--nope' found%0Ahelp: to pass '--nope' as a value, use '-- --nope'\n"
        ),
        "{}",
        unknown.stderr
    );
    // A file that is named but not checked out is said in words, and standard input is none.
    project.set("echo", "required_environment", json!(["TOKEN"]));
    let piped = on_github(&project, "plan --local -E -").reads("{\"TOKEN\": 1}").exits(2);
    assert!(
        piped.stderr.contains("\n::error::`TOKEN` must be a string, at standard input:1:11%0A"),
        "{}",
        piped.stderr
    );
}

#[test]
fn what_mdo_check_finds_is_shown_at_its_lines() {
    let project = TestProject::local_with_echo();
    project.write("project.toml", &format!("{MANIFEST}[stages.prod]\nhosting = \"server\"\n"));
    let output = on_github(&project, "check").exits(2);
    output.complains(
        "::error file=shop/project.toml,line=4,col=1::stage prod has no `certificate`: the keys of `GET /echo` would travel in clear\
         %0Ahelp: name a certificate of AWS Certificate Manager under `[server]`, or ask for it: `http = true`\n",
    );
    project.write("project.toml", MANIFEST);
    project.set("echo", "runtime", json!("python3.9"));
    project.set("echo", "handler", json!("echo.handle"));
    let warned = on_github(&project, "plan --local").runs();
    assert!(
        warned.stderr.contains("\n::warning file=shop/functions/echo/function.json,line="),
        "{}",
        warned.transcript()
    );
    let quiet = on_github(&project, "plan --local --quiet").runs();
    assert!(!quiet.stderr.contains("warning"), "{}", quiet.transcript());
}

#[test]
fn no_secret_is_in_an_annotation() {
    let project = TestProject::local_with_echo();
    let output = on_github(&project, "deploy TOKEN=hush-hush --local").exits(2);
    assert!(output.stderr.contains("\n::error::") && !output.stderr.contains("hush"), "{}", output.stderr);
    let unparsed = on_github(&project, "nonsense TOKEN=hush-hush").exits(2);
    assert!(
        unparsed.stderr.contains("\n::error::") && !unparsed.stderr.contains("hush"),
        "{}",
        unparsed.stderr
    );
    let file = "TOKEN=hush-hush\n2BAD=hush-hush\n";
    project.write("values", file);
    let in_file = on_github(&project, "plan --local -E values").exits(2);
    assert!(in_file.stderr.contains("\n::error file=shop/values,line=2,col=1::"), "{}", in_file.stderr);
    assert!(!in_file.stderr.contains("hush"), "{}", in_file.stderr);
}
