//! Which metrics are asked for.

use mdo_engine::logs::Millis;
use mdo_engine::metrics::Percentiles;

/// What has a metric: a namespace, and what tells one thing in it from others.
pub(super) type Thing<'a> = (&'static str, &'a [(&'static str, String)]);

/// A metric with a statistic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetricQuery {
    pub(super) namespace: &'static str,
    pub(super) dimensions: Vec<(&'static str, String)>,
    pub(super) metric: &'static str,
    pub(super) stat: &'static str,
    /// Of each number, in milliseconds.
    pub(super) period: Millis,
}

/// Where the answer to a query is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) usize);

/// Metrics that are asked for in one go.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<MetricQuery>);

impl Asked {
    /// Asks for one more.
    pub(super) fn ask(
        &mut self,
        (namespace, dimensions): Thing<'_>,
        metric: &'static str,
        stat: &'static str,
        period: Millis,
    ) -> Place {
        let dimensions = dimensions.to_vec();
        self.0.push(MetricQuery { namespace, dimensions, metric, stat, period });
        Place(self.0.len() - 1)
    }

    /// Asks for the percentiles of one.
    pub(super) fn percentiles(
        &mut self,
        thing: Thing<'_>,
        metric: &'static str,
        period: Millis,
    ) -> Percentiles<Place> {
        let mut ask = |stat| self.ask(thing, metric, stat, period);
        Percentiles { p50: ask("p50"), p95: ask("p95"), p99: ask("p99") }
    }

    pub(super) fn queries(&self) -> &[MetricQuery] {
        &self.0
    }
}
