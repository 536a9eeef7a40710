//! `mdo derivative pin`.

use mdo_model::project::{DerivativeName, PROJECT_FILE};
use mdo_package::derivative;

use super::super::replace::replace;
use super::{chosen, open};
use crate::output::{self, DerivativePinDocument, Failure, exit_code};

pub(super) fn run(name: &DerivativeName, json: bool) -> Result<(), Failure> {
    let (_, settings) = open()?;
    chosen(&settings, std::slice::from_ref(name))?;
    let Some(zip) = settings.derivatives[name].zip.as_ref() else {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("derivative {name} is no prebuilt zip: its lock pins what is in it"),
            format!("mdo derivative lock {name}"),
        ));
    };
    let path = settings.root.join(zip);
    let sha256 = derivative::digest(&path).map_err(|error| {
        Failure::with_help(
            exit_code::USAGE,
            format!("derivative {name}: cannot read {zip}: {error}"),
            format!("correct `zip` under [derivatives.{name}] in project.toml"),
        )
    })?;
    let file = settings.root.join(PROJECT_FILE);
    let before = std::fs::read_to_string(&file)?;
    let after = mdo_model::project::pin_derivative(&before, name, sha256)?;
    replace(&file, &after)?;
    if json {
        output::json(&DerivativePinDocument::new(&settings.project, name, zip, sha256));
        return Ok(());
    }
    output::data(&format!("pinned {name} to sha256 {sha256} in {PROJECT_FILE}\n"));
    Ok(())
}
