//! What is recorded of the requests to the API's stage, where the files say so; where they do not, it stays as it is live.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Traces and access logs of the API's stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Whether X-Ray traces requests; `None` where the files do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<bool>,
    /// Where a line for each request goes; `None` where the files do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_logs: Option<AccessLogs>,
}

impl Recording {
    /// What the files say, and for the rest what is live.
    pub(super) fn or(&self, live: &Self) -> Self {
        Self {
            tracing: self.tracing.or(live.tracing),
            access_logs: self.access_logs.clone().or_else(|| live.access_logs.clone()),
        }
    }
}

/// Where access logs go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum AccessLogs {
    /// Nowhere.
    Off,
    /// To a log group or a Firehose stream, by its ARN.
    To(String),
}

impl AccessLogs {
    /// To what has an ARN. API Gateway leaves out what stands for the streams of a log group.
    pub fn to(arn: &str) -> Self {
        Self::To(arn.trim_end_matches(":*").to_owned())
    }
}

/// What stands for no access logs.
const OFF: &str = "off";

impl From<String> for AccessLogs {
    fn from(text: String) -> Self {
        if text == OFF { Self::Off } else { Self::To(text) }
    }
}

impl From<AccessLogs> for String {
    fn from(logs: AccessLogs) -> Self {
        logs.to_string()
    }
}

impl fmt::Display for AccessLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => OFF,
            Self::To(arn) => arn,
        })
    }
}
