//! A stack, put together of what was read of it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use mdo_engine::{Error, LiveFunction, Observed, Scope};
use mdo_model::project::FunctionName;
use mdo_model::stack::{Function, Kind, LogGroup, ResourceId, Stack};

use super::{AtStage, Functions, Rest};
use crate::iam::{self, RoleFound};
use crate::lambda::permissions;
use crate::lambda::{self, Lookup, is_foreign};
use crate::ownership::Owner;
use crate::{AwsProvider, KnownFunction, api_gateway, logs};

impl AwsProvider {
    /// What is at the stage, in the model's terms, and what is known of it beside that.
    pub(super) async fn assemble(
        &self,
        scope: &Scope,
        found: Functions,
        listed: &BTreeSet<FunctionName>,
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
                exists: live.is_some() || rest.elsewhere.contains_key(name),
                is_ours: live.is_some_and(|live| live.owner == Owner::Us),
                tags: live
                    .or(rest.elsewhere.get(name))
                    .map(|live| live.function.tags.clone())
                    .unwrap_or_default(),
                version: live.map(|live| live.version.clone()),
                marks: live.map(|live| live.marks.clone()).unwrap_or_default(),
            };
            known.insert(name.clone(), function);
        }
        for (name, AtStage { live, statements }) in at_stage {
            let invokers = permissions::invokers(&self.aws, &self.names, &name, &statements, api.as_deref())?;
            let marks = live.marks.at(&live.version);
            let people = LiveFunction {
                version: Some(live.version),
                modified: live.modified,
                rolled_back_from: marks.rolled_back_from,
                canary: marks.canary.map(|(version, _)| version.to_string()),
            };
            observed.functions.insert(name.clone(), people);
            observed.stack.functions.insert(name, Function { invokers, ..live.function });
        }
        // One that is being adopted shows how it differs, though it is at no stage yet.
        let adopted = rest.elsewhere.into_iter().filter(|(_, live)| live.owner != Owner::Us);
        observed.stack.functions.extend(adopted.map(|(name, live)| (name, live.function)));
        let (role, role_regions) = iam::read(&self.aws, &role)?.unzip();
        let hosts = self.hosted.hosts();
        let is_here = |name: &FunctionName| {
            (scope.functions.contains(name) && !hosts) || observed.stack.functions.contains_key(name)
        };
        observed.taken_over = rest.api.taken_over;
        observed.stack = Stack {
            role,
            derivatives: BTreeMap::new(),
            log_groups: rest.log_groups.iter().filter(|(name, _)| is_here(name)).map(cloned).collect(),
            functions: observed.stack.functions,
            api: rest.api.api,
            stage: rest.api.stage,
            keys: rest.api.keys,
            warm_rules: rest.rules,
            ..Stack::default()
        };
        {
            let mut state = self.state();
            state.adopts = scope.adopt;
            state.functions = known;
            state.role_regions = role_regions.unwrap_or_default();
        }
        // A move to servers that was cut short has left what no stage names any more.
        let may_be_left = hosts && !(listed.is_empty() && rest.log_groups.is_empty());
        if scope.thorough || may_be_left {
            self.look_beyond_the_stage(&mut observed, listed, rest.log_groups).await?;
        }
        Ok(observed)
    }

    /// What other stages share with this one, and what deploys that were cut short have left without any stage: functions
    /// without an alias, and log groups without a function.
    async fn look_beyond_the_stage(
        &self,
        observed: &mut Observed,
        listed: &BTreeSet<FunctionName>,
        log_groups: BTreeMap<FunctionName, LogGroup>,
    ) -> Result<(), Error> {
        let stage = self.names.stage.as_str();
        let functions = listed.iter().map(|name| async move {
            let live = match lambda::look_up(&self.aws, &self.names, name, None).await? {
                Lookup::Found(live) if !is_foreign(&live.owner) => live,
                _ => return Ok(None),
            };
            let aliases = self.aliases(name).await?.unwrap_or_default();
            let stageless = aliases.is_empty().then_some(live);
            Ok::<_, Error>(Some((name.clone(), aliases, stageless)))
        });
        let groups = log_groups.iter().map(|(name, group)| async move {
            let is_orphan = !listed.contains(name);
            let is_ours = is_orphan && logs::is_ours(&self.aws, &self.names, name).await?;
            Ok::<_, Error>(is_ours.then(|| (name.clone(), group.clone())))
        });
        let stages = api_gateway::stages(&self.aws, &self.names, self.api_id(), false);
        let (functions, groups, stages, derivatives) =
            futures::try_join!(try_join_all(functions), try_join_all(groups), stages, self.every_layer())?;
        let mut others = stages.iter().any(|other| *other != self.names.stage);
        observed.stack.log_groups.extend(groups.into_iter().flatten());
        let role = ResourceId::new(Kind::Role, &self.names.project);
        for (name, aliases, stageless) in functions.into_iter().flatten() {
            if aliases.keys().any(|alias| alias != stage) {
                observed.shared.insert(ResourceId::new(Kind::Function, &name));
                observed.shared.insert(ResourceId::new(Kind::LogGroup, &name));
                observed.shared.insert(role.clone());
                others = true;
            }
            if let Some(live) = stageless {
                observed
                    .stack
                    .log_groups
                    .extend(log_groups.get(&name).map(|group| (name.clone(), group.clone())));
                observed.stack.functions.insert(name, live.function);
            }
        }
        if stages.iter().any(|other| *other != self.names.stage) {
            observed.shared.insert(ResourceId::new(Kind::Api, &self.names.project));
            observed.shared.insert(role);
        }
        if others {
            observed.shared.extend(derivatives.keys().map(|id| ResourceId::new(Kind::Derivative, id)));
        }
        observed.stack.derivatives = derivatives;
        Ok(())
    }

    /// Tells a function's derivatives from its other layers.
    pub(super) async fn read_attached_layers(
        &self,
        observed: &mut Observed,
        mut layers: lambda::KnownLayers,
    ) -> Result<(), Error> {
        for function in observed.stack.functions.values_mut() {
            self.split_layers(function, &mut layers).await?;
            if let Some(canary) = &mut function.canary {
                self.split_layers(&mut canary.next, &mut layers).await?;
            }
        }
        let mut state = self.state();
        for (name, function) in &observed.stack.functions {
            let tried = state.functions.get(name).and_then(|known| known.marks.canary);
            if let (Some(canary), Some((version, _))) = (&function.canary, tried) {
                state.frozen.entry(name.clone()).or_default().insert(version, canary.next.clone());
            }
        }
        state.layers = layers;
        Ok(())
    }
}

fn cloned<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}
