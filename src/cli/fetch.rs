//! Fetches prebuilt zips from elsewhere into `.mdo`, once each.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mdo_engine::{Cause, Error, Fetch};
use mdo_model::Sha256;
use mdo_model::project::{DerivativeName, Settings, ZipSource};
use mdo_package::Bytes;
use mdo_package::derivative::{self, Download};

use super::connect;
use crate::output::{Failure, Steps};

/// Makes sure that the zip with the pinned digest is below `cache`. One that is there needs neither network nor credentials.
pub(super) async fn fetch_pinned(
    settings: &Settings,
    name: &DerivativeName,
    source: &ZipSource,
    pinned: Sha256,
    cache: &Path,
) -> Result<(), Failure> {
    let place: PathBuf = cache.to_owned();
    let is_there = tokio::task::spawn_blocking(move || derivative::is_downloaded(&place, pinned));
    if is_there.await.map_err(anyhow::Error::from)? {
        return Ok(());
    }
    fetch(settings, name, source, Some(pinned), cache).await?;
    Ok(())
}

/// Fetches a zip, whatever is there already, and answers its digest.
pub(super) async fn fetch(
    settings: &Settings,
    name: &DerivativeName,
    source: &ZipSource,
    pinned: Option<Sha256>,
    cache: &Path,
) -> Result<Sha256, Failure> {
    let explained = |error: Error| explained(error, name, source);
    let file: Arc<dyn Fetch> = connect::zip(source, settings).await.map_err(explained)?;
    let steps = Steps::begin(format!("derivative {name}"));
    steps.next(&format!("fetching {source}"));
    let mut download = Download::begin(name.as_str(), &source.to_string(), cache)?;
    let mut refused = None;
    let mut take = |piece: &[u8], total: Option<u64>| match download.take(piece, total) {
        Ok(size) => {
            let of = total.map(|total| format!(" of {}", Bytes(total))).unwrap_or_default();
            steps.detail(&format!("fetched {}{of}", Bytes(size)));
            ControlFlow::Continue(())
        }
        Err(error) => {
            refused = Some(error);
            ControlFlow::Break(())
        }
    };
    file.fetch(&mut take).await.map_err(explained)?;
    if let Some(error) = refused {
        return Err(error.into());
    }
    Ok(download.keep(pinned)?)
}

/// The failure of a provider as one of a derivative, with what its credentials are for.
fn explained(error: Error, name: &DerivativeName, source: &ZipSource) -> Error {
    let mut error = error.while_doing(format_args!("derivative {name}: cannot fetch {source}"));
    let is_about_us = matches!(error.cause, Cause::Credentials | Cause::Expired | Cause::Denied);
    if matches!(source, ZipSource::S3 { .. }) && is_about_us {
        let why =
            "the credentials are only needed to fetch this zip once: afterwards it is in .mdo/derivatives";
        error.help = Some(error.help.map_or(why.to_owned(), |help| format!("{help}\n{why}")));
    }
    error
}
