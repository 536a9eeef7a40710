//! Changes of a function at one stage: its log group, version, alias, permissions and reserved concurrency.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_lambda::types::{AliasConfiguration, AliasRoutingConfiguration};
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{DerivativeId, FunctionName};
use mdo_model::stack::{Change, Function, Invoker, Kind, ResourceId};

use super::marks::Marks;
use super::permissions;
use super::publish::Published;
use super::read::Lookup;
use crate::AwsProvider;
use crate::lambda;
use crate::ownership::Owner;
use crate::pages;

/// What tells a stage from an alias that somebody else has made of one of our functions.
const ALIAS_DESCRIPTION: &str = "A stage of mdo";

/// Aliases by name, with whether each is a stage of mdo's making.
pub(crate) type Aliases = BTreeMap<String, bool>;

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
        self.wait_for_what_it_runs_with(wanted, change, run).await?;
        let published = self.first_version(name, wanted, known.exists, change, run).await?;
        if known.exists {
            self.retag(name, &known.tags, &wanted.tags).await?;
        }
        if self.point_alias(name, &published.version, false).await? == Pointed::AnothersAlias {
            self.note_rival(name, run);
        }
        self.note_version(name, &published.version);
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
        let mut applied = Applied { version: known.version.clone(), ..Applied::default() };
        let live = known.version.as_deref();
        if let Some(canary) = wanted.canary.as_ref().filter(|_| change.touches("canary")) {
            self.wait_for_what_it_runs_with(&canary.next, change, run).await?;
            let tried = self.publish(name, &canary.next, false, &change.id, run).await?.version;
            let share = Some((tried.parse().unwrap_or_default(), canary.percent));
            let marks = Marks { canary: share, ..known.marks.clone().at(live.unwrap_or_default()) };
            self.mark(name, &known.marks, &marks).await?;
            self.update_alias(name, live.unwrap_or_default(), Some((&tried, canary.percent))).await?;
        } else if before.freezes_as(wanted) && before.owned == wanted.owned {
            if let Some(version) = live.filter(|_| change.touches("canary")) {
                // A trial of 0 % is a mark alone.
                if known.marks.canary.is_some_and(|(_, percent)| percent > 0) {
                    self.update_alias(name, version, None).await?;
                }
                let marks = Marks { canary: None, ..known.marks.clone().at(version) };
                self.unmark(name, &known.marks, &marks).await?;
            }
        } else {
            self.wait_for_what_it_runs_with(wanted, change, run).await?;
            let published = match self.frozen_as(name, wanted) {
                Some(version) => Published::of(version),
                None => {
                    // What is served is ours, so that its code can be replaced by a package before anything else is asked.
                    let is_new_code = known.is_ours
                        && before.code != wanted.code
                        && before.code.is_some()
                        && run.packages().functions.contains_key(name);
                    self.publish(name, wanted, is_new_code, &change.id, run).await?
                }
            };
            let marks = known.marks.moved(live, &published.version);
            self.mark(name, &known.marks, &marks).await?;
            self.point_alias(name, &published.version, live.is_some()).await?;
            self.note_version(name, &published.version);
            self.unmark(name, &known.marks, &marks).await?;
            applied = published.applied();
        }
        // Afterwards: what is done for callers may leave another revision behind.
        for invoker in before.invokers.difference(&wanted.invokers) {
            permissions::remove(&self.aws, &self.names, name, *invoker).await?;
        }
        let added = wanted.invokers.difference(&before.invokers).copied().collect();
        self.permit(name, &added, change, run).await?;
        if change.touches("concurrency") {
            self.reserve(name, wanted.concurrency).await?;
        }
        self.retag(name, &before.tags, &wanted.tags).await?;
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
        let aliases = self.aliases(name).await?.unwrap_or_default();
        if !aliases.is_empty() {
            let names: Vec<&str> = aliases.keys().map(String::as_str).collect();
            let warnings = match aliases.values().any(|by_mdo| *by_mdo) {
                true => Vec::new(),
                false => {
                    vec![format!("kept, because of its alias {}, which mdo did not make", names.join(", "))]
                }
            };
            return Ok(Applied { warnings, ..Applied::default() });
        }
        ignore_absent(
            aws.call("lambda:DeleteFunction", &full, || {
                aws.lambda.delete_function().function_name(&full).send()
            })
            .await,
        )?;
        Ok(Applied::default())
    }

    /// The aliases of a function that is ours; `None` when there is no such function.
    pub(crate) async fn own_aliases(&self, name: &FunctionName) -> Result<Option<Aliases>, Error> {
        match lambda::look_up(&self.aws, &self.names, name, None).await? {
            Lookup::Found(live) if !is_foreign(&live.owner) => self.aliases(name).await,
            _ => Ok(None),
        }
    }

    /// The stages that a function of ours is at: its aliases, but for those that somebody else has made.
    pub(crate) async fn own_stages(&self, name: &FunctionName) -> Result<Vec<String>, Error> {
        let aliases = self.own_aliases(name).await?.unwrap_or_default();
        Ok(aliases.into_iter().filter(|(_, by_mdo)| *by_mdo).map(|(alias, _)| alias).collect())
    }

    /// The aliases of a function by name; `None` when there is no such function.
    pub(crate) async fn aliases(&self, name: &FunctionName) -> Result<Option<Aliases>, Error> {
        let aliases = self.list_aliases(name).await?.map(|listed| {
            listed.into_iter().filter_map(|alias| {
                let by_mdo = alias.description() == Some(ALIAS_DESCRIPTION);
                Some((alias.name?, by_mdo))
            })
        });
        Ok(aliases.map(Iterator::collect))
    }

    /// The aliases of a function as Lambda has them; `None` when there is no such function.
    pub(super) async fn list_aliases(
        &self,
        name: &FunctionName,
    ) -> Result<Option<Vec<AliasConfiguration>>, Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let listed = pages::all(async |position: Option<String>| {
            let answer = aws
                .call("lambda:ListAliases", &full, || {
                    aws.lambda.list_aliases().function_name(&full).set_marker(position.clone()).send()
                })
                .await?;
            Ok((answer.aliases, answer.next_marker))
        });
        match listed.await {
            Err(error) if error.is(&Cause::Gone) => Ok(None),
            listed => listed.map(Some),
        }
    }

    async fn wait_for_what_it_runs_with(
        &self,
        wanted: &Function,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<(), Error> {
        let is_needed = |id: &ResourceId| match id.kind {
            Kind::Role | Kind::Permissions => true,
            Kind::Derivative => {
                let id = id.name.parse::<DerivativeId>();
                id.is_ok_and(|id| wanted.derivatives.contains_key(&id.name))
            }
            _ => false,
        };
        for needed in change.needs.iter().filter(|id| is_needed(id)) {
            run.usable(needed).await?;
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
                Err(error) if error.is(&Cause::Exists) => {}
                answer => return answer,
            }
        }
        self.publish(name, wanted, false, &change.id, run).await
    }

    /// Points the stage's alias at a version. `exists` is what is known; the alias may have come or gone since.
    pub(crate) async fn point_alias(
        &self,
        name: &FunctionName,
        version: &str,
        exists: bool,
    ) -> Result<Pointed, Error> {
        let answer = match exists {
            true => self.update_alias(name, version, None).await,
            false => self.create_alias(name, version).await,
        };
        match answer {
            Err(error) if exists && error.is(&Cause::Gone) => {
                self.create_alias(name, version).await.map(|()| Pointed::OwnAlias)
            }
            Err(error) if !exists && error.is(&Cause::Exists) => {
                self.update_alias(name, version, None).await.map(|()| Pointed::AnothersAlias)
            }
            answer => answer.map(|()| Pointed::OwnAlias),
        }
    }

    async fn create_alias(&self, name: &FunctionName, version: &str) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let stage = self.names.stage.as_str();
        aws.call("lambda:CreateAlias", &full, || {
            let request = aws.lambda.create_alias().function_name(&full).name(stage);
            request.function_version(version).description(ALIAS_DESCRIPTION).send()
        })
        .await
        .map(drop)
    }

    /// Points the stage's alias at a version, and so many of a hundred requests at the one that is on trial beside it.
    async fn update_alias(
        &self,
        name: &FunctionName,
        version: &str,
        canary: Option<(&str, u8)>,
    ) -> Result<(), Error> {
        let (aws, full) = (&self.aws, self.names.function(name));
        let stage = self.names.stage.as_str();
        // Weights that somebody has set would go on sending a part of the traffic to another version.
        let weights: HashMap<String, f64> = canary
            .map(|(tried, percent)| (tried.to_owned(), f64::from(percent) / 100.0))
            .into_iter()
            .collect();
        let routing =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        aws.call("lambda:UpdateAlias", &full, || {
            let request = aws.lambda.update_alias().function_name(&full).name(stage);
            let request = request.function_version(version).description(ALIAS_DESCRIPTION);
            request.routing_config(routing.clone()).send()
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
                    if run.plan().creates(api) {
                        // It may turn out to be another deploy's before its stage is up. The stage waits for this function in
                        // turn, and need not wait for the permission: nobody calls an API that is new.
                        run.announce(&change.id);
                        run.decided(&ResourceId::new(Kind::Stage, &self.names.stage)).await?;
                        if !self.gateway.is_tagged() {
                            return Err(Error::new(Cause::Skipped(api.clone()), format!("needs {api}")));
                        }
                    }
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
}

/// Whose alias points at a version now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointed {
    /// The one that was there, or that this deploy has made.
    OwnAlias,
    /// One that another deploy has made meanwhile.
    AnothersAlias,
}

/// Whether a function is another project's, which shares a prefix with ours.
pub(crate) fn is_foreign(owner: &Owner) -> bool {
    *owner != Owner::Us
}

pub(super) fn ignore_absent<T>(answer: Result<T, Error>) -> Result<(), Error> {
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
