//! How a stage is doing.

use mdo_engine::Provider;
use mdo_engine::logs::Millis;
use mdo_engine::metrics::{
    ApiMeasure, FunctionMeasure, KeyMeasure, Measurement, Money, Payee, Percentiles, Series, ServerMeasure,
};
use mdo_model::project::{FunctionName, KeyName, Names, Rate};
use mdo_model::stack::{PRICES_IN, PRICES_OF};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Head, word};
use crate::output::text::whole;
use crate::output::utc;

/// How a stage is doing: `status`. What is not known is null, and never zero.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusDocument {
    #[serde(flatten)]
    head: Head,
    /// When the first span begins, as RFC 3339 in UTC.
    since: String,
    /// Up to when was measured, as RFC 3339 in UTC.
    until: String,
    /// How long a span of each series is, in seconds.
    step_seconds: i64,
    /// From when on everything is counted: after `since` where the log of this machine no longer reaches so far back.
    covers: String,
    /// Whether lines of the log of this machine were lost, so that there was more of everything.
    has_gaps: bool,
    /// The functions.
    functions: Vec<FunctionStatus>,
    /// The API of the stage; null where it has none, or servers answer it.
    api: Option<ApiStatus>,
    /// What answers a hosted stage.
    server: Option<ServerStatus>,
    /// The throttle of each key.
    throttle: Option<ThrottleStatus>,
    /// The quota of each key.
    quota: Option<QuotaStatus>,
    /// The keys.
    keys: Vec<KeyStatus>,
    /// What it costs.
    money: MoneyStatus,
    /// Why something is not known that could be.
    notes: Vec<String>,
}

/// How a function is doing.
#[derive(Debug, Serialize, JsonSchema)]
struct FunctionStatus {
    /// Its short name.
    name: String,
    /// Whether it is at the stage.
    deployed: bool,
    /// Events, pings among them.
    invocations: Option<u64>,
    /// Events that failed.
    errors: Option<u64>,
    /// Events that were not let in, because every sandbox was busy.
    throttles: Option<u64>,
    /// How long events took, in milliseconds; null where there was none.
    duration_ms: Option<PercentilesStatus>,
    /// Events that waited for a new sandbox.
    cold_starts: Option<u64>,
    /// Whether these are all: else there were at least so many.
    cold_starts_complete: Option<bool>,
    /// The most events at the same time; null where there was none.
    at_once: Option<u64>,
    /// Its warm rule; null where it has none.
    warm: Option<WarmStatus>,
    /// The same, span by span.
    series: FunctionSeries,
}

/// How a function's warm rule is doing.
#[derive(Debug, Serialize, JsonSchema)]
struct WarmStatus {
    /// The minutes between pings; null for a schedule that mdo would not write.
    minutes: Option<u8>,
    /// Whether it fires at all.
    enabled: bool,
    /// How often it was fired, times the pings that it sends at once.
    pings: Option<u64>,
    /// At least so many cold starts it has prevented.
    prevented: Option<u64>,
    /// What its pings cost a month at this rate; on this machine, what AWS would want.
    dollars_a_month: Option<f64>,
}

/// What was counted of a function in each span, oldest first; null where nothing was.
#[derive(Debug, Serialize, JsonSchema)]
struct FunctionSeries {
    invocations: Option<Vec<Option<u64>>>,
    errors: Option<Vec<Option<u64>>>,
    throttles: Option<Vec<Option<u64>>>,
    pings: Option<Vec<Option<u64>>>,
    cold_starts: Option<Vec<Option<u64>>>,
    at_once: Option<Vec<Option<u64>>>,
    p50_ms: Option<Vec<Option<f64>>>,
    p95_ms: Option<Vec<Option<f64>>>,
    p99_ms: Option<Vec<Option<f64>>>,
}

/// The value below which half, 95 and 99 of a hundred are.
#[derive(Debug, Serialize, JsonSchema)]
struct PercentilesStatus {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// How an API is doing.
#[derive(Debug, Serialize, JsonSchema)]
struct ApiStatus {
    /// Requests, refused ones among them.
    requests: Option<u64>,
    /// Requests that were answered with 400 to 499.
    client_errors: Option<u64>,
    /// Requests that were answered with 500 and more.
    server_errors: Option<u64>,
    /// From head to end of a request, in milliseconds.
    latency_ms: Option<PercentilesStatus>,
    /// Requests in each span, oldest first; null where there was none.
    series: Option<Vec<Option<u64>>>,
}

/// How the tasks of a hosted stage are doing.
#[derive(Debug, Serialize, JsonSchema)]
struct ServerStatus {
    /// How many tasks run.
    running: u32,
    /// How many are wanted.
    wanted: u32,
    /// How much of the processor is used in each span, in percent.
    cpu: Option<Vec<Option<f64>>>,
    /// How much of the memory is used in each span, in percent.
    memory: Option<Vec<Option<f64>>>,
}

/// The throttle of each key.
#[derive(Debug, Serialize, JsonSchema)]
struct ThrottleStatus {
    /// Requests per second.
    rate: f64,
    /// Requests at once.
    burst: u32,
}

/// The quota of each key.
#[derive(Debug, Serialize, JsonSchema)]
struct QuotaStatus {
    /// Requests in a period.
    limit: u32,
    /// `day`, `week` or `month`.
    period: Value,
}

/// How a key is doing.
#[derive(Debug, Serialize, JsonSchema)]
struct KeyStatus {
    /// Its short name.
    name: String,
    /// Requests that were let in, in the present period of the quota.
    used: Option<u64>,
    /// Requests since `since` that were above throttle or quota.
    refused: Option<u64>,
}

/// What a stage costs, in dollars. Traffic, logs and free tiers are not in it.
#[derive(Debug, Serialize, JsonSchema)]
struct MoneyStatus {
    /// Whether anybody is paid: nobody is on this machine.
    is_paid: bool,
    /// Since the month began.
    so_far: Option<Amounts>,
    /// In a month in which the stage is used as since `since`; on this machine, what AWS would want.
    a_month: Option<Amounts>,
    /// The region of the prices.
    prices_in: &'static str,
    /// The month of the prices.
    prices_of: &'static str,
}

/// What money is for.
#[derive(Debug, Serialize, JsonSchema)]
struct Amounts {
    total: f64,
    /// The functions, or the tasks that run them.
    functions: f64,
    /// The API, or the load balancer.
    front: f64,
}

impl StatusDocument {
    /// What was measured, up to a moment.
    pub(crate) fn new(names: &Names, provider: &dyn Provider, measured: &Measurement, until: Millis) -> Self {
        let function = |(name, function): (&FunctionName, &FunctionMeasure)| {
            FunctionStatus::new(name, function, measured, until)
        };
        let key = |(name, KeyMeasure { used, refused }): (&KeyName, &KeyMeasure)| KeyStatus {
            name: name.to_string(),
            used: *used,
            refused: *refused,
        };
        Self {
            head: Head::new(names, provider),
            since: utc(measured.grid.start),
            until: utc(until),
            step_seconds: measured.grid.step / 1000,
            covers: utc(measured.covers),
            has_gaps: measured.has_gaps,
            functions: measured.functions.iter().map(function).collect(),
            api: measured.api.as_ref().map(ApiStatus::of),
            server: measured.server.as_ref().map(ServerStatus::of),
            throttle: measured
                .throttle
                .map(|throttle| ThrottleStatus { rate: throttle.rate, burst: throttle.burst }),
            quota: measured.quota.map(|quota| QuotaStatus { limit: quota.limit, period: word(quota.period) }),
            keys: measured.keys.iter().map(key).collect(),
            money: MoneyStatus {
                is_paid: measured.payee != Payee::Nobody,
                so_far: measured.so_far().map(Amounts::of),
                a_month: measured.a_month(until).map(Amounts::of),
                prices_in: PRICES_IN,
                prices_of: PRICES_OF,
            },
            notes: measured.notes.clone(),
        }
    }
}

impl FunctionStatus {
    fn new(name: &FunctionName, function: &FunctionMeasure, measured: &Measurement, until: Millis) -> Self {
        let durations = function.durations.as_ref();
        Self {
            name: name.to_string(),
            deployed: function.size.is_some(),
            invocations: total(function.invocations.as_ref()),
            errors: total(function.errors.as_ref()),
            throttles: total(function.throttles.as_ref()),
            duration_ms: function.duration.map(PercentilesStatus::of),
            cold_starts: total(function.cold.as_ref().map(|cold| &cold.series)),
            cold_starts_complete: function.cold.as_ref().map(|cold| cold.is_complete),
            at_once: function.at_once.as_ref().and_then(Series::greatest).map(whole),
            warm: function.warm.map(|warm| WarmStatus {
                minutes: warm.rate.map(Rate::minutes),
                enabled: warm.enabled,
                pings: total(function.pings.as_ref()),
                prevented: function.prevented(&measured.grid),
                dollars_a_month: measured.pings_a_month(function, until).map(cents),
            }),
            series: FunctionSeries {
                invocations: counts(function.invocations.as_ref()),
                errors: counts(function.errors.as_ref()),
                throttles: counts(function.throttles.as_ref()),
                pings: counts(function.pings.as_ref()),
                cold_starts: counts(function.cold.as_ref().map(|cold| &cold.series)),
                at_once: counts(function.at_once.as_ref()),
                p50_ms: numbers(durations.map(|durations| &durations.p50)),
                p95_ms: numbers(durations.map(|durations| &durations.p95)),
                p99_ms: numbers(durations.map(|durations| &durations.p99)),
            },
        }
    }
}

impl ApiStatus {
    fn of(api: &ApiMeasure) -> Self {
        Self {
            requests: total(api.requests.as_ref()),
            client_errors: total(api.client_errors.as_ref()),
            server_errors: total(api.server_errors.as_ref()),
            latency_ms: api.latency.map(PercentilesStatus::of),
            series: counts(api.requests.as_ref()),
        }
    }
}

impl ServerStatus {
    fn of(server: &ServerMeasure) -> Self {
        Self {
            running: server.running,
            wanted: server.wanted,
            cpu: numbers(server.cpu.as_ref()),
            memory: numbers(server.memory.as_ref()),
        }
    }
}

impl PercentilesStatus {
    fn of(Percentiles { p50, p95, p99 }: Percentiles<f64>) -> Self {
        Self { p50, p95, p99 }
    }
}

impl Amounts {
    fn of(money: Money) -> Self {
        Self { total: cents(money.total()), functions: cents(money.functions), front: cents(money.front) }
    }
}

/// An amount without the digits that say nothing.
fn cents(amount: f64) -> f64 {
    (amount * 1e6).round() / 1e6
}

fn total(series: Option<&Series>) -> Option<u64> {
    series.map(|series| whole(series.total()))
}

fn counts(series: Option<&Series>) -> Option<Vec<Option<u64>>> {
    series.map(|series| series.0.iter().map(|number| number.map(whole)).collect())
}

fn numbers(series: Option<&Series>) -> Option<Vec<Option<f64>>> {
    series.map(|series| series.0.clone())
}
