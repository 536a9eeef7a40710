//! Keys that end: another value with an overlap, and the end of the old one.

use std::time::{Duration, Instant, SystemTime};

use mdo_model::project::KeyName;
use mdo_model::stack::{self, Key, KeyEnd, Stack};

use super::{change, observe, plan_with, require};
use crate::cli::applying::FINISHING;
use crate::cli::arguments::StackArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;
use crate::output::{self, Failure, exit_code};

/// Gives a key another value, and the old one a name under which it opens until its end.
pub(super) async fn rotate(
    name: &KeyName,
    overlap: Duration,
    place: &StackArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    if is_unfinished(&live, name) {
        output::message(&format!("note: finishing the rotation of key {name} that was cut short before"));
        interrupt.begin(FINISHING);
        return renew(&session, &live, name, start, interrupt).await;
    }
    let key = require(&session, &live, name)?;
    if let Some(end) = &key.ends {
        let message = format!("key {name} is the old value of another one already, and ends at {}", end.at);
        return Err(Failure::new(exit_code::FAILED, message));
    }
    let mut names = (1..).map_while(|number: u32| format!("{name}-old-{number}").parse::<KeyName>().ok());
    let free = names.find(|old| !live.keys.contains_key(old));
    let old =
        free.ok_or_else(|| Failure::new(exit_code::USAGE, format!("the name {name} is too long to rotate")))?;
    let ends = output::utc_seconds(SystemTime::now() + overlap);
    interrupt.begin(FINISHING);
    session.connection.keys.retire_key(name, &old, &ends).await?;
    // What is live by now: the old value under its other name.
    let mut live = live;
    if let Some(key) = live.keys.remove(name) {
        let ends = Some(KeyEnd { at: ends, has_passed: overlap.is_zero() });
        live.keys.insert(old, Key { ends, ..key });
    }
    // The old value has its other name, whatever comes of the new one.
    let partly = |failure: Failure| match failure.code {
        exit_code::INTERRUPTED => failure,
        _ => Failure { code: exit_code::PARTLY_APPLIED, ..failure },
    };
    renew(&session, &live, name, start, interrupt).await.map_err(partly)
}

/// Whether a rotation of a key was cut short: the old value has its other name, and the key is not there any more, or opens nothing yet.
fn is_unfinished(live: &Stack, name: &KeyName) -> bool {
    let is_new = |key: &Key| key.enabled && key.ends.is_none() && !live.opens(name);
    live.keys.get(name).is_none_or(is_new) && old_values(live, name).next().is_some()
}

/// The names of a key's old values, and when each ends.
fn old_values<'a>(live: &'a Stack, name: &KeyName) -> impl Iterator<Item = (&'a KeyName, &'a str)> {
    let prefix = format!("{name}-old-");
    live.keys.iter().filter_map(move |(old, key)| {
        let number = old.as_str().strip_prefix(&prefix)?;
        let end = key.ends.as_ref().filter(|_| number.parse::<u32>().is_ok())?;
        Some((old, end.at.as_str()))
    })
}

/// Makes the new value of a key whose old one has its other name, or brings it to where it opens.
async fn renew(
    session: &Session,
    live: &Stack,
    name: &KeyName,
    start: Instant,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let tags = session.settings.stage_tags.clone();
    let plan = plan_with(session, live, name, Some(Key { tags, ..Key::open(live.stage.is_some()) }));
    let flags = session.flags();
    if let Err(failure) = change(session, &plan, "Rotated", start, interrupt).await {
        output::message(&format!(
            "note: the old value opens as {}; mdo key rotate {name}{flags} makes the new one",
            old_values(live, name).map(|(old, _)| old.as_str()).collect::<Vec<_>>().join(", "),
        ));
        return Err(failure);
    }
    output::data(&format!("  show  mdo key show {name}{flags}\n"));
    for (old, end) in old_values(live, name) {
        output::data(&format!("  old   {old}, opens until {end}\n"));
    }
    Ok(())
}

/// Deletes the keys whose end has come.
pub(super) async fn expire(place: &StackArgs, interrupt: &Interrupt) -> Result<(), Failure> {
    let start = Instant::now();
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    let mut keys = live.keys.clone();
    keys.retain(|_, key| !key.has_ended());
    let plan = stack::plan_keys(&session.settings.names(), &live, keys);
    if plan.is_empty() {
        let next = live.keys.values().filter_map(|key| key.ends.as_ref()).map(|end| end.at.as_str()).min();
        let next = next.map(|at| format!("; the next one ends at {at}")).unwrap_or_default();
        output::data(&format!("no key has ended{next}\n"));
        return Ok(());
    }
    change(&session, &plan, "Expired", start, interrupt).await
}
