//! Workflows of GitHub: linters from PyPI that look at them, and at templates of CloudFormation, and a runner that runs what their steps run. It knows no test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use super::python_server::are_unwanted;
use super::venv::with_packages;

const REQUIREMENTS: [&str; 3] = ["check-jsonschema==0.39.0", "zizmor==1.32.0", "cfn-lint==1.58.0"];

/// Reads YAML, and writes JSON.
const AS_JSON: &str =
    "import json, sys; from ruamel.yaml import YAML; print(json.dumps(YAML(typ='safe').load(sys.stdin)))";

/// The programs that look at workflows and templates, in one virtual environment.
pub struct Linters {
    programs: PathBuf,
}

impl Linters {
    /// Those of `target/linters`, installed on first use, or nothing if `MDO_TEST_NO_EMULATOR=1` says to do without PyPI.
    ///
    /// # Panics
    ///
    /// With one line, if they cannot be installed.
    pub fn shared() -> Option<&'static Linters> {
        static SHARED: OnceLock<Option<Linters>> = OnceLock::new();
        let install = || {
            if are_unwanted() {
                return None;
            }
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("linters");
            let python = with_packages(&folder, Path::new("python3"), &REQUIREMENTS);
            let python = python.unwrap_or_else(|error| panic!("no linters: {error}"));
            Some(Linters { programs: python.parent().unwrap().to_owned() })
        };
        SHARED.get_or_init(install).as_ref()
    }

    /// Proves that nothing is wrong with a workflow: neither its form nor what it lets others do.
    #[track_caller]
    pub fn approve(&self, file: &Path) {
        let mut form = self.program("check-jsonschema");
        form.args(["--builtin-schema", "vendor.github-workflows"]).arg(file);
        let mut safety = self.program("zizmor");
        safety.args(["--offline", "--no-progress", "--strict-collection", "--no-config"]).arg(file);
        for mut linter in [form, safety] {
            let output = linter.output().unwrap();
            assert!(output.status.success(), "{}: {output:#?}", file.display());
        }
    }

    /// Proves that nothing is wrong with a template of CloudFormation, warnings included.
    #[track_caller]
    pub fn approve_template(&self, file: &Path) {
        let mut linter = self.program("cfn-lint");
        let output = linter.args(["--regions", "eu-west-1", "--template"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}: {output:#?}", file.display());
    }

    /// A workflow as data.
    #[track_caller]
    pub fn read(&self, file: &Path) -> Value {
        let mut python = self.program("python");
        let output = python.args(["-c", AS_JSON]).stdin(fs::File::open(file).unwrap()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        command
    }
}

/// The step of a job with this name.
#[track_caller]
pub fn step<'a>(workflow: &'a Value, job: &str, name: &str) -> &'a Value {
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name} in {steps:#?}"))
}

/// Runs what a step runs as GitHub does with `shell: bash`. `shell` has its folder and environment.
#[track_caller]
pub fn run(step: &Value, shell: &mut Command) -> Output {
    let script = step["run"].as_str().unwrap();
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).output().unwrap()
}
