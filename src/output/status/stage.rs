//! What is told of a stage beside its functions: requests, keys, warm rules, servers and money.

use mdo_engine::logs::Millis;
use mdo_engine::metrics::{
    ApiMeasure, FunctionMeasure, Grid, KeyMeasure, Measurement, Money, Payee, WarmState,
};
use mdo_model::project::{FunctionName, KeyName};
use mdo_model::stack::{PRICES_IN, PRICES_OF};
use mdo_model::thousands;

use super::spark::spark;
use super::{UNKNOWN, WIDTH, number, total};
use crate::output::text::{count, milliseconds, utc};

/// The rows, each with what it is about.
pub(super) fn rows(measured: &Measurement, until: Millis) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    if let Some(server) = &measured.server {
        rows.push(row(
            "server",
            format!("{} of {} running", server.running, count(server.wanted as usize, "task")),
        ));
    }
    if let Some(api) = &measured.api {
        rows.push(row("api", requests(api)));
        rows.extend(throttle(measured, api).map(|said| row("throttle", said)));
    }
    rows.extend(measured.keys.iter().map(|(name, key)| row("key", used(name, key, measured))));
    let warm = measured.functions.iter().filter(|(_, function)| function.warm.is_some());
    rows.extend(
        warm.map(|(name, function)| row("warm", format!("{name}: {}", warmth(function, measured, until)))),
    );
    rows.push(row("money", money(measured, until)));
    rows
}

fn row(about: &str, said: String) -> Vec<String> {
    vec![about.to_owned(), said]
}

/// `1,301 requests ▁▂█, 12 answered with 4xx, 0 with 5xx; p50 1.5 ms, p95 4.0 ms, p99 9.1 ms`.
fn requests(api: &ApiMeasure) -> String {
    let Some(requests) = &api.requests else { return format!("{UNKNOWN} requests") };
    let mut text = count_of(requests.total(), "request");
    if requests.total() == 0.0 {
        return text;
    }
    text += &format!(
        "  {}  {} answered with 4xx, {} with 5xx",
        spark(requests, WIDTH),
        total(api.client_errors.as_ref()),
        total(api.server_errors.as_ref()),
    );
    if let Some(latency) = &api.latency {
        let [p50, p95, p99] = [latency.p50, latency.p95, latency.p99].map(milliseconds);
        text += &format!("; p50 {p50}, p95 {p95}, p99 {p99}");
    }
    text
}

/// How near the requests come to the throttle.
fn throttle(measured: &Measurement, api: &ApiMeasure) -> Option<String> {
    let throttle = measured.throttle?;
    let limit = format!("{} requests/s for each key, burst {}", throttle.rate, throttle.burst);
    let busiest = api.requests.as_ref()?.greatest().unwrap_or_default();
    let seconds = measured.grid.step / 1000;
    // Exact: a span has no more seconds than a month.
    let rate = busiest / f64::from(u32::try_from(seconds).unwrap_or(u32::MAX));
    let span = spans(&measured.grid);
    Some(format!("{limit}; all keys together {} requests/s in the busiest {span}", short(rate)))
}

/// What a span is called.
fn spans(grid: &Grid) -> String {
    match grid.step / 60_000 {
        1 => "minute".to_owned(),
        60 => "hour".to_owned(),
        1440 => "day".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// `default  1,234 of 10,000 a day used, 3 refused`.
fn used(name: &KeyName, key: &KeyMeasure, measured: &Measurement) -> String {
    let used = key.used.map_or_else(|| UNKNOWN.to_owned(), thousands);
    let used = match measured.quota {
        Some(quota) => format!("{used} of {} a {} used", thousands(quota.limit.into()), quota.period),
        None => "no quota".to_owned(),
    };
    let refused = match key.refused {
        Some(0) => String::new(),
        Some(refused) => {
            format!(", {} refused with 429", count(usize::try_from(refused).unwrap_or(usize::MAX), "request"))
        }
        None => String::new(),
    };
    format!("{name}: {used}{refused}")
}

/// `every 5 minutes, 288 pings for about $0.0018 a month, at least 7 cold starts prevented`.
fn warmth(function: &FunctionMeasure, measured: &Measurement, until: Millis) -> String {
    let WarmState { rate, enabled } = function.warm.unwrap_or(WarmState { rate: None, enabled: false });
    let rate = match (rate, enabled) {
        (_, false) => "disabled".to_owned(),
        (Some(rate), true) if rate.minutes() == 1 => "every minute".to_owned(),
        (Some(rate), true) => format!("every {} minutes", rate.minutes()),
        (None, true) => "another schedule".to_owned(),
    };
    let pings = function
        .pings
        .as_ref()
        .map_or_else(|| format!("{UNKNOWN} pings"), |pings| count_of(pings.total(), "ping"));
    let cost = measured.pings_a_month(function, until).map_or_else(|| UNKNOWN.to_owned(), dollars);
    if function.pings.as_ref().is_some_and(|pings| pings.total() == 0.0) {
        return format!("{rate}, no pings so far");
    }
    let prevented = match function.prevented(&measured.grid) {
        Some(0) => ", no cold start prevented for sure".to_owned(),
        Some(1) => ", at least 1 cold start prevented".to_owned(),
        Some(prevented) => format!(", at least {} cold starts prevented", thousands(prevented)),
        None => format!(", {UNKNOWN} cold starts prevented"),
    };
    format!("{rate}, {pings} for {cost} a month{prevented}")
}

fn money(measured: &Measurement, until: Millis) -> String {
    let prices = format!("prices of {PRICES_IN} in {PRICES_OF}");
    let parts = |money: &Money| {
        let (of, front) = match measured.payee {
            Payee::Servers => ("tasks", "load balancer"),
            Payee::Use | Payee::Nobody => ("functions", "API"),
        };
        format!("{of} {}, {front} {}", dollars(money.functions), dollars(money.front))
    };
    let rate = measured.a_month(until);
    let rate =
        rate.map(|money| format!("{} a month at this rate ({})", dollars(money.total()), parts(&money)));
    let rate = rate.unwrap_or_else(|| format!("{UNKNOWN} a month at this rate"));
    let aside = match measured.payee {
        Payee::Servers => "traffic and logs aside",
        Payee::Use | Payee::Nobody => "traffic, logs and the free tier aside",
    };
    match measured.payee {
        Payee::Nobody => {
            format!("nothing is paid here; AWS would want {rate}: an estimate, {aside}, {prices}")
        }
        Payee::Use | Payee::Servers => {
            let so_far = measured.so_far().map_or_else(|| UNKNOWN.to_owned(), |money| dollars(money.total()));
            format!("{so_far} so far this month, {rate}: an estimate, {aside}, {prices}")
        }
    }
}

/// What shows whether a warm rule is worth having: cold starts before its first ping and since, and what it prevents.
pub(crate) fn evidence(name: &FunctionName, measured: &Measurement, until: Millis) -> String {
    let Some(function) = measured.functions.get(name).filter(|function| !function.is_idle()) else {
        return String::new();
    };
    let clock = |at: Millis| utc(at).get(..16).unwrap_or_default().replace('T', " ");
    let since = clock(measured.covers);
    let at_least = if function.cold.as_ref().is_some_and(|cold| cold.is_complete) { "" } else { "at least " };
    let of = |(cold, requests): (f64, f64)| {
        format!("{at_least}{} in {}", count_of(cold, "cold start"), count_of(requests, "request"))
    };
    let Some(found) = function.evidence(&measured.grid) else {
        let cold = function.cold.as_ref().zip(function.invocations.as_ref());
        let cold = cold.map(|(cold, all)| format!(": {}", of((cold.series.total(), all.total()))));
        let known = if function.pings.is_some() && cold.is_some() { "no ping" } else { "no evidence" };
        return format!("    {known} since {since}{}\n", cold.unwrap_or_default());
    };
    let before = match found.before {
        Some(before) => format!("{} up to the first ping at {}, ", of(before), clock(found.first_ping)),
        None => String::new(),
    };
    let from = if found.before.is_some() { "after it".to_owned() } else { format!("since {since}") };
    format!("    {before}{} {from}\n    {}\n", of(found.since), warmth(function, measured, until))
}

/// `1,234 requests`.
fn count_of(many: f64, noun: &str) -> String {
    let plural = if (many - 1.0).abs() < 0.5 { "" } else { "s" };
    format!("{} {noun}{plural}", number(many))
}

/// Dollars with as many digits as say something.
fn dollars(amount: f64) -> String {
    match amount {
        amount if amount >= 100.0 => format!("${amount:.0}"),
        amount if amount >= 0.01 || amount == 0.0 => format!("${amount:.2}"),
        amount if amount >= 0.000_05 => format!("${amount:.4}"),
        _ => "less than $0.0001".to_owned(),
    }
}

/// A rate with as many digits as say something.
fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 => format!("{rate:.0}"),
        rate if rate >= 0.05 || rate == 0.0 => format!("{rate:.1}"),
        _ => "less than 0.1".to_owned(),
    }
}
