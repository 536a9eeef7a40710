//! Writes a deterministic zip to its content address, hashing while it streams.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use sha2::Digest as _;
use tempfile::NamedTempFile;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::own_folder::private_folder;

/// Deflate's level. Part of every package's identity: another level is another hash for the same files. Level 6 takes twice
/// as long for two per cent less.
const LEVEL: i64 = 4;

/// One file to be zipped.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// Its name in the zip: relative, with `/`.
    pub name: &'a str,
    /// Where its content is.
    pub path: &'a Path,
    /// Whether it is executable.
    pub executable: bool,
}

/// Why there is no zip, without the name of what it was for.
#[derive(Debug)]
pub(super) enum ArchiveError {
    Read { path: PathBuf, source: io::Error },
    Write { path: PathBuf, source: io::Error },
    Zip { name: String, reason: String },
}

/// A written zip.
pub(super) struct Archive {
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
    /// In bytes.
    pub unzipped: u64,
    pub path: PathBuf,
}

/// Zips the members in their order into `artifacts`.
pub(super) fn write<'a>(
    members: impl IntoIterator<Item = Member<'a>>,
    artifacts: &Path,
) -> Result<Archive, ArchiveError> {
    private_folder(artifacts).map_err(write_error(artifacts))?;
    let file = temporary(artifacts).map_err(write_error(artifacts))?;
    let written = stream(members, &file)?;
    let path = artifacts.join(format!("{}.zip", written.sha256));
    let archive = Archive { sha256: written.sha256, size: written.size, unzipped: written.unzipped, path };
    // Also over one that is there, which a crash may have damaged: that is cheaper than to wait for the disk each time.
    file.persist(&archive.path).map_err(|error| write_error(&archive.path)(error.error))?;
    Ok(archive)
}

/// A zip may hold secrets: it is for its owner alone, as every temporary file is.
fn temporary(artifacts: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".package-").suffix(".tmp").tempfile_in(artifacts)
}

struct Written {
    sha256: Sha256,
    size: u64,
    unzipped: u64,
}

fn stream<'a>(
    members: impl IntoIterator<Item = Member<'a>>,
    file: &NamedTempFile,
) -> Result<Written, ArchiveError> {
    let mut sink = Sink::new(file.as_file());
    let mut zip = ZipWriter::new_stream(&mut sink);
    let mut unzipped = 0;
    for member in members {
        unzipped += add(member, &mut zip)?;
        if zip.get_ref().is_some_and(|sink| sink.get_ref().failed()) {
            break;
        }
    }
    zip.finish().map_err(zip_error("the list of files"))?;
    let (sha256, size) = sink.finish().map_err(write_error(file.path()))?;
    Ok(Written { sha256, size, unzipped })
}

/// Adds one file and says how many bytes it had; it may have changed since it was listed.
fn add(member: Member, zip: &mut ZipWriter<StreamWriter<&mut Sink>>) -> Result<u64, ArchiveError> {
    let read = |source| ArchiveError::Read { path: member.path.to_owned(), source };
    let mut file = File::open(member.path).map_err(read)?;
    let options = SimpleFileOptions::default()
        .system(System::Unix)
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(if member.executable { 0o755 } else { 0o644 });
    zip.start_file(member.name, options).map_err(zip_error(member.name))?;
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read(error)),
        };
        zip.write_all(&buffer[..read]).map_err(|error| zip_error(member.name)(error.into()))?;
        size += read as u64;
    }
}

/// Hashes and counts what it writes.
///
/// It remembers the first error instead of returning it, and discards what follows: the zip writer would otherwise
/// report a full disk a second time on stderr when it is dropped, and lose which file could not be written.
struct Sink<'a> {
    file: BufWriter<&'a File>,
    hash: sha2::Sha256,
    size: u64,
    error: Option<io::Error>,
}

impl<'a> Sink<'a> {
    fn new(file: &'a File) -> Self {
        Self {
            file: BufWriter::with_capacity(64 * 1024, file),
            hash: sha2::Sha256::new(),
            size: 0,
            error: None,
        }
    }

    fn failed(&self) -> bool {
        self.error.is_some()
    }

    fn finish(mut self) -> io::Result<(Sha256, u64)> {
        match self.error.take() {
            Some(error) => Err(error),
            None => {
                self.file.flush()?;
                let digest: [u8; 32] = self.hash.finalize().into();
                Ok((digest.into(), self.size))
            }
        }
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.error.is_none() {
            self.error = self.file.write_all(bytes).err();
            self.hash.update(bytes);
            self.size += bytes.len() as u64;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn zip_error(name: &str) -> impl Fn(zip::result::ZipError) -> ArchiveError + '_ {
    move |error| ArchiveError::Zip { name: name.to_owned(), reason: error.to_string() }
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::Write { path: path.to_owned(), source }
}
