//! Changes of a function at one stage: its log group, version, alias, permissions and reserved concurrency.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_lambda::types::AliasRoutingConfiguration;
use mdo_engine::{Applied, Error, ErrorKind, Run};
use mdo_model::project::FunctionName;
use mdo_model::stack::{Change, Function, Invoker, Kind};

use super::permissions;
use super::publish::Published;
use super::read::Lookup;
use crate::lambda;
use crate::ownership::Owner;
use crate::{AwsProvider, logs};

/// The fields that are not frozen in a version.
const OUTSIDE_VERSIONS: [&str; 3] = ["concurrency", "invokers", "log_retention_days"];

impl Published {
    fn applied(self) -> Applied {
        let kept = self.kept.join(", ");
        let warnings = match kept.is_empty() {
            true => Vec::new(),
            false => vec![format!("kept {kept}, which the function had and no file sets")],
        };
        Applied { version: Some(self.version), warnings }
    }
}

impl AwsProvider {
    /// Brings a function to this stage: a new one, or a new alias of one that other stages have.
    pub(crate) async fn create_function(
        &self,
        name: &FunctionName,
        wanted: &Function,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<Applied, Error> {
        let known = self.known(name);
        let log = self.claim_log_group(name, known.log_group.is_some(), wanted.log_retention_days);
        let function = async {
            self.wait_for_role(change, run).await?;
            let published = self.first_version(name, wanted, known.exists, change, run).await?;
            self.point_alias(name, &published.version, false).await?;
            run.announce(&change.id);
            let callers = self.permit(name, &wanted.invokers, change, run);
            let active = async {
                if published.busy {
                    run.waiting(&change.id, "Lambda to make it active");
                    let stage = Some(self.names.stage.as_str());
                    lambda::settled_soon(&self.aws, &self.names, name, stage).await?;
                }
                match wanted.concurrency {
                    Some(_) => self.reserve(name, wanted.concurrency).await,
                    None => Ok(()),
                }
            };
            let (callers, active) = futures::future::join(callers, active).await;
            callers?;
            active?;
            Ok::<_, Error>(published)
        };
        let (log, function) = futures::future::join(log, function).await;
        let published = function?;
        log?;
        Ok(published.applied())
    }

    /// Brings a function's alias to what is wanted, by the steps that the differing fields need.
    pub(crate) async fn update_function(
        &self,
        name: &FunctionName,
        before: &Function,
        wanted: &Function,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<Applied, Error> {
        let known = self.known(name);
        let log = async {
            if change.touches("log_retention_days") {
                self.claim_log_group(name, known.log_group.is_some(), wanted.log_retention_days).await?;
            }
            Ok::<_, Error>(())
        };
        let version = async {
            let frozen = |path: &str| !OUTSIDE_VERSIONS.iter().any(|field| path.starts_with(field));
            if !change.fields.iter().any(|field| frozen(&field.path)) {
                return Ok::<_, Error>(Applied { version: known.version.clone(), ..Applied::default() });
            }
            self.wait_for_role(change, run).await?;
            // What is served is ours, so that its code can be replaced before anything else is asked.
            let is_new_code = known.is_ours && before.code != wanted.code && before.code.is_some();
            let published = self.publish(name, wanted, is_new_code, &change.id, run).await?;
            self.point_alias(name, &published.version, true).await?;
            Ok(published.applied())
        };
        let callers = async {
            for invoker in before.invokers.difference(&wanted.invokers) {
                permissions::remove(&self.aws, &self.names, name, *invoker).await?;
            }
            let added = wanted.invokers.difference(&before.invokers).copied().collect();
            self.permit(name, &added, change, run).await?;
            if change.touches("concurrency") {
                self.reserve(name, wanted.concurrency).await?;
            }
            Ok::<_, Error>(())
        };
        // One after the other: what is done for callers may leave another revision behind.
        let version_and_callers = async {
            let applied = version.await?;
            callers.await?;
            Ok::<_, Error>(applied)
        };
        let (log, applied) = futures::future::join(log, version_and_callers).await;
        let applied = applied?;
        log?;
        Ok(applied)
    }

    /// Takes a function from this stage; where no other stage has it, all of it goes.
    pub(crate) async fn delete_function(&self, name: &FunctionName) -> Result<Applied, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let stage = self.names.stage.as_str();
        ignore_absent(
            aws.call("lambda:DeleteAlias", &full, || {
                aws.lambda.delete_alias().function_name(&full).name(stage).send()
            })
            .await,
        )?;
        if self.aliases(name).await?.is_some_and(|aliases| !aliases.is_empty()) {
            return Ok(Applied::default());
        }
        ignore_absent(
            aws.call("lambda:DeleteFunction", &full, || {
                aws.lambda.delete_function().function_name(&full).send()
            })
            .await,
        )?;
        let mut applied = Applied::default();
        let group = self.names.log_group(name);
        match logs::owner(aws, &self.names, name).await {
            Ok(Owner::Us) => {
                let deleted = logs::delete(aws, &self.names, name).await;
                applied.warnings.extend(deleted.err().map(|error| error.to_string()));
            }
            Ok(_) => applied.warnings.push(format!("kept log group {group}, which mdo did not make")),
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => applied.warnings.push(error.to_string()),
        }
        Ok(applied)
    }

    /// The aliases of a function that is ours; `None` when there is no such function.
    pub(crate) async fn own_aliases(&self, name: &FunctionName) -> Result<Option<BTreeSet<String>>, Error> {
        match lambda::look_up(&self.aws, &self.names, name, None).await? {
            Lookup::Found(live) if !is_foreign(&live.owner) => self.aliases(name).await,
            _ => Ok(None),
        }
    }

    /// The aliases of a function; `None` when there is no such function.
    pub(crate) async fn aliases(&self, name: &FunctionName) -> Result<Option<BTreeSet<String>>, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let mut aliases = BTreeSet::new();
        let mut marker: Option<String> = None;
        loop {
            let answer = aws
                .call("lambda:ListAliases", &full, || {
                    aws.lambda.list_aliases().function_name(&full).set_marker(marker.clone()).send()
                })
                .await;
            let answer = match answer {
                Err(error) if error.is_code("ResourceNotFoundException") => return Ok(None),
                answer => answer?,
            };
            aliases.extend(answer.aliases().iter().filter_map(|alias| alias.name().map(str::to_owned)));
            marker = answer.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(Some(aliases));
            }
        }
    }

    async fn wait_for_role(&self, change: &Change, run: &Run<'_>) -> Result<(), Error> {
        for role in change.needs.iter().filter(|id| id.kind == Kind::Role) {
            run.usable(role).await?;
        }
        Ok(())
    }

    async fn first_version(
        &self,
        name: &FunctionName,
        wanted: &Function,
        exists: bool,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<Published, Error> {
        if !exists {
            match self.create_published(name, wanted, &change.id, run).await {
                // Another stage has it: observe does not ask, so that a first deploy needs no call more.
                Err(error) if error.is_code("ResourceConflictException") => {}
                answer => return answer,
            }
        }
        self.publish(name, wanted, false, &change.id, run).await
    }

    /// Points the stage's alias at a version. `exists` is what is known; the alias may have come or gone since.
    async fn point_alias(&self, name: &FunctionName, version: &str, exists: bool) -> Result<(), Error> {
        let answer = match exists {
            true => self.update_alias(name, version).await,
            false => self.create_alias(name, version).await,
        };
        match answer {
            Err(error) if exists && error.is_code("ResourceNotFoundException") => {
                self.create_alias(name, version).await
            }
            Err(error) if !exists && error.is_code("ResourceConflictException") => {
                self.update_alias(name, version).await
            }
            answer => answer,
        }
    }

    async fn create_alias(&self, name: &FunctionName, version: &str) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let stage = self.names.stage.as_str();
        aws.call("lambda:CreateAlias", &full, || {
            aws.lambda.create_alias().function_name(&full).name(stage).function_version(version).send()
        })
        .await
        .map(drop)
    }

    async fn update_alias(&self, name: &FunctionName, version: &str) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let stage = self.names.stage.as_str();
        // Weights that somebody has set would go on sending a part of the traffic to another version.
        let all_of_it =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new()));
        let all_of_it = all_of_it.build();
        aws.call("lambda:UpdateAlias", &full, || {
            let request = aws.lambda.update_alias().function_name(&full).name(stage);
            request.function_version(version).routing_config(all_of_it.clone()).send()
        })
        .await
        .map(drop)
    }

    /// Lets each invoker call the alias; the API's statement needs the API's id, so it waits for that alone.
    async fn permit(
        &self,
        name: &FunctionName,
        invokers: &BTreeSet<Invoker>,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<(), Error> {
        let each = invokers.iter().map(|invoker| async {
            if *invoker == Invoker::Api {
                for api in change.needs.iter().filter(|id| id.kind == Kind::Api) {
                    run.usable(api).await?;
                }
            }
            let api = self.api_id();
            permissions::add(&self.aws, &self.names, name, *invoker, api.as_deref()).await
        });
        let answers = futures::future::join_all(each).await;
        answers.into_iter().collect()
    }

    /// Reserves concurrency, or none, and notes in a tag that it did.
    async fn reserve(&self, name: &FunctionName, concurrency: Option<u32>) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let arn = aws.arn("lambda", format_args!("function:{full}"))?;
        match concurrency {
            Some(reserved) => {
                // The tag first: what it says to look at is looked at, even if nothing comes of the rest.
                aws.call("lambda:TagResource", &full, || {
                    aws.lambda.tag_resource().resource(&arn).tags(lambda::CONCURRENCY_TAG, "reserved").send()
                })
                .await?;
                aws.call("lambda:PutFunctionConcurrency", &full, || {
                    let reserved = i32::try_from(reserved).unwrap_or(i32::MAX);
                    aws.lambda
                        .put_function_concurrency()
                        .function_name(&full)
                        .reserved_concurrent_executions(reserved)
                        .send()
                })
                .await
                .map(drop)
            }
            None => {
                aws.call("lambda:DeleteFunctionConcurrency", &full, || {
                    aws.lambda.delete_function_concurrency().function_name(&full).send()
                })
                .await?;
                aws.call("lambda:UntagResource", &full, || {
                    aws.lambda.untag_resource().resource(&arn).tag_keys(lambda::CONCURRENCY_TAG).send()
                })
                .await
                .map(drop)
            }
        }
    }

    /// Makes a function's log group, or takes the one that is there if it is ours, and has it keep logs as long as wanted.
    async fn claim_log_group(
        &self,
        name: &FunctionName,
        exists: bool,
        days: Option<u16>,
    ) -> Result<(), Error> {
        let (aws, names) = (&self.aws, &self.names);
        let is_new = !exists && logs::create(aws, names, name).await?;
        if !is_new {
            let owner = logs::owner(aws, names, name).await?;
            owner.check("the log group", &names.log_group(name), self.adopts())?;
            if owner != Owner::Us {
                logs::tag(aws, names, name).await?;
            }
        }
        logs::retain(aws, names, name, !is_new, days).await
    }
}

/// Whether a function is another project's, which shares a prefix with ours.
pub(crate) fn is_foreign(owner: &Owner) -> bool {
    *owner != Owner::Us
}

fn ignore_absent<T>(answer: Result<T, Error>) -> Result<(), Error> {
    match answer {
        Err(error) if !error.is_code("ResourceNotFoundException") => Err(error),
        _ => Ok(()),
    }
}
