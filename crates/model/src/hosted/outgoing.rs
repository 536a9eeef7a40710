//! An image on its way to a registry: whoever makes it and whoever sends it share these types.

use std::path::PathBuf;

use crate::Sha256;

/// An image that is to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Sha256,
    /// What it names: the configuration and the layers.
    pub blobs: Vec<Blob>,
}

/// A part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is, for messages: `function echo`.
    pub what: String,
    /// Its digest.
    pub digest: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes.
    pub content: Content,
}

/// The bytes of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, which is read while it is sent.
    File(PathBuf),
}

impl Outgoing {
    /// The tag that it gets.
    pub fn tag(&self) -> String {
        tag_of(&self.digest)
    }

    /// How many bytes it is, manifest aside.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }
}

/// The tag of an image: the first 12 digits of its digest.
pub fn tag_of(digest: &Sha256) -> String {
    const DIGITS: usize = 12;
    digest.to_string().chars().take(DIGITS).collect()
}
