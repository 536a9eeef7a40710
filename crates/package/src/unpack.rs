//! Unpacks a zip into a folder, wholly or not at all, and nowhere else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use mdo_model::quotas::UNZIPPED_LIMIT;
use zip::ZipArchive;
use zip::result::ZipError;

use super::UnpackError;

/// How the name of a folder begins that is being unpacked into, or that a crash has left half unpacked.
pub const UNPACKING: &str = ".unpack-";

/// The most entries of a zip from elsewhere: five times what the largest stacks of scientific packages have.
const MOST_ENTRIES: usize = 50_000;

/// Unpacks `zip` into the folder `into`, keeping which files are executable.
///
/// The files appear at once, by a rename, so `into` is either absent or complete. If it is there already, nothing is
/// done: name it after the zip's digest. Two unpackings at once into the same folder both succeed.
///
/// # Errors
/// When the zip cannot be read, when it holds an entry that would lie outside `into`, is a link, appears twice or
/// together with the others exceeds Lambda's 250 MB, or when a file cannot be written.
pub fn unpack(zip: &Path, into: &Path) -> Result<(), UnpackError> {
    unpack_up_to(usize::MAX, zip, into)
}

/// As [`unpack`], for a zip that somebody else has made: of at most 50,000 entries.
///
/// # Errors
/// As [`unpack`], and when it holds too many entries.
pub(super) fn unpack_foreign(zip: &Path, into: &Path) -> Result<(), UnpackError> {
    unpack_up_to(MOST_ENTRIES, zip, into)
}

fn unpack_up_to(most: usize, zip: &Path, into: &Path) -> Result<(), UnpackError> {
    if into.is_dir() {
        return Ok(());
    }
    let file = File::open(zip).map_err(|source| UnpackError::Read { zip: zip.to_owned(), source })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged(zip))?;
    // The reader keeps the last of them alone.
    if archive.has_duplicate_names() {
        return Err(UnpackError::Duplicate { zip: zip.to_owned() });
    }
    if archive.len() > most {
        return Err(UnpackError::TooManyEntries { zip: zip.to_owned(), entries: archive.len(), most });
    }
    let parent = match into.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(failed(parent))?;
    let folder = temporary(parent).map_err(failed(parent))?;
    let mut unpacking = Unpacking { zip, into: folder.path(), seen: BTreeSet::new(), left: UNZIPPED_LIMIT };
    for at in 0..archive.len() {
        unpacking.entry(archive.by_index(at).map_err(damaged(zip))?)?;
    }
    match fs::rename(folder.path(), into) {
        Ok(()) => {
            let _ = folder.keep();
            Ok(())
        }
        Err(_) if into.is_dir() => Ok(()),
        Err(error) => Err(failed(into)(error)),
    }
}

fn temporary(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix(UNPACKING);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        folder.permissions(fs::Permissions::from_mode(0o755));
    }
    folder.tempdir_in(parent)
}

struct Unpacking<'a> {
    zip: &'a Path,
    into: &'a Path,
    seen: BTreeSet<PathBuf>,
    left: u64,
}

impl Unpacking<'_> {
    fn is_below_a_file(&self, relative: &Path) -> bool {
        relative.ancestors().skip(1).any(|above| self.seen.contains(above))
    }

    fn entry<R: Read>(&mut self, mut entry: zip::read::ZipFile<'_, R>) -> Result<(), UnpackError> {
        let name = entry.name().map_err(damaged(self.zip))?.into_owned();
        let refuse =
            |reason| UnpackError::UnsafeEntry { zip: self.zip.to_owned(), entry: name.clone(), reason };
        let relative = inside(&name).ok_or_else(|| refuse("would lie outside the folder"))?;
        if entry.is_symlink() {
            return Err(refuse("is a link"));
        }
        let path = self.into.join(&relative);
        if entry.is_dir() {
            if self.seen.contains(&relative) || self.is_below_a_file(&relative) {
                return Err(refuse("is a folder in the place of a file"));
            }
            return fs::create_dir_all(&path).map_err(failed(&path));
        }
        if self.seen.contains(&relative) {
            return Err(refuse("appears twice"));
        }
        if path.is_dir() {
            return Err(refuse("is a file and a folder"));
        }
        if self.is_below_a_file(&relative) {
            return Err(refuse("lies below a file"));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        self.seen.insert(relative);
        let mut file = File::create_new(&path).map_err(failed(&path))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = entry.read(&mut buffer).map_err(|error| damaged(self.zip)(error.into()))?;
            if read == 0 {
                break;
            }
            let Some(left) = self.left.checked_sub(read as u64) else {
                return Err(refuse("makes the package larger than Lambda's 250 MB"));
            };
            self.left = left;
            file.write_all(&buffer[..read]).map_err(failed(&path))?;
        }
        set_mode(&file, entry.unix_mode()).map_err(failed(&path))
    }
}

/// The entry's place relative to the folder, unless its name is absolute, has `..`, or is not a portable path.
fn inside(name: &str) -> Option<PathBuf> {
    let foreign = name.contains(['\\', '\0']) || (cfg!(windows) && name.contains(':'));
    let parts: Vec<_> = name.trim_end_matches('/').split('/').collect();
    let inside = parts.iter().all(|part| !matches!(*part, "" | "." | ".."));
    (inside && !foreign).then(|| parts.iter().collect())
}

#[cfg(unix)]
fn set_mode(file: &File, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode.unwrap_or(0o644) & 0o777))
}

#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: Option<u32>) -> io::Result<()> {
    Ok(())
}

fn damaged(zip: &Path) -> impl Fn(ZipError) -> UnpackError + '_ {
    move |error| match error {
        ZipError::Io(source) if source.raw_os_error().is_some() => {
            UnpackError::Read { zip: zip.to_owned(), source }
        }
        other => UnpackError::NotAZip { zip: zip.to_owned(), reason: other.to_string() },
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> UnpackError + '_ {
    move |source| UnpackError::Write { path: path.to_owned(), source }
}
