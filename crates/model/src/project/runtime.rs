//! The runtimes of Lambda, and which of them can still be used.

use super::problem::Problem;
use super::suggest;

/// The runtime of a function that names none.
pub(super) const DEFAULT_RUNTIME: &str = "provided.al2023";

/// Runtimes that functions can be created on, as of November 2026.
const CURRENT: [&str; 20] = [
    "provided.al2023",
    "provided.al2",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "ruby3.3",
    "ruby3.4",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "dotnet8",
    "dotnet9",
    "dotnet10",
];

/// Runtimes that Lambda has blocked, and what replaces them.
const BLOCKED: [(&[&str], &str); 7] = [
    (
        &[
            "nodejs",
            "nodejs4.3",
            "nodejs4.3-edge",
            "nodejs6.10",
            "nodejs8.10",
            "nodejs10.x",
            "nodejs12.x",
            "nodejs14.x",
            "nodejs16.x",
            "nodejs18.x",
        ],
        "use `nodejs24.x`",
    ),
    (
        &["python2.7", "python3.6", "python3.7", "python3.8", "python3.9", "python3.10"],
        "use `python3.14`, or `provided.al2023` with a bootstrap",
    ),
    (&["ruby2.5", "ruby2.7", "ruby3.2"], "use `ruby3.4`"),
    (&["java8"], "use `java25`"),
    (&["go1.x"], "use `provided.al2023` with the program as `bootstrap`"),
    (
        &[
            "dotnetcore1.0",
            "dotnetcore2.0",
            "dotnetcore2.1",
            "dotnetcore3.1",
            "dotnet5.0",
            "dotnet6",
            "dotnet7",
        ],
        "use `dotnet10`",
    ),
    (&["provided"], "use `provided.al2023`"),
];

/// What is wrong with a runtime, if Lambda would refuse it.
pub(super) fn check(runtime: &str) -> Option<Problem> {
    if CURRENT.contains(&runtime) {
        return None;
    }
    if let Some(help) = replacement_of_blocked(runtime) {
        return Some(
            Problem::new(format!(
                "Lambda has blocked the runtime `{runtime}`: no function can be created or updated on it"
            ))
            .help(help),
        );
    }
    let problem = Problem::new(format!("`{runtime}` is not a runtime of Lambda"));
    Some(match suggest::nearest(runtime, CURRENT) {
        Some(known) => problem.help(format!("did you mean `{known}`?")),
        None => {
            problem.help(format!("the usual one is `{DEFAULT_RUNTIME}`, which runs a bootstrap of your own"))
        }
    })
}

/// What to use instead of a runtime that Lambda has blocked.
pub(super) fn replacement_of_blocked(runtime: &str) -> Option<&'static str> {
    BLOCKED.iter().find(|(names, _)| names.contains(&runtime)).map(|(_, help)| *help)
}

/// Why a runtime that still works will not for long.
pub(super) fn deprecation(runtime: &str) -> Option<Problem> {
    (runtime == "provided.al2").then(|| {
        Problem::new(
            "the runtime `provided.al2` is deprecated: Lambda refuses new functions from 2027-02-01 and updates from 2027-03-03",
        )
        .help("use `provided.al2023`")
    })
}

/// Whether a runtime runs a `bootstrap` from the package.
pub(super) fn is_custom(runtime: &str) -> bool {
    runtime.starts_with("provided")
}
