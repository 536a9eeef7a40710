//! Where interpreters are looked for, with programs that are shell scripts.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A home folder with programs that tell a version, and nothing else.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn has(self, name: &str, version: &str) -> Self {
        let path = self.path(name);
        self.script(name, &format!("echo {version}; echo {}", path.display()))
    }

    fn script(self, name: &str, script: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn machine(&self, variables: &[(&'static str, &str)]) -> Machine {
        let given = variables.iter().map(|(name, value)| (*name, OsString::from(value)));
        let own = [("HOME", self.0.path().into()), ("PATH", self.path("bin").into())];
        let nowhere = [("HOMEBREW_PREFIX", self.path("brew").into())];
        Machine { variables: own.into_iter().chain(nowhere).chain(given).collect() }
    }

    fn finds(&self, interpreter: Interpreter, variables: &[(&'static str, &str)], name: &str) {
        let found = self.machine(variables).find(interpreter, &self.path("project"));
        assert_eq!(found, Ok(self.path(name)));
    }

    fn misses(&self, interpreter: Interpreter, variables: &[(&'static str, &str)]) -> NotFound {
        self.machine(variables).find(interpreter, &self.path("project")).unwrap_err()
    }
}

const PYTHON: Interpreter = Interpreter::Python { minor: 13 };
const NODE: Interpreter = Interpreter::Node { major: 22 };

#[test]
fn the_first_python_of_the_version_is_taken_from_the_nearest_place_on() {
    let places = [
        "project/.venv/bin/python",
        "bin/python3.13",
        ".pyenv/versions/3.13.9/bin/python3",
        ".pyenv/versions/3.13.2/bin/python3",
        ".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3",
        "brew/bin/python3.13",
        "brew/opt/python@3.13/bin/python3.13",
        "bin/python3",
        "bin/python",
    ];
    for first in 0..places.len() {
        let home = Home::new().has("mine/python", "3.13.0");
        let home = places[first..].iter().fold(home, |home, place| home.has(place, "3.13.7"));
        home.finds(PYTHON, &[], places[first]);
        let mine = home.path("mine/python");
        home.finds(PYTHON, &[("MDO_PYTHON", mine.to_str().unwrap())], "mine/python");
    }
}

#[test]
fn the_first_node_of_the_version_is_taken_from_the_nearest_place_on() {
    let places = [
        "bin/node",
        ".nvm/versions/node/v22.20.0/bin/node",
        ".nvm/versions/node/v22.3.0/bin/node",
        ".local/share/fnm/node-versions/v22.1.0/installation/bin/node",
        ".volta/tools/image/node/22.9.0/bin/node",
        "brew/opt/node@22/bin/node",
        "brew/bin/node",
    ];
    for first in 0..places.len() {
        let home = Home::new().has("mine/node", "22.0.0");
        let home = places[first..].iter().fold(home, |home, place| home.has(place, "22.5.1"));
        home.finds(NODE, &[], places[first]);
        home.finds(NODE, &[("MDO_NODE", home.path("mine/node").to_str().unwrap())], "mine/node");
    }
}

#[test]
fn a_shim_that_does_not_run_and_a_version_that_is_another_one_are_passed_over() {
    let home = Home::new()
        .script("bin/python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
        .has("project/.venv/bin/python", "3.12.4")
        .has("bin/python3", "3.14.0")
        .has(".pyenv/versions/3.13.1/bin/python3", "3.13.1");
    home.finds(PYTHON, &[], ".pyenv/versions/3.13.1/bin/python3");
    home.finds(PYTHON, &[("MDO_PYTHON", "python3")], ".pyenv/versions/3.13.1/bin/python3");
}

#[test]
fn a_wrapper_leads_to_the_program_itself() {
    let home = Home::new();
    let real = home.path("real/python").display().to_string();
    home.script("bin/python3.13", &format!("echo 3.13.2; echo {real}")).finds(PYTHON, &[], "real/python");
}

#[test]
fn what_is_there_instead_is_named_from_the_oldest_that_lambda_has() {
    let home = Home::new()
        .has("bin/python3", "3.12.1")
        .has(".pyenv/versions/3.8.1/bin/python3", "3.8.1")
        .has(".pyenv/versions/3.11.7/bin/python3", "3.11.7")
        .has(".local/share/uv/python/cpython-3.14.0+freethreaded-linux-x86_64-gnu/bin/python3", "3.14.0");
    let missed = home.misses(PYTHON, &[]);
    assert_eq!(missed.to_string(), "this machine has no Python 3.13 (found 3.11.7, 3.12.1, 3.14.0)");
    assert_eq!(missed.help(), "uv python install 3.13, or set MDO_PYTHON=/path/to/python3.13");
    let missed = Home::new().has("bin/node", "20.1.0").misses(NODE, &[]);
    assert_eq!(missed.to_string(), "this machine has no Node.js 22 (found 20.1.0)");
    assert_eq!(missed.help(), "nvm install 22 or fnm install 22, or set MDO_NODE=/path/to/node");
    assert_eq!(Home::new().misses(NODE, &[]).to_string(), "this machine has no Node.js 22");
}

#[test]
fn a_program_that_was_named_and_does_not_run_is_an_error_whatever_else_is_there() {
    let home = Home::new()
        .has("bin/python3.13", "3.13.1")
        .has("mine/python", "3.12.0")
        .script("mine/broken", "exit 1")
        .script("mine/deaf", "echo hello");
    let named = |name: &str| home.path(name).display().to_string();
    for given in ["/no/python", "nosuch", &named("mine"), &named("mine/broken"), &named("mine/deaf")] {
        let missed = home.misses(PYTHON, &[("MDO_PYTHON", given)]);
        assert_eq!(missed.to_string(), format!("MDO_PYTHON is {given}, which is no Python that runs"));
        assert_eq!(missed.help(), "set MDO_PYTHON=/path/to/python3.13, or unset it");
    }
    home.finds(PYTHON, &[("MDO_PYTHON", "")], "bin/python3.13");
    let older = named("mine/python");
    home.finds(PYTHON, &[("MDO_PYTHON", &older)], "bin/python3.13");
    let missed = home.misses(Interpreter::Python { minor: 14 }, &[("MDO_PYTHON", &older)]);
    assert_eq!((missed.found, missed.given), (vec!["3.12.0".to_owned()], None));
}
