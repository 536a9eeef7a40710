//! Makes a layer: sorted entries as a tar, compressed without a trace of when or where, and its two digests.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::{Compression, GzBuilder};
use mdo_model::Sha256;

use super::ImageError;
use super::hashed::Hashed;
use super::store::{Open, Stored};
use super::tar::Tar;

/// Part of what a layer is known by: a change of how layers are made makes all of them anew.
const FORMAT: u32 = 1;

/// Deflate's level, part of every digest: see the zip of a package.
const LEVEL: u32 = 6;

/// gzip's word for a system that is not told.
const NO_SYSTEM: u8 = 255;

/// What may be read and entered by everybody, and changed by nobody but root.
const FOLDER: u32 = 0o755;
const PROGRAM: u32 = 0o755;
const DATA: u32 = 0o644;

/// What a file of a layer holds.
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

enum Entry {
    Folder { mode: u32 },
    File { executable: bool, content: Content },
}

/// The entries of a layer by their names, which have no `/` at their ends.
#[derive(Default)]
pub(super) struct Entries(BTreeMap<String, Entry>);

impl Entries {
    /// Adds a folder that has more modes than others.
    pub(super) fn folder(&mut self, name: &str, mode: u32) {
        self.0.insert(name.to_owned(), Entry::Folder { mode });
    }

    /// Adds a file, and the folders above it.
    pub(super) fn file(&mut self, name: &str, executable: bool, content: Content) {
        for (end, _) in name.match_indices('/') {
            let folder = name[..end].to_owned();
            self.0.entry(folder).or_insert(Entry::Folder { mode: FOLDER });
        }
        self.0.insert(name.to_owned(), Entry::File { executable, content });
    }

    /// An empty folder, or one with files to come.
    pub(super) fn plain_folder(&mut self, name: &str) {
        self.folder(name, FOLDER);
    }
}

/// What a layer is known by before it is made.
pub(super) fn key(parts: &[&str]) -> Sha256 {
    Sha256::of(serde_json::json!([FORMAT, LEVEL, parts]).to_string().as_bytes())
}

/// Writes the layer into the store.
pub(super) fn write(
    entries: &Entries,
    needs: Option<String>,
    store: &Open,
    abandoned: &AtomicBool,
) -> Result<Stored, ImageError> {
    let file = store.begin()?;
    let failed = |source| store.failed(source);
    let mut tar = Tar::new(Compressing::into(file.as_file()));
    let mut unpacked = 0;
    for (name, entry) in &entries.0 {
        if abandoned.load(Ordering::Relaxed) {
            return Err(ImageError::Abandoned);
        }
        match entry {
            Entry::Folder { mode } => tar.folder(name, *mode).map_err(failed)?,
            Entry::File { executable, content } => {
                let mode = if *executable { PROGRAM } else { DATA };
                unpacked += add(&mut tar, name, mode, content, store)?;
            }
        }
    }
    let (diff_id, digest, size) = tar.finish().and_then(Compressing::finish).map_err(failed)?;
    store.keep(file, digest)?;
    Ok(Stored { digest, diff_id, size, unpacked, needs })
}

/// Compresses a layer that somebody else has made and not compressed.
pub(super) fn compress(from: &mut dyn Read, path: &Path, store: &Open) -> Result<Stored, ImageError> {
    let file = store.begin()?;
    let mut out = Compressing::into(file.as_file());
    let mut from = Faults::of(from);
    let copied = io::copy(&mut from, &mut out);
    if let Some(source) = from.fault {
        return Err(ImageError::Read { path: path.to_owned(), source });
    }
    let unpacked = copied.map_err(|source| store.failed(source))?;
    let (diff_id, digest, size) = out.finish().map_err(|source| store.failed(source))?;
    store.keep(file, digest)?;
    Ok(Stored { digest, diff_id, size, unpacked, needs: None })
}

fn add<W: Write>(
    tar: &mut Tar<W>,
    name: &str,
    mode: u32,
    content: &Content,
    store: &Open,
) -> Result<u64, ImageError> {
    let path = match content {
        Content::Bytes(bytes) => {
            let size = bytes.len() as u64;
            tar.file(name, mode, size, bytes.as_slice()).map_err(|source| store.failed(source))?;
            return Ok(size);
        }
        Content::File(path) => path,
    };
    let unread = |source| ImageError::Read { path: path.clone(), source };
    let file = File::open(path).map_err(unread)?;
    let size = file.metadata().map_err(unread)?.len();
    let mut from = Faults::of(file);
    let added = tar.file(name, mode, size, &mut from);
    match (from.fault, added) {
        (Some(source), _) => Err(unread(source)),
        (None, Err(error)) if error.kind() == io::ErrorKind::Other => Err(unread(error)),
        (None, added) => added.map(|()| size).map_err(|source| store.failed(source)),
    }
}

/// A reader that keeps what went wrong with it, so that its faults are told from those of the writer.
struct Faults<R> {
    inner: R,
    fault: Option<io::Error>,
}

impl<R: Read> Faults<R> {
    fn of(inner: R) -> Self {
        Self { inner, fault: None }
    }
}

impl<R: Read> Read for Faults<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let kind = error.kind();
                self.fault = Some(error);
                Err(kind.into())
            }
            read => read,
        }
    }
}

/// Compresses into a file and hashes on both sides.
struct Compressing<'a>(Hashed<flate2::write::GzEncoder<Hashed<BufWriter<&'a File>>>>);

impl<'a> Compressing<'a> {
    fn into(file: &'a File) -> Self {
        let out = Hashed::new(BufWriter::with_capacity(64 * 1024, file));
        let gzip = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM).write(out, Compression::new(LEVEL));
        Self(Hashed::new(gzip))
    }

    /// The digest of what was compressed, that of the file, and the file's size in bytes.
    fn finish(self) -> io::Result<(Sha256, Sha256, u64)> {
        let (gzip, diff_id, _) = self.0.finish();
        let (mut out, digest, size) = gzip.finish()?.finish();
        out.flush()?;
        Ok((diff_id, digest, size))
    }
}

impl Write for Compressing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
