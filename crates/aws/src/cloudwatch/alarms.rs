//! The alarms of an account: those that watch a metric, and those that are made of others.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>.

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_xml::decode::ScopedDecoder;
use mdo_engine::{Alarm, AlarmState, Alarms, Error};

use super::CloudWatch;
use crate::query::{Answer, Form, data, local};
use crate::{AwsProvider, pages};

/// How many alarms a page has at most, and how many names a call may give.
const ALARMS: usize = 100;

/// A page of alarms, and where the next one begins.
type Page = (Option<Vec<Alarm>>, Option<String>);

#[async_trait]
impl Alarms for AwsProvider {
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Error> {
        let mut all = Vec::new();
        for names in names.chunks(ALARMS) {
            all.extend(self.described(names).await?);
        }
        Ok(all)
    }

    async fn alarm_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.described(&[]).await?.into_iter().map(|alarm| alarm.name).collect())
    }
}

impl AwsProvider {
    /// The alarms of these names; all where there is no name.
    async fn described(&self, names: &[String]) -> Result<Vec<Alarm>, Error> {
        let (aws, on) = (&self.aws, names.join(", "));
        pages::all(async |position: Option<String>| {
            let request = || aws.cloudwatch.alarms(names, position.as_deref());
            aws.call("cloudwatch:DescribeAlarms", &on, request).await
        })
        .await
    }
}

impl CloudWatch {
    async fn alarms(&self, names: &[String], position: Option<&str>) -> Answer<Page> {
        self.0.send("DescribeAlarms", form(names, position), page).await
    }
}

fn form(names: &[String], position: Option<&str>) -> Form {
    let mut form: Form = vec![
        ("AlarmTypes.member.1".into(), "MetricAlarm".to_owned()),
        ("AlarmTypes.member.2".into(), "CompositeAlarm".to_owned()),
        ("MaxRecords".into(), ALARMS.to_string()),
    ];
    form.extend(position.map(|position| ("NextToken".into(), position.to_owned())));
    let named = names.iter().zip(1..);
    form.extend(named.map(|(name, number)| (format!("AlarmNames.member.{number}").into(), name.clone())));
    form
}

fn page(text: &str) -> Result<Page, BoxError> {
    let (found, next) = super::members(text, &["MetricAlarms", "CompositeAlarms"], one)?;
    Ok((Some(found), next))
}

fn one(mut member: ScopedDecoder<'_, '_>) -> Result<Alarm, BoxError> {
    let (mut name, mut reason, mut state) = (String::new(), String::new(), AlarmState::Unknown);
    let (mut updated, mut changed) = (String::new(), String::new());
    while let Some(mut tag) = member.next_tag() {
        match local(&tag).as_str() {
            "AlarmName" => name = data(&mut tag)?,
            "StateReason" => reason = data(&mut tag)?,
            "StateUpdatedTimestamp" => updated = data(&mut tag)?,
            "StateTransitionedTimestamp" => changed = data(&mut tag)?,
            "StateValue" => {
                state = match data(&mut tag)?.as_str() {
                    "OK" => AlarmState::Calm,
                    "ALARM" => AlarmState::Firing,
                    _ => AlarmState::Unknown,
                }
            }
            _ => {}
        }
    }
    // The reason may be updated while the state stays.
    let since = if changed.is_empty() { updated } else { changed };
    Ok(Alarm { name, state, since: seconds(&since), reason })
}

/// A time without the parts of its seconds; as it is where it is none.
fn seconds(time: &str) -> String {
    let at = DateTime::from_str(time, Format::DateTimeWithOffset).ok();
    let text = at.and_then(|at| DateTime::from_secs(at.secs()).fmt(Format::DateTime).ok());
    text.unwrap_or_else(|| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><DescribeAlarmsResult>\
        <CompositeAlarms><member><AlarmName>both</AlarmName><StateValue>INSUFFICIENT_DATA</StateValue></member></CompositeAlarms>\
        <MetricAlarms><member><AlarmName>errors</AlarmName><Dimensions><member><Name>N</Name><Value>V</Value></member></Dimensions>\
        <StateReason>Threshold Crossed: 5 &gt; 1</StateReason><StateValue>ALARM</StateValue>\
        <StateUpdatedTimestamp>2026-11-27T10:05:00.250Z</StateUpdatedTimestamp>\
        <StateTransitionedTimestamp>2026-11-27T10:00:00.750+00:00</StateTransitionedTimestamp></member>\
        <member><AlarmName>calm</AlarmName><StateValue>OK</StateValue><StateUpdatedTimestamp>2026-11-27T10:05:00Z</StateUpdatedTimestamp>\
        </member></MetricAlarms><NextToken>more</NextToken></DescribeAlarmsResult>\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeAlarmsResponse>";

    #[test]
    fn an_alarm_has_its_state_since_when_and_why() {
        let (found, next) = page(PAGE).expect("a page");
        let alarm = |name: &str, state, since: &str, reason: &str| Alarm {
            name: name.to_owned(),
            state,
            since: since.to_owned(),
            reason: reason.to_owned(),
        };
        assert_eq!(next.as_deref(), Some("more"));
        let wanted = vec![
            alarm("both", AlarmState::Unknown, "", ""),
            alarm("errors", AlarmState::Firing, "2026-11-27T10:00:00Z", "Threshold Crossed: 5 > 1"),
            alarm("calm", AlarmState::Calm, "2026-11-27T10:05:00Z", ""),
        ];
        assert_eq!(found, Some(wanted));
    }

    #[test]
    fn alarms_of_both_types_are_asked_for_by_name() {
        let form = form(&["a b".to_owned(), "c".to_owned()], Some("more"));
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            form,
            [
                "AlarmTypes.member.1=MetricAlarm",
                "AlarmTypes.member.2=CompositeAlarm",
                "MaxRecords=100",
                "NextToken=more",
                "AlarmNames.member.1=a b",
                "AlarmNames.member.2=c",
            ]
        );
    }
}
