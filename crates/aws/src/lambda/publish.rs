//! Publishes versions: creates a function, or brings `$LATEST` to what is wanted and freezes it.
//!
//! `$LATEST` may hold another stage's configuration or code, so a publication always compares all of it; and every step
//! is guarded by the revision that the step before has left, so that two deploys at once cannot publish each other's half.

use std::time::Duration;

use aws_sdk_lambda::types::{LastUpdateStatus, State};
use mdo_engine::{Cause, Error, Run};
use mdo_model::project::{FunctionConfiguration, FunctionName, environment_size};
use mdo_model::quotas::ENVIRONMENT_LIMIT;
use mdo_model::stack::{Function, ResourceId};
use tokio::time::Instant;

use super::code;
use super::description;
use super::read::Live;
use super::request::{architecture, configure};
use crate::AwsProvider;
use crate::client::Aws;
use crate::lambda;
use crate::ownership::{Owner, project_tags, tag_map};
use crate::pace::jitter;

/// How often a publication that other deploys go over is begun.
const TRIES: u32 = 5;

/// How long a fresh role may take to be assumable.
const ASSUMABLE_WITHIN: Duration = Duration::from_secs(60);

/// A published version.
pub(crate) struct Published {
    pub version: String,
    /// Whether Lambda is still at work on it.
    pub busy: bool,
    /// Environment variables of an adopted function that no file sets, and that it keeps.
    pub kept: Vec<String>,
}

impl Published {
    fn new(
        version: Option<&str>,
        state: Option<&State>,
        update: Option<&LastUpdateStatus>,
    ) -> Result<Self, Error> {
        let missing = || Error::new(Cause::Other, "Lambda's answer names no version");
        let version = version.filter(|version| *version != "$LATEST").ok_or_else(missing)?;
        Ok(Self { version: version.to_owned(), busy: lambda::is_busy(state, update), kept: Vec::new() })
    }
}

impl Published {
    /// One that was there before.
    pub(crate) fn of(version: u64) -> Self {
        Self { version: version.to_string(), busy: false, kept: Vec::new() }
    }
}

impl AwsProvider {
    /// Creates a function with its first version, waiting for its role to be assumable.
    pub(crate) async fn create_published(
        &self,
        name: &FunctionName,
        wanted: &Function,
        id: &ResourceId,
        run: &Run<'_>,
    ) -> Result<Published, Error> {
        let aws = &self.aws;
        let full = self.names.function(name);
        let wanted = &self.with_layers(wanted)?;
        let zip = code::of_function((aws, &self.names), name, wanted, run).await?;
        let code = code::prepare(aws, self.artifacts.as_ref(), zip, id, run).await?;
        let text = self.describe(&wanted.configuration);
        let role = self.role_arn(wanted)?;
        let tags = tag_map(&self.names, &wanted.tags);
        let create = || {
            aws.send("lambda:CreateFunction", &full, code.bytes(), || async {
                configure!(aws.lambda.create_function(), &wanted.configuration, &text, &role, false)
                    .function_name(&full)
                    .architectures(architecture(&wanted.configuration))
                    .code(code.load().await?)
                    .set_tags(Some(tags.clone()))
                    .publish(true)
                    .send()
                    .await
            })
        };
        let answer = once_assumable(create, |pause| {
            run.waiting(id, format!("role {} to be assumable by Lambda", wanted.role));
            run.pause(pause)
        })
        .await?;
        Published::new(answer.version(), answer.state(), answer.last_update_status())
    }

    /// Brings `$LATEST` to what is wanted, and publishes it. Where another deploy has gone over a half of it, nothing is
    /// published and it begins again, a few times.
    ///
    /// With `is_new_code` the code goes first, unasked; what it finds is compared afterwards. Anything else is read before
    /// it is changed.
    ///
    /// # Errors
    /// When that fails, and when other deploys keep going over it.
    pub(crate) async fn publish(
        &self,
        name: &FunctionName,
        wanted: &Function,
        is_new_code: bool,
        id: &ResourceId,
        run: &Run<'_>,
    ) -> Result<Published, Error> {
        for attempt in 1..TRIES {
            let goes_first = is_new_code && attempt == 1;
            match self.publish_once(name, wanted, goes_first, id, run).await {
                Err(error) if error.is(&Cause::Stale) => {
                    // Two that wait equally long would go over each other again.
                    run.pause(jitter(Duration::from_millis(400) * attempt)).await?;
                }
                answer => return answer,
            }
        }
        self.publish_once(name, wanted, false, id, run).await
    }

    /// Does it once, by as few calls as that takes.
    async fn publish_once(
        &self,
        name: &FunctionName,
        wanted: &Function,
        is_new_code: bool,
        id: &ResourceId,
        run: &Run<'_>,
    ) -> Result<Published, Error> {
        let mut wanted = self.with_layers(wanted)?;
        let mut kept = Vec::new();
        let mut latest = if is_new_code {
            self.upload(name, &wanted, None, id, run).await?
        } else {
            lambda::idle(&self.aws, &self.names, name, None).await?
        };
        if latest.owner != Owner::Us {
            latest.owner.check("function", &self.names.function(name), self.adopts())?;
            for (key, value) in &latest.function.configuration.environment {
                if !wanted.configuration.environment.contains_key(key) {
                    wanted.configuration.environment.insert(key.clone(), value.clone());
                    kept.push(key.clone());
                }
            }
            check_environment_size(name, &wanted, &kept)?;
            self.tag_function(&latest.arn).await?;
            // Tagging may leave another revision behind.
            latest = lambda::idle(&self.aws, &self.names, name, None).await?;
        }
        let held = &latest.function;
        if held.code != wanted.code || held.configuration.architecture != wanted.configuration.architecture {
            latest = self.upload(name, &wanted, latest.revision.as_deref(), id, run).await?;
        }
        let text = self.describe(&wanted.configuration);
        let mut before = None;
        // Another deploy may have written over it before it was read again; it is then written once more. What is the same
        // after a second time is what AWS makes of it.
        while !(same_configuration(&latest.function, &wanted) && self.is_told(&latest))
            && before.as_ref() != Some(&latest.function)
        {
            before = Some(latest.function.clone());
            self.update_configuration(name, &wanted, &text, latest.revision.as_deref(), run, id).await?;
            latest = lambda::settled_soon(&self.aws, &self.names, name, None).await?;
        }
        let published = self.freeze(name, &wanted, &text, latest.revision.as_deref()).await?;
        Ok(Published { kept, ..published })
    }

    /// Publishes `$LATEST` if it is still at this revision and has this code.
    async fn freeze(
        &self,
        name: &FunctionName,
        wanted: &Function,
        text: &str,
        revision: Option<&str>,
    ) -> Result<Published, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let code = wanted.code.map(|code| code.base64());
        let answer = self
            .once_settled(name, || {
                aws.call("lambda:PublishVersion", &full, || {
                    aws.lambda
                        .publish_version()
                        .function_name(&full)
                        .description(text)
                        .set_code_sha256(code.clone())
                        .set_revision_id(revision.map(str::to_owned))
                        .send()
                })
            })
            .await?;
        let published = Published::new(answer.version(), answer.state(), answer.last_update_status())?;
        if published.busy {
            let version = Some(published.version.as_str());
            lambda::settled_soon(aws, &self.names, name, version).await?;
        }
        Ok(Published { busy: false, ..published })
    }

    async fn update_configuration(
        &self,
        name: &FunctionName,
        wanted: &Function,
        text: &str,
        revision: Option<&str>,
        run: &Run<'_>,
        id: &ResourceId,
    ) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let role = self.role_arn(wanted)?;
        let update = || {
            self.once_settled(name, || {
                aws.call("lambda:UpdateFunctionConfiguration", &full, || {
                    configure!(
                        aws.lambda.update_function_configuration(),
                        &wanted.configuration,
                        text,
                        &role,
                        true
                    )
                    .function_name(&full)
                    .set_revision_id(revision.map(str::to_owned))
                    .send()
                })
            })
        };
        once_assumable(update, |pause| {
            run.waiting(id, format!("role {} to be assumable by Lambda", wanted.role));
            run.pause(pause)
        })
        .await
        .map(drop)
    }

    async fn upload(
        &self,
        name: &FunctionName,
        wanted: &Function,
        revision: Option<&str>,
        id: &ResourceId,
        run: &Run<'_>,
    ) -> Result<Box<Live>, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let zip = code::of_function((aws, &self.names), name, wanted, run).await?;
        let code = code::prepare(aws, self.artifacts.as_ref(), zip, id, run).await?;
        self.once_settled(name, || {
            aws.send("lambda:UpdateFunctionCode", &full, code.bytes(), || async {
                let code = code.load().await?;
                aws.lambda
                    .update_function_code()
                    .function_name(&full)
                    .set_zip_file(code.zip_file)
                    .set_s3_bucket(code.s3_bucket)
                    .set_s3_key(code.s3_key)
                    .architectures(architecture(&wanted.configuration))
                    .set_revision_id(revision.map(str::to_owned))
                    .send()
                    .await
            })
        })
        .await?;
        lambda::settled_soon(aws, &self.names, name, None).await
    }

    /// Makes a call, and makes it again once Lambda has finished an update that was still going on.
    async fn once_settled<T, F, Fut>(&self, name: &FunctionName, request: F) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        for _ in 0..5 {
            match request().await {
                Err(error) if error.is(&Cause::Busy) => {
                    lambda::idle(&self.aws, &self.names, name, None).await?;
                }
                answer => return answer,
            }
        }
        request().await
    }

    async fn tag_function(&self, arn: &str) -> Result<(), Error> {
        let aws = &self.aws;
        aws.call("lambda:TagResource", arn, || {
            let [(key, value)] = project_tags(&self.names);
            aws.lambda.tag_resource().resource(arn).tags(key, value).send()
        })
        .await
        .map(drop)
    }

    fn describe(&self, wanted: &FunctionConfiguration) -> String {
        description::full(&wanted.description, &self.names.stage, &self.origin)
    }

    /// Whether a version of `$LATEST` as it is would be known as this stage's. Lambda publishes none where nothing has changed since the
    /// last one, and that may be another stage's: its logs would be both stages', and its history neither's.
    fn is_told(&self, latest: &Live) -> bool {
        latest.published_by.as_deref().is_none_or(|stage| stage == self.names.stage.as_str())
    }

    fn role_arn(&self, wanted: &Function) -> Result<String, Error> {
        role_arn(&self.aws, &wanted.role)
    }
}

/// Checks that what an adopted function keeps fits in beside what files set.
fn check_environment_size(name: &FunctionName, wanted: &Function, kept: &[String]) -> Result<(), Error> {
    let size = environment_size(&wanted.configuration.environment);
    if size <= ENVIRONMENT_LIMIT {
        return Ok(());
    }
    let message = format!(
        "the environment of function {name} has {size} bytes with {}, which the function has and no file sets: Lambda \
         takes at most {ENVIRONMENT_LIMIT}",
        kept.join(", ")
    );
    Err(Error::new(Cause::Invalid, message)
        .with_help("remove what is not needed any more from the function, then adopt it"))
}

/// The ARN of a role that the model has by its bare name or by its ARN.
fn role_arn(aws: &Aws, role: &str) -> Result<String, Error> {
    if role.starts_with("arn:") {
        return Ok(role.to_owned());
    }
    Ok(format!("arn:{}:iam::{}:role/{role}", aws.partition, aws.account()?))
}

/// Repeats a request while the role that it names has not got around, for a minute at most, with a `wait` in between
/// that may end it.
async fn once_assumable<T, F, Fut, W, Wait>(request: F, wait: W) -> Result<T, Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
    W: Fn(Duration) -> Wait,
    Wait: Future<Output = Result<(), Error>>,
{
    let give_up = Instant::now() + ASSUMABLE_WITHIN;
    let mut pause = Duration::from_millis(250);
    loop {
        match request().await {
            Err(error) if error.is(&Cause::RoleNotReady) && Instant::now() + pause < give_up => {
                wait(pause).await?;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            answer => return answer,
        }
    }
}

/// Whether `$LATEST` has every setting that a version freezes, the code apart.
fn same_configuration(latest: &Function, wanted: &Function) -> bool {
    let mut configuration = latest.configuration.clone();
    configuration.architecture = wanted.configuration.architecture;
    configuration == wanted.configuration && latest.role == wanted.role
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn not_ready() -> Error {
        Error::new(Cause::RoleNotReady, "create function f: cannot be assumed by Lambda")
    }

    #[tokio::test(start_paused = true)]
    async fn a_fresh_role_is_waited_for_with_growing_pauses() {
        let start = Instant::now();
        let (tries, waits) = (AtomicU32::new(0), AtomicU32::new(0));
        let request = || async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0..5 => Err(not_ready()),
                _ => Ok(()),
            }
        };
        let count = async |pause| {
            waits.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            Ok(())
        };
        once_assumable(request, count).await.expect("an answer");
        assert_eq!(waits.load(Ordering::Relaxed), 5);
        assert_eq!(start.elapsed(), Duration::from_millis(250 + 500 + 1000 + 2000 + 2000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_never_gets_around_fails_within_a_minute() {
        let start = Instant::now();
        let request = || async { Err::<(), _>(not_ready()) };
        let wait = async |pause| {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        once_assumable(request, wait).await.expect_err("a failure");
        assert!(start.elapsed() <= ASSUMABLE_WITHIN);
    }
}
