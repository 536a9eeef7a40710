//! Python functions here: what there is nothing to compare with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mdo_model::project::Interpreter;
use mdo_server::runtime::{Launcher, Sandboxes};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::function::{Function, REQUEST, folder};
use crate::installed::python;

fn function(folder: &Arc<TempDir>, handler: &str, dependencies: &[&TempDir]) -> Function {
    let python = python();
    let dependencies: Vec<_> = dependencies.iter().map(|folder| folder.path().to_owned()).collect();
    Function::new(folder, &python.runtime, handler, |code| {
        Launcher::interpreter(python.interpreter, python.program.clone(), code, &dependencies)
    })
}

fn sample(code: &str) -> Function {
    function(&folder(&[("sample.py", code)]), "sample.handle", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_name_the_users_own_file_in_the_log_and_in_the_document() {
    let own = Path::new("functions/sample");
    let function = sample("def inner():\n    return {}['a']\ndef handle(event, context): return inner()")
        .with(|spec| spec.shown = Some(own.into()));
    let outcome = function.once("{}").await;
    assert_eq!(
        outcome.payload(),
        json!({
            "errorMessage": "'a'",
            "errorType": "KeyError",
            "requestId": REQUEST,
            "stackTrace": [
                "  File \"functions/sample/sample.py\", line 3, in handle\n    def handle(event, context): return inner()\n",
                "  File \"functions/sample/sample.py\", line 2, in inner\n    return {}['a']\n",
            ],
        })
    );
    assert_eq!(
        outcome.lines[1..7],
        [
            "[ERROR] KeyError: 'a'",
            "Traceback (most recent call last):",
            "  File \"functions/sample/sample.py\", line 3, in handle",
            "    def handle(event, context): return inner()",
            "  File \"functions/sample/sample.py\", line 2, in inner",
            "    return {}['a']",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_left_as_it_is() {
    let function = sample("def handle(event, context): return __file__")
        .with(|spec| spec.shown = Some("functions/sample".into()));
    let file = function.spec.code.join("sample.py");
    assert_eq!(function.once("{}").await.payload(), json!(file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_the_packages_own_then_a_dependencys_then_one_of_the_functions_own_path() {
    let code = folder(&[
        (
            "sample.py",
            "import first, second, third\ndef handle(event, context): return [first.at, second.at, third.at]",
        ),
        ("first.py", "at = 'package'"),
    ]);
    let files = ["first.py", "second.py", "third.py"];
    let dependency = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir().unwrap();
    for (folder, at, names) in [(&dependency, "dependency", &files[..2]), (&own, "own", &files[..])] {
        for name in names {
            std::fs::write(folder.path().join(name), format!("at = '{at}'")).unwrap();
        }
    }
    let function =
        function(&code, "sample.handle", &[&dependency]).set("PYTHONPATH", own.path().to_str().unwrap());
    assert_eq!(function.once("{}").await.payload(), json!(["package", "dependency", "own"]));
    for folder in [code.path(), dependency.path()] {
        assert!(!folder.join("__pycache__").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_named_as_one_of_the_standard_library_does_not_reach_the_client() {
    let names = ["logging", "types", "json", "time", "traceback", "re", "decimal", "os", "io"];
    let code = "import json, sys\ndef handle(event, context):\n    if event: raise ValueError(event)\n    return [sys.argv, len(json.dumps(1))]";
    let files: Vec<(String, &str)> = names.iter().map(|name| (format!("{name}.py"), "hidden = 1")).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    files.push(("sample.py", code));
    let function = function(&folder(&files), "sample.handle", &[]);
    let runtime = function.start();
    assert_eq!(function.run(&runtime, "0").await.payload(), json!([["-c"], 1]));
    assert_eq!(function.run(&runtime, "1").await.error_type(), Some("ValueError"));
    assert_eq!(function.run(&runtime, "0").await.payload(), json!([["-c"], 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_of_this_machine_are_not_there_but_those_of_lambdas_image() {
    let base = mdo_package::find_python(minor(), Path::new("/")).unwrap();
    let environment = tempfile::tempdir().unwrap();
    let arguments = ["-m", "venv", "--without-pip"].map(std::ffi::OsStr::new);
    let made = std::process::Command::new(&base).args(arguments).arg(environment.path()).status().unwrap();
    assert!(made.success());
    let packages = environment.path().join(format!("lib/{}/site-packages", python().runtime));
    for name in ["leaky", "boto3"] {
        std::fs::write(packages.join(format!("{name}.py")), "at = __file__").unwrap();
    }
    std::fs::write(packages.join("leaky.pth"), "import leaky\n").unwrap();
    let code = "import sys, importlib\nexit, help\ndef handle(event, context):\n    import boto3\n    try: import leaky\n    except ImportError as error: return [boto3.at, str(error), 'leaky' in sys.modules]\n    return leaky.at";
    let own = environment.path().join("bin/python");
    for program in [own.clone(), base] {
        let function =
            Function::new(&folder(&[("sample.py", code)]), &python().runtime, "sample.handle", |code| {
                Launcher::interpreter(python().interpreter, program.clone(), code, &[])
            });
        let outcome = function.once("{}").await;
        if program == own {
            let boto3 = packages.join("boto3.py");
            assert_eq!(outcome.payload(), json!([boto3, "No module named 'leaky'", false]));
        } else {
            assert_eq!(outcome.error_type(), Some("ModuleNotFoundError"));
        }
    }
}

fn minor() -> u32 {
    let Interpreter::Python { minor } = python().interpreter else { unreachable!("it is a Python") };
    minor
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_starts_finds_modules_as_on_lambda() {
    let code = "import os\ndef handle(event, context): return os.environ['PYTHONPATH']";
    assert_eq!(sample(code).once("{}").await.payload(), json!("/var/runtime"));
    let own = sample(code).set("PYTHONPATH", "/own").once("{}").await;
    assert_eq!(own.payload(), json!("/own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_the_log_ends_its_line() {
    let code = "import logging\ndef handle(event, context):\n    context.log('as it is')\n    try: 1 / 0\n    except ZeroDivisionError: logging.exception('caught')\n    logging.warning('after')";
    let outcome = sample(code).once("{}").await;
    let told: Vec<&str> =
        outcome.lines.iter().map(|line| line.rsplit('\t').next().unwrap()).map(str::trim_end).collect();
    for line in ["as it is", "ZeroDivisionError: division by zero", "after"] {
        assert!(told.contains(&line), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_told_where_no_file_can_be_opened_any_more() {
    let function = sample(
        "import resource\ndef inner(): raise ValueError('no')\ndef handle(event, context):\n    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n    inner()",
    );
    let outcome = function.once("{}").await;
    let file = function.spec.code.join("sample.py");
    let frame = |line: u32, name: &str| format!("  File \"{}\", line {line}, in {name}\n", file.display());
    assert_eq!(
        outcome.payload(),
        json!({
            "errorMessage": "no",
            "errorType": "ValueError",
            "requestId": REQUEST,
            "stackTrace": [frame(5, "handle"), frame(2, "inner")],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_does_not_need_is_not_imported() {
    let modules = ["json", "logging", "traceback", "re", "collections", "socket", "http"];
    let code = format!(
        "import sys\nhere = [name for name in {modules:?} if name in sys.modules]\ndef handle(event, context): return here"
    );
    let function = sample(&code);
    assert_eq!(function.once("{\"a\": [1.5, null]}").await.payload(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coroutine_that_nobody_runs_is_the_error_alone() {
    let function = sample("async def handle(event, context): return 1");
    let runtime = function.start();
    for _ in 0..2 {
        let outcome = function.run(&runtime, "{}").await;
        let message = outcome.payload()["errorMessage"].as_str().unwrap().to_owned();
        assert!(message.ends_with("Object of type coroutine is not JSON serializable"), "{message}");
        assert!(!outcome.lines.iter().any(|line| line.contains("RuntimeWarning")), "{:?}", outcome.lines);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_sandbox_and_the_next_event_begins_anew() {
    let function = sample(
        "count = 0\ndef handle(event, context):\n    global count\n    count += 1\n    while event: pass\n    return count",
    )
    .with(|spec| spec.timeout = Duration::from_secs(1));
    let runtime = function.start();
    assert_eq!(function.run(&runtime, "{}").await.payload(), 1);
    assert_eq!(function.run(&runtime, "{}").await.payload(), 2);
    let late = function.run(&runtime, "{\"a\": 1}").await;
    assert_eq!(late.error_type(), Some("Sandbox.Timedout"));
    assert_eq!(function.run(&runtime, "{}").await.payload(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_the_memory_and_events_at_once_have_sandboxes_of_their_own() {
    let function = sample(
        "import os, threading\nkept = bytearray(40_000_000)\ndef handle(event, context):\n    open(event['arrived'], 'w').close()\n    open(event['go']).close()\n    return os.getpid()",
    )
    .with(|spec| spec.sandboxes = Sandboxes::Reserved(2));
    let beside = tempfile::tempdir().unwrap();
    let fifo = |name: &str| {
        let path = beside.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let runtime = function.start();
    let mut running = Vec::new();
    for name in ["a", "b"] {
        let (arrived, go) = (fifo(&format!("{name}-arrived")), fifo(&format!("{name}-go")));
        let event = json!({ "arrived": arrived, "go": go }).to_string();
        let runtime = runtime.clone();
        let task =
            tokio::spawn(async move { runtime.invoke(event.into(), Default::default()).await.unwrap() });
        tokio::fs::read(arrived).await.unwrap();
        running.push((task, go));
    }
    let mut pids = Vec::new();
    for (task, go) in running {
        tokio::fs::write(go, "").await.unwrap();
        let result = task.await.unwrap();
        pids.push(serde_json::from_slice::<Value>(&result.payload).unwrap());
        if cfg!(target_os = "linux") {
            assert!(result.max_memory_mb >= 40, "{}", result.max_memory_mb);
        }
    }
    assert_ne!(pids[0], pids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interpreter_is_the_first_on_the_path_and_the_temporary_folder_is_empty() {
    let program = python().program.parent().unwrap().to_str().unwrap().to_owned();
    let function = sample(
        "import os, tempfile\ndef handle(event, context): return [os.environ['PATH'].split(':')[0], os.listdir(tempfile.gettempdir())]",
    );
    assert_eq!(function.once("{}").await.payload(), json!([program, []]));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_the_function_has_limited_do_not_limit_the_client() {
    let function = sample(
        "import socket\nsocket.setdefaulttimeout(0.001)\nclass Broken:\n    def __init__(self, *_): raise OSError('no sockets')\nsocket.socket = Broken\ndef handle(event, context): return event",
    );
    let runtime = function.start();
    for event in ["1", "2"] {
        assert_eq!(function.run(&runtime, event).await.payload().to_string(), event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_told() {
    let code = folder(&[("sample.py", ""), ("python3.13", "#!/bin/sh\n")]);
    for (program, told) in
        [("python3.13", "fork/exec python3.13"), ("/no/such/python3.13", "fork/exec /no/such/python3.13")]
    {
        let function = Function::new(&code, "python3.13", "sample.handle", |code| {
            Launcher::interpreter(python().interpreter, program.into(), code, &[])
        });
        let outcome = function.once("{}").await;
        assert_eq!(outcome.error_type(), Some("Runtime.InvalidEntrypoint"));
        let message = outcome.payload()["errorMessage"].as_str().unwrap().to_owned();
        let expected = format!("Error: {told}: no such file or directory (is it installed on this machine?)");
        assert!(message.ends_with(&expected), "{message}");
    }
}
