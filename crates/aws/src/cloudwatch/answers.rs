//! What CloudWatch answers to a question for metrics.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_xml::decode::{ScopedDecoder, XmlDecodeError};
use mdo_engine::logs::Millis;
use mdo_engine::metrics::{Grid, Percentiles, Series};

use super::asked::Place;
use crate::query::{data, local};

/// A part of the answer to one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The number of the query.
    number: usize,
    points: Vec<(Millis, f64)>,
    /// Whether CloudWatch could not, or would not, read it.
    is_refused: bool,
}

/// What is known of each query; `None` where CloudWatch did not tell.
#[derive(Debug)]
pub(super) struct Answers(Vec<Option<Vec<(Millis, f64)>>>);

impl Answers {
    /// Answers to so many queries, without a number so far.
    pub(super) fn of(queries: usize) -> Self {
        Self(vec![Some(Vec::new()); queries])
    }

    /// Adds what a page has.
    pub(super) fn take(&mut self, page: Vec<Found>) {
        for Found { number, points, is_refused } in page {
            let Some(present) = self.0.get_mut(number) else { continue };
            match present {
                Some(present) if !is_refused => present.extend(points),
                _ => *present = None,
            }
        }
    }

    /// The answers to further queries behind these.
    #[must_use]
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    fn points(&self, place: Place) -> Option<&[(Millis, f64)]> {
        self.0.get(place.0)?.as_deref()
    }

    /// What was counted or measured in each span. Two numbers of one span are what `together` makes of them.
    pub(super) fn series(&self, place: Place, grid: Grid, together: fn(f64, f64) -> f64) -> Option<Series> {
        let mut series = grid.empty();
        for (at, value) in self.points(place)? {
            if let Some(present) = grid.at(*at).and_then(|number| series.0.get_mut(number)) {
                *present = Some(present.map_or(*value, |present| together(present, *value)));
            }
        }
        Some(series)
    }

    /// What was counted in each span.
    pub(super) fn counted(&self, place: Place, grid: Grid) -> Option<Series> {
        self.series(place, grid, |one, other| one + other)
    }

    /// Everything that was counted.
    pub(super) fn total(&self, place: Place) -> Option<f64> {
        Some(self.points(place)?.iter().fold(0.0, |sum, (_, value)| sum + value))
    }

    /// The percentiles of all spans together; `None` also where nothing was measured. CloudWatch gives one number for a period that is
    /// as long as all of them; should it divide the time, the greatest is the one that holds for all.
    pub(super) fn percentiles(&self, places: Percentiles<Place>) -> Option<Percentiles<f64>> {
        let greatest = |place| self.points(place)?.iter().map(|(_, value)| *value).reduce(f64::max);
        Some(Percentiles {
            p50: greatest(places.p50)?,
            p95: greatest(places.p95)?,
            p99: greatest(places.p99)?,
        })
    }

    /// The percentiles of each span.
    pub(super) fn percentile_series(
        &self,
        places: Percentiles<Place>,
        grid: Grid,
    ) -> Option<Percentiles<Series>> {
        let series = |place| self.series(place, grid, f64::max);
        Some(Percentiles { p50: series(places.p50)?, p95: series(places.p95)?, p99: series(places.p99)? })
    }
}

/// Reads a page of answers, and where the next one begins.
pub(super) fn page(text: &str) -> Result<(Vec<Found>, Option<String>), BoxError> {
    let (found, next) = super::members(text, &["MetricDataResults"], one)?;
    Ok((found.into_iter().flatten().collect(), next))
}

/// The answer to one query; `None` for one that was not asked.
fn one(mut member: ScopedDecoder<'_, '_>) -> Result<Option<Found>, BoxError> {
    let (mut id, mut status) = (String::new(), String::new());
    let (mut times, mut values) = (Vec::new(), Vec::new());
    while let Some(mut tag) = member.next_tag() {
        match local(&tag).as_str() {
            "Id" => id = data(&mut tag)?,
            "StatusCode" => status = data(&mut tag)?,
            "Timestamps" => times = texts(tag)?,
            "Values" => values = texts(tag)?,
            _ => {}
        }
    }
    let Some(number) = id.strip_prefix('q').and_then(|number| number.parse().ok()) else { return Ok(None) };
    let points = times.iter().zip(&values).map(|(time, value)| {
        let at = DateTime::from_str(time, Format::DateTimeWithOffset)?;
        Ok::<_, BoxError>((at.to_millis()?, value.parse()?))
    });
    // Further pages come, or all of it is there; else it is known not to be.
    let is_refused = ["InternalError", "Forbidden"].contains(&status.as_str());
    Ok(Some(Found { number, points: points.collect::<Result<_, _>>()?, is_refused }))
}

fn texts(mut tag: ScopedDecoder<'_, '_>) -> Result<Vec<String>, XmlDecodeError> {
    let mut all = Vec::new();
    while let Some(mut member) = tag.next_tag() {
        all.push(data(&mut member)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { start: 1_795_773_600_000, step: 300_000, count: 3 };

    const PAGE: &str = "<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><GetMetricDataResult>\
        <MetricDataResults><member><Id>q0</Id><Label>Invocations</Label>\
        <Timestamps><member>2026-11-27T10:00:00Z</member><member>2026-11-27T10:10:00+00:00</member></Timestamps>\
        <Values><member>3.0</member><member>4</member></Values><StatusCode>Complete</StatusCode></member>\
        <member><Id>q1</Id><Label>Errors</Label><Timestamps/><Values/><StatusCode>Complete</StatusCode></member>\
        <member><Id>q2</Id><Label>Secret</Label><Timestamps/><Values/><StatusCode>Forbidden</StatusCode></member>\
        </MetricDataResults><NextToken>more</NextToken></GetMetricDataResult>\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetMetricDataResponse>";

    #[test]
    fn numbers_stand_in_their_spans_and_what_was_not_told_is_not_known() {
        let (found, next) = page(PAGE).expect("a page");
        assert_eq!(next.as_deref(), Some("more"));
        let mut answers = Answers::of(4);
        answers.take(found.clone());
        answers.take(found);
        let series = |number| answers.counted(Place(number), GRID);
        // Both pages had the same.
        assert_eq!(series(0), Some(Series(vec![Some(6.0), None, Some(8.0)])));
        assert_eq!(series(1), Some(Series(vec![None; 3])));
        assert_eq!(series(2), None);
        assert_eq!(
            (answers.total(Place(0)), answers.total(Place(1)), answers.total(Place(2))),
            (Some(14.0), Some(0.0), None)
        );
        let places = |place| Percentiles { p50: place, p95: place, p99: place };
        assert_eq!(answers.percentiles(places(Place(0))).map(|found| found.p95), Some(4.0));
        assert_eq!(answers.percentiles(places(Place(1))), None);
        let both = Answers::of(1).and(answers);
        assert_eq!(both.total(Place(1)), Some(14.0));
    }
}
