//! Functions of managed runtimes on this machine: found, served, reloaded, and told of by the user's own files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::command::Mdo;
use crate::support::project::TestProject;

/// A Python that mdo can run functions with: its runtime and its program.
fn python() -> (String, PathBuf) {
    let found = (12..=14).find_map(|minor| {
        let program = mdo_package::find_python(minor, Path::new("/")).ok()?;
        Some((format!("python3.{minor}"), program))
    });
    found.expect("these tests need Python 3.12, 3.13 or 3.14")
}

const SAMPLE: &str = r#"import json
import logging

def handle(event, context):
    logging.warning("asked for %s", event.get("path"))
    if event.get("queryStringParameters"):
        return answer(1 / 0)
    return answer("first")

def answer(value):
    return {"statusCode": 200, "body": json.dumps(value)}
"#;

/// The project `shop` with the function `sample` of a Python of this machine.
fn project() -> TestProject {
    let project = TestProject::local();
    project.write("project.toml", "name = \"shop\"\n");
    let settings = json!({"runtime": python().0, "handler": "pkg/sample.handle", "routes": [{"route": "GET /sample", "security": "open"}]});
    project.write("functions/sample/function.json", &format!("{settings:#}\n"));
    project.write("functions/sample/pkg/sample.py", SAMPLE);
    project
}

/// A command that finds the Python of the tests, and no other one.
fn mdo<'a>(project: &'a TestProject, arguments: &str) -> Mdo<'a> {
    let program = python().1;
    on_an_empty_machine(project, arguments).env("MDO_PYTHON", program.to_str().unwrap())
}

/// A command that finds no interpreter.
fn on_an_empty_machine<'a>(project: &'a TestProject, arguments: &str) -> Mdo<'a> {
    let nowhere = project.path("nowhere").display().to_string();
    project.mdo(arguments).env("PATH", &nowhere).env("HOMEBREW_PREFIX", &nowhere)
}

#[test]
fn a_function_is_served_and_reloaded_and_its_errors_name_the_users_file() {
    let project = project();
    let mut serving = mdo(&project, "dev --port 0").serves();
    assert_eq!(serving.get("/sample", None).text(), "\"first\"");
    assert!(serving.says("asked for /sample").starts_with("shop_sample [WARNING]\t"));

    let failed = serving.get("/sample?fail=1", None);
    assert_eq!((failed.status(), failed.text().as_str()), (502, r#"{"message": "Internal server error"}"#));
    for line in [
        "shop_sample [ERROR] ZeroDivisionError: division by zero",
        "shop_sample Traceback (most recent call last):",
        "shop_sample   File \"functions/sample/pkg/sample.py\", line 7, in handle",
        "shop_sample     return answer(1 / 0)",
    ] {
        assert_eq!(serving.says(line), line);
    }
    serving.says("function sample failed: ZeroDivisionError: division by zero");

    project.write("functions/sample/pkg/sample.py", &SAMPLE.replace("first", "second"));
    serving.says("reloaded sample version 2");
    assert_eq!(serving.get("/sample", None).text(), "\"second\"");

    project.write("functions/sample/pkg/sample.py", "def handle(event, context):\n    return (1");
    serving.says("reloaded sample version 3");
    assert_eq!(serving.get("/sample", None).status(), 502);
    serving.says("shop_sample   File \"functions/sample/pkg/sample.py\" Line 2");

    project.write("functions/sample/pkg/sample.py", "import sklearn.svm\n");
    serving.says("reloaded sample version 4");
    let help = "function sample did not find a module: if `sklearn` is of a package, mdo derivative create NAME PACKAGE brings it to functions";
    assert_eq!(serving.get("/sample", None).status(), 502);
    serving.says(help);
    assert_eq!(serving.get("/sample", None).status(), 502);
    serving.signal("INT");
    let lines = serving.exits(0);
    assert_eq!(lines.iter().filter(|line| line.as_str() == help).count(), 1, "{lines:#?}");
}

#[test]
fn an_event_answers_with_the_error_document_and_the_log_has_the_trace_as_lines() {
    let project = project();
    mdo(&project, "deploy --local --yes").succeeds();
    let event = r#"{"queryStringParameters": {"a": "b"}}"#;
    let output = mdo(&project, "invoke sample - --local --logs").reads(event).exits(1);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        document["stackTrace"],
        json!(["  File \"functions/sample/pkg/sample.py\", line 7, in handle\n    return answer(1 / 0)\n"])
    );
    let log: Vec<&str> = output.stderr.lines().collect();
    assert!(log.contains(&"  File \"functions/sample/pkg/sample.py\", line 7, in handle"), "{log:#?}");
    assert_eq!(log.last(), Some(&"error: function sample failed (ZeroDivisionError: division by zero)"));
}

#[test]
fn a_module_that_is_missing_is_told_how_to_bring() {
    let project = project();
    project.write("functions/sample/pkg/sample.py", "import sklearn.svm\n");
    mdo(&project, "deploy --local --yes").succeeds();
    mdo(&project, "invoke sample --local").exits(1).says(
        "  help: if `sklearn` is of a package, mdo derivative create NAME PACKAGE brings it to functions\n",
    );
}

#[test]
fn an_interpreter_that_is_missing_is_told_at_its_place_before_anything_is_changed() {
    let project = project();
    for (runtime, told, help) in [
        ("python3.13", "Python 3.13", "uv python install 3.13, or set MDO_PYTHON=/path/to/python3.13"),
        ("nodejs24.x", "Node.js 24", "nvm install 24 or fnm install 24, or set MDO_NODE=/path/to/node"),
    ] {
        project.set("sample", "runtime", json!(runtime));
        if runtime.starts_with("nodejs") {
            project.write("functions/sample/pkg/sample.mjs", "export const handle = () => {};");
        }
        for verb in ["plan --local", "deploy --local --yes", "dev --port 0", "plan --local --json"] {
            on_an_empty_machine(&project, verb).exits(2).says(&format!(
                "error: function sample runs on {runtime}, and this machine has no {told}
  --> functions/sample/function.json:9:14
  help: {help}
"
            ));
            assert!(!project.path(".mdo/stages/dev/stack.json").exists());
        }
    }
}

#[test]
fn an_interpreter_that_is_named_but_does_not_run_or_is_another_one_is_refused() {
    let project = project();
    let (named, program) = python();
    let (named, program) = (named.replace("python", "Python "), program.display().to_string());
    for (runtime, variable, given, is, path) in [
        ("python3.13", "MDO_PYTHON", "/no/such/python", "no Python that runs", "/path/to/python3.13"),
        ("python3.13", "MDO_PYTHON", "/etc/passwd", "no Python that runs", "/path/to/python3.13"),
        ("nodejs24.x", "MDO_NODE", "/bin/sh", "no Node.js that runs", "/path/to/node"),
        (other(), "MDO_PYTHON", &program, &named, &format!("/path/to/{}", other())),
    ] {
        project.set("sample", "runtime", json!(runtime));
        on_an_empty_machine(&project, "plan --local").env(variable, given).exits(2).says(&format!(
            "error: function sample runs on {runtime}, and {variable} is {given}, which is {is}
  --> functions/sample/function.json:9:14
  help: set {variable}={path}, or unset it
"
        ));
    }
}

#[test]
fn an_interpreter_that_is_named_counts_for_its_own_version_beside_one_of_another() {
    let project = project();
    let settings = json!({"runtime": other(), "handler": "sample.handle"});
    project.write("functions/beside/function.json", &format!("{settings:#}\n"));
    project.write("functions/beside/sample.py", "def handle(event, context): pass");
    let beside = project.path("nowhere").join(other());
    let version = other().replace("python", "");
    let script = format!("#!/bin/sh\necho {version}.0; echo {}\n", beside.display());
    project.write(&format!("nowhere/{}", other()), &script);
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (named, program) = python();
    let (named, program) = (named.replace("python", "Python "), program.display().to_string());
    for verb in ["plan --local", "plan --local beside"] {
        let told = format!(
            "warning: MDO_PYTHON is {program}, which is {named}: functions on Python {version} run on another program\n"
        );
        mdo(&project, verb).exits(0).says(&told);
    }
}

/// A Python that is not the one of the tests.
fn other() -> &'static str {
    if python().0 == "python3.13" { "python3.14" } else { "python3.13" }
}

#[test]
fn an_interpreter_that_goes_missing_keeps_the_last_good_state() {
    let project = project();
    let mut serving = mdo(&project, "dev --port 0").serves();
    project.write("functions/sample/pkg/sample.mjs", "export const handle = () => {};");
    project.set("sample", "runtime", json!("nodejs22.x"));
    serving.says("error: function sample runs on nodejs22.x, and this machine has no Node.js 22");
    serving.says("still serving the last good version");
    assert_eq!(serving.get("/sample", None).text(), "\"first\"");
}

#[test]
fn an_event_without_its_interpreter_is_refused() {
    let project = project();
    mdo(&project, "deploy --local --yes").succeeds();
    let (runtime, _) = python();
    let minor = runtime.strip_prefix("python").unwrap();
    on_an_empty_machine(&project, "invoke sample --local").exits(2).prints("").complains(&format!(
        "error: function sample runs on {runtime}, and this machine has no Python {minor}
  help: uv python install {minor}, or set MDO_PYTHON=/path/to/{runtime}
"
    ));
}

#[test]
fn a_runtime_that_cannot_run_here_is_deployed_with_a_warning() {
    let project = project();
    project.set("sample", "runtime", json!("python3.11"));
    let output = on_an_empty_machine(&project, "deploy --local --yes").exits(0);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(
        said.contains("this machine has no Python 3.11, and python3.11 cannot run here: events fail"),
        "{said}"
    );
}
