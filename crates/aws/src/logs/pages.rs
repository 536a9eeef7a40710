//! What CloudWatch Logs keeps of a stage: of each function's log group, which all stages write to, the lines of the versions that are the
//! stage's own; of a hosted stage, its servers' log group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use mdo_engine::logs::{Lateness, LogBody, LogEvent, LogPage, LogQuery, LogSource, Logs, platform_line};
use mdo_engine::{Cause, Error};
use mdo_model::project::FunctionName;

use super::server_line;
use crate::AwsProvider;
use crate::lambda::StageVersions;

/// How long until it is worth looking for new events. There are few looks in a second that an account has, for all of its readers.
const RHYTHM: Duration = Duration::from_secs(2);

/// An event is listed some seconds after it was written; when much is logged, more than a minute.
const LATENESS: Lateness = Lateness { mostly: 10_000, at_most: 120_000 };

/// What is known of whose a function's versions are.
pub(crate) type KnownVersions = std::sync::Mutex<BTreeMap<FunctionName, Arc<StageVersions>>>;

#[async_trait]
impl Logs for AwsProvider {
    async fn sources(
        &self,
        functions: &BTreeSet<FunctionName>,
        _whole: bool,
    ) -> Result<Vec<LogSource>, Error> {
        self.identify_if_bound().await?;
        if self.hosted.hosts() {
            return Ok(vec![LogSource { place: self.names.server_log_group(), function: None }]);
        }
        let source = |function: &FunctionName| LogSource {
            place: self.names.log_group(function),
            function: Some(function.clone()),
        };
        Ok(functions.iter().map(source).collect())
    }

    async fn page(
        &self,
        source: &LogSource,
        query: &LogQuery,
        position: Option<String>,
    ) -> Result<LogPage, Error> {
        let (aws, group) = (&self.aws, &source.place);
        let pattern = query.text.as_deref().and_then(pattern);
        let streams = query.stream.as_ref().map(|stream| vec![stream.to_string()]);
        let answer = aws
            .call("logs:FilterLogEvents", group, || {
                aws.logs
                    .filter_log_events()
                    .log_group_name(group)
                    .start_time(query.since.max(0))
                    // Its end is not in it.
                    .end_time(query.until.saturating_add(1))
                    .set_filter_pattern(pattern.clone())
                    .set_log_stream_names(streams.clone())
                    .set_next_token(position.clone())
                    .send()
            })
            .await;
        let answer = match answer {
            Err(error) if error.is(&Cause::Gone) => return Ok(LogPage::default()),
            answer => answer?,
        };
        let events = answer.events.unwrap_or_default();
        let next = answer.next_token.filter(|token| !token.is_empty());
        let has = |said: &str| query.text.as_deref().is_none_or(|text| said.contains(text));
        let events = match &source.function {
            Some(function) => {
                let versions = self.versions_of(function, &events).await?;
                let own = events.into_iter().filter(|event| is_own(event, versions.as_deref()));
                let own = own.filter(|event| has(event.message().unwrap_or_default()));
                own.map(|event| of_function(function, event)).collect()
            }
            None => events.into_iter().filter_map(|event| of_servers(event, has)).collect(),
        };
        Ok(LogPage { events, next })
    }

    fn rhythm(&self) -> Duration {
        RHYTHM
    }

    fn lateness(&self) -> Lateness {
        LATENESS
    }
}

impl AwsProvider {
    /// Whose the versions are that have written events; read anew where one is not known. `None` where the function is gone.
    async fn versions_of(
        &self,
        function: &FunctionName,
        events: &[FilteredLogEvent],
    ) -> Result<Option<Arc<StageVersions>>, Error> {
        if events.is_empty() {
            return Ok(None);
        }
        let known = || self.logging.lock().unwrap_or_else(PoisonError::into_inner);
        let present = known().get(function).cloned();
        let knows = |versions: &Arc<StageVersions>| {
            events.iter().filter_map(version).all(|version| versions.all.contains(version))
        };
        if let Some(versions) = present.filter(knows) {
            return Ok(Some(versions));
        }
        let Some(mut read) = self.stage_versions(function).await? else { return Ok(None) };
        // One that was deleted since is not asked for again at each page.
        read.all.extend(events.iter().filter_map(version).map(str::to_owned));
        let read = Arc::new(read);
        known().insert(function.clone(), Arc::clone(&read));
        Ok(Some(read))
    }
}

/// The version whose sandbox has written an event: its stream is named `2026/11/27/[7]0123…`.
fn version(event: &FilteredLogEvent) -> Option<&str> {
    event.log_stream_name()?.split_once('[')?.1.split_once(']').map(|(version, _)| version)
}

/// Whether an event is of the stage. Where there is no telling, it is.
fn is_own(event: &FilteredLogEvent, versions: Option<&StageVersions>) -> bool {
    match (version(event), versions) {
        (Some(version), Some(versions)) => versions.own.contains(version),
        _ => true,
    }
}

fn of_function(function: &FunctionName, event: FilteredLogEvent) -> LogEvent {
    let text = event.message.unwrap_or_default();
    LogEvent {
        id: event.event_id.unwrap_or_default(),
        at: event.timestamp.unwrap_or_default(),
        function: Some(function.clone()),
        stream: event.log_stream_name.unwrap_or_default().into(),
        request_id: None,
        body: platform_line(&text).unwrap_or(LogBody::Text(text)),
    }
}

/// A line of a server, where it has what is asked for as it stands in the log or as the function wrote it.
fn of_servers(event: FilteredLogEvent, has: impl Fn(&str) -> bool) -> Option<LogEvent> {
    let text = event.message.unwrap_or_default();
    let line = server_line::read(text.trim_end());
    let is_wanted = has(&text) || matches!(&line.body, LogBody::Text(said) | LogBody::Gap(said) if has(said));
    is_wanted.then(|| LogEvent {
        id: event.event_id.unwrap_or_default(),
        at: event.timestamp.unwrap_or_default(),
        function: line.function,
        stream: event.log_stream_name.unwrap_or_default().into(),
        request_id: line.request_id,
        body: line.body,
    })
}

/// The filter pattern of CloudWatch that finds a text wherever it stands, as a regular expression: a word or a phrase in quotes is said to
/// find whole words. `None` where a text has what such an expression may not have; then all is read, and looked through here.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
fn pattern(text: &str) -> Option<String> {
    let written = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || "_#=@/;,-:".contains(letter) => Some(letter.to_string()),
        '.' => Some("\\.".to_owned()),
        ' ' => Some("\\s".to_owned()),
        _ => None,
    };
    let expression = text.chars().map(written).collect::<Option<String>>()?;
    (!expression.is_empty()).then(|| format!("%{expression}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_which_an_expression_can_be_made_is_looked_for_by_cloudwatch() {
        assert_eq!(pattern("RequestId: 1.2-ab").as_deref(), Some("%RequestId:\\s1\\.2-ab%"));
        for text in ["", "{ $.level = 1 }", "say \"x\"", "ä", "a|b", "%x%", "?a", "f()", "50%"] {
            assert_eq!(pattern(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_is_the_stages_by_the_version_in_its_streams_name() {
        let event = |stream: &str| FilteredLogEvent::builder().log_stream_name(stream).build();
        let versions =
            StageVersions { own: ["7".to_owned()].into(), all: ["6".to_owned(), "7".to_owned()].into() };
        assert!(is_own(&event("2026/11/27/[7]0123"), Some(&versions)));
        assert!(!is_own(&event("2026/11/27/[6]0123"), Some(&versions)));
        assert!(!is_own(&event("2026/11/27/[$LATEST]0123"), Some(&versions)));
        assert!(is_own(&event("by-hand"), Some(&versions)));
        assert!(is_own(&event("2026/11/27/[6]0123"), None));
    }
}
