//! How a stage is doing: the capability, what is measured, and what follows from that. Only [`Metrics`] reads anything; the figures are
//! plain functions of what was measured.
//!
//! What nobody measures is `None`, and never zero.

mod grid;
mod money;
mod tally;
mod warmth;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use mdo_model::project::{Architecture, FunctionName, KeyName, Quota, Rate, Throttle};
use mdo_model::stack::HourlyCost;

use crate::Error;
use crate::logs::Millis;

pub use grid::{Grid, Series};
pub use money::Money;
pub use tally::{ApiTally, Tally};
pub use warmth::Evidence;

/// What measures how a stage is doing.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// What was measured of some functions of the stage, and of the stage itself.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn measure(
        &self,
        functions: &BTreeSet<FunctionName>,
        grid: Grid,
        extent: Extent,
    ) -> Result<Measurement, Error>;

    /// How long who watches waits before it is worth measuring anew.
    fn rhythm(&self) -> Duration;
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Whole,
    /// What shows the worth of warm rules, and nothing of what costs further calls.
    Warmth,
}

/// What was measured of a stage.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The spans that were measured.
    pub grid: Grid,
    /// From when on everything is counted: later than the first span where the log of this machine no longer reaches so far back.
    pub covers: Millis,
    /// Whether lines of the log of this machine were lost, so that there may be more of everything.
    pub has_gaps: bool,
    /// The functions that were asked for.
    pub functions: BTreeMap<FunctionName, FunctionMeasure>,
    /// What asks for the functions from outside, where the stage has such a thing.
    pub api: Option<ApiMeasure>,
    /// The throttle of each key.
    pub throttle: Option<Throttle>,
    /// The quota of each key.
    pub quota: Option<Quota>,
    /// The keys of the stage.
    pub keys: BTreeMap<KeyName, KeyMeasure>,
    /// What answers the stage, where servers do.
    pub server: Option<ServerMeasure>,
    /// Who is to be paid.
    pub payee: Payee,
    /// Why something is not known that could be, for people.
    pub notes: Vec<String>,
}

/// Who is paid for a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payee {
    /// AWS, for what a stage uses.
    Use,
    /// AWS, for servers by the hour.
    Servers,
    /// Nobody.
    Nobody,
}

/// What was measured of a function.
#[derive(Clone, Debug, Default)]
pub struct FunctionMeasure {
    /// What is live of it; `None` where it is not at the stage.
    pub size: Option<FunctionSize>,
    /// Its warm rule.
    pub warm: Option<WarmState>,
    /// Events, pings among them.
    pub invocations: Option<Series>,
    /// Events that failed.
    pub errors: Option<Series>,
    /// Events that were not let in, because every sandbox was busy.
    pub throttles: Option<Series>,
    /// Firings of its warm rule.
    pub pings: Option<Series>,
    /// The most events at the same time.
    pub at_once: Option<Series>,
    /// How long events took, span by span.
    pub durations: Option<Percentiles<Series>>,
    /// How long events took over all spans, in milliseconds.
    pub duration: Option<Percentiles<f64>>,
    /// The time that events took together, in milliseconds.
    pub busy_ms: Option<f64>,
    /// Cold starts.
    pub cold: Option<ColdStarts>,
    /// What it has used since the month began.
    pub month: Option<Used>,
}

/// How large a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSize {
    /// In MB; 0 of a function in a server, which shares its task's.
    pub memory: u32,
    /// Its instruction set.
    pub architecture: Architecture,
}

/// A warm rule that is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmState {
    /// How often it fires; `None` for a schedule that mdo would not write.
    pub rate: Option<Rate>,
    /// Whether it fires at all.
    pub enabled: bool,
}

/// The value below which half, 95 and 99 of a hundred are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles<T> {
    /// The median.
    pub p50: T,
    /// 95 of a hundred.
    pub p95: T,
    /// 99 of a hundred.
    pub p99: T,
}

/// Events that had to wait for a new sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct ColdStarts {
    /// How many there were.
    pub series: Series,
    /// Whether these are all: else there are at least so many.
    pub is_complete: bool,
}

/// What was used in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Events.
    pub invocations: f64,
    /// The time that they took together, in milliseconds.
    pub busy_ms: f64,
}

/// What was measured of a stage's API.
#[derive(Clone, Debug, Default)]
pub struct ApiMeasure {
    /// Requests, refused ones among them.
    pub requests: Option<Series>,
    /// Requests that were answered with 400 to 499.
    pub client_errors: Option<Series>,
    /// Requests that were answered with 500 and more.
    pub server_errors: Option<Series>,
    /// From head to end of a request over all spans, in milliseconds.
    pub latency: Option<Percentiles<f64>>,
    /// How many there were since the month began.
    pub month: Option<f64>,
}

/// What was measured of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyMeasure {
    /// Requests that were let in, in the present period of the quota.
    pub used: Option<u64>,
    /// Requests in the time that is measured that were above throttle or quota.
    pub refused: Option<u64>,
}

/// What was measured of what answers a hosted stage.
#[derive(Clone, Debug, Default)]
pub struct ServerMeasure {
    /// How many tasks run.
    pub running: u32,
    /// How many are wanted.
    pub wanted: u32,
    /// How much of the processor is used, in percent.
    pub cpu: Option<Series>,
    /// How much of the memory is used, in percent.
    pub memory: Option<Series>,
    /// The hours that tasks have run since the month began.
    pub task_hours: Option<f64>,
    /// The hours of the month so far.
    pub month_hours: f64,
    /// What it costs in an hour.
    pub cost: Option<HourlyCost>,
}

impl FunctionMeasure {
    /// Whether it is known that nobody has called it.
    pub fn is_idle(&self) -> bool {
        self.invocations.as_ref().is_some_and(|invocations| invocations.total() == 0.0)
    }

    /// Events that were no pings.
    pub fn requests(&self) -> Option<Series> {
        Some(self.invocations.as_ref()?.without(self.pings.as_ref()?))
    }
}
