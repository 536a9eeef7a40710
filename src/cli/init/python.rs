//! The Python function of `mdo init --runtime`: scikit-learn as a derivative that `mdo dev` locks. Init itself asks no network.

use std::path::Path;

use mdo_model::project::{Architecture, DERIVATIVES, FunctionName, REQUIREMENTS};
use mdo_package::derivative::{self, PythonRuntime};

use super::super::DEV_ENVIRONMENT;
use super::{NewFile, text};

const SAMPLE: &str = include_str!("sample.py");

/// The derivative of the function.
const DERIVATIVE: &str = "sklearn";

/// The files of the function, in `home`, and of its derivative.
pub(super) fn files(home: &Path, function: &FunctionName, runtime: PythonRuntime) -> Vec<NewFile> {
    vec![
        text(home.join("function.json"), function_json(function, runtime)),
        text(home.join("sample.py"), SAMPLE.to_owned()),
        text(Path::new(DERIVATIVES).join(DERIVATIVE).join(REQUIREMENTS), "scikit-learn\n".to_owned()),
    ]
}

/// What git leaves alone besides mdo's own.
pub(super) fn gitignore() -> String {
    format!(".mdo/\n{DEV_ENVIRONMENT}\n.venv/\n__pycache__/\n")
}

/// What comes next, from what this machine lacks to a deploy.
pub(super) fn next_steps(folder: &Path, function: &FunctionName, runtime: PythonRuntime) -> String {
    let mut steps = String::new();
    if let Err(error) = derivative::find_uv() {
        steps.push_str(&format!("  first         {}\n", error.help().unwrap_or_else(|| error.to_string())));
    }
    if mdo_package::find_python(runtime.minor().into(), folder).is_err() {
        steps.push_str(&format!("  first         uv python install {}\n", runtime.version()));
    }
    format!(
        "{steps}  run it here   mdo dev\n  on AWS        mdo derivative lock && mdo deploy -s N_CLASSES=2\n  its routes    GET /{function}\n"
    )
}

fn function_json(function: &FunctionName, runtime: PythonRuntime) -> String {
    let architecture = Architecture::of_this_machine().unwrap_or_default();
    format!(
        r#"{{
  "$schema": "../../.mdo/schema/function.json",
  "description": "function which produces a sample from sklearn",
  "runtime": "{runtime}",
  "architecture": "{architecture}",
  "handler": "sample.handle",
  "derivatives": ["{DERIVATIVE}"],
  "memory": 512,
  "timeout": 30,
  "routes": ["GET /{function}"],
  "warm": {{ "rate": "5m", "concurrency": 1 }},
  "required_environment": ["N_CLASSES"]
}}
"#
    )
}
