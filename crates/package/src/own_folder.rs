//! The folder `.mdo` of a project, where mdo keeps packages, code, schemas and local stacks: for its owner alone, and without links.
//!
//! mdo tidies in there and writes over what is there. A link, which a repository may well bring along, would let it do so elsewhere.

use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// The folder's name, below the folder that holds `project.toml`.
const NAME: &str = ".mdo";

/// What keeps git from it as a whole.
const IGNORE_FILE: &str = ".gitignore";

/// The folder `.mdo` of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFolder(PathBuf);

/// Why `.mdo` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnFolderError {
    /// Something in it, or itself, is a link.
    #[error("{} is a link: mdo follows no link in its own folder", .0.display())]
    Link(PathBuf),
    /// A file or folder could not be made.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl OwnFolderError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Link(link) => {
                format!("remove the link and run again, mdo makes what it needs: rm '{}'", link.display())
            }
            Self::Write { .. } => {
                "make the project's folder writable, with some space left: state of local stacks lives in .mdo"
                    .to_owned()
            }
        }
    }
}

impl OwnFolder {
    /// The folder of the project in `root`. Nothing is read or written yet.
    pub fn of(root: &Path) -> Self {
        Self(root.join(NAME))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Refuses a path in the folder on which there is a link. What is not there is no link.
    ///
    /// # Errors
    /// The link.
    pub fn check(&self, path: &Path) -> Result<(), OwnFolderError> {
        let mut at = self.0.clone();
        let below = path.strip_prefix(&self.0).unwrap_or(Path::new("")).components();
        for component in std::iter::once(Component::CurDir).chain(below) {
            // The folder itself comes first; a `.` at its end would follow the link.
            if component != Component::CurDir {
                at.push(component);
            }
            if at.is_symlink() {
                return Err(OwnFolderError::Link(at));
            }
        }
        Ok(())
    }

    /// Makes a folder in it, such as `stages/dev`, and answers its path. All of them are closed to others.
    ///
    /// # Errors
    /// When there is a link on the way, or a folder cannot be made.
    pub fn folder(&self, below: &str) -> Result<PathBuf, OwnFolderError> {
        let path = self.0.join(below);
        self.check(&path)?;
        let made = private_folder(&self.0).and_then(|()| private_folder(&path));
        made.map_err(|source| OwnFolderError::Write { path: path.clone(), source })?;
        for folder in path.ancestors().take_while(|folder| folder.starts_with(&self.0)) {
            close(folder);
        }
        if !self.0.join(IGNORE_FILE).exists() {
            self.write(IGNORE_FILE, b"*\n")?;
        }
        Ok(path)
    }

    /// Writes a file in it at once, closed to others. Its folder has to be there.
    ///
    /// # Errors
    /// When there is a link on the way, or the file cannot be written.
    pub fn write(&self, below: &str, content: &[u8]) -> Result<(), OwnFolderError> {
        let path = self.0.join(below);
        self.check(&path)?;
        let write = || -> io::Result<()> {
            let mut file =
                tempfile::Builder::new().prefix(".new-").tempfile_in(path.parent().unwrap_or(&self.0))?;
            file.write_all(content)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| OwnFolderError::Write { path: path.clone(), source })
    }
}

/// Makes a folder and those above it, closed to others.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Closes a folder that an earlier mdo has left open.
#[cfg(unix)]
fn close(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let is_open = fs::metadata(folder).is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
    if is_open {
        // A file system without modes, as of another system's disk, has nothing to close.
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    }
}

#[cfg(not(unix))]
fn close(_folder: &Path) {}
