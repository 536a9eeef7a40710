//! Makes the changes of a plan real in the store: a resource comes into the stack, changes there, or goes.

use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{FunctionName, KeyName};
use mdo_model::stack::{Change, Function, Key, Kind, Resource};
use mdo_server::obstacle;

use super::LocalProvider;
use super::state::{StoredKey, StoredStack};

impl LocalProvider {
    /// Makes one change real, once everything is there that it needs.
    pub(super) async fn make_real(&self, change: &Change, run: &Run<'_>) -> Result<Applied, Error> {
        match (&change.after, change.id.kind) {
            (Some(Resource::Function(function)), _) => {
                self.publish(named(&change.id.name)?, function.as_ref().clone(), run).await
            }
            (Some(Resource::Key(key)), _) => self.keep_key(named(&change.id.name)?, key.clone(), run).await,
            (Some(resource), kind) => {
                let (name, resource) = (change.id.name.clone(), resource.clone());
                self.update(move |state| put(state, kind, &name, resource)).await
            }
            (None, Kind::Function) => self.remove_function(named(&change.id.name)?).await,
            (None, Kind::LogGroup) => self.remove_log(named(&change.id.name)?).await,
            (None, kind) => {
                let name = change.id.name.clone();
                self.update(move |state| {
                    take_out(state, kind, &name);
                    Ok(())
                })
                .await
            }
        }
    }

    async fn publish(&self, name: FunctionName, function: Function, run: &Run<'_>) -> Result<Applied, Error> {
        let zip = run.packages().functions.get(&name).cloned();
        self.blocking(move |this| {
            let guard = this.code.guard()?;
            this.code.install(&guard, zip.as_deref(), function.code)?;
            let obstacle = obstacle(&function, this.has_interpreter(&function.configuration.runtime));
            let known = this.frozen_as(&name, &function);
            let version = this.store.update(|state| Ok(state.publish(&name, function, known)))?;
            let mut warnings = this.code.sweep(&guard, &this.store);
            warnings.extend(obstacle);
            Ok(Applied { version: Some(version.to_string()), warnings })
        })
        .await
    }

    async fn remove_function(&self, name: FunctionName) -> Result<Applied, Error> {
        self.blocking(move |this| {
            let guard = this.code.guard()?;
            this.store.update(|state| {
                state.functions.remove(&name);
                Ok(())
            })?;
            let warnings = this.code.sweep(&guard, &this.store);
            Ok(Applied { version: None, warnings })
        })
        .await
    }

    async fn remove_log(&self, function: FunctionName) -> Result<Applied, Error> {
        self.blocking(move |this| {
            this.store.ring(Some(&function)).remove()?;
            this.store.update(|state| {
                state.log_groups.remove(&function);
                Ok(Applied::default())
            })
        })
        .await
    }

    /// A key that is there keeps its value.
    async fn keep_key(&self, name: KeyName, resource: Key, run: &Run<'_>) -> Result<Applied, Error> {
        let value = run.packages().keys.get(&name).cloned();
        self.update(|state| {
            if let Some(present) = state.keys.get_mut(&name) {
                present.resource = resource;
                return Ok(());
            }
            let key = match value {
                Some(value) => StoredKey::with_value(resource, value)?,
                None => StoredKey::new(resource)?,
            };
            state.keys.insert(name, key);
            Ok(())
        })
        .await
    }
}

/// Puts a resource of a kind and name into the stack.
fn put(state: &mut StoredStack, kind: Kind, name: &str, resource: Resource) -> Result<(), Error> {
    match resource {
        Resource::Role(role) => state.role = Some(role),
        Resource::Permissions(permissions) => state.permissions = Some(permissions),
        Resource::Derivative(derivative) => drop(state.derivatives.insert(named(name)?, derivative)),
        Resource::LogGroup(group) => drop(state.log_groups.insert(named(name)?, group)),
        Resource::Api(api) => state.api = Some(api),
        Resource::Stage(stage) => state.stage = Some(stage),
        Resource::WarmRule(rule) => drop(state.warm_rules.insert(named(name)?, rule)),
        Resource::Function(_)
        | Resource::Key(_)
        | Resource::LayerVersion(_)
        | Resource::FunctionVersion(_)
        | Resource::Deployment(_)
        | Resource::Revision(_)
        | Resource::Image(_)
        | Resource::Artifact(_) => {
            return Err(Error::new(Cause::Invalid, format!("this machine makes no {kind} by itself")));
        }
        Resource::ServerRole(_)
        | Resource::Repository(_)
        | Resource::LoadBalancer(_)
        | Resource::Server(_) => {
            return Err(Error::new(Cause::Other, format!("this machine has no {kind}")));
        }
    }
    Ok(())
}

/// Takes the resource of a kind and name out of the stack.
fn take_out(state: &mut StoredStack, kind: Kind, name: &str) {
    match kind {
        Kind::Role => state.role = None,
        Kind::Permissions => state.permissions = None,
        Kind::Derivative => state.derivatives.retain(|id, _| id.to_string() != name),
        Kind::Api => state.api = None,
        Kind::Stage => state.stage = None,
        Kind::Key => state.keys.retain(|key, _| key.as_str() != name),
        Kind::WarmRule => state.warm_rules.retain(|function, _| function.as_str() != name),
        // Those that have gone another way, and those that this machine has none of.
        Kind::Function
        | Kind::LogGroup
        | Kind::ServerRole
        | Kind::Repository
        | Kind::LoadBalancer
        | Kind::Server
        | Kind::LayerVersion
        | Kind::FunctionVersion
        | Kind::Deployment
        | Kind::Revision
        | Kind::Image
        | Kind::Artifact => {}
    }
}

fn named<N: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Result<N, Error> {
    name.parse().map_err(|error: N::Err| Error::new(Cause::Invalid, error.to_string()))
}
