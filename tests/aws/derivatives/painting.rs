//! The project `shop` with a Python function that needs a derivative.

use serde_json::{Value, json};

use super::wheel::Wheel;
use crate::support::account::Account;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::uv::{python, uv};

const PAINT: &str = "\
import json

import colours

EDITION = 1


def handle(event, context):
    return {\"statusCode\": 200, \"body\": json.dumps({\"colours\": colours.VERSION, \"edition\": EDITION})}
";

/// What its derivatives are built from and called.
pub(crate) struct Painting;

impl Painting {
    /// The function `paint` at `GET /paint`, keyed, with the derivative `colours`, which is locked at 1.0.
    pub(crate) fn project(account: Account) -> TestProject {
        let project = TestProject::without_functions(account);
        Painting::join(&project);
        project
    }

    /// Adds that function to a project.
    pub(crate) fn join(project: &TestProject) {
        project.set_variable("MDO_UV", uv().display().to_string());
        project.set_variable("MDO_PYTHON", python().program.display().to_string());
        let (wheels, cache) = (project.path("wheels"), project.home().join("uv-cache"));
        let settings = format!("no-index = true\nfind-links = [{wheels:?}]\ncache-dir = {cache:?}\n");
        project.write("uv.toml", &settings);
        for version in ["1.0", "2.0"] {
            Wheel::module("colours", version).write(&wheels);
        }
        Wheel::module("shades", "1.0").write(&wheels);
        Painting::function(project, "paint", &["colours"]);
        Painting::wants(project, "colours", "colours==1.0");
    }

    /// Adds a function of this code at a keyed route of its name, with derivatives.
    pub(crate) fn function(project: &TestProject, name: &str, derivatives: &[&str]) {
        let settings = json!({
            "runtime": python().runtime.to_string(), "handler": "paint.handle",
            "routes": [format!("GET /{name}")], "derivatives": derivatives, "warm": false,
        });
        project.write(&format!("functions/{name}/function.json"), &format!("{settings:#}\n"));
        project.write(&format!("functions/{name}/paint.py"), PAINT);
    }

    /// Changes the code of a function.
    pub(crate) fn set_edition(project: &TestProject, name: &str, edition: u32) {
        let code = PAINT.replace("EDITION = 1", &format!("EDITION = {edition}"));
        project.write(&format!("functions/{name}/paint.py"), &code);
    }

    /// Locks a derivative at what is wanted.
    pub(crate) fn wants(project: &TestProject, derivative: &str, requirements: &str) {
        project.write(&format!("derivatives/{derivative}/requirements.in"), &format!("{requirements}\n"));
        project.mdo(&format!("derivative lock {derivative}")).exits(0);
    }

    /// The full name of the layer of a derivative.
    pub(crate) fn layer(derivative: &str) -> String {
        format!("shop_{derivative}-{}-x86_64", python().runtime.to_string().replace('.', "_"))
    }

    /// Adds keys to the project's manifest.
    pub(crate) fn settings(project: &TestProject, more: &str) {
        project.write("project.toml", &format!("{MANIFEST}{more}"));
    }

    /// What `paint` answers.
    pub(crate) fn answer(colours: &str, edition: u32) -> Value {
        json!({"colours": colours, "edition": edition})
    }
}
