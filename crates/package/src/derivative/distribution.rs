//! Which distribution each file of a tree belongs to, and which modules a tree brings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tree::{self, TreeFile};

/// An installed distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Its name, as its metadata writes it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its files take, with their bytecode, in bytes.
    pub raw_size: u64,
}

/// What a tree consists of.
pub(super) struct Contents {
    /// By name.
    pub distributions: Vec<Distribution>,
    /// For each file of the tree, the distribution that it belongs to.
    pub owners: Vec<Option<usize>>,
    /// The top-level modules that can be imported.
    pub modules: Vec<String>,
}

/// Reads the metadata and the records of a tree whose files are given in order.
pub(super) fn contents(tree: &Path, files: &[TreeFile]) -> io::Result<Contents> {
    let mut distributions = Vec::new();
    let mut owner_of: BTreeMap<String, usize> = BTreeMap::new();
    for folder in tree::distributions(tree)? {
        let at = distributions.len();
        distributions.push(described(tree, &folder)?);
        let record = fs::read_to_string(tree.join(&folder).join("RECORD")).unwrap_or_default();
        for name in record.lines().filter_map(tree::recorded) {
            owner_of.entry(name).or_insert(at);
        }
    }
    let mut owners = Vec::with_capacity(files.len());
    for file in files {
        let owner = owner_of.get(&file.name).or_else(|| owner_of.get(&source_of(&file.name)?)).copied();
        if let Some(owner) = owner {
            distributions[owner].raw_size += file.size;
        }
        owners.push(owner);
    }
    Ok(Contents { distributions, owners, modules: modules(files) })
}

fn described(tree: &Path, folder: &str) -> io::Result<Distribution> {
    let metadata = match fs::read(tree.join(folder).join("METADATA")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    // The description follows the first empty line, and may say anything.
    let field = |name: &str| {
        let mut head = metadata.lines().take_while(|line| !line.is_empty());
        head.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(|value| value.trim().to_owned())
    };
    let stem = folder.trim_end_matches(".dist-info");
    let (name, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
    Ok(Distribution {
        name: field("Name").unwrap_or_else(|| name.to_owned()),
        version: field("Version").unwrap_or_else(|| version.to_owned()),
        raw_size: 0,
    })
}

/// The module that a file of bytecode was compiled from: `a/b.py` of `a/__pycache__/b.cpython-313.pyc`.
pub(super) fn source_of(name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let above = folder.strip_suffix("__pycache__")?;
    let stem = file.strip_suffix(".pyc")?.split(".cpython-").next()?;
    Some(format!("{above}{stem}.py"))
}

/// The modules that lie directly in the tree: files, and folders with an `__init__`.
fn modules(files: &[TreeFile]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for TreeFile { name, .. } in files {
        let module = match name.split_once('/') {
            None => module_file(name),
            Some((folder, "__init__.py")) => Some(folder),
            Some((folder, inner)) => (module_file(inner) == Some("__init__")).then_some(folder),
        };
        found.extend(module.filter(|name| is_identifier(name)).map(str::to_owned));
    }
    found.into_iter().collect()
}

/// Whether a file is a module by its name, in folders that are packages by theirs, with or without an `__init__`.
pub(super) fn is_importable(name: &str) -> bool {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let is_package = folders.is_empty() || folders.split('/').all(is_identifier);
    is_package && module_file(file).is_some_and(is_identifier)
}

/// The module that a file name such as `six.py` or `_cffi.cpython-313-x86_64-linux-gnu.so` stands for.
fn module_file(name: &str) -> Option<&str> {
    let is_module = !name.contains('/') && (name.ends_with(".py") || name.ends_with(".so"));
    is_module.then(|| name.split('.').next().unwrap_or(name))
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}
