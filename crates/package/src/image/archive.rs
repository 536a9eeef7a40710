//! One tar that is a docker-archive and an OCI archive at once: `docker load`, podman and skopeo read it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use mdo_model::Sha256;

use super::hashed::Hashed;
use super::oci::{self, Descriptor, Digest, DockerImage, Index, Platform};
use super::tar::Tar;
use super::{Image, ImageError, json};

/// The tag that an image of an OCI archive is found by.
const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// The name that containerd gives to an image which it finds in an OCI archive, and with it Docker.
const CONTAINERD: &str = "io.containerd.image.name";

const FOLDER: u32 = 0o755;
const DATA: u32 = 0o644;

/// What a file of the archive holds.
enum Content<'a> {
    Bytes(&'a [u8]),
    Blob { path: &'a Path, size: u64 },
}

/// Writes the archive to a file, which appears complete or not at all; what is no file, such as a pipe, is written into.
///
/// `name` is what engines call the image once it is loaded, such as `ml_api:0123456789ab`.
///
/// # Errors
/// When a layer is damaged or cannot be read, or when the file cannot be written.
pub fn write_archive(image: &Image, name: &str, path: &Path) -> Result<(), ImageError> {
    let failed = |source| ImageError::Write { path: path.to_owned(), source };
    // A link stays a link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|data| !data.is_file()) {
        let file = File::options().write(true).open(&target).map_err(failed)?;
        return write_archive_to(image, name, file).map_err(|error| named(error, path));
    }
    let folder = target.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".image-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that a program writes for its user: the umask takes from it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(failed)?;
    write_archive_to(image, name, file.as_file()).map_err(|error| named(error, path))?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes the archive to a stream.
///
/// # Errors
/// When a layer is damaged or cannot be read, or when the stream takes no more: its path is then `-`.
pub fn write_archive_to(image: &Image, name: &str, to: impl Write) -> Result<(), ImageError> {
    let failed = |source| ImageError::Write { path: "-".into(), source };
    let index = json(&index(image, name));
    let docker = json(&[docker(image, name)]);
    let mut blobs: BTreeMap<Sha256, Content> = image
        .layers
        .iter()
        .map(|layer| (layer.digest, Content::Blob { path: &layer.path, size: layer.size }))
        .collect();
    blobs.insert(image.config_digest, Content::Bytes(&image.config));
    blobs.insert(image.digest, Content::Bytes(&image.manifest));

    let mut tar = Tar::new(BufWriter::with_capacity(256 * 1024, to));
    let layout: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
    for (name, text) in [("index.json", index.as_slice()), ("manifest.json", &docker), ("oci-layout", layout)]
    {
        tar.file(name, DATA, text.len() as u64, text).map_err(failed)?;
    }
    for folder in ["blobs", "blobs/sha256"] {
        tar.folder(folder, FOLDER).map_err(failed)?;
    }
    for (digest, content) in blobs {
        let name = Digest(digest).place();
        match content {
            Content::Bytes(bytes) => {
                tar.file(&name, DATA, bytes.len() as u64, bytes).map_err(failed)?;
            }
            Content::Blob { path, size } => blob(&mut tar, &name, digest, path, size)?,
        }
    }
    tar.finish().and_then(|mut out| out.flush()).map_err(failed)
}

fn blob<W: Write>(
    tar: &mut Tar<W>,
    name: &str,
    digest: Sha256,
    path: &Path,
    size: u64,
) -> Result<(), ImageError> {
    let damaged = || ImageError::Damaged { path: path.to_owned() };
    let file = File::open(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    let mut from = Hashed::new(file);
    tar.file(name, DATA, size, &mut from).map_err(|error| match error.kind() {
        io::ErrorKind::Other => damaged(),
        _ => ImageError::Write { path: "-".into(), source: error },
    })?;
    if from.finish().1 == digest { Ok(()) } else { Err(damaged()) }
}

fn index(image: &Image, name: &str) -> Index {
    let mut entry = Descriptor::new(oci::MANIFEST, image.digest, image.manifest.len() as u64);
    entry.platform = Some(Platform {
        architecture: oci::architecture(image.architecture).to_owned(),
        os: oci::LINUX.to_owned(),
    });
    entry.annotations =
        BTreeMap::from([(REFERENCE.to_owned(), name.to_owned()), (CONTAINERD.to_owned(), whole(name))]);
    Index { schema_version: 2, media_type: oci::INDEX.to_owned(), manifests: vec![entry] }
}

/// A name with its host: one without belongs to Docker's own registry, as everywhere.
fn whole(name: &str) -> String {
    match name.split_once('/') {
        None => format!("docker.io/library/{name}"),
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
    }
}

fn docker(image: &Image, name: &str) -> DockerImage {
    DockerImage {
        config: Digest(image.config_digest).place(),
        repo_tags: vec![name.to_owned()],
        layers: image.layers.iter().map(|layer| Digest(layer.digest).place()).collect(),
    }
}

/// Where it was written to, in the user's words.
fn named(error: ImageError, path: &Path) -> ImageError {
    match error {
        ImageError::Write { source, .. } => ImageError::Write { path: path.to_owned(), source },
        other => other,
    }
}
