//! Quantities and tables as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mdo_engine::logs::Millis;
use time::OffsetDateTime;

/// A duration in seconds with one decimal, as `0.6 s`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A time as `12.3 ms`, from a hundred milliseconds on without a part of one.
pub(super) fn milliseconds(time: f64) -> String {
    if time < 100.0 { format!("{time:.1} ms") } else { format!("{time:.0} ms") }
}

/// A number of things, which no measure of CloudWatch tells as a whole number.
pub(super) fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "nobody counts as far as that, or below zero"
    )]
    let whole = number.max(0.0).round() as u64;
    whole
}

/// A moment as RFC 3339 in UTC, to the millisecond.
pub(crate) fn utc(at: Millis) -> String {
    let since = Duration::from_millis(u64::try_from(at).unwrap_or_default());
    let at = OffsetDateTime::from(UNIX_EPOCH + since);
    let form = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    at.format(&form).unwrap_or_default()
}

/// This moment as RFC 3339 in UTC, to the millisecond.
pub(super) fn utc_now() -> String {
    utc(millis(SystemTime::now()))
}

fn millis(at: SystemTime) -> Millis {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// A moment as RFC 3339 in UTC, to the second.
pub(crate) fn utc_seconds(at: SystemTime) -> String {
    let text = utc(millis(at));
    text.get(..19).map(|seconds| format!("{seconds}Z")).unwrap_or(text)
}

/// A number of things: `1 package`, `7 packages`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Rows of cells as aligned columns, two spaces apart, each line indented by two.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_decimal() {
        assert_eq!(seconds(Duration::from_millis(640)), "0.6 s");
    }

    #[test]
    fn a_table_aligns_its_columns() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect();
        let rows: Vec<Vec<String>> = vec![row(&["a", "bb", "c"]), row(&["aaa", "b", ""])];
        assert_eq!(table(&rows), "  a    bb  c\n  aaa  b\n");
    }
}
