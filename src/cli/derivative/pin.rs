//! `mdo derivative pin`.

use mdo_model::Sha256;
use mdo_model::project::{DERIVATIVES, DerivativeName, PROJECT_FILE, Settings, ZipSource};
use mdo_package::OwnFolder;
use mdo_package::derivative::{self, Packing};

use super::super::derivatives::Derivatives;
use super::super::fetch::fetch;
use super::super::ingredients::Make;
use super::super::replace::replace;
use super::{chosen, ids_of, open};
use crate::output::{self, DerivativePinDocument, Failure, exit_code};

pub(super) async fn run(name: &DerivativeName, json: bool) -> Result<(), Failure> {
    let (_, mut settings) = open()?;
    chosen(&settings, std::slice::from_ref(name))?;
    let Some(zip) = settings.derivatives[name].zip.clone() else {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("derivative {name} is no prebuilt zip: its lock pins what is in it"),
            format!("mdo derivative lock {name}"),
        ));
    };
    let sha256 = digest(&settings, name, &zip).await?;
    if let Some(own) = settings.derivatives.get_mut(name) {
        own.sha256 = Some(sha256);
    }
    // What is pinned is what a deploy takes: it is opened and checked before.
    let derivatives = Derivatives::of_ids(&settings, &ids_of(&settings, name))?;
    if let Err(failure) = derivatives.build_all(Make::ForLambda(Packing::Tree)).await {
        if zip.is_elsewhere() {
            let cache = OwnFolder::of(&settings.root).path().join(DERIVATIVES);
            // What nobody can use only takes space.
            let _ = std::fs::remove_file(derivative::downloaded(&cache, sha256));
        }
        return Err(failure);
    }
    let file = settings.root.join(PROJECT_FILE);
    let before = std::fs::read_to_string(&file)?;
    let after = mdo_model::project::pin_derivative(&before, name, sha256)?;
    replace(&file, &after)?;
    if json {
        output::json(&DerivativePinDocument::new(&settings.project, name, &zip.to_string(), sha256));
        return Ok(());
    }
    output::data(&format!("pinned {name} to sha256 {sha256} in {PROJECT_FILE}\n"));
    Ok(())
}

/// The digest of the zip as it is now, wherever it is.
async fn digest(settings: &Settings, name: &DerivativeName, zip: &ZipSource) -> Result<Sha256, Failure> {
    let ZipSource::Path(path) = zip else {
        let cache = OwnFolder::of(&settings.root).folder(DERIVATIVES)?;
        return fetch(settings, name, zip, None, &cache).await;
    };
    derivative::digest(&settings.root.join(path)).map_err(|error| {
        Failure::with_help(
            exit_code::USAGE,
            format!("derivative {name}: cannot read {path}: {error}"),
            format!("correct `zip` under [derivatives.{name}] in project.toml"),
        )
    })
}
