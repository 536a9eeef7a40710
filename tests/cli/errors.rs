//! What stands in the way is named with its file, its place and the way out; and under --json in one document.

use serde_json::json;

use crate::support::project::TestProject;

#[test]
fn a_misspelt_key_a_wrong_type_and_a_bound_are_all_said_at_once() {
    let project = TestProject::local_with_echo();
    project.write("project.toml", "name = \"shop\"\ndescripton = \"Echoes\"\n");
    project.write("functions/echo/function.json", "{\n  \"memory\": \"128\",\n  \"timeout\": 901\n}\n");
    project.mdo("plan --local").exits(2).prints("").complains(
        "error: unknown key `descripton`
  --> project.toml:2:1
  help: did you mean `description`?
error: `memory` must be a whole number, not a string
  --> functions/echo/function.json:2:13
  help: write the value without quotes
error: `timeout` is 901: it must be 1 to 900
  --> functions/echo/function.json:3:14
",
    );
}

#[test]
fn a_failure_is_one_document_too() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/function.json", "{");
    let mut problem = json!({
        "code": "configuration",
        "message": "unterminated object",
        "file": "functions/echo/function.json",
        "line": 1,
        "column": 1,
        "help": null,
        "resource": null,
        "reference": null,
        "answer": null,
    });
    let errors = json!([problem]);
    problem["exit_code"] = json!(2);
    let expected = json!({"version": 1, "error": problem, "errors": errors});
    for verb in ["plan", "deploy", "list", "warm", "key list", "destroy"] {
        let output = project.mdo(&format!("{verb} --local --json")).exits(2);
        assert_eq!(output.document(), expected);
        output.complains("error: unterminated object\n  --> functions/echo/function.json:1:1\n");
    }
}

#[test]
fn several_problems_are_a_list_with_the_place_and_the_way_out_of_each() {
    let project = TestProject::local_with_echo();
    project.write("project.toml", "name = \"shop\"\ndescripton = \"Echoes\"\n");
    project.write("functions/echo/function.json", "{\n  \"timeout\": 901\n}\n");
    let document = project.mdo("plan --local --json").exits(2).document();
    let errors: Vec<_> = document["errors"].as_array().unwrap().iter().collect();
    let told = |error: &serde_json::Value| [&error["file"], &error["line"], &error["help"]].map(Clone::clone);
    assert_eq!(
        errors.iter().map(|error| told(error)).collect::<Vec<_>>(),
        [
            [json!("project.toml"), json!(2), json!("did you mean `description`?")],
            [json!("functions/echo/function.json"), json!(2), json!(null)],
        ]
    );
    assert_eq!(document["error"]["message"], "unknown key `descripton`");
}

#[test]
fn a_package_that_cannot_run_names_its_function_and_what_it_is_under_json() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/bootstrap", "neither ELF nor script\n");
    let document = project.mdo("deploy --local --json").exits(2).document();
    let error = &document["error"];
    assert_eq!([&error["code"], &error["resource"]], ["package", "function echo"]);
    assert_eq!(error["help"], "build bootstrap for Linux, or start it with a line such as #!/bin/sh");
}

#[test]
fn a_wrong_command_line_is_one_document_too() {
    let project = TestProject::local_with_echo();
    let output = project.mdo("plan --local --json --frobnicate").exits(2);
    let error = &output.document()["error"];
    assert_eq!(error["exit_code"], 2);
    assert_eq!([&error["code"], &error["message"]], ["usage", "unexpected argument '--frobnicate' found"]);
    assert!(
        output.stderr.starts_with("error: unexpected argument '--frobnicate' found\n"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_required_variable_is_missed_before_anything_changes() {
    let project = TestProject::local_with_echo();
    project.set("echo", "required_environment", json!(["GREETING"]));
    project.mdo("deploy --local").exits(2).prints("").complains(
        "error: function echo requires GREETING, which nothing sets
  --> functions/echo/function.json:3:5
  help: set it with -s GREETING=…, in an environment file (-E), or under \"environment\" in function.json; only mdo dev reads .env by itself
",
    );
    assert!(!project.path(".mdo/stages/dev").exists());
    project.mdo("deploy --local -s GREETING=hello").succeeds();
}

#[test]
fn a_failing_build_hook_shows_its_command_status_and_last_words() {
    let project = TestProject::local_with_echo();
    project.set("echo", "hooks", json!({"build": "echo no compiler; exit 7"}));
    project.mdo("plan --local").exits(2).prints("").complains(
        "  echo: no compiler
error: function echo: the build hook `echo no compiler; exit 7` failed with exit status 7
  no compiler
  help: run it by hand in ROOT/functions/echo
",
    );
}

#[test]
fn a_bootstrap_that_cannot_start_is_found_before_it_is_deployed() {
    let project = TestProject::local_with_echo();
    project.write("functions/echo/bootstrap", "neither ELF nor script\n");
    project.mdo("deploy --local").exits(2).prints("").complains(
        "error: function echo: bootstrap is not a Linux executable: neither an ELF file nor a #! script
  help: build bootstrap for Linux, or start it with a line such as #!/bin/sh
",
    );
}

#[test]
fn a_function_without_its_file_and_a_file_that_is_no_folder_are_told_apart() {
    let project = TestProject::local_with_echo();
    project.write("functions/README.md", "not a function\n");
    project.write("functions/new/main.py", "pass\n");
    project.mdo("plan --local").exits(2).complains(
        "error: functions/new has no function.json
  help: write one, `{}` is enough, or move the folder out of functions/
",
    );
}

#[test]
fn a_damaged_state_says_where_and_what_to_do() {
    let project = TestProject::local_with_echo();
    project.mdo("deploy --local").succeeds();
    let help = "  help: remove the folder ROOT/.mdo/stages/dev and deploy again with --local; its keys get new values\n";
    for (state, place) in [
        ("", "line 1, column 0"),
        ("{bad", "line 1, column 2"),
        (r#"{"format": 2, "keys": {"default": "hunter2"}}"#, "line 1, column 43"),
    ] {
        project.write(".mdo/stages/dev/state.json", state);
        let complaint = format!("error: ROOT/.mdo/stages/dev/state.json is damaged at {place}\n{help}");
        project.mdo("list --local").exits(1).prints("").complains(&complaint);
    }
    project.write(".mdo/stages/dev/state.json", r#"{"format": 9}"#);
    project.mdo("key show --local").exits(2).complains(
        "error: ROOT/.mdo/stages/dev/state.json was written by a newer mdo (format 9; this mdo knows up to 2)
  help: use that mdo, or remove the folder ROOT/.mdo/stages/dev and deploy again with --local
",
    );
}
