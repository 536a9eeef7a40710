//! Compiles the modules of a tree with the runtime's own Python, so that a cold start does not have to.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use super::error::DerivativeError;
use super::runtime::PythonRuntime;
use super::{Event, Observe, Tools, uv};

/// Where Lambda unpacks layers: tracebacks name the modules there.
const ON_LAMBDA: &str = "/opt";

/// What is not compiled: nobody imports it in production, and it is a tenth of the bytecode.
const TESTS: &str = "(^|/)tests/";

/// The bit of a header that says "trust this by a hash", without the one that says "look at the source".
const UNCHECKED_HASH: u32 = 0b01;

/// The runtime's own Python, checked to be what it is given for.
pub(super) fn runtime_python<'a>(
    name: &str,
    needs: &'static str,
    runtime: PythonRuntime,
    tools: &Tools<'a>,
) -> Result<&'a Path, DerivativeError> {
    let missing = |found| DerivativeError::NoRuntimePython { name: name.to_owned(), needs, runtime, found };
    let python = tools.runtime_python.ok_or_else(|| missing(None))?;
    let mut probe = Command::new(python);
    probe.args(["-I", "-c", "import platform; print(platform.python_version())"]);
    let (_, said) = uv::run_observed(probe, tools, &mut |_| {})
        .map_err(|source| DerivativeError::Start { program: python.to_owned(), source })?;
    let version = said.back().cloned().unwrap_or_default();
    let fits = version.strip_prefix(&runtime.version()).is_some_and(|rest| rest.starts_with('.'));
    if fits { Ok(python) } else { Err(missing(Some(version))) }
}

/// Compiles what is in `folder/python`.
pub(super) fn compile(
    name: &str,
    python: &Path,
    folder: &Path,
    tools: &Tools,
    observe: Observe,
) -> Result<(), DerivativeError> {
    observe(Event::Compiling);
    let mut command = Command::new(python);
    // Isolated, for a PYTHONPYCACHEPREFIX would put the bytecode elsewhere. Relative, for the names in the bytecode and the
    // pattern of the tests must not see the folders above.
    command.args(["-I", "-m", "compileall", "-q", "-j", "0"]);
    command.args(["--invalidation-mode", "unchecked-hash", "-x", TESTS, "-p", ON_LAMBDA, "python"]);
    command.current_dir(folder);
    let (status, said) = uv::run_observed(command, tools, observe)
        .map_err(|source| DerivativeError::Start { program: python.to_owned(), source })?;
    if tools.abandoned.load(Ordering::Relaxed) {
        return Err(DerivativeError::Abandoned { name: name.to_owned() });
    }
    // 1: a file could not be compiled. Packages ship such files as templates and fixtures, and nobody imports them.
    if matches!(status.code(), Some(0 | 1)) {
        return Ok(());
    }
    let (name, python) = (name.to_owned(), python.to_owned());
    Err(DerivativeError::Compile { name, python, said: said.into() })
}

/// Whether a file of bytecode that somebody else made is of use in a zip: made for the runtime, and not to be
/// compared with the time of a source file, for all times in a zip are the same.
pub(super) fn is_of_use(path: &Path, runtime: PythonRuntime) -> bool {
    let ends = format!(".{}.pyc", runtime.tag());
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ends))
        && flags(path).is_ok_and(|flags| flags == UNCHECKED_HASH)
}

/// The flags in the header of a file of bytecode (PEP 552).
fn flags(path: &Path) -> io::Result<u32> {
    let mut header = [0; 8];
    io::Read::read_exact(&mut fs::File::open(path)?, &mut header)?;
    let [_, _, _, _, flags @ ..] = header;
    Ok(u32::from_le_bytes(flags))
}
