//! Follows the files that a project is made of, and tells when their content is another; new times alone say nothing.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::output::{Failure, exit_code};

/// Folders of tools, which are large, and in which whatever changes makes no other package.
const NOT_SOURCES: [&str; 3] = ["target", "node_modules", ".git"];

/// How long the files have to be quiet before a change is taken up.
const QUIET: Duration = Duration::from_millis(150);

/// Follows a project's files: project.toml, .mdoignore, all below functions/, and environment files.
pub(super) struct Watch {
    sources: Sources,
    seen: BTreeMap<PathBuf, u64>,
    events: UnboundedReceiver<()>,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Follows the files from now on.
    pub(super) fn start(root: &Path, env_files: &[PathBuf]) -> Result<Self, Failure> {
        let fault = |error: notify::Error| {
            Failure::new(exit_code::FAILED, format!("cannot watch the project's files: {error}"))
        };
        let (sender, events) = unbounded_channel();
        let own = root.join(".mdo");
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_ours = event.paths.iter().any(|path| !path.starts_with(&own));
            if is_ours && !matches!(event.kind, EventKind::Access(_)) {
                let _ = sender.send(());
            }
        })
        .map_err(fault)?;
        let mut sources = Sources::new(root, env_files);
        for folder in sources.folders() {
            watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(fault)?;
        }
        if sources.functions.is_dir() {
            watcher.watch(&sources.functions, RecursiveMode::Recursive).map_err(fault)?;
        }
        let seen = sources.read();
        Ok(Self { sources, seen, events, watcher })
    }

    /// Waits until the content of the files is not what it was at the last call, or at the start.
    ///
    /// What a build hook writes is a change too, so it runs once more; when it then writes the same, that is the end of it.
    pub(super) async fn changed(&mut self) {
        loop {
            if self.events.recv().await.is_none() {
                return std::future::pending().await;
            }
            while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
            // The folder may be new. If it cannot be followed, what is in it now is read at least.
            if self.sources.functions.is_dir() {
                let _ = self.watcher.watch(&self.sources.functions, RecursiveMode::Recursive);
            }
            let now = tokio::task::block_in_place(|| self.sources.read());
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

/// The files, and what is known of their content.
struct Sources {
    root: PathBuf,
    functions: PathBuf,
    files: Vec<PathBuf>,
    known: BTreeMap<PathBuf, (Stamp, u64)>,
}

/// What tells that a file need not be read again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    mode: u32,
    modified: Option<SystemTime>,
}

impl Sources {
    fn new(root: &Path, env_files: &[PathBuf]) -> Self {
        let env_files =
            env_files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
        let files = ["project.toml", ".mdoignore"].map(|name| root.join(name)).into_iter().chain(env_files);
        Self {
            root: root.to_owned(),
            functions: root.join("functions"),
            files: files.collect(),
            known: BTreeMap::new(),
        }
    }

    /// The folders of the single files. An editor may replace a file, so the file itself is nothing to hold on to.
    fn folders(&self) -> Vec<PathBuf> {
        let parents = self.files.iter().filter_map(|file| file.parent());
        let outside = parents.filter(|folder| *folder != self.root && !folder.starts_with(&self.functions));
        std::iter::once(self.root.as_path()).chain(outside).map(Path::to_owned).collect()
    }

    /// A digest of each file. One that cannot be read counts as absent.
    fn read(&mut self) -> BTreeMap<PathBuf, u64> {
        let mut paths = self.files.clone();
        add_files(&self.functions, &mut paths);
        let known = std::mem::take(&mut self.known);
        for path in paths {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let stamp = Stamp::of(&metadata);
            let same = known.get(&path).filter(|(before, _)| *before == stamp).map(|(_, digest)| *digest);
            if let Some(digest) = same.or_else(|| digest(&path, &metadata)) {
                self.known.insert(path, (stamp, digest));
            }
        }
        self.known.iter().map(|(path, (_, digest))| (path.clone(), *digest)).collect()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            mode: metadata.mode(),
            modified: metadata.modified().ok(),
        }
    }
}

fn digest(path: &Path, metadata: &Metadata) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    metadata.mode().hash(&mut hasher);
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

fn add_files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && NOT_SOURCES.iter().any(|name| entry.file_name() == *name) => {}
            Ok(kind) if kind.is_dir() => add_files(&entry.path(), paths),
            // A pipe would never end.
            _ => paths.extend(Some(entry.path()).filter(|path| path.is_file())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_another_content_or_mode_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("project.toml", "name = \"shop\"\n");
        write("functions/echo/bootstrap", "one");
        let mut sources = Sources::new(root.path(), &[root.path().join("dev.env")]);
        let start = sources.read();

        fs::remove_file(root.path().join("functions/echo/bootstrap")).unwrap();
        write("functions/echo/bootstrap", "one");
        write("README.md", "not a source");
        assert_eq!(sources.read(), start);

        let mut seen = vec![start];
        let mut differs = |sources: &mut Sources| {
            let now = sources.read();
            assert!(!seen.contains(&now));
            seen.push(now);
        };
        write("functions/echo/bootstrap", "two");
        differs(&mut sources);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(root.path().join("functions/echo/bootstrap"), executable).unwrap();
        differs(&mut sources);
        write("dev.env", "GREETING=hello");
        differs(&mut sources);
        write(".mdoignore", "*.md");
        differs(&mut sources);
        fs::remove_dir_all(root.path().join("functions")).unwrap();
        differs(&mut sources);
    }
}
