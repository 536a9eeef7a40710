//! Remembers what a folder was packaged into, so that an unchanged one is neither read nor zipped again.
//!
//! A folder counts as unchanged while every file of the package has the same name, place, size, mode, inode and times, and
//! the function is packaged by the same rules. What is remembered lies beside the zips and may be deleted at any time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mdo_model::Sha256;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::collect::Entry;
use super::{Package, Source};

/// What is written in another form is forgotten.
const FORMAT: u32 = 1;

/// What one function was packaged into last.
#[derive(Serialize, Deserialize)]
struct Remembered {
    format: u32,
    /// The version of mdo: another one may have other rules.
    mdo: String,
    fingerprint: String,
    sha256: Sha256,
    size: u64,
    unzipped: u64,
    warnings: Vec<String>,
}

/// The state of a folder when its files were listed.
pub(super) struct Fingerprint {
    digest: String,
    /// Whether every file has rested long enough for its times to tell.
    is_settled: bool,
}

impl Fingerprint {
    /// Of the files of a package as they were listed.
    pub(super) fn of(source: &Source, entries: &[Entry]) -> Self {
        let now = SystemTime::now();
        let mut hash = sha2::Sha256::new();
        hash.update(format!("{:?}", rules(source)));
        for Entry { name, path, executable, stamp, .. } in entries {
            hash.update(format!("{:?}", (name, path, executable, stamp)));
        }
        let is_settled = entries.iter().all(|entry| entry.stamp.has_rested(now));
        Self { digest: format!("{:x}", hash.finalize()), is_settled }
    }
}

/// What decides how a folder is packaged and what is said of it, beside its files.
fn rules<'a>(source: &'a Source<'_>) -> impl std::fmt::Debug + 'a {
    (
        source.runtime,
        source.handler,
        source.architecture,
        source.build_hook,
        source.destination,
        source.has_layers,
    )
}

/// What the folder was packaged into, if it is as it was and the zip is still there.
pub(super) fn recall(source: &Source, artifacts: &Path, fingerprint: &Fingerprint) -> Option<Package> {
    let known: Remembered = serde_json::from_slice(&fs::read(file(source, artifacts)).ok()?).ok()?;
    let is_same = known.format == FORMAT
        && known.mdo == env!("CARGO_PKG_VERSION")
        && known.fingerprint == fingerprint.digest;
    let path = artifacts.join(format!("{}.zip", known.sha256));
    let is_there =
        || fs::symlink_metadata(&path).is_ok_and(|data| data.is_file() && data.len() == known.size);
    (is_same && is_there()).then(|| Package {
        sha256: known.sha256,
        size: known.size,
        unzipped: known.unzipped,
        path: path.clone(),
        warnings: known.warnings,
    })
}

/// Remembers a package. Who cannot packages again next time.
pub(super) fn remember(source: &Source, artifacts: &Path, fingerprint: Fingerprint, package: &Package) {
    if !fingerprint.is_settled {
        return;
    }
    let known = Remembered {
        format: FORMAT,
        mdo: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: fingerprint.digest,
        sha256: package.sha256,
        size: package.size,
        unzipped: package.unzipped,
        warnings: package.warnings.clone(),
    };
    let write = || -> io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(artifacts)?;
        new.write_all(serde_json::to_string(&known)?.as_bytes())?;
        new.persist(file(source, artifacts)).map(drop).map_err(|error| error.error)
    };
    let _ = write();
}

fn file(source: &Source, artifacts: &Path) -> PathBuf {
    artifacts.join(format!("{}.json", source.function))
}
