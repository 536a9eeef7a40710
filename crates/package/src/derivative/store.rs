//! The folder of built derivatives: each complete or absent, whoever else builds, and whatever ends a build.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::distribution::Distribution;
use super::tree::TreeFile;
use crate::own_folder::private_folder;

/// How the folder of an unfinished build is named.
const UNFINISHED: &str = ".build-";

/// What a build keeps locked as long as it lives.
const ALIVE: &str = "alive";

/// The file that describes a tree, beside it.
const DESCRIPTION: &str = "tree.json";

/// The file that describes the zips of a folder.
const ZIPS: &str = "zips.json";

/// A finished tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tree {
    /// In the order of their names.
    pub files: Vec<TreeFile>,
    /// For each file, the distribution that it belongs to.
    pub owners: Vec<Option<usize>>,
    pub distributions: Vec<Distribution>,
    pub modules: Vec<String>,
    pub warnings: Vec<String>,
}

impl Tree {
    /// In bytes.
    pub(super) fn raw_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// One zip, by its digest and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Zip {
    pub sha256: Sha256,
    pub size: u64,
}

/// Where the derivative of certain inputs is kept.
pub(super) struct Store {
    cache: PathBuf,
    home: PathBuf,
}

/// Where the packages of the derivative of certain inputs are, or would be, below `cache`.
pub fn tree(cache: &Path, inputs: Sha256) -> PathBuf {
    Store::of(cache, inputs).packages()
}

/// What a derivative of certain inputs consists of, if it is there.
pub fn distributions(cache: &Path, inputs: Sha256) -> Option<Vec<Distribution>> {
    Some(Store::of(cache, inputs).tree()?.distributions)
}

impl Store {
    pub(super) fn of(cache: &Path, inputs: Sha256) -> Self {
        Self { cache: cache.to_owned(), home: cache.join(inputs.to_string()) }
    }

    /// The folder of all that is made of these inputs.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Removes it. Whoever waits for its stamp finds nothing then.
    pub(super) fn discard(&self, stamp: File) -> io::Result<()> {
        // In a workshop, which another process removes if this one is ended on the way.
        let workshop = self.workshop()?;
        let gone = workshop.folder.path().join("unused");
        fs::rename(&self.home, &gone)?;
        drop(stamp);
        fs::remove_dir_all(gone)
    }

    /// The folder that holds the packages.
    pub(super) fn packages(&self) -> PathBuf {
        self.home.join("python")
    }

    /// The tree, if it is there with every file in its size.
    pub(super) fn tree(&self) -> Option<Tree> {
        let tree: Tree = read(&self.home.join(DESCRIPTION))?;
        let packages = self.packages();
        let is_there = |file: &TreeFile| {
            let data = packages.join(&file.name).symlink_metadata();
            data.is_ok_and(|data| data.is_file() && data.len() == file.size)
        };
        tree.files.iter().all(is_there).then_some(tree)
    }

    /// The zips of a kind with their places, if all of them are there in their size.
    pub(super) fn zips(&self, kind: &str) -> Option<Vec<(PathBuf, Zip)>> {
        let folder = self.home.join(kind);
        let zips: Vec<Zip> = read(&folder.join(ZIPS))?;
        let zips: Vec<_> =
            zips.into_iter().map(|zip| (folder.join(format!("{}.zip", zip.sha256)), zip)).collect();
        let is_there =
            |(path, zip): &(PathBuf, Zip)| fs::metadata(path).is_ok_and(|data| data.len() == zip.size);
        zips.iter().all(is_there).then_some(zips)
    }

    /// A folder to build in, which nobody else looks at.
    pub(super) fn workshop(&self) -> io::Result<Workshop> {
        Self::workshop_below(&self.cache)
    }

    /// The same for what is not built.
    pub(super) fn workshop_below(cache: &Path) -> io::Result<Workshop> {
        private_folder(cache)?;
        sweep(cache);
        Workshop::open(cache)
    }

    /// Puts a finished tree in its place, in the stead of a damaged one.
    pub(super) fn keep_tree(&self, workshop: &Workshop, tree: &Tree) -> io::Result<()> {
        write(&workshop.out().join(DESCRIPTION), tree)?;
        self.keep(workshop, &self.home, &|| self.tree().is_some())
    }

    /// Puts finished zips, which lie in the workshop, in their place.
    pub(super) fn keep_zips(&self, workshop: &Workshop, kind: &str, zips: &[Zip]) -> io::Result<()> {
        write(&workshop.out().join(ZIPS), &zips)?;
        self.keep(workshop, &self.home.join(kind), &|| self.zips(kind).is_some())
    }

    fn keep(&self, workshop: &Workshop, place: &Path, is_sound: &dyn Fn() -> bool) -> io::Result<()> {
        let Err(error) = fs::rename(workshop.out(), place) else { return Ok(()) };
        if is_sound() {
            // Another build of the same inputs was first.
            return Ok(());
        }
        if !place.is_dir() {
            return Err(error);
        }
        fs::rename(place, workshop.folder.path().join("damaged"))?;
        match fs::rename(workshop.out(), place) {
            Err(_) if is_sound() => Ok(()),
            other => other,
        }
    }
}

/// The folder of one build. It goes with the build.
pub(super) struct Workshop {
    folder: TempDir,
    out: PathBuf,
    _alive: File,
}

impl Workshop {
    fn open(cache: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(cache)?;
        // Locked before it has the name that others look for.
        let begun = folder.path().join("beginning");
        let alive = File::create(&begun)?;
        alive.lock()?;
        fs::rename(&begun, folder.path().join(ALIVE))?;
        let out = folder.path().join("out");
        private_folder(&out)?;
        Ok(Self { out, folder, _alive: alive })
    }

    /// What becomes the finished folder.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }
}

/// Removes what builds have left that a crash has ended.
fn sweep(cache: &Path) {
    let Ok(children) = fs::read_dir(cache) else { return };
    for child in children.flatten() {
        let is_unfinished = child.file_name().to_string_lossy().starts_with(UNFINISHED);
        let alive = is_unfinished.then(|| File::open(child.path().join(ALIVE)));
        if let Some(Ok(alive)) = alive
            && alive.try_lock().is_ok()
        {
            // What cannot be removed only takes space.
            let _ = fs::remove_dir_all(child.path());
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(value)?)
}
