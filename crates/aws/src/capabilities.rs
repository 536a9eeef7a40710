//! What only a live stack can answer, beside observing and changing it.

use std::path::Path;

use async_trait::async_trait;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mdo_engine::{
    Cause, Day, DayUsage, Error, ForeignPolicies, ForeignPolicy, Invocation, Invoke, Keys, LiveRevisions,
    Pings, Recent, Revisions, Share,
};
use mdo_model::project::{FunctionName, KeyName, Secret};
use mdo_model::stack::{Kind, Server};

use crate::{AwsProvider, api_gateway, hosted, iam, lambda, logs, s3};

impl AwsProvider {
    /// Why a function's own reserved concurrency keeps it from running.
    async fn capped(&self, function: &FunctionName, error: Error) -> Error {
        let message = match lambda::reserved(&self.aws, &self.names, function).await {
            Ok(Some(0)) => format!("function {function} is switched off: its `concurrency` is 0"),
            Ok(Some(reserved)) => format!(
                "function {function} has no sandbox free: all {reserved} that its `concurrency` allows are at work"
            ),
            _ => format!("function {function} has no sandbox free: its reserved concurrency is used up"),
        };
        let error = Error { message, ..error };
        error.with_help("raise `concurrency` in function.json, or take it out, and deploy")
    }
}

/// The text that is in base64, as far as it is text.
fn text_of_base64(text: &str) -> String {
    STANDARD.decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[async_trait]
impl Invoke for AwsProvider {
    async fn invoke(&self, function: &FunctionName, payload: &[u8]) -> Result<Invocation, Error> {
        self.identify_if_bound().await?;
        let (aws, name) = (&self.aws, self.names.function(function));
        let stage = self.names.stage.as_str();
        let answer = aws
            .call("lambda:Invoke", &name, || {
                aws.lambda
                    .invoke()
                    .function_name(&name)
                    .qualifier(stage)
                    .log_type(LogType::Tail)
                    .payload(Blob::new(payload))
                    .send()
            })
            .await;
        let answer = match answer {
            Err(error) if error.is(&Cause::Gone) => {
                let message = format!("there is no function {name} at stage {stage}");
                return Err(Error::new(Cause::Gone, message).with_help("`mdo deploy` brings it there"));
            }
            Err(error) if error.is(&Cause::Capped) => return Err(self.capped(function, error).await),
            answer => answer?,
        };
        Ok(Invocation {
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
            error: answer.function_error,
            // Lambda's runtimes separate the lines of a trace by carriage returns.
            log_tail: answer
                .log_result
                .as_deref()
                .map(text_of_base64)
                .unwrap_or_default()
                .replace('\r', "\n"),
            version: answer.executed_version,
        })
    }
}

#[async_trait]
impl Keys for AwsProvider {
    async fn key_value(&self, key: &KeyName) -> Result<Secret, Error> {
        self.identify_if_bound().await?;
        api_gateway::key_value(&self.aws, &self.names, key).await
    }

    async fn retire_key(&self, key: &KeyName, becomes: &KeyName, ends: &str) -> Result<(), Error> {
        api_gateway::retire_key(&self.aws, &self.names, &self.gateway, (key, becomes), ends).await
    }

    async fn key_usage(&self, key: &KeyName, days: (Day, Day)) -> Result<Vec<DayUsage>, Error> {
        api_gateway::key_usage(&self.aws, &self.names, &self.gateway, key, days).await
    }
}

#[async_trait]
impl Revisions for AwsProvider {
    async fn revisions(&self) -> Result<LiveRevisions, Error> {
        hosted::revisions(&self.aws, &self.names, &self.hosted).await
    }

    async fn revision(&self, number: u32) -> Result<Server, Error> {
        hosted::revision(&self.aws, &self.names, (&self.hosted, &self.gateway), number).await
    }
}

#[async_trait]
impl ForeignPolicies for AwsProvider {
    async fn foreign_policies(&self, role: Kind) -> Result<Vec<ForeignPolicy>, Error> {
        match role {
            Kind::Role => {
                let listed = self.state().role_regions.clone();
                iam::foreign(&self.aws, &self.names, &self.regions | &listed).await
            }
            other => self.given_by_hand(other).await,
        }
    }

    async fn given_by_hand(&self, role: Kind) -> Result<Vec<ForeignPolicy>, Error> {
        match role {
            Kind::Role => iam::given_by_hand(&self.aws, &self.names).await,
            Kind::ServerRole => iam::foreign_to(&self.aws, &self.names.server_role(), iam::POLICY).await,
            _ => Ok(Vec::new()),
        }
    }
}

#[async_trait]
impl Share for AwsProvider {
    async fn share(
        &self,
        file: &Path,
        key: &str,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<String, Error> {
        self.identify_if_bound().await?;
        let artifacts = self.artifacts.as_ref().ok_or_else(|| {
            Error::new(Cause::Invalid, "the project has no bucket")
                .with_help("name one in project.toml: `[artifacts]` with `bucket = \"…\"`")
        })?;
        s3::put(&self.aws, artifacts, file, key, progress).await
    }
}

#[async_trait]
impl Pings for AwsProvider {
    async fn pings(&self, function: &FunctionName) -> Result<Recent, Error> {
        let runs = logs::runs(&self.aws, &self.names, function).await?;
        Ok(Recent { runs, ..Recent::default() })
    }
}
