//! How a stage is doing, as people read it in a terminal.

mod spark;
mod stage;

use mdo_engine::logs::Millis;
use mdo_engine::metrics::{FunctionMeasure, Measurement, Series};
use mdo_model::project::FunctionName;
use mdo_model::thousands;

use self::spark::spark;
use super::human::Heading;
use super::text::{milliseconds, table, utc, whole};

pub(crate) use self::stage::evidence;

/// What stands where a number is not known.
const UNKNOWN: &str = "?";

/// How many letters a picture in a line has.
const WIDTH: usize = 24;

/// How a stage is doing, between the first span of what was measured and a moment.
pub(crate) fn status(heading: &Heading<'_>, measured: &Measurement, until: Millis) -> String {
    let mut text = format!("{heading}{}\n", since(measured, until));
    if measured.functions.values().all(|function| function.size.is_none()) && measured.server.is_none() {
        text.push_str("  nothing was deployed here\n");
        return text;
    }
    if measured.functions.is_empty() {
        text.push_str(&table(&stage::rows(measured, until)));
        return text;
    }
    let title =
        ["function", "invocations", "", "errors", "throttled", "p50", "p95", "p99", "cold", "at once"];
    let mut rows = vec![title.map(str::to_owned).to_vec()];
    rows.extend(measured.functions.iter().map(|(name, function)| row(name, function)));
    text.push_str(&table(&rows));
    let stage = stage::rows(measured, until);
    if !stage.is_empty() {
        text.push('\n');
        text.push_str(&table(&stage));
    }
    text
}

/// What time is told of.
fn since(measured: &Measurement, until: Millis) -> String {
    let minute = |at: Millis| utc(at).get(..16).unwrap_or_default().replace('T', " ");
    let mut text = format!("  {} to {} UTC", minute(measured.grid.start), minute(until));
    if measured.covers > measured.grid.start {
        text +=
            &format!("; the log reaches back to {} only, and so does all of this", minute(measured.covers));
    }
    if measured.has_gaps {
        text += "; lines of the log were lost, so there was more";
    }
    text.push('\n');
    text
}

fn row(name: &FunctionName, function: &FunctionMeasure) -> Vec<String> {
    let was_throttled = function.throttles.as_ref().is_some_and(|throttles| throttles.total() > 0.0);
    let lone = |said: &str| vec![name.to_string(), said.to_owned()];
    match (&function.size, &function.invocations) {
        (None, _) => return lone("not deployed"),
        (Some(_), Some(_)) if function.is_idle() && !was_throttled => return lone("not invoked"),
        _ => {}
    }
    let percentile = |of: fn(&mdo_engine::metrics::Percentiles<f64>) -> f64| {
        function.duration.as_ref().map_or_else(|| UNKNOWN.to_owned(), |found| milliseconds(of(found)))
    };
    let cold = function.cold.as_ref().map_or_else(
        || UNKNOWN.to_owned(),
        |cold| format!("{}{}", number(cold.series.total()), if cold.is_complete { "" } else { "+" }),
    );
    vec![
        name.to_string(),
        total(function.invocations.as_ref()),
        function.invocations.as_ref().map(|series| spark(series, WIDTH)).unwrap_or_default(),
        total(function.errors.as_ref()),
        total(function.throttles.as_ref()),
        percentile(|found| found.p50),
        percentile(|found| found.p95),
        percentile(|found| found.p99),
        cold,
        function.at_once.as_ref().and_then(Series::greatest).map_or_else(|| UNKNOWN.to_owned(), number),
    ]
}

/// All of a series together, or that it is not known.
fn total(series: Option<&Series>) -> String {
    series.map_or_else(|| UNKNOWN.to_owned(), |series| number(series.total()))
}

/// A number of things.
fn number(number: f64) -> String {
    thousands(whole(number))
}
