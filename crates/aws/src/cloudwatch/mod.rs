//! CloudWatch: the call that reads metrics with what is asked for to say how a stage is doing, and the call that reads alarms.

mod alarms;
mod answers;
mod asked;
mod cold;
mod measure;

use std::borrow::Cow;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_xml::decode::{Document, ScopedDecoder};
use aws_types::SdkConfig;
use futures::future::try_join_all;
use mdo_engine::Error;
use mdo_engine::logs::Millis;

use self::answers::{Answers, Found};
use self::asked::{Asked, MetricQuery};
use crate::client::Aws;
use crate::query::{Answer, Form, Query, Service, data, local};
use crate::watch::Watch;

const CLOUDWATCH: Service =
    Service { id: "CloudWatch", host: "monitoring", signing: "monitoring", version: "2010-08-01" };

/// How many metrics a call may ask for.
const QUERIES: usize = 500;

/// CloudWatch in one region.
#[derive(Debug)]
pub(crate) struct CloudWatch(Query);

impl CloudWatch {
    pub(crate) fn new(config: SdkConfig, region: String, watch: Watch) -> Self {
        Self(Query::new(CLOUDWATCH, config, region, watch))
    }

    /// A page of what was measured between two times.
    async fn page(
        &self,
        queries: &[MetricQuery],
        (from, to): (Millis, Millis),
        position: Option<&str>,
    ) -> Answer<(Vec<Found>, Option<String>)> {
        let mut form: Form = vec![
            ("StartTime".into(), moment(from)),
            ("EndTime".into(), moment(to)),
            ("ScanBy".into(), "TimestampAscending".to_owned()),
        ];
        form.extend(position.map(|position| ("NextToken".into(), position.to_owned())));
        for (query, number) in queries.iter().zip(0..) {
            form.extend(query_form(query, number));
        }
        self.0.send("GetMetricData", form, answers::page).await
    }
}

/// Reads what was measured between two times, in as few calls as it takes, all of them at once.
async fn read(aws: &Aws, asked: &Asked, span: (Millis, Millis)) -> Result<Answers, Error> {
    let queries = asked.queries();
    let calls = queries.len().div_ceil(QUERIES).max(1);
    // Where nothing is asked for there is no chunk, and no call.
    // Evenly, because an answer has room for so many numbers only.
    let each = queries.chunks(queries.len().div_ceil(calls).max(1)).map(async |queries| {
        let mut answers = Answers::of(queries.len());
        let mut position = None;
        loop {
            let (found, next) = aws
                .call("cloudwatch:GetMetricData", "", || {
                    aws.cloudwatch.page(queries, span, position.as_deref())
                })
                .await?;
            answers.take(found);
            position = next;
            if position.is_none() {
                return Ok::<_, Error>(answers);
            }
        }
    });
    Ok(try_join_all(each).await?.into_iter().fold(Answers::of(0), Answers::and))
}

/// The members of the lists of these names in a page of an answer, and where the next page begins.
fn members<T>(
    text: &str,
    lists: &[&str],
    read: impl Fn(ScopedDecoder<'_, '_>) -> Result<T, BoxError>,
) -> Result<(Vec<T>, Option<String>), BoxError> {
    let (mut found, mut next) = (Vec::new(), None);
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    while let Some(mut result) = root.next_tag() {
        while let Some(mut tag) = result.next_tag() {
            match local(&tag).as_str() {
                "NextToken" => next = Some(data(&mut tag)?).filter(|token| !token.is_empty()),
                list if lists.contains(&list) => {
                    while let Some(member) = tag.next_tag() {
                        found.push(read(member)?);
                    }
                }
                _ => {}
            }
        }
    }
    Ok((found, next))
}

fn moment(at: Millis) -> String {
    DateTime::from_secs(at.div_euclid(1000)).fmt(Format::DateTime).unwrap_or_default()
}

fn query_form(query: &MetricQuery, number: usize) -> Form {
    let at = format!("MetricDataQueries.member.{}", number + 1);
    let name = |rest: &str| Cow::Owned(format!("{at}.{rest}"));
    let mut form: Form = vec![
        (name("Id"), format!("q{number}")),
        (name("MetricStat.Metric.Namespace"), query.namespace.to_owned()),
        (name("MetricStat.Metric.MetricName"), query.metric.to_owned()),
        (name("MetricStat.Period"), (query.period / 1000).to_string()),
        (name("MetricStat.Stat"), query.stat.to_owned()),
    ];
    for ((key, value), number) in query.dimensions.iter().zip(1..) {
        form.push((name(&format!("MetricStat.Metric.Dimensions.member.{number}.Name")), (*key).to_owned()));
        form.push((name(&format!("MetricStat.Metric.Dimensions.member.{number}.Value")), value.clone()));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_asked_for_by_name_dimensions_period_and_statistic() {
        let mut asked = Asked::default();
        let dimensions = [("FunctionName", "shop_echo".to_owned())];
        asked.ask(("AWS/Lambda", &dimensions), "Errors", "Sum", 300_000);
        let form = query_form(&asked.queries()[0], 1);
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            form,
            [
                "MetricDataQueries.member.2.Id=q1",
                "MetricDataQueries.member.2.MetricStat.Metric.Namespace=AWS/Lambda",
                "MetricDataQueries.member.2.MetricStat.Metric.MetricName=Errors",
                "MetricDataQueries.member.2.MetricStat.Period=300",
                "MetricDataQueries.member.2.MetricStat.Stat=Sum",
                "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Name=FunctionName",
                "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Value=shop_echo",
            ]
        );
        assert_eq!(moment(1_795_773_600_999), "2026-11-27T10:00:00Z");
    }
}
