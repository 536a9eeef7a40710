//! The last runs of a function, as its log reports them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use mdo_engine::logs::report_field;
use mdo_engine::{Cause, Error, Ping};
use mdo_model::project::{FunctionName, Names};

use crate::client::Aws;
use crate::pages;

/// How far back runs are looked for, one window after the other until there are enough: of a busy function the first page
/// of the first one is enough, and an idle one costs as many calls as there are windows.
const WINDOWS: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
];

/// How many runs are told.
const RUNS: usize = 10;

/// The function's last runs within an hour, newest first. The log does not say which of them were pings.
pub(crate) async fn runs(aws: &Aws, names: &Names, function: &FunctionName) -> Result<Vec<Ping>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut runs: Vec<(i64, Ping)> = Vec::new();
    let mut end = now;
    for window in WINDOWS {
        let start = now.saturating_sub(window);
        runs.extend(within(aws, names, function, (start, end)).await?);
        if runs.len() >= RUNS {
            break;
        }
        end = start;
    }
    runs.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    runs.truncate(RUNS);
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// The runs that were reported in a window, each with its time in milliseconds.
async fn within(
    aws: &Aws,
    names: &Names,
    function: &FunctionName,
    (start, end): (Duration, Duration),
) -> Result<Vec<(i64, Ping)>, Error> {
    let group = names.log_group(function);
    let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let events = pages::all(async |position: Option<String>| {
        let answer = aws
            .call("logs:FilterLogEvents", &group, || {
                aws.logs
                    .filter_log_events()
                    .log_group_name(&group)
                    .start_time(milliseconds(start))
                    .end_time(milliseconds(end))
                    .filter_pattern("\"REPORT RequestId\"")
                    .set_next_token(position.clone())
                    .send()
            })
            .await?;
        Ok((answer.events, answer.next_token))
    });
    let events = match events.await {
        Err(error) if error.is(&Cause::Gone) => return Ok(Vec::new()),
        events => events?,
    };
    let run = |event: FilteredLogEvent| {
        let line = event.message().filter(|line| line.starts_with("REPORT"))?;
        let at = event.timestamp().unwrap_or_default();
        Some((at, Ping { at: rfc3339(at), outcome: outcome(line) }))
    };
    Ok(events.into_iter().filter_map(run).collect())
}

fn rfc3339(milliseconds: i64) -> String {
    use aws_smithy_types::date_time::{DateTime, Format};
    DateTime::from_millis(milliseconds).fmt(Format::DateTime).unwrap_or_default()
}

/// `3.21 ms, cold start 41.02 ms` of a REPORT line.
fn outcome(line: &str) -> String {
    let field = |name: &str| report_field(line, name);
    let took = field("Duration:").unwrap_or("ran");
    let failed = field("Status:").map(|status| format!(", {status}")).unwrap_or_default();
    match field("Init Duration:") {
        Some(init) => format!("{took}, cold start {init}{failed}"),
        None => format!("{took}{failed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_line_tells_duration_cold_start_and_failure() {
        let line = "REPORT RequestId: 1\tDuration: 3.21 ms\tBilled Duration: 45 ms\tMemory Size: 128 MB\t\
                    Max Memory Used: 20 MB\tInit Duration: 41.02 ms\t\n";
        assert_eq!(outcome(line), "3.21 ms, cold start 41.02 ms");
        assert_eq!(
            outcome("REPORT RequestId: 1\tDuration: 30000.00 ms\tStatus: timeout"),
            "30000.00 ms, timeout"
        );
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_700_000_000_000), "2023-11-14T22:13:20Z");
    }
}
