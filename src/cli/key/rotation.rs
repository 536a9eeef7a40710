//! Keys that end: another value with an overlap, and the end of the old one.

use std::time::{Duration, Instant, SystemTime};

use mdo_model::project::KeyName;
use mdo_model::stack::{self, Key, Stack};

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
    let cut_short = unfinished(&live, name);
    if let Some(old) = cut_short {
        let ends = live.keys[&old].ends.as_ref().map(|end| end.at.clone()).unwrap_or_default();
        output::message(&format!("note: finishing the rotation of key {name} that was cut short before"));
        interrupt.begin(FINISHING);
        return renew(&session, &live, (name, &old, &ends), start, interrupt).await;
    }
    let key = require(&session, &live, name)?;
    if let Some(end) = &key.ends {
        let message = format!("key {name} is the old value of another one already, and ends at {}", end.at);
        return Err(Failure::new(exit_code::FAILED, message));
    }
    let free = old_names(name).find(|old| !live.keys.contains_key(old));
    let old =
        free.ok_or_else(|| Failure::new(exit_code::USAGE, format!("the name {name} is too long to rotate")))?;
    let ends = output::utc_seconds(SystemTime::now() + overlap);
    interrupt.begin(FINISHING);
    session.connection.keys.retire_key(name, &old, &ends).await?;
    // What is live by now: the old value under its other name.
    let mut live = live;
    if let Some(key) = live.keys.remove(name) {
        live.keys.insert(old.clone(), key);
    }
    renew(&session, &live, (name, &old, &ends), start, interrupt).await
}

/// The name that the old value of a key has by now, where a rotation was cut short: the key is not there any more, or it opens nothing yet.
fn unfinished(live: &Stack, name: &KeyName) -> Option<KeyName> {
    let is_new = |key: &Key| key.enabled && key.ends.is_none() && !live.opens(name);
    if !live.keys.get(name).is_none_or(is_new) {
        return None;
    }
    let olds = old_names(name).take_while(|old| live.keys.contains_key(old));
    olds.filter(|old| live.keys[old].ends.is_some()).last()
}

/// The names that the old values of a key have, one after the other.
fn old_names(name: &KeyName) -> impl Iterator<Item = KeyName> {
    (1..).map_while(move |number: u32| format!("{name}-old-{number}").parse().ok())
}

/// Makes the new value of a key whose old one has its other name, or brings it to where it opens.
async fn renew(
    session: &Session,
    live: &Stack,
    (name, old, ends): (&KeyName, &KeyName, &str),
    start: Instant,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let tags = session.settings.stage_tags.clone();
    let plan = plan_with(session, live, name, Some(Key { tags, ..Key::open(live.stage.is_some()) }));
    let flags = session.flags();
    if let Err(failure) = change(session, &plan, "Rotated", start, interrupt).await {
        output::message(&format!(
            "note: the old value opens as {old}; mdo key rotate {name}{flags} makes the new one"
        ));
        // The old value has its other name, whatever came of the plan.
        let code = match failure.code {
            exit_code::INTERRUPTED => exit_code::INTERRUPTED,
            _ => exit_code::PARTLY_APPLIED,
        };
        return Err(Failure { code, ..failure });
    }
    output::data(&format!("  show  mdo key show {name}{flags}\n  old   {old}, opens until {ends}\n"));
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
