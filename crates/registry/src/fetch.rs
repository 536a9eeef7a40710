//! Fetches an image by its digest into a folder, as an OCI layout; what is there already does not travel again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use hyper::Method;
use mdo_model::Sha256;
use serde::Deserialize;
use serde_json::json;
use sha2::Digest as _;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use crate::exchange::{Call, host_of};
use crate::patience::Fault;
use crate::{Error, Event, Observe, Registry};

/// How many blobs travel at once.
const AT_ONCE: usize = 3;

/// The most bytes of a manifest, as registries limit it.
const MOST_MANIFEST: usize = 4 * 1024 * 1024;

const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// What an image is to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// As images name it: `linux`.
    pub os: String,
    /// As images name it: `amd64`, `arm64`.
    pub architecture: String,
}

/// An image that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder: an OCI layout with this image alone in its index.
    pub layout: PathBuf,
    /// The digest of the manifest for the platform.
    pub digest: Sha256,
    /// How many bytes came over the network in blobs.
    pub bytes: u64,
}

/// A list of images, or an image.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
    platform: Option<Told>,
}

#[derive(Clone, Deserialize)]
struct Told {
    os: String,
    architecture: String,
}

impl Registry {
    /// Fetches the image with the digest, or that for the platform of a list with the digest.
    ///
    /// # Errors
    /// When the registry refuses or has no such image, when it cannot be reached, when something has another digest than its name,
    /// when there is none for the platform, when the folder cannot be written, and when it was cancelled.
    pub async fn fetch(
        &self,
        digest: Sha256,
        platform: &Platform,
        folder: &Path,
        observe: &Observe,
        cancel: &CancellationToken,
    ) -> Result<Fetched, Error> {
        let cancelled = cancel.run_until_cancelled(self.fetch_all(digest, platform, folder, observe)).await;
        cancelled.unwrap_or(Err(Error::Cancelled))
    }

    async fn fetch_all(
        &self,
        digest: Sha256,
        platform: &Platform,
        folder: &Path,
        observe: &Observe,
    ) -> Result<Fetched, Error> {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(disk(&blobs))?;
        let (mut digest, mut document, mut text) = self.document(digest, &blobs, observe).await?;
        if !document.manifests.is_empty() {
            digest = self.choose(&document, digest, platform)?;
            (digest, document, text) = self.document(digest, &blobs, observe).await?;
        }
        let config =
            document.config.ok_or_else(|| self.malformed("a manifest names no configuration".to_owned()))?;
        let mut parts = BTreeMap::new();
        for part in [config].into_iter().chain(document.layers) {
            parts.insert(self.digest(&part.digest)?, part.size);
        }
        let came: Vec<u64> = stream::iter(parts)
            .map(|(digest, size)| self.fetch_blob(digest, size, &blobs, observe))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": document.media_type,
                "digest": format!("sha256:{digest}"),
                "size": text.len(),
                "platform": { "architecture": platform.architecture, "os": platform.os },
            }],
        });
        write(&folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        // Last: a layout with an index is complete.
        write(&folder.join("index.json"), index.to_string().as_bytes())?;
        Ok(Fetched { layout: folder.to_owned(), digest, bytes: came.iter().sum() })
    }

    /// A manifest or a list of manifests, from the folder if it is there.
    async fn document(
        &self,
        digest: Sha256,
        blobs: &Path,
        observe: &Observe,
    ) -> Result<(Sha256, Document, Vec<u8>), Error> {
        let path = blobs.join(digest.to_string());
        let known = std::fs::read(&path).ok().filter(|text| Sha256::of(text) == digest);
        let text = match known {
            Some(text) => text,
            None => {
                let what = format!("image {}@sha256:{digest}", self.repository.path());
                let address = self.address(&format!("manifests/sha256:{digest}"))?;
                let call = Call::new(Method::GET, address, what.clone()).accepting(ACCEPT);
                let text = self
                    .client
                    .patience
                    .keep_trying(observe, || async {
                        let mut answer = self.send(&call).await?;
                        Ok::<_, Fault>(self.whole(&mut answer, MOST_MANIFEST).await?)
                    })
                    .await?;
                let found = Sha256::of(&text);
                if found != digest {
                    return Err(self.wrong(what, digest, found));
                }
                write(&path, &text)?;
                text
            }
        };
        let document = serde_json::from_slice(&text)
            .map_err(|_| self.malformed(format!("sha256:{digest} is no manifest")))?;
        Ok((digest, document, text))
    }

    fn choose(&self, list: &Document, digest: Sha256, wanted: &Platform) -> Result<Sha256, Error> {
        let told = |entry: &Descriptor| entry.platform.clone();
        let fits = |entry: &&Descriptor| {
            told(entry).is_some_and(|told| told.os == wanted.os && told.architecture == wanted.architecture)
        };
        if let Some(entry) = list.manifests.iter().find(fits) {
            return self.digest(&entry.digest);
        }
        let mut has: Vec<_> = list
            .manifests
            .iter()
            .filter_map(told)
            .filter(|told| told.os != "unknown")
            .map(|told| crate::error::shown(&format!("{}/{}", told.os, told.architecture)))
            .collect();
        has.dedup();
        Err(Error::NoPlatform {
            image: format!("{}@sha256:{digest}", self.repository),
            wanted: format!("{}/{}", wanted.os, wanted.architecture),
            has,
        })
    }

    /// Fetches a blob unless it is there; answers how many bytes came.
    async fn fetch_blob(
        &self,
        digest: Sha256,
        size: u64,
        blobs: &Path,
        observe: &Observe,
    ) -> Result<u64, Error> {
        let path = blobs.join(digest.to_string());
        if is_there(&path, digest, size) {
            observe(Event::There { digest, size });
            return Ok(0);
        }
        let what = format!("blob sha256:{digest}");
        let call = Call::new(Method::GET, self.address(&format!("blobs/sha256:{digest}"))?, what.clone());
        self.client
            .patience
            .keep_trying(observe, || async {
                let file = self.download(&call, digest, size, blobs, observe).await?;
                file.persist(&path).map_err(|error| disk(&path)(error.error))?;
                Ok(size)
            })
            .await
    }

    async fn download(
        &self,
        call: &Call,
        digest: Sha256,
        size: u64,
        blobs: &Path,
        observe: &Observe,
    ) -> Result<NamedTempFile, Fault> {
        let mut answer = self.send(call).await?;
        let host = host_of(&answer.address);
        let file = tempfile::Builder::new().prefix(".part-").tempfile_in(blobs).map_err(disk(blobs))?;
        let mut hash = sha2::Sha256::new();
        let mut done = 0;
        while let Some(piece) = self.client.piece(&host, answer.response.body_mut()).await? {
            done += piece.len() as u64;
            if done > size {
                return Err(self.malformed(format!("{} is longer than its {size} bytes", call.what)).into());
            }
            hash.update(&piece);
            // Pieces are small, and the system writes them when it has time.
            file.as_file().write_all(&piece).map_err(disk(blobs))?;
            observe(Event::Bytes { digest, done, total: size });
        }
        let found: [u8; 32] = hash.finalize().into();
        let found = Sha256::from(found);
        if found != digest {
            return Err(self.wrong(call.what.clone(), digest, found).into());
        }
        Ok(file)
    }

    fn wrong(&self, what: String, expected: Sha256, found: Sha256) -> Error {
        Error::WrongDigest { host: self.host(), what, expected, found: format!("sha256:{found}") }
    }

    fn digest(&self, text: &str) -> Result<Sha256, Error> {
        let digits = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        digits.ok_or_else(|| {
            self.malformed("a manifest names something by another digest than SHA-256".to_owned())
        })
    }
}

fn is_there(path: &Path, digest: Sha256, size: u64) -> bool {
    if !std::fs::symlink_metadata(path).is_ok_and(|data| data.is_file() && data.len() == size) {
        return false;
    }
    let mut hash = sha2::Sha256::new();
    let read = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hash));
    let found: [u8; 32] = hash.finalize().into();
    read.is_ok() && Sha256::from(found) == digest
}

/// Writes a short file at once.
fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
        file.write_all(text)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(disk(path))
}

fn disk(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Disk { path: path.to_owned(), source }
}
