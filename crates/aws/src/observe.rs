//! Reads a whole stack in three rounds of calls, each call as early as what it needs is known.
//!
//! First the functions at the stage's alias, the names of all functions, and the role; that tells the account. Then who may
//! call each alias (which tells the API's id), log groups, rules, keys and functions that no file names; then what hangs on
//! those.

mod assembled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::future::{try_join, try_join_all};
use mdo_engine::{Error, Observed, Scope};
use mdo_model::project::{FunctionName, Permissions, Tags};
use mdo_model::stack::{Canary, Function, LogGroup, WarmRule};
use tokio::sync::oneshot;

use crate::api_gateway::{self, LiveApi};
use crate::iam::{self, RoleFound};
use crate::lambda::permissions::{self, Statements};
use crate::lambda::{self, Live, Lookup, is_foreign};
use crate::ownership::{self, Owner};
use crate::{AwsProvider, events, hosted, logs};

/// A function at the stage, with what is read of it apart.
struct AtStage {
    live: Box<Live>,
    statements: Statements,
}

/// What is read once it is known which functions are at the stage.
#[derive(Default)]
struct Rest {
    statements: BTreeMap<FunctionName, Statements>,
    log_groups: BTreeMap<FunctionName, LogGroup>,
    rules: BTreeMap<FunctionName, WarmRule>,
    api: LiveApi,
    /// Functions that the files name and that exist, but not at this stage.
    elsewhere: BTreeMap<FunctionName, Box<Live>>,
    /// Functions of the project that the files do not name.
    unnamed: BTreeMap<FunctionName, AtStage>,
}

type Functions = BTreeMap<FunctionName, Box<Live>>;

impl AwsProvider {
    pub(crate) async fn observe_stack(&self, scope: &Scope) -> Result<Observed, Error> {
        // Boxed, because together they are more than a thread's stack may hold.
        let serverless = Box::pin(self.observe_serverless(scope));
        let (mut observed, hosted) = try_join(serverless, Box::pin(self.read_hosted(scope))).await?;
        hosted.put_into(&mut observed, (&self.aws, &self.names), &self.hosted, &self.gateway, scope)?;
        Ok(observed)
    }

    async fn observe_serverless(&self, scope: &Scope) -> Result<Observed, Error> {
        let (found, listed, (role, apart), layers) = futures::try_join!(
            self.read_functions(&scope.functions, scope),
            lambda::list(&self.aws, &self.names),
            self.read_role(scope),
            self.read_layers(scope),
        )?;
        self.identify().await?;
        let reads_tags = self.has_tags || found.values().any(|live| !live.function.tags.is_empty());
        let rest = self.read_rest(scope, &found, &listed, reads_tags);
        let apart = async {
            match apart {
                Some(apart) => Ok(apart),
                None if reads_tags => iam::read_apart(&self.aws, &self.names).await,
                None => Ok(iam::Apart::default()),
            }
        };
        let (rest, permissions, apart) = futures::try_join!(rest, self.read_permissions(&role), apart)?;
        let mut observed = self.assemble(scope, found, &listed, rest, role).await?;
        observed.stack.permissions = permissions;
        if let Some(role) = &mut observed.stack.role {
            role.boundary = apart.boundary.filter(|_| self.bounds_role);
            role.tags = apart.tags;
        }
        observed.stack.derivatives.extend(layers.derivatives);
        observed.unzipped = layers.unzipped;
        self.read_attached_layers(&mut observed, layers.known).await?;
        Ok(observed)
    }

    /// The role, with what its policy does not tell where the files say something about that.
    async fn read_role(&self, scope: &Scope) -> Result<(RoleFound, Option<iam::Apart>), Error> {
        let apart = async {
            match self.bounds_role || self.has_tags {
                true => iam::read_apart(&self.aws, &self.names).await.map(Some),
                false => Ok(None),
            }
        };
        try_join(iam::observe(&self.aws, &self.names, scope), apart).await
    }

    /// What the stage's functions may do by the role, where that is there.
    async fn read_permissions(&self, role: &RoleFound) -> Result<Option<Permissions>, Error> {
        match role {
            RoleFound::Found(_) => iam::permissions(&self.aws, &self.names).await,
            RoleFound::Absent => Ok(None),
        }
    }

    /// What hosts the stage; nothing is looked for where the project has to do with no servers.
    async fn read_hosted(&self, scope: &Scope) -> Result<hosted::Found, Error> {
        match self.hosted.looks() {
            true => hosted::observe(&self.aws, &self.names, &self.hosted, scope).await,
            false => Ok(hosted::Found::default()),
        }
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
        if let Some((marked, _)) = live.marks.canary {
            // A run that was cut short may have marked a trial before it began, or after it had ended: the alias knows.
            let (version, percent) = self.tried(name).await?.unwrap_or((marked, 0));
            live.marks.canary = Some((version, percent));
            let number = version.to_string();
            let tried = lambda::look_up(&self.aws, &self.names, name, Some(&number)).await?;
            if let Lookup::Found(tried) = tried {
                live.function.canary = Some(Box::new(Canary {
                    percent,
                    next: Function { tags: Tags::default(), ..tried.function },
                }));
            }
        }
        Ok(live)
    }

    async fn read_rest(
        &self,
        scope: &Scope,
        found: &Functions,
        listed: &BTreeSet<FunctionName>,
        reads_tags: bool,
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
        let is_begun = !found.is_empty();
        let (rest, api) = try_join(
            self.read_rest_but_api(scope, found, listed, reads_tags, tell),
            api_gateway::observe(&self.aws, &self.names, &self.gateway, hint, (is_begun, reads_tags), scope),
        )
        .await?;
        let mut rest = Rest { api, ..rest };
        // Tags that were the stage's alone, and have left the files: nothing that is read before tells of them.
        if !reads_tags && rest.api.bears_tags() {
            for rule in rest.rules.values_mut() {
                rule.tags = events::own_tags(&self.aws, &rule.name).await?;
            }
        }
        Ok(rest)
    }

    /// The tags of the project's own on the log groups of the functions that are there.
    async fn read_log_group_tags(
        &self,
        functions: impl Iterator<Item = &FunctionName>,
    ) -> Result<BTreeMap<FunctionName, Tags>, Error> {
        let each = functions.map(|name| async move {
            let tags = logs::group::own_tags(&self.aws, &self.names.log_group(name)).await?;
            Ok::<_, Error>((name.clone(), tags))
        });
        Ok(try_join_all(each).await?.into_iter().collect())
    }

    async fn read_rest_but_api(
        &self,
        scope: &Scope,
        found: &Functions,
        listed: &BTreeSet<FunctionName>,
        reads_tags: bool,
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
        let rules = events::observe(&self.aws, &self.names, &self.rules, scope, reads_tags);
        let logs = async {
            // A first deploy is told of a log group that is there when it makes it.
            let is_first = listed.is_empty() && !scope.thorough && !self.hosted.hosts();
            if is_first {
                return Ok(BTreeMap::new());
            }
            let tagged = scope.functions.intersection(listed).filter(|_| reads_tags);
            let groups = logs::observe(&self.aws, &self.names);
            let (mut groups, tags) = try_join(groups, self.read_log_group_tags(tagged)).await?;
            for (name, tags) in tags {
                if let Some(group) = groups.get_mut(&name) {
                    group.tags = tags;
                }
            }
            Ok(groups)
        };
        let unnamed: BTreeSet<_> = listed.difference(&scope.functions).cloned().collect();
        let unnamed = self.read_unnamed(&unnamed);
        let missing: BTreeSet<_> = scope
            .functions
            .iter()
            .filter(|name| !found.contains_key(*name) && listed.contains(*name))
            .collect();
        let elsewhere = self.read_elsewhere(scope, &missing);
        let (statements, rules, log_groups, unnamed, elsewhere) =
            futures::try_join!(statements, rules, logs, unnamed, elsewhere)?;
        Ok(Rest {
            statements: statements.into_iter().collect(),
            log_groups,
            rules,
            api: LiveApi::default(),
            elsewhere,
            unnamed,
        })
    }

    /// Functions of our prefix that no file names. Another project's, whose name ours begins, are left alone.
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

    /// Functions of the files that exist without being at this stage. One that is not ours is refused here.
    async fn read_elsewhere(
        &self,
        scope: &Scope,
        missing: &BTreeSet<&FunctionName>,
    ) -> Result<Functions, Error> {
        let each = missing.iter().map(|name| async move {
            match lambda::look_up(&self.aws, &self.names, name, None).await? {
                Lookup::Found(live) => {
                    let checked = live.owner.check("function", &self.names.function(name), scope.adopt);
                    ownership::found(checked.map(|()| Some(((*name).clone(), live))), scope)
                }
                Lookup::Absent(_) => Ok(None),
            }
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }
}
