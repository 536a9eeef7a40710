//! Moments as people type them: so long ago, or a time in UTC.

use std::time::{Duration, UNIX_EPOCH};

use mdo_engine::logs::Millis;

/// A day, in milliseconds.
const DAY: Millis = 24 * 60 * 60 * 1000;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    /// So long ago.
    Ago(Duration),
    /// So long after the beginning of the present day.
    Today(Duration),
    /// At a time.
    At(Millis),
}

impl Moment {
    /// When that is.
    pub(in crate::cli) fn at(self, now: Millis) -> Millis {
        match self {
            Self::Ago(ago) => now.saturating_sub(millis(ago)),
            Self::Today(after) => now - now.rem_euclid(DAY) + millis(after),
            Self::At(at) => at,
        }
    }
}

/// How far back is looked where nobody says.
pub(super) fn default_span(for_request: bool) -> Millis {
    if for_request { DAY } else { 10 * 60 * 1000 }
}

/// Reads `10m`, `1h 30m`, `12:30`, `2026-11-27`, `2026-11-27 12:30` or `2026-11-27T12:30:00Z`.
pub(in crate::cli) fn parse(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Moment::Ago(ago));
    }
    let parts: Vec<&str> = text.split(':').collect();
    if let [hours, minutes, ..] = parts[..]
        && parts.len() <= 3
        && let Some(after) = clock(hours, minutes, parts.get(2))
    {
        return Ok(Moment::Today(after));
    }
    // A day alone begins at midnight, and a minute with its first second.
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    let at = humantime::parse_rfc3339_weak(full.trim_end_matches('Z')).map_err(|_| {
        "write 90s, 10m, 2h or 1d for so long ago, or a time in UTC: 12:30, 2026-11-27, 2026-11-27T12:30:00Z"
            .to_owned()
    })?;
    Ok(Moment::At(millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())))
}

fn clock(hours: &str, minutes: &str, seconds: Option<&&str>) -> Option<Duration> {
    let number = |text: &str, below: u64| {
        let number: u64 = text.parse().ok()?;
        (text.len() <= 2 && number < below).then_some(number)
    };
    let seconds = seconds.map_or(Some(0), |seconds| number(seconds, 60))?;
    Some(Duration::from_secs(number(hours, 24)? * 3600 + number(minutes, 60)? * 60 + seconds))
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time() {
        // 2026-11-27T10:00:00Z.
        let now = 1_795_773_600_000;
        let at = |text: &str| output(parse(text).expect("a moment").at(now));
        fn output(at: Millis) -> String {
            crate::output::utc(at)
        }
        for (text, told) in [
            ("10m", "2026-11-27T09:50:00.000Z"),
            ("1h 30m", "2026-11-27T08:30:00.000Z"),
            ("2d", "2026-11-25T10:00:00.000Z"),
            ("08:15", "2026-11-27T08:15:00.000Z"),
            ("8:15:30", "2026-11-27T08:15:30.000Z"),
            ("2026-11-26", "2026-11-26T00:00:00.000Z"),
            ("2026-11-26 12:30", "2026-11-26T12:30:00.000Z"),
            ("2026-11-26T12:30", "2026-11-26T12:30:00.000Z"),
            ("2026-11-26T12:30:01Z", "2026-11-26T12:30:01.000Z"),
            ("2026-11-26T12:30:01.250Z", "2026-11-26T12:30:01.250Z"),
        ] {
            assert_eq!(at(text), told, "{text}");
        }
        for text in ["", "yesterday", "10", "25:00", "12:60", "2026-13-01", "-5m"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
