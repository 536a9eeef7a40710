//! `mdo derivative build`.

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{DerivativeId, DerivativeName, Settings};
use mdo_package::Bytes;
use mdo_package::derivative::{self, Built, Imported, Packing};

use super::super::abandoned::Waiting;
use super::super::derivatives::{Derivatives, Needed, tell};
use super::super::ingredients::{Make, runtime_of};
use super::several::Several;
use super::unused::remove_unused_builds;
use super::{chosen, ids_of, open};
use crate::output::{self, DerivativeBuildDocument, DerivativeEntry, Failure, Steps};

pub(super) async fn run(names: &[DerivativeName], json: bool) -> Result<(), Failure> {
    let (_, settings) = open()?;
    let names = chosen(&settings, names)?;
    let mut several = Several::default();
    let mut entries = Vec::new();
    for id in names.iter().flat_map(|name| ids_of(&settings, name)) {
        match build_and_import(&settings, &id).await {
            Ok((built, imported)) if json => entries.push(DerivativeEntry::of(&id, &built, &imported)),
            Ok((built, imported)) => output::data(&text(&settings, &id, &built, &imported)),
            Err(failure) => several.note(failure)?,
        }
    }
    // Where nothing was built there is nothing to tell but why.
    let is_told = json && (several.failure().is_none() || !entries.is_empty());
    if is_told {
        output::json(&DerivativeBuildDocument::new(&settings.project, entries, several.failure()));
    }
    if several.failure().is_none() {
        remove_unused_builds(&settings).await;
    }
    several.end(is_told)
}

async fn build_and_import(settings: &Settings, id: &DerivativeId) -> Result<(Built, Imported), Failure> {
    let mut built = build(settings, &BTreeSet::from([id.clone()])).await?;
    let built = built.remove(id).ok_or_else(|| anyhow::anyhow!("{id} was not built"))?;
    let imported = import(settings, id, &built).await?;
    Ok((built, imported))
}

/// Builds what a deploy would publish.
pub(super) async fn build(
    settings: &Settings,
    ids: &BTreeSet<DerivativeId>,
) -> Result<BTreeMap<DerivativeId, Built>, Failure> {
    let packing = if settings.artifacts.is_some() { Packing::OneZip } else { Packing::Layers };
    Derivatives::of_ids(settings, ids)?.build_all(Make::ForLambda(packing)).await
}

/// Imports the modules once, where this machine can.
pub(super) async fn import(
    settings: &Settings,
    id: &DerivativeId,
    built: &Built,
) -> Result<Imported, Failure> {
    let waiting = Waiting::default();
    let abandoned = waiting.abandoned();
    let (root, id, built) = (settings.root.clone(), id.clone(), built.clone());
    let importing = move || {
        let runtime = runtime_of(&id)?;
        let needed = Needed::find(runtime, &root)?;
        let name = id.name.to_string();
        let steps = Steps::begin(format!("derivative {name}"));
        let mut observe = |event: derivative::Event<'_>| tell(&steps, event);
        let tools = needed.tools(&abandoned);
        Ok(derivative::import(&name, &built, runtime, id.architecture, &tools, &mut observe)?)
    };
    tokio::task::spawn_blocking(importing).await.map_err(anyhow::Error::from)?
}

/// What was built, in a few lines.
pub(super) fn text(settings: &Settings, id: &DerivativeId, built: &Built, imported: &Imported) -> String {
    let DerivativeId { name, runtime, architecture } = id;
    let zipped: u64 = built.parts.iter().map(|part| part.size).sum();
    let packages = output::count(built.distributions.len(), "package");
    let layers = match built.parts.len() {
        0 | 1 => String::new(),
        count => format!(" in {count} layers"),
    };
    let mut text = format!(
        "{name}  {runtime} {architecture}, {packages}, {}, {} zipped{layers}\n",
        Bytes(built.raw_size),
        Bytes(zipped)
    );
    for part in &built.parts {
        let path = part.path.strip_prefix(&settings.root).unwrap_or(&part.path).display();
        text.push_str(&format!("  {path}\n  sha256 {}\n", part.sha256));
    }
    for warning in &built.warnings {
        output::message(&format!("warning: derivative {name}: {warning}"));
    }
    match imported {
        Imported::NotHere => text.push_str("  not imported: this machine cannot run it\n"),
        Imported::Tried { modules, failed } => {
            text.push_str(&format!("  imported {}\n", modules.join(", ")));
            for failure in failed {
                output::message(&format!("warning: derivative {name}: cannot import {failure}"));
            }
        }
    }
    text
}
