//! The image below ours: read from an OCI layout, an OCI archive or a docker-archive, and checked digest by digest.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use mdo_model::Sha256;
use mdo_model::project::Architecture;
use serde::de::DeserializeOwned;

use super::file_tree::FileTree;
use super::hashed::Hashed;
use super::oci::{self, Config, Descriptor, Digest, DockerImage, History, Index, LINUX, Manifest, Platform};
use super::source::Source;
use super::store::{ImageStore, Open, Stored};
use super::{ImageError, PATH, layer};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How deep a list of images may lie in another one.
const MOST_DEPTH: usize = 3;

/// An image that others are put upon.
pub struct Base {
    /// The digest of its manifest; of a docker-archive, which has none, that of its configuration.
    pub digest: Sha256,
    pub(super) architecture: Architecture,
    pub(super) env: Vec<String>,
    pub(super) history: Vec<History>,
    pub(super) layers: Vec<Stored>,
    pub(super) files: FileTree,
    /// Keeps the layers in their places.
    _store: Open,
}

/// An image as its source describes it.
pub(super) struct Found {
    digest: Sha256,
    config: Config,
    /// The configuration as it is written.
    pub(super) text: Vec<u8>,
    /// The names of the layers in the source, the lowest first, and their digests where they are told.
    layers: Vec<(String, Option<Digest>)>,
}

impl Base {
    /// Reads the image for the architecture from a file or folder, and puts its layers into the store.
    ///
    /// # Errors
    /// When it is neither an OCI layout, an OCI archive nor a docker-archive, has no image or several images for the
    /// architecture, has a layer that is damaged or compressed otherwise than with gzip, or when the store cannot be written.
    pub fn read(path: &Path, architecture: Architecture, store: &ImageStore) -> Result<Self, ImageError> {
        let store = store.open()?;
        let (found, layers) = take_all(path, architecture, &store)?;
        let diff_ids = &found.config.rootfs.diff_ids;
        let key = layer::key(&["files", &diff_ids.iter().map(|id| id.0.to_string()).collect::<String>()]);
        let files = match store.recall(key) {
            Some(files) => files,
            None => {
                let mut files = FileTree::default();
                for stored in &layers {
                    lay(&mut files, stored, &store)?;
                }
                store.note_down(key, &files)?;
                files
            }
        };
        let history = match found.config.history {
            history if history.iter().filter(|step| !step.empty_layer).count() == layers.len() => history,
            // What does not fit the layers would shift the description of ours.
            _ => vec![History::default(); layers.len()],
        };
        let (digest, env) = (found.digest, found.config.config.env);
        Ok(Self { digest, architecture, env, history, layers, files, _store: store })
    }

    /// Whether the base has a program of this name on its `PATH`.
    pub(super) fn has_program(&self, name: &str) -> bool {
        let entries = self.env.iter().map(String::as_str).chain([PATH]);
        let path = entries.filter_map(|entry| entry.strip_prefix("PATH=")).next();
        path.unwrap_or_default().split(':').any(|folder| self.files.has_file(&format!("{folder}/{name}")))
    }
}

const HOW_TO_SAVE: &str = "save it with `docker save -o base.tar IMAGE` or `skopeo copy docker://IMAGE@sha256:… oci-archive:base.tar`";
const FETCH_AGAIN: &str = "fetch or save the base again";

/// Finds the one image for the architecture, and puts its layers into the store.
pub(super) fn take_all(
    path: &Path,
    architecture: Architecture,
    store: &Open,
) -> Result<(Found, Vec<Stored>), ImageError> {
    let source = match Source::open(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(ImageError::base(path, error.to_string(), HOW_TO_SAVE));
        }
        source => source.map_err(|source| ImageError::Read { path: path.to_owned(), source })?,
    };
    let found = find(&source, architecture)?;
    let diff_ids = &found.config.rootfs.diff_ids;
    if diff_ids.len() != found.layers.len() {
        let why = "its configuration names another number of layers than its manifest";
        return Err(ImageError::base(path, why, FETCH_AGAIN));
    }
    let layers = found.layers.iter().zip(diff_ids);
    let layers: Result<Vec<_>, _> =
        layers.map(|((name, digest), diff_id)| take(&source, name, *digest, diff_id.0, store)).collect();
    let layers = layers?;
    Ok((found, layers))
}

fn find(source: &Source, architecture: Architecture) -> Result<Found, ImageError> {
    let unread = |error: io::Error| ImageError::Read { path: source.path().to_owned(), source: error };
    if let Some(text) = source.text("index.json").map_err(unread)? {
        let index: Index = parse(source, "index.json", &text)?;
        return find_oci(source, index, architecture);
    }
    if let Some(text) = source.text("manifest.json").map_err(unread)? {
        return find_docker(source, parse(source, "manifest.json", &text)?, architecture);
    }
    let why =
        "it has neither an index.json, as an OCI archive has, nor a manifest.json, as a docker-archive has";
    Err(ImageError::base(source.path(), why, HOW_TO_SAVE))
}

/// Follows the lists to the one image for the architecture.
fn find_oci(source: &Source, index: Index, architecture: Architecture) -> Result<Found, ImageError> {
    let (mut fitting, mut others) = (Vec::new(), BTreeSet::new());
    let mut lists = vec![(index, 0)];
    while let Some((index, depth)) = lists.pop() {
        for entry in index.manifests {
            if entry.is_index() {
                if depth == MOST_DEPTH {
                    return Err(ImageError::base(source.path(), "its lists lead nowhere", HOW_TO_SAVE));
                }
                lists.push((blob(source, &entry)?, depth + 1));
                continue;
            }
            // What BuildKit says about how an image was made is listed as an image of no system.
            if entry.platform.as_ref().is_some_and(|platform| platform.os == "unknown") {
                continue;
            }
            if fits(entry.platform.as_ref(), architecture) == Some(false) {
                others.extend(entry.platform);
                continue;
            }
            let manifest: Manifest = blob(source, &entry)?;
            let text = blob_text(source, &manifest.config)?;
            let config: Config = parse(source, &manifest.config.digest.place(), &text)?;
            let platform = platform_of(&config);
            if fits(Some(&platform), architecture) == Some(false) {
                others.insert(platform);
            } else if !fitting.iter().any(|found: &Found| found.digest == entry.digest.0) {
                let layers = manifest.layers.iter().map(|layer| (layer.digest.place(), Some(layer.digest)));
                fitting.push(Found { digest: entry.digest.0, config, text, layers: layers.collect() });
            }
        }
    }
    only(source, fitting, &others, architecture)
}

fn find_docker(
    source: &Source,
    images: Vec<DockerImage>,
    architecture: Architecture,
) -> Result<Found, ImageError> {
    let (mut fitting, mut others) = (Vec::new(), BTreeSet::new());
    for image in images {
        let text = text(source, &image.config)?;
        let config: Config = parse(source, &image.config, &text)?;
        let platform = platform_of(&config);
        if fits(Some(&platform), architecture) == Some(false) {
            others.insert(platform);
        } else {
            let layers = image.layers.into_iter().map(|name| (name, None)).collect();
            fitting.push(Found { digest: Sha256::of(&text), config, text, layers });
        }
    }
    only(source, fitting, &others, architecture)
}

fn only(
    source: &Source,
    mut fitting: Vec<Found>,
    others: &BTreeSet<Platform>,
    architecture: Architecture,
) -> Result<Found, ImageError> {
    let wanted = oci::architecture(architecture);
    match (fitting.pop(), fitting.len()) {
        (Some(found), 0) => Ok(found),
        (Some(_), more) => {
            let why = format!("it holds {} images for linux/{wanted}", more + 1);
            Err(ImageError::base(source.path(), why, "save one image alone"))
        }
        (None, _) => {
            let others: Vec<_> =
                others.iter().map(|other| format!("{}/{}", other.os, other.architecture)).collect();
            let why = match others.as_slice() {
                [] => format!("it has no image for linux/{wanted}"),
                others => format!("it has no image for linux/{wanted}, only for {}", others.join(", ")),
            };
            let help =
                format!("take a base for linux/{wanted}, or build the functions for the base's processor");
            Err(ImageError::base(source.path(), why, help))
        }
    }
}

fn platform_of(config: &Config) -> Platform {
    Platform { architecture: config.architecture.clone(), os: config.os.clone() }
}

/// Whether a platform is that of the architecture, if it is told.
fn fits(platform: Option<&Platform>, architecture: Architecture) -> Option<bool> {
    platform.map(|platform| platform.os == LINUX && platform.architecture == oci::architecture(architecture))
}

/// Puts a layer into the store.
fn take(
    source: &Source,
    name: &str,
    digest: Option<Digest>,
    diff_id: Sha256,
    store: &Open,
) -> Result<Stored, ImageError> {
    let compressed = digest.map_or_else(String::new, |digest| digest.0.to_string());
    let key = layer::key(&["base", &diff_id.to_string(), &compressed]);
    if let Some(stored) = store.layer(key) {
        return Ok(stored);
    }
    let path = source.path();
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ImageError::base(path, error.to_string(), FETCH_AGAIN),
        _ => ImageError::Read { path: path.to_owned(), source: error },
    };
    let mut start = Vec::new();
    source.file(name).map_err(unread)?.take(4).read_to_end(&mut start).map_err(unread)?;
    if start == ZSTD {
        let why = "a layer is compressed with zstd, and mdo reads gzip alone";
        let help = "save it with `skopeo copy --dest-compress-format gzip docker://IMAGE@sha256:… oci:base`";
        return Err(ImageError::base(path, why, help));
    }
    let mut from = Hashed::new(source.file(name).map_err(unread)?);
    let stored = if start.starts_with(&GZIP) {
        copy(&mut from, path, name, store)?
    } else {
        layer::compress(&mut from, path, store)?
    };
    let found = from.finish().1;
    if stored.diff_id != diff_id || digest.is_some_and(|digest| digest.0 != found) {
        let why = format!("{name} is damaged: its digest is not the one that the image names");
        return Err(ImageError::base(path, why, FETCH_AGAIN));
    }
    store.note_down(key, &stored)?;
    Ok(stored)
}

/// Copies a compressed layer as it is, and hashes what it holds.
fn copy(from: &mut dyn Read, path: &Path, name: &str, store: &Open) -> Result<Stored, ImageError> {
    let damaged =
        |error: io::Error| ImageError::base(path, format!("{name} is damaged: {error}"), FETCH_AGAIN);
    let file = store.begin()?;
    let mut blob = Hashed::new(file.as_file());
    io::copy(from, &mut blob).map_err(|source| store.failed(source))?;
    let (_, digest, size) = blob.finish();
    let mut content = Hashed::new(MultiGzDecoder::new(reopen(file.path(), store)?));
    let unpacked = io::copy(&mut content, &mut io::sink()).map_err(damaged)?;
    let diff_id = content.finish().1;
    store.keep(file, digest)?;
    Ok(Stored { digest, diff_id, size, unpacked, needs: None })
}

fn reopen(path: &Path, store: &Open) -> Result<BufReader<File>, ImageError> {
    let file = File::open(path).map_err(|source| store.failed(source))?;
    Ok(BufReader::with_capacity(64 * 1024, file))
}

/// Lays a layer of the store over the files.
fn lay(files: &mut FileTree, layer: &Stored, store: &Open) -> Result<(), ImageError> {
    let path = store.blob(layer.digest);
    let gzip = MultiGzDecoder::new(reopen(&path, store)?);
    files.lay(BufReader::new(gzip)).map_err(|source| ImageError::Read { path, source })
}

/// A short file that another one names.
fn text(source: &Source, name: &str) -> Result<Vec<u8>, ImageError> {
    let read =
        source.text(name).map_err(|error| ImageError::Read { path: source.path().to_owned(), source: error });
    read?
        .ok_or_else(|| ImageError::base(source.path(), format!("it names {name}, and has none"), FETCH_AGAIN))
}

/// The JSON that a descriptor points at.
fn blob<T: DeserializeOwned>(source: &Source, descriptor: &Descriptor) -> Result<T, ImageError> {
    parse(source, &descriptor.digest.place(), &blob_text(source, descriptor)?)
}

/// The short file that a descriptor points at.
fn blob_text(source: &Source, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
    let name = descriptor.digest.place();
    let text = text(source, &name)?;
    if Sha256::of(&text) != descriptor.digest.0 {
        let why = format!("{name} is damaged: its digest is not its name");
        return Err(ImageError::base(source.path(), why, FETCH_AGAIN));
    }
    Ok(text)
}

fn parse<T: DeserializeOwned>(source: &Source, name: &str, text: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|error| {
        ImageError::base(source.path(), format!("its {name} is no image's: {error}"), HOW_TO_SAVE)
    })
}
