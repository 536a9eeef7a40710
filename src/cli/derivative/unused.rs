//! Tidies `.mdo/derivatives` after a build or a lock that has succeeded: builds that nothing of the project names any more.

use std::collections::BTreeSet;
use std::time::SystemTime;

use mdo_model::project::Settings;
use mdo_package::derivative;

use super::super::derivatives::Derivatives;
use super::ids_of;
use crate::output;

/// Removes the builds that no lock and no local stack names, and that nobody has used for two weeks. A failure is a warning.
pub(in super::super) async fn remove_unused_builds(settings: &Settings) {
    let settings = settings.clone();
    let removing = tokio::task::spawn_blocking(move || remove(&settings));
    match removing.await {
        Ok(None) => {}
        Ok(Some(reason)) => output::message(&format!("warning: {reason}")),
        Err(error) => output::message(&format!("warning: cannot tidy .mdo/derivatives: {error}")),
    }
}

/// Why it could not be done, if it could not.
fn remove(settings: &Settings) -> Option<String> {
    let ids: BTreeSet<_> = settings
        .derivatives
        .keys()
        .flat_map(|name| ids_of(settings, name))
        .chain(settings.functions.values().flat_map(|function| function.derivative_ids()))
        .collect();
    let (derivatives, complaints) = Derivatives::readable(settings, &ids);
    if !complaints.is_empty() {
        // Nobody knows what a lock names that is stale or not there.
        return None;
    }
    let named = derivatives.named();
    let is_named = |inputs| named.contains(&inputs) || mdo_local::is_build_named(&settings.root, inputs);
    let cache = derivatives.cache().ok()?;
    let (path, error) = derivative::remove_unused(cache, &is_named, SystemTime::now()).err()?;
    let path = path.strip_prefix(&settings.root).unwrap_or(&path).display();
    Some(format!("cannot remove {path}, which nothing uses any more: {error}"))
}
