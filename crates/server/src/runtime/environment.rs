//! The environment variables of a sandbox: what Lambda sets, what the function sets, and nothing else of this machine.
//!
//! Names and values follow <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>. Two differ, because
//! Lambda does not define them for the `provided` family: `AWS_EXECUTION_ENV` is set for other runtimes only, and
//! `_X_AMZN_TRACE_ID` is left to the runtime client, which has it from the header of each event.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use mdo_model::project::Secret;

use super::spec::FunctionSpec;

/// Where Lambda has its own clients of the Runtime API.
pub(super) const RUNTIME_DIR: &str = "/var/runtime";
/// Where the X-Ray daemon listens on Lambda. Nobody does here: what is sent there is lost, as for an untraced function.
const XRAY_DAEMON: &str = "169.254.79.129:2000";
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What is particular to one sandbox.
pub(super) struct Placement<'a> {
    pub api: SocketAddr,
    pub log_stream: &'a str,
    pub temporary: &'a Path,
}

/// Everything that the process finds in its environment. `host` looks a variable of this machine up.
///
/// Variables that Lambda reserves win over the function's own; the others (`PATH`, `LANG`, `TZ` …) are defaults.
pub(super) fn environment(
    spec: &FunctionSpec,
    placement: &Placement<'_>,
    host: impl Fn(&str) -> Option<OsString>,
) -> BTreeMap<OsString, OsString> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| {
        variables.insert(OsString::from(name), value);
    };

    let mut libraries = OsString::from("/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:");
    libraries.push(&spec.code);
    libraries.push(":");
    libraries.push(spec.code.join("lib"));
    libraries.push(":/opt/lib");
    set("LD_LIBRARY_PATH", libraries);
    set("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin".into());
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("TMPDIR", placement.temporary.into());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into());
    set("AWS_XRAY_DAEMON_ADDRESS", XRAY_DAEMON.into());

    for (name, value) in &spec.launcher.environment {
        set(name, value.clone());
    }
    for (name, value) in &spec.environment {
        set(name, value.reveal().into());
    }
    for name in spec.launcher.paths.keys() {
        let own = spec.environment.get(name).map(Secret::reveal);
        set(name, spec.launcher.path(name, own));
    }

    set("_HANDLER", spec.handler.as_str().into());
    set("AWS_LAMBDA_FUNCTION_NAME", spec.name.as_str().into());
    set("AWS_LAMBDA_FUNCTION_VERSION", spec.version.as_str().into());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory.to_string().into());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    set("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.as_str().into());
    set("AWS_LAMBDA_LOG_STREAM_NAME", placement.log_stream.into());
    set("AWS_LAMBDA_RUNTIME_API", placement.api.to_string().into());
    set("AWS_REGION", spec.region.as_str().into());
    set("AWS_DEFAULT_REGION", spec.region.as_str().into());
    set("LAMBDA_TASK_ROOT", spec.code.as_os_str().into());
    set("LAMBDA_RUNTIME_DIR", RUNTIME_DIR.into());
    if !spec.runtime.starts_with("provided") {
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", spec.runtime).into());
    }
    let inherited = spec.surroundings.inherited.iter().map(String::as_str);
    for name in CREDENTIALS.into_iter().chain(inherited) {
        if let Some(value) = host(name) {
            set(name, value);
        }
    }
    variables
}
