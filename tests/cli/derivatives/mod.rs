//! Derivatives as a user meets them: wheels made by hand, and the real uv and Python, without a network.

mod commands;
mod documents;
mod fetching;
mod projects;
mod refusing;
mod scikit_learn;
mod serving;
mod unused;
#[path = "../../../crates/package/tests/package/derivative/wheel.rs"]
#[expect(dead_code, reason = "these tests make none for one platform or from source")]
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use mdo_model::project::Architecture;
use serde_json::{Value, json};

use self::wheel::Wheel;
use crate::support::command::{Mdo, Output};
use crate::support::project::TestProject;
use crate::support::uv;

/// A function that answers which version of `colours` it runs with.
const SAMPLE: &str = r#"import colours

def handle(event, context):
    return {"statusCode": 200, "body": colours.VERSION}
"#;

/// The project `shop` with the function `sample`, on a machine whose uv knows `colours` 1.0, which needs `shades`, and no index.
fn project() -> TestProject {
    let project = TestProject::local();
    let (wheels, cache) = (wheels(&project), project.home().join("uv-cache"));
    let settings = format!("no-index = true\nfind-links = [{wheels:?}]\ncache-dir = {cache:?}\n");
    fs::write(project.home().join("uv.toml"), settings).unwrap();
    Wheel::module("colours", "1.0").requires("shades").write(&wheels);
    Wheel::module("shades", "0.3").write(&wheels);
    project.write("project.toml", "name = \"shop\"\n");
    add_function(&project, "sample", &[]);
    project
}

/// The same with the derivative `colours`, which the function has and nobody has locked.
fn project_that_wants(requirements: &str) -> TestProject {
    let project = project();
    project.write("derivatives/colours/requirements.in", requirements);
    project.set("sample", "derivatives", json!(["colours"]));
    project
}

fn wheels(project: &TestProject) -> PathBuf {
    project.home().join("wheels")
}

fn add_function(project: &TestProject, name: &str, derivatives: &[&str]) {
    let settings = json!({
        "architecture": Architecture::of_this_machine().unwrap(),
        "derivatives": derivatives,
        "handler": "sample.handle",
        "routes": [{"route": format!("GET /{name}"), "security": "open"}],
        "runtime": runtime(),
    });
    project.write(&format!("functions/{name}/function.json"), &format!("{settings:#}\n"));
    project.write(&format!("functions/{name}/sample.py"), SAMPLE);
}

/// The runtime of the functions: that of this machine's Python.
fn runtime() -> String {
    uv::python().runtime.to_string()
}

fn python() -> PathBuf {
    mdo_package::find_python(uv::python().runtime.minor().into(), Path::new("/")).unwrap()
}

/// A command on a machine with uv and Python.
fn mdo<'a>(project: &'a TestProject, arguments: &str) -> Mdo<'a> {
    let (uv, python) = (uv::uv(), python());
    on_an_empty_machine(project, arguments)
        .env("MDO_UV", uv.to_str().unwrap())
        .env("MDO_PYTHON", python.to_str().unwrap())
}

/// A command on a machine with neither.
fn on_an_empty_machine<'a>(project: &'a TestProject, arguments: &str) -> Mdo<'a> {
    let nowhere = project.path("nowhere").display().to_string();
    project.mdo(arguments).env("PATH", &nowhere).env("HOMEBREW_PREFIX", &nowhere)
}

/// What a command prints, with `_` for sizes, `SHA256` for digests, and `3.X` and `CPU` for this machine's Python and processor.
fn printed(output: &Output) -> String {
    masked(&output.timeless())
}

/// What a command says besides the steps of a build.
fn complained(output: &Output) -> String {
    let is_step = |line: &&str| line.starts_with("  derivative ");
    let lines: String = output.stderr.split_inclusive('\n').filter(|line| !is_step(line)).collect();
    masked(&lines)
}

fn masked(text: &str) -> String {
    let architecture = Architecture::of_this_machine().unwrap().to_string();
    let text = text.replace(&uv::python().runtime.version(), "3.X").replace(&architecture, "CPU");
    let text = without_digests(&text);
    let is_unit = |word: &str| ["bytes", "KB", "MB"].contains(&word.trim_end_matches([',', ';']));
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            if is_unit(words[at]) && words[at - 1].parse::<f64>().is_ok() {
                words[at - 1] = "_";
            }
        }
        words.join(" ")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The text with `SHA256` for each run of 64 hexadecimal digits.
fn without_digests(text: &str) -> String {
    let mut rest = text;
    let mut masked = String::new();
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        masked.push_str(&rest[..start]);
        let digits = rest[start..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - start);
        let run = &rest[start..start + digits];
        masked.push_str(if digits == 64 { "SHA256" } else { run });
        rest = &rest[start + digits..];
    }
    masked + rest
}

/// The settings of a function as its file has them.
fn settings(project: &TestProject, function: &str) -> Value {
    serde_json::from_str(&project.read(&format!("functions/{function}/function.json"))).unwrap()
}
