//! Walks a function's folder and lists what belongs in its zip; follows links, reads no content.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::archive::Member;
use super::ignore_rules::Rules;
use super::{PackageError, Problem, Source, Stamp};

/// One file of a package.
pub(super) struct Entry {
    /// Its name in the zip: relative, with `/`.
    pub name: String,
    /// Where its content is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is executable.
    pub executable: bool,
    /// What tells whether it is as it was.
    pub stamp: Stamp,
}

impl Entry {
    pub(super) fn member(&self) -> Member<'_> {
        Member { name: &self.name, path: &self.path, executable: self.executable }
    }
}

/// What a folder holds.
pub(super) struct Collected {
    /// The files, sorted by the bytes of their names.
    pub entries: Vec<Entry>,
    /// What cannot be packaged.
    pub problems: Vec<Problem>,
}

/// Lists the files of the function, leaving out what the ignore rules name and the `artifacts` folder.
pub(super) fn collect(source: &Source, artifacts: &Path) -> Result<Collected, PackageError> {
    let root = source.folder.canonicalize().map_err(read(source, source.folder))?;
    let mut walk = Walk {
        source,
        rules: Rules::new(source)?,
        artifacts: artifacts.canonicalize().ok(),
        above: Vec::new(),
        found: Collected { entries: Vec::new(), problems: Vec::new() },
        root: root.clone(),
    };
    walk.folder(&root, root.clone(), "")?;
    let mut found = walk.found;
    found.entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(found)
}

struct Walk<'a> {
    source: &'a Source<'a>,
    root: PathBuf,
    rules: Rules,
    artifacts: Option<PathBuf>,
    /// The real paths of the folders that the walk is in, to see a link that leads back into one of them.
    above: Vec<PathBuf>,
    found: Collected,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, real: PathBuf, prefix: &str) -> Result<(), PackageError> {
        if self.artifacts.as_ref() == Some(&real) {
            return Ok(());
        }
        self.above.push(real);
        self.rules.enter(self.source, path, prefix)?;
        let children = fs::read_dir(path).map_err(read(self.source, path))?;
        for child in children {
            let child = child.map_err(read(self.source, path))?;
            self.child(&child.path(), &child.file_name().to_string_lossy(), prefix)?;
        }
        self.rules.leave();
        self.above.pop();
        Ok(())
    }

    fn child(&mut self, path: &Path, name: &str, prefix: &str) -> Result<(), PackageError> {
        let name = format!("{prefix}{name}");
        let own = path.symlink_metadata().map_err(read(self.source, path))?;
        let followed = if own.is_symlink() { path.metadata() } else { Ok(own.clone()) };
        let is_folder = followed.as_ref().is_ok_and(Metadata::is_dir);
        if self.rules.exclude(&name, is_folder) {
            return Ok(());
        }
        if let Some(problem) = name_problem(path, &name) {
            self.found.problems.push(problem);
            return Ok(());
        }
        let mut real = path.to_owned();
        if own.is_symlink() {
            match self.destination(path, &name) {
                Ok(destination) => real = destination,
                Err(problem) => {
                    self.found.problems.push(problem);
                    return Ok(());
                }
            }
        } else if is_folder {
            real = path.canonicalize().map_err(read(self.source, path))?;
        }
        let metadata = followed.map_err(read(self.source, path))?;
        if is_folder {
            return self.folder(path, real, &format!("{name}/"));
        }
        if metadata.is_file() {
            self.found.entries.push(Entry {
                executable: is_executable(&metadata, &name),
                size: metadata.len(),
                stamp: Stamp::of(&metadata),
                path: real,
                name,
            });
        } else {
            self.found.problems.push(Problem::NotAFile { file: name });
        }
        Ok(())
    }

    fn destination(&self, link: &Path, name: &str) -> Result<PathBuf, Problem> {
        let file = name.to_owned();
        let target = fs::read_link(link).map(|target| target.display().to_string()).unwrap_or_default();
        let real = match link.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Problem::LinkDangling { file, target });
            }
            Err(_) => return Err(Problem::LinkCycle { file, target }),
        };
        if !real.starts_with(&self.root) {
            return Err(Problem::LinkLeaves { file, target });
        }
        if self.above.contains(&real) {
            return Err(Problem::LinkCycle { file, target });
        }
        Ok(real)
    }
}

fn name_problem(path: &Path, name: &str) -> Option<Problem> {
    let file = name.to_owned();
    if path.file_name().is_none_or(|name| name.to_str().is_none()) {
        return Some(Problem::NameNotUtf8 { file });
    }
    name.contains('\\').then_some(Problem::NameWithBackslash { file })
}

fn read<'a>(source: &'a Source, path: &'a Path) -> impl Fn(io::Error) -> PackageError + 'a {
    move |error| PackageError::Read {
        function: source.function.to_owned(),
        path: path.to_owned(),
        source: error,
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata, _name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

/// Where files have no modes, what Lambda has to start is executable.
#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata, name: &str) -> bool {
    name == "bootstrap" || name.starts_with("extensions/")
}
