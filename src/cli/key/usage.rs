//! How many requests a key has made.

use std::time::{Duration, SystemTime};

use mdo_engine::DayUsage;
use mdo_model::project::KeyName;

use super::{observe, require};
use crate::cli::arguments::StackArgs;
use crate::cli::session::Session;
use crate::output::{self, Failure, exit_code};

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// How far back API Gateway tells, in days.
const LONGEST: u64 = 90;

pub(super) async fn show(
    name: &KeyName,
    since: Duration,
    place: &StackArgs,
    json: bool,
) -> Result<(), Failure> {
    let days = since.as_secs().div_ceil(DAY);
    if !(1..=LONGEST).contains(&days) {
        let message = format!("--since reaches back 1 to {LONGEST} days");
        return Err(Failure::with_help(exit_code::USAGE, message, "write 7d, for instance"));
    }
    let session = Session::open_live(place).await?;
    let live = observe(&session).await?;
    require(&session, &live, name)?;
    let now = SystemTime::now();
    let day = |at: SystemTime| output::utc_seconds(at)[..10].to_owned();
    let span = (day(now - Duration::from_secs((days - 1) * DAY)), day(now));
    let used = session.connection.keys.key_usage(name, span).await?;
    let names = session.settings.names();
    if json {
        session.provider.location().await?;
        output::json(&output::UsageDocument::new(&names, session.provider.as_ref(), name, used));
        return Ok(());
    }
    let row = |day: &DayUsage| {
        let left = day.left.map(|left| format!("{} left", output::thousands(left))).unwrap_or_default();
        vec![day.day.clone(), format!("{} requests", output::thousands(day.used)), left]
    };
    let total: u64 = used.iter().map(|day| day.used).sum();
    let rows: Vec<Vec<String>> = used.iter().filter(|day| day.used > 0).map(row).collect();
    output::data(&output::table(&rows));
    output::data(&format!("  {} requests by key {name} in all\n", output::thousands(total)));
    Ok(())
}
