//! Prebuilt zips from elsewhere: each kept once, by its digest, complete or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use mdo_model::quotas::UNZIPPED_LIMIT;
use sha2::Digest as _;

use super::error::DerivativeError;
use super::prebuilt::digest;
use super::store::{Store, Workshop};
use crate::own_folder::private_folder;

/// The folder of zips, below that of all derivatives.
const ZIPS: &str = "zips";

/// A zip on its way. What came of it goes with it unless it is kept.
pub struct Download {
    name: String,
    source: String,
    zips: PathBuf,
    workshop: Workshop,
    file: File,
    hash: sha2::Sha256,
    size: u64,
}

/// Where the zip of a digest is, or would be, below `cache`.
pub fn downloaded(cache: &Path, sha256: Sha256) -> PathBuf {
    cache.join(ZIPS).join(format!("{sha256}.zip"))
}

/// Whether the zip of a digest is there, and still what it was.
pub fn is_downloaded(cache: &Path, sha256: Sha256) -> bool {
    digest(&downloaded(cache, sha256)).is_ok_and(|found| found == sha256)
}

impl Download {
    /// Begins the download of a derivative's zip below `cache`. `source` is its address, for messages.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn begin(name: &str, source: &str, cache: &Path) -> Result<Self, DerivativeError> {
        let begin = || {
            let zips = cache.join(ZIPS);
            private_folder(&zips)?;
            let workshop = Store::workshop_below(cache)?;
            let file = File::create_new(workshop.out().join("zip"))?;
            io::Result::Ok((zips, workshop, file))
        };
        let (zips, workshop, file) = begin().map_err(|error| DerivativeError::write(name, cache, error))?;
        let (name, source) = (name.to_owned(), source.to_owned());
        Ok(Self { name, source, zips, workshop, file, hash: sha2::Sha256::new(), size: 0 })
    }

    /// Takes a piece of the zip, whose size is `total` in all if that is known, and answers how much of it is there.
    ///
    /// # Errors
    /// When it is larger than anything that Lambda takes, and when it cannot be written.
    pub fn take(&mut self, piece: &[u8], total: Option<u64>) -> Result<u64, DerivativeError> {
        self.size += piece.len() as u64;
        if self.size.max(total.unwrap_or_default()) > UNZIPPED_LIMIT {
            return Err(DerivativeError::TooLargeZip {
                name: self.name.clone(),
                address: self.source.clone(),
            });
        }
        self.hash.update(piece);
        let written = self.file.write_all(piece);
        written.map_err(|error| DerivativeError::write(&self.name, &self.zips, error))?;
        Ok(self.size)
    }

    /// Keeps the zip if it has the digest that was pinned, or whatever it has if nobody has said so, and answers its digest.
    ///
    /// # Errors
    /// When it is another one, and when it cannot be put in its place.
    pub fn keep(self, pinned: Option<Sha256>) -> Result<Sha256, DerivativeError> {
        let digest: [u8; 32] = self.hash.finalize().into();
        let found = Sha256::from(digest);
        let name = self.name;
        if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
            return Err(DerivativeError::OtherZip { name, zip: self.source.into(), found, pinned });
        }
        let place = self.zips.join(format!("{found}.zip"));
        let kept = self.file.sync_all().and_then(|()| fs::rename(self.workshop.out().join("zip"), &place));
        kept.map_err(|error| DerivativeError::write(&name, &place, error))?;
        Ok(found)
    }
}
