//! Chooses cases, runs several side by side, and reports those that fell short with the command that repeats each.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use globset::Glob;

use super::known::KNOWN;
use super::snapshot::Snapshot;
use crate::support::emulator::say;

/// What chooses the cases: see `mod.rs`.
const CHOICE: &str = "MDO_FAULTS";
/// How many cases are under way at once. Most of their time they wait for the emulator or for one another's turn.
const IN_FLIGHT: usize = 4;
/// After how many cases a long run says how far it is.
const TOLD_AFTER: usize = 50;
/// Another seed gives another sample.
const SEED: u64 = 6;
/// Of how many cases everything that was said is shown.
const SHOWN_IN_FULL: usize = 3;

/// One thing to try.
pub(super) struct Case {
    name: String,
    /// The sample holds some of each group.
    groups: Vec<String>,
    run: Box<dyn Fn() -> Shortfalls + Send>,
}

impl Case {
    pub(super) fn new(
        name: impl Into<String>,
        groups: impl IntoIterator<Item = impl Into<String>>,
        run: impl Fn() -> Shortfalls + Send + 'static,
    ) -> Case {
        Case { name: name.into(), groups: groups.into_iter().map(Into::into).collect(), run: Box::new(run) }
    }
}

/// In what mdo fell short in one case.
#[derive(Debug)]
pub(super) struct Shortfalls {
    found: Vec<String>,
    within: Vec<&'static str>,
    transcript: String,
    note: Option<&'static str>,
}

impl Shortfalls {
    /// None so far of a run with this transcript.
    pub(super) fn new(transcript: String) -> Shortfalls {
        Shortfalls { found: Vec::new(), within: Vec::new(), transcript, note: None }
    }

    /// Adds one.
    pub(super) fn add(&mut self, what: impl AsRef<str>) {
        let within: String = self.within.iter().map(|place| format!("{place}: ")).collect();
        self.found.push(within + what.as_ref());
    }

    /// Adds one if an account does not hold what it should.
    pub(super) fn unless_same(&mut self, found: &Snapshot, wanted: &Snapshot) {
        let difference = found.difference(wanted);
        if !difference.is_empty() {
            self.add("the account is not as it should be:");
            self.show(&difference);
        }
    }

    /// Says more about the last one.
    pub(super) fn show(&mut self, more: &str) {
        let lines: String = more.lines().map(|line| format!("\n      {line}")).collect();
        if let Some(last) = self.found.last_mut() {
            last.push_str(&lines);
        }
    }

    /// Finds more of them at some place.
    pub(super) fn within(&mut self, place: &'static str, find: impl FnOnce(&mut Shortfalls)) {
        self.within.push(place);
        find(self);
        self.within.pop();
    }

    /// Says why the case says less than it seems.
    pub(super) fn note(&mut self, why: &'static str) {
        self.note = Some(why);
    }
}

/// Which cases are asked for.
enum Choice {
    Sample,
    /// Those between two shares of a hundred.
    Percent(f64, f64),
    Named(Vec<String>),
}

fn choice() -> Choice {
    let Ok(asked) = std::env::var(CHOICE) else { return Choice::Sample };
    match asked.trim() {
        "" => Choice::Sample,
        "all" => Choice::Percent(0.0, 100.0),
        text => match text.strip_suffix('%').and_then(share) {
            Some((from, to)) => Choice::Percent(from, to),
            None => Choice::Named(text.split('/').map(|word| word.trim().to_owned()).collect()),
        },
    }
}

/// `20` or `20-40`.
fn share(text: &str) -> Option<(f64, f64)> {
    let (from, to) = text.split_once('-').unwrap_or(("0", text));
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// Whether any case whose name begins with this word may be asked for.
pub(super) fn may_choose(first: &str) -> bool {
    match choice() {
        Choice::Named(words) => matches(&words[..1], first),
        _ => true,
    }
}

fn matches(words: &[String], name: &str) -> bool {
    let mut parts = name.split('/');
    let fits = |word: &str, part| Glob::new(word).unwrap().compile_matcher().is_match(part);
    words.iter().all(|word| parts.next().is_some_and(|part| fits(word, part)))
}

/// Why a case is known to fall short, if it is.
fn known(name: &str) -> Option<&'static str> {
    let words = |pattern: &str| pattern.split('/').map(str::to_owned).collect::<Vec<_>>();
    KNOWN.iter().find(|(pattern, _)| matches(&words(pattern), name)).map(|(_, why)| *why)
}

/// A number that a name has always, and that is like a random one.
fn lot(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (SEED, name).hash(&mut hasher);
    hasher.finish()
}

/// The cases asked for, in an order that mixes them.
fn chosen(mut cases: Vec<Case>, of_each_group: usize) -> Vec<Case> {
    cases.sort_by_key(|case| lot(&case.name));
    match choice() {
        Choice::Sample => {
            cases.retain(|case| known(&case.name).is_none());
            cases = sample(cases, of_each_group);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a few thousand"
        )]
        Choice::Percent(from, to) => {
            let at = |percent: f64| ((cases.len() as f64 * percent / 100.0).ceil() as usize).min(cases.len());
            cases = cases.drain(at(from).min(at(to))..at(to)).collect();
        }
        Choice::Named(words) => cases.retain(|case| matches(&words, &case.name)),
    }
    cases
}

/// So many cases of each group, in as few as may be: first those that are of several groups of which some are missing.
fn sample(cases: Vec<Case>, of_each_group: usize) -> Vec<Case> {
    let mut missing: BTreeMap<String, usize> =
        cases.iter().flat_map(|case| &case.groups).map(|group| (group.clone(), of_each_group)).collect();
    let most = cases.iter().map(|case| case.groups.len()).max().unwrap_or_default();
    let (mut taken, mut left) = (Vec::new(), cases);
    for serves in (1..=most).rev() {
        let (serving, others) = left.into_iter().partition(|case| {
            let lacks = case.groups.iter().filter(|group| missing[*group] > 0).count() >= serves;
            if lacks {
                for group in &case.groups {
                    missing.entry(group.clone()).and_modify(|count| *count = count.saturating_sub(1));
                }
            }
            lacks
        });
        taken.extend(serving as Vec<Case>);
        left = others;
    }
    taken
}

/// Runs the cases that are asked for, reports, and fails if any fell short.
pub(super) fn run(what: &str, cases: Vec<Case>, of_each_group: usize) {
    let in_all = cases.len();
    let begun = Instant::now();
    let waiting: Mutex<VecDeque<Case>> = Mutex::new(chosen(cases, of_each_group).into());
    let first_word = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let mut of_each: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for case in waiting.lock().unwrap().iter() {
        of_each.entry(first_word(&case.name)).or_default().0 += 1;
    }
    let tried: usize = of_each.values().map(|(tried, _)| tried).sum();
    if tried == 0 {
        return;
    }
    let fell_short: Mutex<Vec<(String, Shortfalls)>> = Mutex::default();
    let unreached: Mutex<Vec<String>> = Mutex::default();
    let ended = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..IN_FLIGHT {
            scope.spawn(|| {
                loop {
                    let Some(case) = waiting.lock().unwrap().pop_front() else { return };
                    let shortfalls = catch_unwind(AssertUnwindSafe(&case.run)).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        let mut shortfalls = Shortfalls::new(String::new());
                        shortfalls.add(format!("panic: {}", text.unwrap_or_default()));
                        shortfalls
                    });
                    let ended = ended.fetch_add(1, Ordering::Relaxed) + 1;
                    if ended.is_multiple_of(TOLD_AFTER) {
                        say(&format!(
                            "{what}: {ended} of {tried} so far, in {} s",
                            begun.elapsed().as_secs()
                        ));
                    }
                    if shortfalls.note.is_some() {
                        unreached.lock().unwrap().push(case.name.clone());
                    }
                    if !shortfalls.found.is_empty() {
                        say(&short(&case.name, &shortfalls));
                        fell_short.lock().unwrap().push((case.name, shortfalls));
                    }
                }
            });
        }
    });
    let (fell_short, unreached) = (fell_short.into_inner().unwrap(), unreached.into_inner().unwrap());
    let seconds = begun.elapsed().as_secs();
    say(&format!(
        "{what}: {tried} of {in_all} tried, {} survived, {} not met because the call did not come, in {seconds} s",
        tried - fell_short.len(),
        unreached.len(),
    ));
    fell_short.iter().for_each(|(name, _)| of_each.entry(first_word(name)).or_default().1 += 1);
    if of_each.len() > 1 {
        for (name, (tried, short)) in &of_each {
            say(&format!("  {name}: {} of {tried} survived", tried - short));
        }
    }
    if tried <= SHOWN_IN_FULL {
        for (_, shortfalls) in &fell_short {
            say(&shortfalls.transcript);
        }
    }
    let mut names: Vec<&String> = fell_short.iter().map(|(name, _)| name).collect();
    names.sort();
    names.iter().for_each(|name| say(&format!("  fell short: {name}  {}", known(name).unwrap_or_default())));
    if !matches!(choice(), Choice::Named(_)) {
        names.retain(|name| known(name).is_none());
    }
    assert!(names.is_empty(), "{} of {tried} {what} fell short", names.len());
}

/// What fell short, and the command that repeats it.
fn short(name: &str, shortfalls: &Shortfalls) -> String {
    let lines: String = shortfalls.found.iter().map(|line| format!("\n    {line}")).collect();
    format!("  {CHOICE}='{name}' cargo test -p mdo --test aws faults::{lines}")
}

#[test]
fn a_sample_holds_some_of_each_group_in_few_cases() {
    let case =
        |name: &str, groups: &[&str]| Case::new(name, groups.to_vec(), || Shortfalls::new(String::new()));
    let of_each = |count| {
        let cases = vec![
            case("first", &["deploy", "kill"]),
            case("second", &["deploy", "drop"]),
            case("third", &["destroy", "drop"]),
            case("fourth", &["destroy", "busy"]),
        ];
        sample(cases, count).into_iter().map(|case| case.name).collect::<Vec<_>>()
    };
    assert_eq!(of_each(1), ["first", "third", "fourth"]);
    assert_eq!(of_each(2), ["first", "second", "third", "fourth"]);
}

#[test]
fn a_name_is_matched_word_by_word() {
    let words = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let name = "first deploy/CreateAlias#1/dropped after";
    for (text, fits) in [
        ("first deploy", true),
        ("first deploy/CreateAlias#1", true),
        ("first deploy/*/dropped after", true),
        (name, true),
        ("first deploy/CreateAlias#2", false),
        ("first", false),
        ("first*/Create*/{SIGINT,dropped *}", true),
        ("first deploy/CreateAlias#1/dropped after/more", false),
    ] {
        assert_eq!(matches(&words(text), name), fits, "{text}");
    }
}
