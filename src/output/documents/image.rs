//! A container image: what is in it.

use std::path::Path;

use mdo_model::project::ProjectName;
use mdo_package::image::{Image, Layer};
use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;

/// A container image of the functions: `image`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ImageDocument {
    /// 1.
    version: u8,
    /// The project's name.
    project: String,
    /// What it is known by, as `sha256:…`.
    digest: String,
    /// The first digits of the digest, as a tag.
    tag: String,
    /// `x86_64` or `arm64`.
    architecture: String,
    /// What a registry keeps of it, in bytes.
    size: u64,
    /// The layers, the lowest first.
    layers: Vec<LayerEntry>,
    /// The file that it was written to.
    file: Option<String>,
}

/// A layer of an image.
#[derive(Debug, Serialize, JsonSchema)]
struct LayerEntry {
    /// `base`, `server`, `derivative NAME`, `function NAME` or `stack.json`.
    what: String,
    /// The digest of the compressed layer, as `sha256:…`.
    digest: String,
    /// Compressed, in bytes.
    size: u64,
    /// What its files take, in bytes.
    unpacked: u64,
}

impl ImageDocument {
    /// An image, and the file that it was written to.
    pub(crate) fn new(project: &ProjectName, image: &Image, file: Option<&Path>) -> Self {
        let layer = |layer: &Layer| LayerEntry {
            what: layer.what.to_string(),
            digest: format!("sha256:{}", layer.digest),
            size: layer.size,
            unpacked: layer.unpacked,
        };
        Self {
            version: VERSION,
            project: project.to_string(),
            digest: format!("sha256:{}", image.digest),
            tag: image.tag(),
            architecture: image.architecture.to_string(),
            size: image.size(),
            layers: image.layers.iter().map(layer).collect(),
            file: file.map(|file| file.display().to_string()),
        }
    }
}
