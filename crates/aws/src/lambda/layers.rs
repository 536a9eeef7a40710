//! Layers: derivatives as Lambda has them, one layer for each part, one version for each time that its inputs changed.
//!
//! Layers bear no tags. Whose a version is, and what it was built from, stands in its description; without that it is not ours.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::types::{LayerVersionContentInput, Runtime};
use futures::future::try_join_all;
use mdo_engine::{Applied, Cause, DerivativePart, Error, Run, Scope};
use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, DerivativeName};
use mdo_model::stack::{Change, Derivative, Function, ResourceId};

use super::code::{self, Zip, ZipFile};
use super::layer_record::{Record, Sizes};
use super::{functions, request};
use crate::{AwsProvider, pages};

/// The live versions of the derivatives that this run has to do with.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownLayers {
    /// The ARNs of a whole derivative, part by part.
    whole: BTreeMap<(DerivativeId, Sha256), Vec<String>>,
    /// What each version that was listed is a part of.
    listed: BTreeMap<String, (DerivativeId, Sha256)>,
    /// Versions of somebody else, of layers that are named as ours are.
    foreign: BTreeSet<String>,
}

/// What was read of the derivatives that the files ask for.
pub(crate) struct LayersRead {
    /// Those that are live.
    pub derivatives: BTreeMap<DerivativeId, Derivative>,
    pub known: KnownLayers,
    /// What the files of those take, in bytes, that are live with the inputs that are asked for.
    pub unzipped: BTreeMap<DerivativeId, u64>,
}

/// A layer version, and its record if it is ours.
pub(super) struct Version {
    pub arn: String,
    pub record: Option<Record>,
    pub sizes: Sizes,
    pub published: Option<String>,
}

impl Version {
    /// Its number, the last word of its ARN.
    pub(super) fn number(&self) -> Option<u64> {
        self.arn.rsplit(':').next()?.parse().ok()
    }
}

impl AwsProvider {
    /// The derivatives that the files ask for, as far as they are live: with the inputs that are asked for, or else with those
    /// of the newest version.
    pub(crate) async fn read_layers(&self, scope: &Scope) -> Result<LayersRead, Error> {
        let (mut known, mut unzipped) = (KnownLayers::default(), BTreeMap::new());
        let each = scope.derivatives.iter().map(async |(id, inputs)| {
            let parts = self.parts_of(id, Some(*inputs)).await?;
            Ok::<_, Error>((id, *inputs, parts))
        });
        let mut live = BTreeMap::new();
        for (id, inputs, parts) in try_join_all(each).await? {
            known.note(id, &parts);
            let newest = parts.first().and_then(|first| newest(first)).map(|record| record.inputs);
            let whole = known.whole.contains_key(&(id.clone(), inputs));
            let recorded = whole.then(|| unzipped_size(&parts, inputs)).flatten();
            unzipped.extend(recorded.map(|bytes| (id.clone(), bytes)));
            let inputs = if whole { Some(inputs) } else { newest.filter(|newest| *newest != inputs) };
            live.extend(inputs.map(|inputs| (id.clone(), Derivative { inputs })));
        }
        Ok(LayersRead { derivatives: live, known, unzipped })
    }

    /// Every derivative of the project that is live, whichever stage has asked for it.
    pub(crate) async fn every_layer(&self) -> Result<BTreeMap<DerivativeId, Derivative>, Error> {
        let ids: BTreeSet<DerivativeId> = self.own_layers().await?.into_iter().map(|(id, _)| id).collect();
        let each = ids.iter().map(async |id| {
            let versions = self.layer_versions(&self.names.layer(id)).await?;
            let derivative = |record: &Record| (id.clone(), Derivative { inputs: record.inputs });
            Ok::<_, Error>(newest(&versions).map(derivative))
        });
        Ok(try_join_all(each).await?.into_iter().flatten().collect())
    }

    /// The layers that are named as ours are: derivatives and the numbers of their parts.
    pub(super) async fn own_layers(&self) -> Result<BTreeSet<(DerivativeId, usize)>, Error> {
        let layers = pages::all(async |position: Option<String>| {
            let answer = self
                .aws
                .call("lambda:ListLayers", "", || {
                    self.aws.lambda.list_layers().set_marker(position.clone()).send()
                })
                .await?;
            Ok((answer.layers, answer.next_marker))
        })
        .await?;
        Ok(layers.iter().filter_map(|layer| self.names.layer_of(layer.layer_name()?)).collect())
    }

    /// Reads which of a function's layers are derivatives of ours. Those that nobody has asked for are looked up.
    pub(crate) async fn split_layers(
        &self,
        function: &mut Function,
        known: &mut KnownLayers,
    ) -> Result<(), Error> {
        let arns = std::mem::take(&mut function.configuration.layers);
        let mut attached: BTreeMap<DerivativeId, Vec<String>> = BTreeMap::new();
        for arn in arns {
            match self.own_layer(&arn) {
                Some((id, _)) => attached.entry(id).or_default().push(arn),
                None => function.configuration.layers.push(arn),
            }
        }
        for (id, arns) in attached {
            if arns.iter().any(|arn| !known.listed.contains_key(arn)) {
                let parts = self.parts_of(&id, None).await?;
                known.note(&id, &parts);
            }
            let (foreign, arns): (Vec<_>, Vec<_>) =
                arns.into_iter().partition(|arn| known.foreign.contains(arn));
            function.configuration.layers.extend(foreign);
            if arns.is_empty() {
                continue;
            }
            let inputs = arns.first().and_then(|arn| known.listed.get(arn)).map(|(_, inputs)| *inputs);
            let is_whole = |inputs: &Sha256| known.whole.get(&(id.clone(), *inputs)) == Some(&arns);
            let fits = id.runtime == function.configuration.runtime
                && id.architecture == function.configuration.architecture;
            function.derivatives.insert(id.name.clone(), inputs.filter(is_whole).filter(|_| fits));
        }
        Ok(())
    }

    /// The derivative that a layer version of this account is a part of, going by its name.
    fn own_layer(&self, arn: &str) -> Option<(DerivativeId, usize)> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "lambda", region, account, "layer", name, _] = parts[..] else { return None };
        let is_here =
            region == self.aws.region && self.aws.account().is_ok_and(|own| own.as_str() == account);
        self.names.layer_of(name).filter(|_| is_here)
    }

    /// The versions of each part of a derivative. How many parts there are is what the first one says: the first with these
    /// inputs, where there is one.
    async fn parts_of(&self, id: &DerivativeId, inputs: Option<Sha256>) -> Result<Vec<Vec<Version>>, Error> {
        let first = self.layer_versions(&self.names.layer(id)).await?;
        let counts = first
            .iter()
            .filter_map(|version| version.record.as_ref())
            .filter(|record| inputs.is_none_or(|inputs| record.inputs == inputs))
            .map(|record| record.parts);
        let rest = (2..=counts.max().unwrap_or(1))
            .map(async |part| self.layer_versions(&self.names.layer_part(id, part)).await);
        let rest = try_join_all(rest).await?;
        Ok(std::iter::once(first).chain(rest).collect())
    }

    /// The versions of a layer, newest first. None where there is no such layer.
    pub(super) async fn layer_versions(&self, layer: &str) -> Result<Vec<Version>, Error> {
        let listed = pages::all(async |position: Option<String>| {
            let answer = self
                .aws
                .call("lambda:ListLayerVersions", layer, || {
                    self.aws
                        .lambda
                        .list_layer_versions()
                        .layer_name(layer)
                        .set_marker(position.clone())
                        .send()
                })
                .await?;
            Ok((answer.layer_versions, answer.next_marker))
        });
        let listed = match listed.await {
            Err(error) if error.is(&Cause::Gone) => return Ok(Vec::new()),
            listed => listed?,
        };
        let versions = listed.into_iter().filter_map(|version| {
            let record = version.description().and_then(Record::read);
            let record = record.filter(|record| record.project == self.names.project.as_str());
            let sizes = version.description().map(Sizes::read).unwrap_or_default();
            let published = version.created_date;
            Some(Version { arn: version.layer_version_arn?, record, sizes, published })
        });
        Ok(versions.collect())
    }

    /// Publishes a derivative, its first part last: where that is live, all of it is.
    pub(crate) async fn publish_layers(
        &self,
        id: &DerivativeId,
        wanted: &Derivative,
        change: &Change,
        run: &Run<'_>,
    ) -> Result<Applied, Error> {
        let package = run
            .packages()
            .derivatives
            .get(id)
            .ok_or_else(|| Error::new(Cause::Other, format!("derivative {} was not built", id.name)))?;
        let parts = package.parts.len();
        let record =
            |part| Record { project: self.names.project.to_string(), inputs: wanted.inputs, part, parts };
        let rest = package.parts.iter().zip(1..).skip(1);
        let rest = rest.map(async |(zip, part)| {
            self.publish_layer(id, zip, &record(part), package.unzipped, &change.id, run).await
        });
        let rest = try_join_all(rest).await?;
        let mut arns = Vec::new();
        if let Some(first) = package.parts.first() {
            arns.push(self.publish_layer(id, first, &record(1), package.unzipped, &change.id, run).await?);
        }
        arns.extend(rest);
        self.state().layers.whole.insert((id.clone(), wanted.inputs), arns);
        run.announce(&change.id);
        Ok(Applied::default())
    }

    async fn publish_layer(
        &self,
        id: &DerivativeId,
        zip: &DerivativePart,
        record: &Record,
        unzipped: u64,
        on: &ResourceId,
        run: &Run<'_>,
    ) -> Result<String, Error> {
        let (aws, layer) = (&self.aws, self.names.layer_part(id, record.part));
        let sizes = Sizes { unzipped: Some(unzipped), zipped: Some(zip.size) };
        let description = format!("{record} zip={}{sizes}", zip.sha256);
        let DerivativePart { path, sha256, size } = zip;
        let zip = Zip { file: ZipFile::Package(path.clone()), size: *size, sha256: Some(*sha256) };
        let code = code::prepare(aws, self.artifacts.as_ref(), zip, on, run).await?;
        let answer = aws
            .send("lambda:PublishLayerVersion", &layer, code.bytes(), || async {
                let code = code.load().await?;
                let content = LayerVersionContentInput::builder()
                    .set_zip_file(code.zip_file)
                    .set_s3_bucket(code.s3_bucket)
                    .set_s3_key(code.s3_key)
                    .build();
                aws.lambda
                    .publish_layer_version()
                    .layer_name(&layer)
                    .description(&description)
                    .compatible_runtimes(Runtime::from(id.runtime.as_str()))
                    .compatible_architectures(request::instruction_set(id.architecture))
                    .content(content)
                    .send()
                    .await
            })
            .await?;
        let unnamed =
            || Error::new(Cause::Other, format!("Lambda's answer names no version of layer {layer}"));
        answer.layer_version_arn.ok_or_else(unnamed)
    }

    /// Removes every version of a derivative. Functions that were published with one keep it.
    pub(crate) async fn delete_layers(&self, id: &DerivativeId) -> Result<Applied, Error> {
        let mut part = 1;
        loop {
            let layer = self.names.layer_part(id, part);
            let mut versions = self.layer_versions(&layer).await?;
            versions.retain(|version| version.record.is_some());
            // A part without a version of ours is none of ours, and so is what would come after it.
            if versions.is_empty() {
                return Ok(Applied::default());
            }
            for version in &versions {
                let Some(number) = version.number() else { continue };
                self.delete_version(&layer, number).await?;
            }
            part += 1;
        }
    }

    /// Removes one version of a layer. One that is gone already is as good.
    pub(super) async fn delete_version(&self, layer: &str, number: u64) -> Result<(), Error> {
        let (aws, number) = (&self.aws, i64::try_from(number).unwrap_or(i64::MAX));
        let answer = aws.call("lambda:DeleteLayerVersion", layer, || {
            aws.lambda.delete_layer_version().layer_name(layer).version_number(number).send()
        });
        functions::ignore_absent(answer.await)
    }

    /// A function as Lambda is told of it: its derivatives are layers behind its own ones.
    pub(crate) fn with_layers(&self, function: &Function) -> Result<Function, Error> {
        let mut whole = function.clone();
        let state = self.state();
        for (name, inputs) in &function.derivatives {
            let id = function.configuration.derivative_id(name);
            let arns = inputs.and_then(|inputs| state.layers.whole.get(&(id, inputs)));
            let arns = arns.ok_or_else(|| lost(name))?;
            whole.configuration.layers.extend(arns.iter().cloned());
        }
        Ok(whole)
    }
}

fn lost(name: &DerivativeName) -> Error {
    Error::new(Cause::Gone, format!("the layers of derivative {name} are not there any more"))
        .with_help("run the command again: it publishes them")
}

/// What the files of a derivative with these inputs take, in bytes, as its versions say.
fn unzipped_size(parts: &[Vec<Version>], inputs: Sha256) -> Option<u64> {
    let is_it = |version: &&Version| version.record.as_ref().is_some_and(|record| record.inputs == inputs);
    parts.first()?.iter().filter(is_it).find_map(|version| version.sizes.unzipped)
}

/// What the newest version of ours records.
fn newest(versions: &[Version]) -> Option<&Record> {
    versions.iter().find_map(|version| version.record.as_ref())
}

impl KnownLayers {
    /// Takes in the versions of each part of a derivative.
    fn note(&mut self, id: &DerivativeId, parts: &[Vec<Version>]) {
        for Version { arn, record, .. } in parts.iter().flatten() {
            match record {
                Some(record) => drop(self.listed.insert(arn.clone(), (id.clone(), record.inputs))),
                None => drop(self.foreign.insert(arn.clone())),
            }
        }
        for first in parts.first().into_iter().flatten().filter_map(|version| version.record.as_ref()) {
            let Record { inputs, parts: count, .. } = *first;
            let arns: Option<Vec<String>> = (0..count)
                .map(|part| {
                    let same = |version: &&Version| {
                        version.record == Some(Record { part: part + 1, ..first.clone() })
                    };
                    Some(parts.get(part)?.iter().find(same)?.arn.clone())
                })
                .collect();
            if let Some(arns) = arns {
                // The newest comes first.
                self.whole.entry((id.clone(), inputs)).or_insert(arns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(part: usize, parts: usize) -> Record {
        Record { project: "ml_api".to_owned(), inputs: Sha256::of(b"in"), part, parts }
    }

    fn version(arn: &str, record: Record) -> Version {
        Version { arn: arn.to_owned(), record: Some(record), sizes: Sizes::default(), published: None }
    }

    #[test]
    fn a_derivative_is_live_with_all_of_its_parts_only() {
        let id: DerivativeId = "sklearn-python3_13-x86_64".parse().unwrap();
        let mut known = KnownLayers::default();
        known.note(&id, &[vec![version("a:2", record(1, 2)), version("a:1", record(1, 2))], Vec::new()]);
        assert!(known.whole.is_empty());
        known.note(
            &id,
            &[
                vec![version("a:2", record(1, 2)), version("a:1", record(1, 2))],
                vec![version("b:1", record(2, 2))],
            ],
        );
        assert_eq!(known.whole[&(id, Sha256::of(b"in"))], ["a:2", "b:1"]);
    }
}
