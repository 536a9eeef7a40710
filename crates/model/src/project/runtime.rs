//! The runtimes of Lambda, and which of them can still be used.

use time::Date;
use time::macros::date;

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

/// Runtimes, and what replaces them.
type Replaced = (&'static [&'static str], &'static str);

/// Runtimes with the days from which Lambda refuses what.
struct Scheduled {
    runtimes: &'static [&'static str],
    /// New functions.
    no_creation: Date,
    /// Updates of those that there are.
    no_update: Date,
    /// What to do instead.
    help: &'static str,
}

/// How long before the first refusal a runtime is warned of, in days.
const NOTICE: i64 = 180;

/// The clock of the runtimes, by AWS's page "Lambda runtimes" as of November 2026. AWS moves these days back now and then.
const CLOCK: [Scheduled; 16] = [
    scheduled(&["nodejs14.x"], date!(2024 - 01 - 09), date!(2027 - 03 - 03), "use `nodejs24.x`"),
    scheduled(&["python3.7"], date!(2024 - 01 - 09), date!(2027 - 03 - 03), "use `python3.14`"),
    scheduled(&["ruby2.7"], date!(2024 - 01 - 09), date!(2027 - 03 - 03), "use `ruby3.4`"),
    scheduled(
        &["go1.x"],
        date!(2024 - 02 - 08),
        date!(2027 - 03 - 03),
        "use `provided.al2023` with the program as `bootstrap`",
    ),
    scheduled(&["java8"], date!(2024 - 02 - 08), date!(2027 - 03 - 03), "use `java25`"),
    scheduled(&["provided"], date!(2024 - 02 - 08), date!(2027 - 03 - 03), "use `provided.al2023`"),
    scheduled(
        &["python3.8", "python3.9", "python3.10"],
        date!(2027 - 02 - 01),
        date!(2027 - 03 - 03),
        "use `python3.14`",
    ),
    scheduled(
        &["nodejs16.x", "nodejs18.x", "nodejs20.x"],
        date!(2027 - 02 - 01),
        date!(2027 - 03 - 03),
        "use `nodejs24.x`",
    ),
    scheduled(&["ruby3.2"], date!(2027 - 02 - 01), date!(2027 - 03 - 03), "use `ruby3.4`"),
    scheduled(&["dotnet6", "dotnet8"], date!(2027 - 02 - 01), date!(2027 - 03 - 03), "use `dotnet10`"),
    scheduled(&["provided.al2"], date!(2027 - 02 - 01), date!(2027 - 03 - 03), "use `provided.al2023`"),
    scheduled(&["ruby3.3"], date!(2027 - 04 - 30), date!(2027 - 05 - 31), "use `ruby3.4`"),
    scheduled(&["nodejs22.x"], date!(2027 - 06 - 01), date!(2027 - 07 - 01), "use `nodejs24.x`"),
    scheduled(&["nodejs24.x"], date!(2028 - 06 - 01), date!(2028 - 07 - 01), "use a newer Node.js"),
    scheduled(&["python3.12"], date!(2028 - 11 - 30), date!(2029 - 01 - 10), "use `python3.14`"),
    scheduled(
        &["python3.13", "python3.14", "provided.al2023"],
        date!(2029 - 07 - 31),
        date!(2029 - 08 - 31),
        "update mdo, which knows what follows",
    ),
];

const fn scheduled(
    runtimes: &'static [&'static str],
    no_creation: Date,
    no_update: Date,
    help: &'static str,
) -> Scheduled {
    Scheduled { runtimes, no_creation, no_update, help }
}

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
    if schedule(runtime).is_some() || CURRENT.contains(&runtime) || newest_before(runtime).is_some() {
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
pub fn replacement_of_closed_runtime(runtime: &str, today: Date) -> Option<&'static str> {
    schedule(runtime).filter(|scheduled| scheduled.no_creation <= today).map(|scheduled| scheduled.help)
}

/// What is to be said of a runtime that is no mistake: that it will not work for long, or that nothing is known of it here.
pub(super) fn warning(runtime: &str, today: Date) -> Option<Problem> {
    if let Some(Scheduled { no_creation, no_update, help, .. }) = schedule(runtime) {
        let is_far = |date: &Date| (*date - today).whole_days() > NOTICE;
        let from = |date: &Date| if *date <= today { "already".to_owned() } else { format!("from {date}") };
        return (!is_far(no_creation)).then(|| {
            Problem::new(format!(
                "Lambda refuses new functions on the runtime `{runtime}` {} and updates {}",
                from(no_creation),
                from(no_update)
            ))
            .help(*help)
        });
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

fn schedule(runtime: &str) -> Option<&'static Scheduled> {
    CLOCK.iter().find(|scheduled| scheduled.runtimes.contains(&runtime))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_warned_of_from_half_a_year_before_it_is_refused() {
        let said = |today| warning("nodejs22.x", today).map(|problem| problem.message);
        assert_eq!(said(date!(2026 - 12 - 02)), None);
        let from = |new: &str, updates: &str| {
            Some(format!(
                "Lambda refuses new functions on the runtime `nodejs22.x` {new} and updates {updates}"
            ))
        };
        assert_eq!(said(date!(2026 - 12 - 03)), from("from 2027-06-01", "from 2027-07-01"));
        assert_eq!(said(date!(2027 - 06 - 01)), from("already", "from 2027-07-01"));
        assert_eq!(said(date!(2027 - 07 - 02)), from("already", "already"));
        assert_eq!(replacement_of_closed_runtime("nodejs22.x", date!(2027 - 05 - 31)), None);
        assert_eq!(
            replacement_of_closed_runtime("nodejs22.x", date!(2027 - 06 - 01)),
            Some("use `nodejs24.x`")
        );
    }

    #[test]
    fn every_runtime_with_a_date_comes_before_its_updates_end() {
        for scheduled in &CLOCK {
            assert!(scheduled.no_creation < scheduled.no_update, "{:?}", scheduled.runtimes);
        }
    }
}
