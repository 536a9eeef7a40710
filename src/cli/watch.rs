//! Follows the files that a project is made of, and tells when their content is another; new times alone say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mdo_model::project::{DERIVATIVES, PIPED};
use mdo_package::Stamp;
use mdo_package::derivative::UNFINISHED_LOCK;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::output::{Failure, exit_code};

/// What no package holds.
const NEVER_SOURCES: [&str; 1] = [".git"];

/// What uv makes beside a pyproject.toml, which is large.
const NO_PART_OF_DERIVATIVES: [&str; 1] = [".venv"];

/// Folders that a build fills, which are large; of a function that is built they are no sources.
const FILLED_BY_BUILDS: [&str; 2] = ["target", "node_modules"];

/// How many builds in a row an edit may stop. Files that change in every one of them are the build's own.
const STOPS: u32 = 3;

/// How long the files have to be quiet before a change is taken up.
const QUIET: Duration = Duration::from_millis(150);

/// Follows a project's files: project.toml, .mdoignore, all below functions/ and derivatives/, and environment files.
pub(super) struct Watch {
    sources: Sources,
    seen: Digests,
    /// What builds have written. It may change during a build without being an edit.
    outputs: BTreeSet<PathBuf>,
    /// What changed during the last build and may have been an edit.
    doubtful: BTreeSet<PathBuf>,
    /// How many builds in a row an edit has stopped.
    stopped: u32,
    events: UnboundedReceiver<()>,
    watcher: RecommendedWatcher,
}

/// Files with a digest of each.
type Digests = BTreeMap<PathBuf, u64>;

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// The names of the folders below functions/ in which something has.
    pub functions: BTreeSet<String>,
    /// Whether something has that decides how every function is packaged.
    pub packaging: bool,
}

impl Watch {
    /// Follows the files from now on.
    ///
    /// `built` are the folders of the functions that are built by a hook.
    pub(super) fn start(
        root: &Path,
        env_files: &[PathBuf],
        built: BTreeSet<PathBuf>,
    ) -> Result<Self, Failure> {
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
        let mut sources = Sources::new(root, env_files, built);
        for folder in sources.folders() {
            watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(fault)?;
        }
        for folder in sources.trees().filter(|folder| folder.is_dir()) {
            watcher.watch(folder, RecursiveMode::Recursive).map_err(fault)?;
        }
        let seen = sources.read();
        Ok(Self {
            sources,
            seen,
            outputs: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            stopped: 0,
            events,
            watcher,
        })
    }

    /// Names the folders of the functions that are built by a hook from now on.
    pub(super) fn note_built(&mut self, built: BTreeSet<PathBuf>) {
        self.sources.built = built;
    }

    /// Waits until the content of the files is not what it was at the last call, at the start, or at the end of a build.
    pub(super) async fn changed(&mut self) -> Edits {
        loop {
            let now = tokio::task::block_in_place(|| self.sources.read());
            if now != self.seen {
                let edits = self.sources.edits(&self.seen, &now);
                self.seen = now;
                return edits;
            }
            self.quiet_after_an_event().await;
        }
    }

    /// Waits until somebody edits a file while a build is going on. What the build itself writes is no edit: new files, and
    /// those that builds have written before.
    pub(super) async fn edited(&mut self) {
        loop {
            self.quiet_after_an_event().await;
            let now = tokio::task::block_in_place(|| self.sources.read());
            let edited: Vec<_> = differing(&self.seen, &now)
                .filter(|path| self.seen.contains_key(*path) && !self.outputs.contains(*path))
                .cloned()
                .collect();
            if edited.is_empty() {
                continue;
            }
            self.stopped += 1;
            if self.stopped < STOPS {
                return;
            }
            self.outputs.extend(edited);
        }
    }

    /// Takes what has changed since the last change as written by the first build.
    pub(super) fn built_first(&mut self) {
        let now = tokio::task::block_in_place(|| self.sources.read());
        self.outputs.extend(differing(&self.seen, &now).cloned());
        self.seen = now;
    }

    /// Takes what has changed since the last change as written by the build that has ended; a file that was there before and
    /// that no build has written yet may have been edited as the build ended. It counts as changed once more, and is the
    /// build's own if the next build writes it too.
    pub(super) fn built(&mut self) {
        let now = tokio::task::block_in_place(|| self.sources.read());
        let (doubtful, written): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) =
            differing(&self.seen, &now).cloned().partition(|path| {
                self.seen.contains_key(path) && !self.outputs.contains(path) && !self.doubtful.contains(path)
            });
        self.outputs.extend(written);
        let before = std::mem::replace(&mut self.seen, now);
        self.seen.extend(before.into_iter().filter(|(path, _)| doubtful.contains(path)));
        self.doubtful = doubtful;
        self.stopped = 0;
    }

    async fn quiet_after_an_event(&mut self) {
        if self.events.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
        // A folder may be new. If it cannot be followed, what is in it now is read at least.
        for folder in self.sources.trees().filter(|folder| folder.is_dir()) {
            let _ = self.watcher.watch(folder, RecursiveMode::Recursive);
        }
    }
}

/// The files that are not the same on both sides.
fn differing<'a>(before: &'a Digests, now: &'a Digests) -> impl Iterator<Item = &'a PathBuf> {
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    now.iter().filter(|(path, digest)| before.get(*path) != Some(digest)).map(|(path, _)| path).chain(gone)
}

/// The files, and what is known of their content.
struct Sources {
    root: PathBuf,
    functions: PathBuf,
    derivatives: PathBuf,
    files: Vec<PathBuf>,
    known: BTreeMap<PathBuf, (Stamp, u64)>,
    /// The folders of functions that are built by a hook.
    built: BTreeSet<PathBuf>,
}

impl Sources {
    fn new(root: &Path, env_files: &[PathBuf], built: BTreeSet<PathBuf>) -> Self {
        // Standard input is no file that changes.
        let env_files = env_files.iter().filter(|file| *file != Path::new(PIPED));
        let env_files = env_files.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
        let files = ["project.toml", ".mdoignore"].map(|name| root.join(name)).into_iter().chain(env_files);
        Self {
            root: root.to_owned(),
            functions: root.join("functions"),
            derivatives: root.join(DERIVATIVES),
            files: files.collect(),
            known: BTreeMap::new(),
            built,
        }
    }

    /// The folders that are sources with all that is in them.
    fn trees(&self) -> impl Iterator<Item = &Path> {
        [self.functions.as_path(), self.derivatives.as_path()].into_iter()
    }

    /// What the difference between two readings comes to. What a derivative is made of is read for every plan, and packages hold
    /// nothing of it.
    fn edits(&self, before: &Digests, now: &Digests) -> Edits {
        let mut edits = Edits::default();
        for path in differing(before, now) {
            let is_named = |names: &[&str]| names.iter().any(|name| path.ends_with(name));
            match path.strip_prefix(&self.functions).ok().map(|path| path.iter().collect::<Vec<_>>()) {
                Some(parts) if parts.len() > 1 => {
                    edits.functions.insert(parts[0].to_string_lossy().into_owned());
                }
                Some(_) => edits.packaging = true,
                None => edits.packaging |= is_named(&["project.toml", ".mdoignore"]),
            }
        }
        edits
    }

    /// The folders of the single files. An editor may replace a file, so the file itself is nothing to hold on to.
    fn folders(&self) -> Vec<PathBuf> {
        let parents = self.files.iter().filter_map(|file| file.parent());
        let is_in_a_tree = |folder: &Path| self.trees().any(|tree| folder.starts_with(tree));
        let outside = parents.filter(|folder| *folder != self.root && !is_in_a_tree(folder));
        std::iter::once(self.root.as_path()).chain(outside).map(Path::to_owned).collect()
    }

    /// A digest of each file. One that cannot be read counts as absent.
    fn read(&mut self) -> Digests {
        let mut paths = self.files.clone();
        self.trees().for_each(|tree| self.add_files(tree, &mut paths, false));
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

impl Sources {
    /// Adds the files of a folder; `is_built` says that it is that of a function which is built, or in one.
    fn add_files(&self, folder: &Path, paths: &mut Vec<PathBuf>, is_built: bool) {
        let is_built = is_built || self.built.contains(folder);
        let is_derivative = folder.starts_with(self.root.join(DERIVATIVES));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_one_of = |names: &[&str]| names.iter().any(|name| entry.file_name() == *name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && is_one_of(&NEVER_SOURCES) => {}
                Ok(kind) if kind.is_dir() && is_derivative && is_one_of(&NO_PART_OF_DERIVATIVES) => {}
                Ok(kind) if kind.is_dir() && is_built && is_one_of(&FILLED_BY_BUILDS) => {}
                Ok(kind) if kind.is_dir() => self.add_files(&entry.path(), paths, is_built),
                _ if is_unfinished_lock(&entry) => {}
                // A pipe would never end.
                _ => paths.extend(Some(entry.path()).filter(|path| path.is_file())),
            }
        }
    }
}

/// Whether a file is mdo's own on its way to a lock. It comes and goes while the requirements stay as they are.
fn is_unfinished_lock(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(UNFINISHED_LOCK)
}

fn digest(path: &Path, metadata: &Metadata) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    metadata.mode().hash(&mut hasher);
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
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
        let mut sources = Sources::new(root.path(), &[root.path().join("dev.env")], BTreeSet::new());
        let start = sources.read();

        fs::remove_file(root.path().join("functions/echo/bootstrap")).unwrap();
        write("functions/echo/bootstrap", "one");
        write("README.md", "not a source");
        write("derivatives/sklearn/.requirements-xyz.txt", "half a lock");
        write("derivatives/sklearn/.venv/lib/numpy.py", "of an editor");
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
        for file in ["requirements.txt", "pyproject.toml", "uv.lock"] {
            write(&format!("derivatives/sklearn/{file}"), "numpy==2.5.5");
            differs(&mut sources);
        }
        fs::remove_dir_all(root.path().join("functions")).unwrap();
        differs(&mut sources);
    }
}
