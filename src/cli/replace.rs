//! Replaces files that the user wrote.

use std::path::Path;

use crate::output::{Failure, exit_code};

/// Replaces a file whole or not at all.
pub(super) fn replace(path: &Path, content: &str) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, content.as_bytes())?;
        file.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write()
        .map_err(|error| Failure::new(exit_code::FAILED, format!("cannot write {}: {error}", path.display())))
}
