//! Versions that deploys have left, of layers, of functions and of the API, with the packages of the bucket: which there are, which of them are in use, and the removal of
//! one.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_lambda::types::FunctionConfiguration as LiveConfiguration;
use futures::future::try_join_all;
use mdo_engine::{Applied, Cause, Error, History, PublishedVersion, Versions};
use mdo_model::Sha256;
use mdo_model::project::FunctionName;
use mdo_model::stack::{
    Change, Deployment, FunctionVersion, FunctionVersionId, LayerVersion, LayerVersionId, LiveVersions,
};

use super::functions::ignore_absent;
use super::layers::Version;
use super::read::{self, Lookup};
use crate::ownership::Owner;
use crate::{AwsProvider, api_gateway, hosted, s3, unexpected};

#[async_trait]
impl Versions for AwsProvider {
    async fn live_versions(&self) -> Result<LiveVersions, Error> {
        let deployments = api_gateway::deployments(&self.aws, &self.names);
        let functions = async {
            let functions = read::list_all(&self.aws).await?;
            let packages = functions.iter().filter_map(|function| function.code_sha256());
            let packages: BTreeSet<_> = packages.filter_map(|text| Sha256::from_base64(text).ok()).collect();
            let (layers, versions) = futures::try_join!(
                self.layers_in_use_of(&functions),
                self.own_function_versions(&functions)
            )?;
            Ok((layers, LiveVersions { packages_in_use: packages, ..versions }))
        };
        let artifacts = async {
            match &self.artifacts {
                Some(artifacts) => s3::live(&self.aws, &self.names, artifacts).await,
                None => Ok(Vec::new()),
            }
        };
        let hosted = async {
            match self.hosted.looks() {
                true => hosted::live_versions(&self.aws, &self.names).await,
                false => Ok(LiveVersions::default()),
            }
        };
        let (layers, (in_use, versions), deployments, hosted, artifacts) =
            futures::try_join!(self.own_layer_versions(), functions, deployments, hosted, artifacts)?;
        let LiveVersions { revisions, revisions_in_use, images, .. } = hosted;
        let mut live = LiveVersions { revisions, revisions_in_use, images, artifacts, ..versions };
        for (id, deployment) in deployments {
            if !deployment.serving.is_empty() {
                live.deployments_in_use.insert(id.clone());
            }
            let Some(stage) = deployment.stage else { continue };
            live.deployments.push((id, Deployment { stage, created: deployment.created }));
        }
        for (id, version) in layers {
            let Some(record) = version.record else { continue };
            if in_use.contains(&version.arn) {
                live.layers_in_use.insert(id.clone());
            }
            // What is said to be unzipped is the whole derivative, and not any one part.
            let unzipped = version.sizes.unzipped.filter(|_| record.parts == 1);
            let (zipped, published) = (version.sizes.zipped, version.published);
            live.layers.insert(id, LayerVersion { inputs: record.inputs, zipped, unzipped, published });
        }
        Ok(live)
    }
}

impl AwsProvider {
    /// Every version of every layer that is named as ours are.
    async fn own_layer_versions(&self) -> Result<Vec<(LayerVersionId, Version)>, Error> {
        let layers = self.own_layers().await?;
        let each = layers.into_iter().map(async |(derivative, part)| {
            let versions = self.layer_versions(&self.names.layer_part(&derivative, part)).await?;
            let numbered = versions.into_iter().filter_map(|version| {
                let id = LayerVersionId { derivative: derivative.clone(), part, number: version.number()? };
                Some((id, version))
            });
            Ok::<_, Error>(numbered.collect::<Vec<_>>())
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// The versions of every function of ours, and which of them an alias points at.
    async fn own_function_versions(&self, functions: &[LiveConfiguration]) -> Result<LiveVersions, Error> {
        let names: Vec<FunctionName> = functions
            .iter()
            .filter_map(|function| self.names.function_of(function.function_name()?))
            .collect();
        let each = names.iter().map(async |name| {
            let (owner, history) =
                futures::try_join!(read::look_up(&self.aws, &self.names, name, None), self.versions(name))?;
            let is_ours = matches!(owner, Lookup::Found(live) if live.owner == Owner::Us);
            Ok::<_, Error>(history.filter(|_| is_ours).map(|history| (name.clone(), history)))
        });
        let mut live = LiveVersions::default();
        for (function, history) in try_join_all(each).await?.into_iter().flatten() {
            let id = |number: u64| FunctionVersionId { function: function.clone(), number };
            for share in history.live.values() {
                let canary = share.canary.map(|(number, _)| number);
                live.functions_in_use.extend(canary.into_iter().chain([share.version]).map(id));
            }
            live.functions.extend(history.versions.into_iter().map(|version| {
                let PublishedVersion { number, stage, size, published, code, .. } = version;
                (id(number), FunctionVersion { stage, zipped: size, published, code })
            }));
        }
        Ok(live)
    }

    /// Removes a version of a function. Lambda keeps one that an alias has come to point at meanwhile.
    pub(crate) async fn delete_function_version(&self, change: &Change) -> Result<Applied, Error> {
        let full = change.id.full_name(&self.names);
        let (name, number) = full.rsplit_once(':').ok_or_else(|| unexpected(change))?;
        let answer = self
            .aws
            .call("lambda:DeleteFunction", &full, || {
                self.aws.lambda.delete_function().function_name(name).qualifier(number).send()
            })
            .await;
        match answer {
            Err(error)
                if error.is(&Cause::Busy) || error.is(&Cause::Exists) || error.is(&Cause::Concurrent) =>
            {
                Ok(Applied::kept("an alias has come to point at it"))
            }
            answer => ignore_absent(answer).map(|()| Applied::default()),
        }
    }

    /// The ARNs of the layer versions that functions run with: those of any function of the account as it is configured,
    /// and those of each version of the project's functions that an alias points at, whoever has made the alias.
    async fn layers_in_use(&self) -> Result<BTreeSet<String>, Error> {
        self.layers_in_use_of(&read::list_all(&self.aws).await?).await
    }

    async fn layers_in_use_of(&self, functions: &[LiveConfiguration]) -> Result<BTreeSet<String>, Error> {
        let account = functions.iter().find_map(|function| super::account_in(function.function_arn()?));
        account.map_or(Ok(()), |account| self.aws.note_account(account))?;
        let names = functions.iter().filter_map(|function| self.names.function_of(function.function_name()?));
        let served = try_join_all(names.map(async |name| self.layers_served(&name).await)).await?;
        let configured = functions.iter().flat_map(|function| function.layers());
        let configured = configured.filter_map(|layer| layer.arn().map(str::to_owned));
        Ok(served.into_iter().flatten().chain(configured).collect())
    }

    /// The layers of each version of a function that an alias points at, be it with a small weight.
    async fn layers_served(&self, name: &FunctionName) -> Result<Vec<String>, Error> {
        let mut versions = BTreeSet::new();
        for alias in self.list_aliases(name).await?.unwrap_or_default() {
            let weighted = alias.routing_config.and_then(|routing| routing.additional_version_weights);
            versions.extend(weighted.into_iter().flatten().map(|(version, _)| version));
            versions.extend(alias.function_version);
        }
        let each = versions.iter().map(async |version| {
            let layers = match read::look_up(&self.aws, &self.names, name, Some(version)).await? {
                Lookup::Found(live) => live.function.configuration.layers,
                Lookup::Absent(_) => Vec::new(),
            };
            Ok::<_, Error>(layers)
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// Removes a layer version, unless a function has come to run with it since it was found unused.
    pub(crate) async fn delete_layer_version(&self, change: &Change) -> Result<Applied, Error> {
        let full = change.id.full_name(&self.names);
        let numbered = full.rsplit_once(':').and_then(|(layer, number)| Some((layer, number.parse().ok()?)));
        let (layer, number): (&str, u64) = numbered.ok_or_else(|| unexpected(change))?;
        let arn = self.aws.arn("lambda", format_args!("layer:{full}"))?;
        if self.last_layers.has(&arn, self.layers_in_use()).await? {
            return Ok(Applied::kept("a function has come to run with it"));
        }
        self.delete_version(layer, number).await?;
        Ok(Applied::default())
    }
}
