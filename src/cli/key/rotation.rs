//! Keys that end: another value with an overlap, and the end of the old one.

use std::time::{Duration, Instant, SystemTime};

use mdo_model::project::KeyName;
use mdo_model::stack::{self, Key};

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
    let key = require(&session, &live, name)?;
    if let Some(end) = &key.ends {
        let message = format!("key {name} is the old value of another one already, and ends at {}", end.at);
        return Err(Failure::new(exit_code::FAILED, message));
    }
    let mut names = (1..).filter_map(|number: u32| format!("{name}-old-{number}").parse::<KeyName>().ok());
    let free = names.find(|old| !live.keys.contains_key(old));
    let old =
        free.ok_or_else(|| Failure::new(exit_code::USAGE, format!("the name {name} is too long to rotate")))?;
    let ends = output::utc_seconds(SystemTime::now() + overlap);
    interrupt.begin(FINISHING);
    session.connection.keys.retire_key(name, &old, &ends).await?;
    let result = async {
        // What is live by now: the old value under its other name.
        let live = observe(&session).await?;
        let plan = plan_with(&session, &live, name, Some(Key::open(live.stage.is_some())));
        change(&session, &plan, "Rotated", start, interrupt).await
    };
    if let Err(failure) = result.await {
        let flags = session.flags();
        output::message(&format!(
            "note: the old value opens as {old}; the new one is still to be made: mdo key create {name}{flags}"
        ));
        return Err(failure);
    }
    let flags = session.flags();
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
