//! The runtimes of Lambda, and which of them can still be used.

use super::problem::Problem;
use super::suggest;

/// The runtime of a function that names none.
pub(super) const DEFAULT_RUNTIME: &str = "provided.al2023";

/// Runtimes that Lambda supports, as of November 2026.
const CURRENT: [&str; 17] = [
    "provided.al2023",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "nodejs22.x",
    "nodejs24.x",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "java8.al2",
    "java11",
    "java17",
    "java21",
    "java25",
    "dotnet10",
];

/// From when Lambda refuses new functions on the runtimes of [`DEPRECATED`].
const NO_CREATION_FROM: &str = "2027-02-01";

/// From when Lambda refuses updates of functions on the runtimes of [`DEPRECATED`] and [`CLOSED`].
const NO_UPDATE_FROM: &str = "2027-03-03";

/// Runtimes, and what replaces them.
type Replaced = (&'static [&'static str], &'static str);

/// Runtimes that functions can be created on for some time.
const DEPRECATED: [Replaced; 5] = [
    (&["python3.8", "python3.9", "python3.10"], "use `python3.14`"),
    (&["nodejs16.x", "nodejs18.x", "nodejs20.x"], "use `nodejs24.x`"),
    (&["ruby3.2"], "use `ruby3.4`"),
    (&["dotnet6", "dotnet8"], "use `dotnet10`"),
    (&["provided.al2"], "use `provided.al2023`"),
];

/// Runtimes that functions can no longer be created on; those that exist can be updated for some time.
const CLOSED: [Replaced; 6] = [
    (&["nodejs14.x"], "use `nodejs24.x`"),
    (&["python3.7"], "use `python3.14`"),
    (&["ruby2.7"], "use `ruby3.4`"),
    (&["go1.x"], "use `provided.al2023` with the program as `bootstrap`"),
    (&["java8"], "use `java25`"),
    (&["provided"], "use `provided.al2023`"),
];

/// Runtimes that Lambda has blocked.
const BLOCKED: [Replaced; 4] = [
    (
        &["nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x"],
        "use `nodejs24.x`",
    ),
    (&["python2.7", "python3.6"], "use `python3.14`, or `provided.al2023` with a bootstrap"),
    (&["ruby2.5"], "use `ruby3.4`"),
    (&["dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1"], "use `dotnet10`"),
];

/// A kind of runtimes: what surrounds the version in their names, and the newest version known here.
struct Family {
    before: &'static str,
    after: &'static str,
    newest: &'static [u32],
}

const FAMILIES: [Family; 6] = [
    Family { before: "python", after: "", newest: &[3, 15] },
    Family { before: "nodejs", after: ".x", newest: &[24] },
    Family { before: "ruby", after: "", newest: &[4, 0] },
    Family { before: "java", after: "", newest: &[25] },
    Family { before: DOTNET, after: "", newest: &[10] },
    Family { before: "provided.al", after: "", newest: &[2023] },
];

const DOTNET: &str = "dotnet";

/// How far a version may be ahead of the newest one known; what is farther is a slip of the keyboard, as in `python3.133`.
const FARTHEST: u32 = 20;

/// What is wrong with a runtime, if Lambda would refuse it.
pub(super) fn check(runtime: &str) -> Option<Problem> {
    if let Some(help) = replacement_of_blocked(runtime) {
        return Some(
            Problem::new(format!(
                "Lambda has blocked the runtime `{runtime}`: no function can be created or updated on it"
            ))
            .help(help),
        );
    }
    let lasting = [&DEPRECATED[..], &CLOSED[..]].into_iter().any(|list| replacement(list, runtime).is_some());
    if lasting || CURRENT.contains(&runtime) || newest_before(runtime).is_some() {
        return None;
    }
    if is_odd_dotnet(runtime) {
        let problem = Problem::new(format!(
            "`{runtime}` is not a runtime of Lambda, which has only even versions of .NET"
        ));
        return Some(problem.help("use `dotnet10`"));
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
    replacement(&BLOCKED, runtime)
}

/// What to do instead of creating a function on a runtime that only functions that exist may still have.
pub fn replacement_of_closed_runtime(runtime: &str) -> Option<&'static str> {
    replacement(&CLOSED, runtime)
}

/// What is to be said of a runtime that is no mistake: that it will not work for long, or that nothing is known of it here.
pub(super) fn warning(runtime: &str) -> Option<Problem> {
    let deprecated = format!("the runtime `{runtime}` is deprecated: Lambda refuses");
    if let Some(help) = replacement(&DEPRECATED, runtime) {
        let dates = format!("new functions from {NO_CREATION_FROM} and updates from {NO_UPDATE_FROM}");
        return Some(Problem::new(format!("{deprecated} {dates}")).help(help));
    }
    if let Some(help) = replacement(&CLOSED, runtime) {
        let dates = format!("new functions already and updates from {NO_UPDATE_FROM}");
        return Some(Problem::new(format!("{deprecated} {dates}")).help(help));
    }
    let newest = newest_before(runtime)?;
    let message =
        format!("the runtime `{runtime}` is newer than this mdo: it cannot determine whether Lambda has it");
    Some(Problem::new(message).help(format!("update mdo, or use `{newest}`")))
}

/// Whether a runtime runs a `bootstrap` from the package.
pub(super) fn is_custom(runtime: &str) -> bool {
    runtime.starts_with("provided")
}

fn replacement(list: &[Replaced], runtime: &str) -> Option<&'static str> {
    list.iter().find(|(names, _)| names.contains(&runtime)).map(|(_, help)| *help)
}

/// The newest known runtime of the same kind, if this one is newer.
fn newest_before(runtime: &str) -> Option<String> {
    let family = FAMILIES.iter().find(|family| {
        let is_near = |(version, newest): (&u32, &u32)| version.saturating_sub(*newest) <= FARTHEST;
        family.version(runtime).is_some_and(|version| {
            let is_newer = version.as_slice() > family.newest;
            is_newer && version.iter().zip(family.newest).all(is_near) && !is_odd_dotnet(runtime)
        })
    })?;
    let newest: Vec<String> = family.newest.iter().map(u32::to_string).collect();
    Some(format!("{}{}{}", family.before, newest.join("."), family.after))
}

fn is_odd_dotnet(runtime: &str) -> bool {
    let version =
        runtime.strip_prefix(DOTNET).and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    version.is_some_and(|version| !version.is_multiple_of(2))
}

impl Family {
    /// The version of a runtime of this kind, with as many parts as the newest one.
    fn version(&self, runtime: &str) -> Option<Vec<u32>> {
        let version = runtime.strip_prefix(self.before)?.strip_suffix(self.after)?;
        let is_written_plainly = |part: &&str| {
            part.bytes().all(|byte| byte.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'))
        };
        let parts: Vec<&str> = version.split('.').collect();
        (parts.len() == self.newest.len() && parts.iter().all(is_written_plainly))
            .then(|| parts.iter().map(|part| part.parse().ok()).collect())?
    }
}
