//! Functions to a container image: files in, layers and one archive out; it knows no registry, no network and no container engine.
//!
//! An image is, from the bottom: the base if there is one; the server program as `/mdo-server` with `/tmp` and the user mdo; each
//! derivative below `/opt/derivatives`, each function below `/srv`, each in a layer of its own that depends on nothing else; and
//! `/stack.json`. The same parts make the same digest on every machine.

mod archive;
mod base;
mod error;
mod file_tree;
mod hashed;
mod layer;
mod needs;
mod oci;
mod parts;
mod source;
mod store;
mod tar;
mod tar_read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mdo_model::Sha256;
use mdo_model::hosted::{Blob, CODE_FOLDER, Content, ENTRYPOINT, Outgoing, PORT, TEMPORARY_FOLDER, tag_of};
use mdo_model::project::{Architecture, FunctionName};

use oci::{Config, Descriptor, Digest, History, Manifest, Nothing, RootFs, Run};
use store::{Open, Stored};

pub use archive::{write_archive, write_archive_to};
pub use base::Base;
pub use error::ImageError;
pub use parts::{derivative_folder, function_folder};
pub use store::ImageStore;

/// The user that everything runs as; the files are root's.
const USER: &str = "65532:65532";

/// Where programs are looked for if the base does not say.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The digest of what an image is based on, as OCI's annotations name it.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The media type of [`Image::manifest`].
pub const MANIFEST: &str = oci::MANIFEST;

/// What an image is made of.
pub struct Parts<'a> {
    /// The processor that everything in it is built for.
    pub architecture: Architecture,
    /// The server program.
    pub server: &'a Path,
    /// In any order.
    pub functions: &'a [FunctionPart],
    /// In any order.
    pub derivatives: &'a [DerivativePart],
    /// The text of `/stack.json`.
    pub stack: &'a [u8],
    /// The image below.
    pub base: Option<&'a Base>,
    /// Labels of the image, such as `org.opencontainers.image.title`. They are as public as the image.
    pub labels: &'a BTreeMap<String, String>,
    /// Set when nobody waits for the image any more.
    pub abandoned: &'a AtomicBool,
}

/// A function's package. It lies in [`function_folder`].
#[derive(Clone, Debug)]
pub struct FunctionPart {
    /// The function's name.
    pub name: FunctionName,
    /// Its zip.
    pub zip: PathBuf,
    /// The zip's digest.
    pub sha256: Sha256,
    /// The program that has to be on the base's `PATH`, of a function whose runtime is managed: `python3.13`.
    pub interpreter: Option<String>,
}

/// A derivative's packages. They lie in [`derivative_folder`], which goes on the `PYTHONPATH` as it is.
#[derive(Clone, Debug)]
pub struct DerivativePart {
    /// The folder's name, of its own for each of an image's derivatives: `sklearn-python3_13`.
    pub name: String,
    /// The identity of what it holds.
    pub inputs: Sha256,
    /// The folder that holds the packages.
    pub tree: PathBuf,
}

/// A finished image. As long as it or a clone lives, its layers stay where they are.
#[derive(Clone, Debug)]
pub struct Image {
    /// Of the manifest: what the image is known by.
    pub digest: Sha256,
    /// What it runs on.
    pub architecture: Architecture,
    /// The manifest, of the media type [`MANIFEST`].
    pub manifest: Vec<u8>,
    /// The configuration.
    pub config: Vec<u8>,
    /// The digest of the configuration.
    pub config_digest: Sha256,
    /// The lowest first.
    pub layers: Vec<Layer>,
    _guard: Arc<File>,
}

/// One layer of an image, compressed with gzip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it brings.
    pub what: What,
    /// Of the compressed layer.
    pub digest: Sha256,
    /// Of the layer before it was compressed.
    pub diff_id: Sha256,
    /// Compressed, in bytes.
    pub size: u64,
    /// What its files take, in bytes.
    pub unpacked: u64,
    /// The compressed layer.
    pub path: PathBuf,
    /// Whether it was there already.
    pub was_there: bool,
}

/// What a layer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A layer of the base.
    Base,
    /// The server program.
    Server,
    /// A derivative, by its folder's name.
    Derivative(String),
    /// A function.
    Function(FunctionName),
    /// `/stack.json`.
    Stack,
    /// A layer of an image of somebody else's making.
    Own,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Server => f.write_str("server"),
            Self::Derivative(name) => write!(f, "derivative {name}"),
            Self::Function(name) => write!(f, "function {name}"),
            Self::Stack => f.write_str("stack.json"),
            Self::Own => f.write_str("layer"),
        }
    }
}

impl Image {
    /// What it is tagged with: the first 12 digits of its digest.
    pub fn tag(&self) -> String {
        tag_of(&self.digest)
    }

    /// The image on its way to a registry.
    pub fn outgoing(&self) -> Outgoing {
        let config = Blob {
            what: "configuration".to_owned(),
            digest: self.config_digest,
            size: self.config.len() as u64,
            content: Content::Bytes(self.config.clone()),
        };
        let layers = self.layers.iter().map(|layer| Blob {
            what: layer.what.to_string(),
            digest: layer.digest,
            size: layer.size,
            content: Content::File(layer.path.clone()),
        });
        Outgoing {
            manifest: self.manifest.clone(),
            media_type: MANIFEST.to_owned(),
            digest: self.digest,
            blobs: std::iter::once(config).chain(layers).collect(),
        }
    }

    /// What a registry keeps of it, in bytes; a layer that appears twice is kept once.
    pub fn size(&self) -> u64 {
        let layers: BTreeMap<_, _> = self.layers.iter().map(|layer| (layer.digest, layer.size)).collect();
        layers.values().sum::<u64>() + (self.config.len() + self.manifest.len()) as u64
    }
}

/// Makes the image. Layers whose parts have not changed come from the store.
///
/// # Errors
/// When the server program or a function is built for another processor or needs what is not in the base, when a zip is not what
/// it is said to be, and when files cannot be read or the store not be written: then nothing unfinished is left.
pub fn image(parts: &Parts, store: &ImageStore) -> Result<Image, ImageError> {
    if let Some(base) = parts.base.filter(|base| base.architecture != parts.architecture) {
        return Err(ImageError::OtherBase { found: base.architecture, architecture: parts.architecture });
    }
    let store = store.open()?;
    let jobs = parts::jobs(parts)?;
    let mut places = BTreeSet::new();
    if let Some(twice) = jobs.iter().find(|job| !places.insert(job.place.clone())) {
        return Err(ImageError::Twice { place: twice.place.clone() });
    }
    let made = parts::make(&jobs, parts, &store)?;
    for (job, (stored, _)) in jobs.iter().zip(&made) {
        needs::check(job, stored, parts.base)?;
    }
    let ours = jobs.into_iter().zip(made).map(|(job, (stored, was_there))| (job.what, stored, was_there));
    let below = parts.base.into_iter().flat_map(|base| &base.layers);
    let layers: Vec<_> = below
        .map(|stored| (What::Base, stored.clone(), true))
        .chain(ours)
        .map(|(what, stored, was_there)| layer_of(what, &stored, was_there, &store))
        .collect();
    let config = json(&config(parts, &layers));
    Ok(finished(parts.architecture, config, layers, &store))
}

/// Reads an image of somebody else's making from an archive, just as it is.
///
/// # Errors
/// As [`Base::read`].
pub fn own_image(path: &Path, architecture: Architecture, store: &ImageStore) -> Result<Image, ImageError> {
    let store = store.open()?;
    let (found, stored) = base::take_all(path, architecture, &store)?;
    let layers = stored.iter().map(|stored| layer_of(What::Own, stored, true, &store)).collect();
    Ok(finished(architecture, found.text, layers, &store))
}

fn finished(architecture: Architecture, config: Vec<u8>, layers: Vec<Layer>, store: &Open) -> Image {
    let config_digest = Sha256::of(&config);
    let manifest = json(&Manifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config: Descriptor::new(oci::CONFIG, config_digest, config.len() as u64),
        layers: layers.iter().map(|layer| Descriptor::new(oci::LAYER, layer.digest, layer.size)).collect(),
    });
    Image {
        digest: Sha256::of(&manifest),
        architecture,
        manifest,
        config,
        config_digest,
        layers,
        _guard: store.guard(),
    }
}

fn layer_of(what: What, stored: &Stored, was_there: bool, store: &Open) -> Layer {
    let Stored { digest, diff_id, size, unpacked, .. } = *stored;
    Layer { what, digest, diff_id, size, unpacked, path: store.blob(digest), was_there }
}

fn config(parts: &Parts, layers: &[Layer]) -> Config {
    let mut env = parts.base.map_or_else(Vec::new, |base| base.env.clone());
    if !env.iter().any(|entry| entry.starts_with("PATH=")) {
        env.insert(0, PATH.to_owned());
    }
    let mut labels = parts.labels.clone();
    if let Some(base) = parts.base {
        labels.insert(BASE_DIGEST.to_owned(), format!("sha256:{}", base.digest));
    }
    let below = parts.base.into_iter().flat_map(|base| base.history.clone());
    let ours = layers.iter().filter(|layer| layer.what != What::Base).map(|layer| History {
        created: Some(oci::CREATED.to_owned()),
        created_by: format!("mdo: {}", layer.what),
        ..History::default()
    });
    Config {
        created: Some(oci::CREATED.to_owned()),
        architecture: oci::architecture(parts.architecture).to_owned(),
        variant: (parts.architecture == Architecture::Arm64).then(|| "v8".to_owned()),
        os: oci::LINUX.to_owned(),
        config: Run {
            user: USER.to_owned(),
            exposed_ports: BTreeMap::from([(format!("{PORT}/tcp"), Nothing {})]),
            env,
            entrypoint: ENTRYPOINT.map(str::to_owned).to_vec(),
            // Engines give a volume there the folder's own mode; without the word Fargate makes it root's alone.
            volumes: BTreeMap::from([(TEMPORARY_FOLDER.to_owned(), Nothing {})]),
            working_dir: CODE_FOLDER.to_owned(),
            labels,
            stop_signal: "SIGTERM".to_owned(),
        },
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: layers.iter().map(|layer| Digest(layer.diff_id)).collect(),
        },
        history: below.chain(ours).collect(),
    }
}

/// The very bytes that digests are taken of: structures have their keys in one order, maps are sorted.
#[expect(clippy::expect_used, reason = "plain structures with text keys")]
fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("these structures can be written as JSON")
}
