//! Which panels are drawn of what was measured.

use mdo_engine::metrics::{FunctionMeasure, Measurement, Series};
use mdo_model::project::FunctionName;

use crate::{Line, Marks, Panel};

/// How many functions have a line of their own.
const FUNCTIONS: usize = 6;

/// The panels: requests, how long events took, sandboxes, and the tasks of a hosted stage.
pub fn panels(measured: &Measurement) -> Vec<Panel> {
    let mut panels = vec![requests(measured), durations(measured), sandboxes(measured)];
    panels.extend(tasks(measured));
    panels
}

fn requests(measured: &Measurement) -> Panel {
    let Some(api) = &measured.api else {
        let invocations = sum(measured, |function| function.invocations.as_ref());
        let errors = sum(measured, |function| function.errors.as_ref());
        let lines = [("invocations", invocations), ("errors", errors)];
        return panel("Invocations", lines.into_iter().filter_map(counted), None);
    };
    let errors = [&api.client_errors, &api.server_errors];
    let mut fine = api.requests.clone();
    for errors in errors.into_iter().flatten() {
        fine = fine.map(|fine| fine.less(errors));
    }
    let lines = [("answered", fine), ("4xx", api.client_errors.clone()), ("5xx", api.server_errors.clone())];
    panel("Requests by status", lines.into_iter().filter_map(counted), None)
}

fn durations(measured: &Measurement) -> Panel {
    let mut functions: Vec<(&FunctionName, &FunctionMeasure)> =
        measured.functions.iter().filter(|(_, function)| function.durations.is_some()).collect();
    let total = |function: &FunctionMeasure| function.invocations.as_ref().map_or(0.0, Series::total);
    functions.sort_by(|one, other| total(other.1).total_cmp(&total(one.1)));
    let line =
        |name: &str, series: &Series| Line { name: name.to_owned(), series: series.clone(), counts: false };
    if let [(name, only)] = functions[..] {
        let durations = only.durations.clone().unwrap_or_default();
        let lines = [("p50", &durations.p50), ("p95", &durations.p95), ("p99", &durations.p99)];
        let title = format!("Duration of {name} in ms");
        return panel(&title, lines.into_iter().map(|(name, series)| line(name, series)), None);
    }
    let left_out = functions.len().saturating_sub(FUNCTIONS);
    let most = if left_out > 0 { format!(" of the {FUNCTIONS} that ran most") } else { String::new() };
    let each = functions.into_iter().take(FUNCTIONS);
    let lines =
        each.filter_map(|(name, function)| Some(line(name.as_str(), &function.durations.as_ref()?.p95)));
    panel(&format!("Duration in ms: p95 of each function{most}"), lines, None)
}

fn sandboxes(measured: &Measurement) -> Panel {
    let at_once = sum(measured, |function| function.at_once.as_ref());
    let cold = sum(measured, |function| function.cold.as_ref().map(|cold| &cold.series));
    let pings = sum(measured, |function| function.pings.as_ref());
    let lines = [("events at once", at_once), ("cold starts", cold)];
    let marks = pings.map(|series| Marks { name: "warm pings".to_owned(), series });
    panel("Sandboxes", lines.into_iter().filter_map(counted), marks)
}

fn tasks(measured: &Measurement) -> Option<Panel> {
    let server = measured.server.as_ref()?;
    let line = |(name, series): (&str, &Option<Series>)| {
        Some(Line { name: name.to_owned(), series: series.clone()?, counts: false })
    };
    let lines = [("processor", &server.cpu), ("memory", &server.memory)];
    Some(panel("Tasks: use in %", lines.into_iter().filter_map(line), None))
}

fn panel(title: &str, lines: impl Iterator<Item = Line>, marks: Option<Marks>) -> Panel {
    Panel { title: title.to_owned(), lines: lines.collect(), marks }
}

fn counted((name, series): (&str, Option<Series>)) -> Option<Line> {
    Some(Line { name: name.to_owned(), series: series?, counts: true })
}

/// What was counted of all functions together; `None` where it was of none.
fn sum<'a>(
    measured: &'a Measurement,
    of: impl Fn(&'a FunctionMeasure) -> Option<&'a Series>,
) -> Option<Series> {
    let mut all = measured.functions.values().filter_map(of).peekable();
    all.peek()?;
    let mut sum = measured.grid.empty();
    for series in all {
        for (number, value) in series.0.iter().enumerate() {
            if let Some(value) = value {
                sum.add(number, *value);
            }
        }
    }
    Some(sum)
}
