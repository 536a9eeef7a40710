//! The JSON of images as OCI's image specification 1.1 and Docker write it: what is read of it, and what is written.

use std::collections::BTreeMap;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Docker's word for an index.
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What images of Linux are for.
pub(super) const LINUX: &str = "linux";

/// The moment that all of them were made: the digest must not depend on when.
pub(super) const CREATED: &str = "1970-01-01T00:00:00Z";

/// The architecture as images name it.
pub(super) fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Arm64 => "arm64",
    }
}

/// A digest as images write it: `sha256:` and 64 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(pub Sha256);

impl Digest {
    /// Its name in the folder `blobs` of a layout.
    pub(super) fn place(self) -> String {
        format!("blobs/sha256/{}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("sha256:{}", self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        digits.map(Self).ok_or_else(|| de::Error::custom(format!("`{text}` is not a SHA-256 digest")))
    }
}

/// What points at a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(super) fn new(media_type: &str, digest: Sha256, size: u64) -> Self {
        let (media_type, digest) = (media_type.to_owned(), Digest(digest));
        Self { media_type, digest, size, platform: None, annotations: BTreeMap::new() }
    }

    /// Whether it points at a list of images.
    pub(super) fn is_index(&self) -> bool {
        [INDEX, DOCKER_LIST].contains(&self.media_type.as_str())
    }
}

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A list of images.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

/// An image: its configuration and its layers, the lowest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// An image's entry in the `manifest.json` of a docker-archive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    pub config: String,
    #[serde(default, deserialize_with = "or_null")]
    pub repo_tags: Vec<String>,
    pub layers: Vec<String>,
}

/// How an image is run, and what it is made of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    pub os: String,
    #[serde(default, deserialize_with = "or_null")]
    pub config: Run,
    pub rootfs: RootFs,
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// How an image is run.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Run {
    pub user: String,
    #[serde(deserialize_with = "or_null")]
    pub exposed_ports: BTreeMap<String, Nothing>,
    #[serde(deserialize_with = "or_null")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "or_null")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_null")]
    pub volumes: BTreeMap<String, Nothing>,
    pub working_dir: String,
    #[serde(deserialize_with = "or_null")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
}

/// Go writes a set as an object with empty objects.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Nothing {}

/// The digests of the layers before they were compressed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    pub diff_ids: Vec<Digest>,
}

/// A step of an image's making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct History {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// Go writes `null` for an empty list or map.
fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
