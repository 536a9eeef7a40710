//! Writes files that the user has, or asks for: whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::output::{Failure, exit_code};

/// Replaces a file that is there.
pub(super) fn replace(path: &Path, content: &str) -> Result<(), Failure> {
    let replaced = fs::metadata(path).and_then(|_| write_whole(path, content, None));
    replaced.map_err(|error| failed(path, &error))
}

/// Writes a file, whether or not there is one.
pub(super) fn write(path: &Path, content: &str) -> Result<(), Failure> {
    write_whole(path, content, None).map_err(|error| failed(path, &error))
}

/// Writes a file whole or not at all; into a pipe or a device as it comes. It gets the permissions that are given, or keeps those that it has.
pub(super) fn write_whole(
    path: &Path,
    content: &str,
    permissions: Option<fs::Permissions>,
) -> io::Result<()> {
    // A link stays one.
    let there = fs::canonicalize(path);
    let present = there.as_deref().ok().map(fs::metadata).transpose()?;
    if let (Ok(there), Some(false)) = (&there, present.as_ref().map(fs::Metadata::is_file)) {
        // A pipe, or a device.
        return fs::write(there, content);
    }
    let path = there.as_deref().unwrap_or(path);
    let mut file = beside(path)?;
    file.write_all(content.as_bytes())?;
    if let Some(permissions) = permissions.or_else(|| present.map(|present| present.permissions())) {
        file.as_file().set_permissions(permissions)?;
    }
    file.persist(path).map_err(|error| error.error).map(drop)
}

/// A new file in the folder of another one.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // As any program makes its files: the umask decides who may read them.
    let permissions = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(permissions).tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(exit_code::FAILED, format!("cannot write {}: {error}", path.display()))
}
