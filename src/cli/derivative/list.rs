//! `mdo derivative list`.

use std::collections::BTreeMap;

use mdo_model::Sha256;
use mdo_model::project::{DerivativeId, DerivativeName, Settings};

use super::super::derivatives::Derivatives;
use super::{ids_of, open};
use crate::output::{self, DerivativeListDocument, DerivativeListEntry, Failure, ZipState, table};

pub(super) fn run(json: bool) -> Result<(), Failure> {
    let (_, settings) = open()?;
    let entries: Vec<_> = settings.derivatives.keys().map(|name| entry(&settings, name)).collect();
    if json {
        output::json(&DerivativeListDocument::new(&settings.project, entries));
        return Ok(());
    }
    if entries.is_empty() {
        output::data("the project has no derivative: `mdo derivative create NAME PACKAGE…` makes one\n");
        return Ok(());
    }
    let mut rows = vec![["derivative", "packages", "for", "functions", "lock"].map(str::to_owned).to_vec()];
    for entry in entries {
        let or_none = |texts: &[String]| if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
        rows.push(vec![
            entry.name,
            if entry.zip.is_some() { "zip".to_owned() } else { entry.packages.len().to_string() },
            or_none(&entry.platforms),
            or_none(&entry.functions),
            entry.problem.unwrap_or_else(|| state(entry.zip.as_ref()).to_owned()),
        ]);
    }
    output::data(&table(&rows));
    Ok(())
}

/// What there is to say of a lock, or of a prebuilt zip in its place.
fn state(zip: Option<&ZipState>) -> &'static str {
    match zip {
        None => "up to date",
        Some(ZipState { pinned: true, .. }) => "pinned",
        Some(ZipState { pinned: false, .. }) => "not pinned",
    }
}

fn entry(settings: &Settings, name: &DerivativeName) -> DerivativeListEntry {
    let ids = ids_of(settings, name);
    let functions: Vec<String> = settings
        .functions
        .iter()
        .filter(|(_, function)| function.derivatives.contains(name))
        .map(|(function, _)| function.to_string())
        .collect();
    let (read, complaints) = Derivatives::readable(settings, &ids);
    let pinned = read.pinned();
    let inputs = if complaints.is_empty() { read.inputs() } else { BTreeMap::new() };
    let text = |(id, inputs): (DerivativeId, Sha256)| (id.to_string(), inputs.to_string());
    DerivativeListEntry {
        name: name.to_string(),
        platforms: ids.iter().map(|id| format!("{} {}", id.runtime, id.architecture)).collect(),
        packages: pinned.into_iter().map(|package| (package.name, package.version)).collect(),
        functions,
        zip: settings.derivatives.get(name).and_then(|own| {
            Some(ZipState { path: own.zip.as_ref()?.to_string(), pinned: own.sha256.is_some() })
        }),
        inputs: inputs.into_iter().map(text).collect(),
        problem: complaints.first().map(|complaint| {
            let message = &complaint.message;
            message.strip_prefix(&format!("derivative {name}: ")).unwrap_or(message).to_owned()
        }),
    }
}
