//! Reads a whole stack in three rounds of calls, each call as early as what it needs is known.
//!
//! First the functions at the stage's alias and the role; that tells the account. Then, where anything is deployed, who
//! may call each alias (which tells the API's id), log groups, rules and usage plans; then what hangs on those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::future::{try_join, try_join_all};
use mdo_engine::{Error, LiveFunction, Observed, Scope};
use mdo_model::project::FunctionName;
use mdo_model::stack::{Function, Kind, ResourceId, Stack, WarmRule};
use tokio::sync::oneshot;

use crate::api_gateway::{self, LiveApi};
use crate::iam::{self, RoleFound};
use crate::lambda::is_foreign;
use crate::lambda::permissions::{self, Statements};
use crate::lambda::{self, Live, Lookup};
use crate::ownership::{self, Owner};
use crate::{AwsProvider, KnownFunction, events, logs};

/// A function at the stage, with what is read of it apart.
struct AtStage {
    live: Box<Live>,
    statements: Statements,
}

/// What is read once it is known that something is deployed.
#[derive(Default)]
struct Rest {
    statements: BTreeMap<FunctionName, Statements>,
    log_groups: BTreeMap<FunctionName, Option<u16>>,
    rules: BTreeMap<FunctionName, WarmRule>,
    api: LiveApi,
    /// Functions that the files name and that exist, but not at this stage.
    elsewhere: BTreeSet<FunctionName>,
    /// Functions of the project that the files do not name.
    unnamed: BTreeMap<FunctionName, AtStage>,
}

impl AwsProvider {
    pub(crate) async fn observe_stack(&self, scope: &Scope) -> Result<Observed, Error> {
        let (found, role) = try_join(
            self.read_functions(&scope.functions, scope),
            iam::observe(&self.aws, &self.names, scope),
        )
        .await?;
        self.identify().await?;
        let is_begun = scope.thorough || !found.is_empty();
        let rest = if is_begun {
            self.read_rest(scope, &found).await?
        } else {
            let none = std::future::ready(None);
            // A rule of our name would be overwritten, unlike a usage plan or a key, so it is looked for at once.
            let (api, rules) = try_join(
                api_gateway::observe(&self.aws, &self.names, &self.gateway, none, false, scope),
                events::observe(&self.aws, &self.names, &self.rules, scope),
            )
            .await?;
            if api == LiveApi::default() && rules.is_empty() {
                Rest::default()
            } else {
                // An API or a rule without functions is what a deploy leaves that was cut short.
                Rest { api, ..self.read_rest_but_api(scope, &found, |_| ()).await? }
            }
        };
        self.assemble(scope, found, rest, role).await
    }

    /// The functions at the stage. The first answer, even that there is none, tells the account.
    async fn read_functions(
        &self,
        names: &BTreeSet<FunctionName>,
        scope: &Scope,
    ) -> Result<BTreeMap<FunctionName, Box<Live>>, Error> {
        let stage = self.names.stage.as_str();
        let each = names.iter().map(|name| async move {
            match lambda::look_up(&self.aws, &self.names, name, Some(stage)).await? {
                Lookup::Found(live) => {
                    if let Some(account) = lambda::account_in(&live.arn) {
                        self.aws.note_account(account)?;
                    }
                    let live = self.with_what_is_read_apart(name, live).await?;
                    let checked = live.owner.check("function", &self.names.function(name), scope.adopt);
                    ownership::found(checked.map(|()| Some((name.clone(), live))), scope)
                }
                Lookup::Absent(account) => {
                    account.map_or(Ok(()), |account| self.aws.note_account(account))?;
                    Ok::<_, Error>(None)
                }
            }
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// A function at an alias, with what may have to be asked of the function itself: its tags, where the answer for the
    /// alias had none, and the concurrency that is reserved for it.
    async fn with_what_is_read_apart(
        &self,
        name: &FunctionName,
        mut live: Box<Live>,
    ) -> Result<Box<Live>, Error> {
        if live.owner == Owner::Nobody {
            lambda::read_tags(&self.aws, &self.names, &mut live).await?;
        }
        if live.reserves {
            live.function.concurrency = lambda::reserved(&self.aws, &self.names, name).await?;
        }
        Ok(live)
    }

    async fn read_rest(
        &self,
        scope: &Scope,
        found: &BTreeMap<FunctionName, Box<Live>>,
    ) -> Result<Rest, Error> {
        let (send, receive) = oneshot::channel();
        let send = Mutex::new(Some(send));
        // The first statement that names the API is enough to go on with it; without any, the end of them is.
        let tell = |hint: Option<String>| {
            let mut send = send.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(send) = send.take() {
                let _ = send.send(hint);
            }
        };
        let hint = async { receive.await.ok().flatten() };
        let (rest, api) = try_join(
            self.read_rest_but_api(scope, found, tell),
            api_gateway::observe(&self.aws, &self.names, &self.gateway, hint, true, scope),
        )
        .await?;
        Ok(Rest { api, ..rest })
    }

    async fn read_rest_but_api(
        &self,
        scope: &Scope,
        found: &BTreeMap<FunctionName, Box<Live>>,
        tell_api: impl Fn(Option<String>),
    ) -> Result<Rest, Error> {
        let statements = async {
            let each = found.keys().map(|name| async {
                let statements = permissions::read(&self.aws, &self.names, name).await?;
                if let Some(api) = permissions::api_of(&self.names, &statements) {
                    tell_api(Some(api));
                }
                Ok::<_, Error>((name.clone(), statements))
            });
            let all = try_join_all(each).await;
            tell_api(None);
            all
        };
        let rules = events::observe(&self.aws, &self.names, &self.rules, scope);
        let logs = async {
            let groups = logs::observe(&self.aws, &self.names).await?;
            let unnamed: BTreeSet<_> =
                groups.keys().filter(|name| !scope.functions.contains(*name)).cloned().collect();
            let unnamed = self.read_unnamed(&unnamed).await?;
            Ok((groups, unnamed))
        };
        let elsewhere = self.read_elsewhere(scope, found);
        let (statements, rules, (log_groups, unnamed), elsewhere) =
            futures::try_join!(statements, rules, logs, elsewhere)?;
        Ok(Rest {
            statements: statements.into_iter().collect(),
            log_groups,
            rules,
            api: LiveApi::default(),
            elsewhere,
            unnamed,
        })
    }

    /// Functions that log groups tell of and no file names. Another project's, whose name ours begins, are left alone.
    async fn read_unnamed(
        &self,
        names: &BTreeSet<FunctionName>,
    ) -> Result<BTreeMap<FunctionName, AtStage>, Error> {
        let stage = self.names.stage.as_str();
        let each = names.iter().map(|name| async move {
            match lambda::look_up(&self.aws, &self.names, name, Some(stage)).await? {
                Lookup::Found(live) if !is_foreign(&live.owner) => {
                    let live = self.with_what_is_read_apart(name, live).await?;
                    let statements = permissions::read(&self.aws, &self.names, name).await?;
                    Ok::<_, Error>(Some((name.clone(), AtStage { live, statements })))
                }
                _ => Ok(None),
            }
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// Which functions of the files exist without being at this stage. One that is not ours is refused here.
    async fn read_elsewhere(
        &self,
        scope: &Scope,
        found: &BTreeMap<FunctionName, Box<Live>>,
    ) -> Result<BTreeSet<FunctionName>, Error> {
        let missing = scope.functions.iter().filter(|name| !found.contains_key(*name));
        let each = missing.map(|name| async move {
            match lambda::look_up(&self.aws, &self.names, name, None).await? {
                Lookup::Found(live) => {
                    let checked = live.owner.check("function", &self.names.function(name), scope.adopt);
                    ownership::found(checked.map(|()| Some(name.clone())), scope)
                }
                Lookup::Absent(_) => Ok(None),
            }
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    async fn assemble(
        &self,
        scope: &Scope,
        found: BTreeMap<FunctionName, Box<Live>>,
        mut rest: Rest,
        role: RoleFound,
    ) -> Result<Observed, Error> {
        let mut observed = Observed::default();
        let api = self.api_id();
        let mut at_stage = std::mem::take(&mut rest.unnamed);
        for (name, live) in found {
            let statements = rest.statements.remove(&name).unwrap_or_default();
            at_stage.insert(name, AtStage { live, statements });
        }
        let mut known = BTreeMap::new();
        for name in scope.functions.iter().chain(at_stage.keys()) {
            let live = at_stage.get(name).map(|function| &function.live);
            let function = KnownFunction {
                exists: live.is_some() || rest.elsewhere.contains(name),
                is_ours: live.is_some_and(|live| live.owner == Owner::Us),
                version: live.map(|live| live.version.clone()),
                log_group: rest.log_groups.get(name).copied(),
            };
            known.insert(name.clone(), function);
        }
        for (name, AtStage { live, statements }) in at_stage {
            let function = Function {
                log_retention_days: rest.log_groups.get(&name).copied().flatten(),
                invokers: permissions::invokers(&self.aws, &self.names, &name, &statements, api.as_deref())?,
                ..live.function
            };
            let people = LiveFunction { version: Some(live.version), modified: live.modified };
            observed.functions.insert(name.clone(), people);
            observed.stack.functions.insert(name, function);
        }
        let (role, role_regions) = iam::read(&self.aws, &role)?.unzip();
        observed.stack = Stack {
            role,
            functions: observed.stack.functions,
            api: rest.api.api,
            stage: rest.api.stage,
            keys: rest.api.keys,
            warm_rules: rest.rules,
        };
        {
            let mut state = self.state();
            state.adopts = scope.adopt;
            state.functions = known;
            state.role_regions = role_regions.unwrap_or_default();
        }
        if scope.thorough {
            self.look_beyond_the_stage(scope, &mut observed, &rest.log_groups).await?;
        }
        Ok(observed)
    }

    /// What other stages share with this one, and functions that a deploy cut short has left without any stage.
    async fn look_beyond_the_stage(
        &self,
        scope: &Scope,
        observed: &mut Observed,
        log_groups: &BTreeMap<FunctionName, Option<u16>>,
    ) -> Result<(), Error> {
        let stage = self.names.stage.as_str();
        let names: BTreeSet<_> =
            scope.functions.iter().chain(log_groups.keys()).chain(observed.stack.functions.keys()).collect();
        let aliases = names.into_iter().map(|name| async move {
            let live = match lambda::look_up(&self.aws, &self.names, name, None).await? {
                Lookup::Found(live) if !is_foreign(&live.owner) => live,
                _ => return Ok(None),
            };
            let aliases = self.aliases(name).await?.unwrap_or_default();
            let stageless = aliases.is_empty().then_some(live);
            Ok::<_, Error>(Some((name.clone(), aliases, stageless)))
        });
        let stages = api_gateway::stages(&self.aws, &self.names, self.api_id());
        let (functions, stages) = try_join(try_join_all(aliases), stages).await?;
        for (name, aliases, stageless) in functions.into_iter().flatten() {
            if aliases.iter().any(|alias| alias != stage) {
                observed.shared.insert(ResourceId::new(Kind::Function, &name));
                observed.shared.insert(ResourceId::new(Kind::Role, &self.names.project));
            }
            if let Some(live) = stageless {
                observed.stack.functions.insert(name, live.function);
            }
        }
        if stages.iter().any(|other| *other != self.names.stage) {
            observed.shared.insert(ResourceId::new(Kind::Api, &self.names.project));
        }
        Ok(())
    }
}
