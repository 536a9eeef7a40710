//! Splits a tree into layers by distribution.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipResult;

use super::distribution::Distribution;
use super::problem;
use super::store::Tree;

/// How many layers a function may have.
pub(super) const MOST_PARTS: usize = 5;

/// The most that a part takes zipped, in bytes: what Lambda takes directly, with room for what the request adds.
pub(super) const PART_LIMIT: u64 = 45 * 1024 * 1024;

/// What a zip needs for an entry beside its name, which it holds twice, and its data: more than its headers.
const ENTRY_OVERHEAD: u64 = 128;

/// What stays together: a distribution with its libraries and its metadata, and all that share a folder.
struct Group {
    files: Vec<usize>,
    zipped: u64,
    label: String,
}

/// The files of each part, in the tree's order; or, if there are too many parts, the largest groups.
pub(super) fn split(
    tree: &Tree,
    zipped: &BTreeMap<String, u64>,
) -> Result<Vec<Vec<usize>>, Vec<(String, u64)>> {
    let mut groups = groups(tree, zipped);
    groups.sort_by(|a, b| b.zipped.cmp(&a.zipped).then_with(|| a.label.cmp(&b.label)));
    let mut parts: Vec<(u64, Vec<usize>)> = Vec::new();
    for group in &groups {
        match parts.iter_mut().find(|(size, _)| size + group.zipped <= PART_LIMIT) {
            Some((size, files)) => {
                *size += group.zipped;
                files.extend(&group.files);
            }
            None => parts.push((group.zipped, group.files.clone())),
        }
    }
    if parts.len() > MOST_PARTS || groups.first().is_some_and(|group| group.zipped > PART_LIMIT) {
        return Err(problem::largest(groups.into_iter().map(|group| (group.label, group.zipped))));
    }
    let sorted = parts.into_iter().map(|(_, mut files)| {
        files.sort_unstable();
        files
    });
    Ok(sorted.collect())
}

/// What each entry of a zip takes in it, by name.
pub(super) fn zipped_sizes(zip: &Path) -> ZipResult<BTreeMap<String, u64>> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(zip)?))?;
    let mut sizes = BTreeMap::new();
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at)?;
        let name = entry.name()?.into_owned();
        let size = entry.compressed_size() + 2 * name.len() as u64 + ENTRY_OVERHEAD;
        sizes.insert(name, size);
    }
    Ok(sizes)
}

fn groups(tree: &Tree, zipped: &BTreeMap<String, u64>) -> Vec<Group> {
    let mut joined = Joined((0..tree.distributions.len()).collect());
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut members = Vec::with_capacity(tree.files.len());
    for (file, owner) in tree.files.iter().zip(&tree.owners) {
        let place = match file.name.split_once('/') {
            // The bytecode of all single modules shares a folder; it goes with its own module.
            Some(("__pycache__", _)) | None => None,
            Some((folder, _)) => Some(*places.entry(folder).or_insert_with(|| joined.add())),
        };
        let member = match (owner, place) {
            (Some(owner), Some(place)) => joined.join(*owner, place),
            (Some(owner), None) => *owner,
            (None, Some(place)) => place,
            (None, None) => joined.add(),
        };
        members.push(member);
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (at, member) in members.into_iter().enumerate() {
        let root = joined.root(member);
        let group = groups.entry(root).or_insert_with(|| Group {
            files: Vec::new(),
            zipped: 0,
            label: label(&tree.distributions, &joined, root)
                .unwrap_or_else(|| tree.files[at].name.split('/').next().unwrap_or_default().to_owned()),
        });
        group.files.push(at);
        group.zipped += zipped.get(&format!("python/{}", tree.files[at].name)).copied().unwrap_or(0);
    }
    groups.into_values().collect()
}

/// The names of the distributions of a group.
fn label(distributions: &[Distribution], joined: &Joined, root: usize) -> Option<String> {
    let names: Vec<_> = distributions
        .iter()
        .enumerate()
        .filter(|(at, _)| joined.root(*at) == root)
        .map(|(_, distribution)| distribution.name.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join(" + "))
}

/// Which of many things belong together: each points at another one of its group, or at itself.
struct Joined(Vec<usize>);

impl Joined {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn root(&self, mut at: usize) -> usize {
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) -> usize {
        let (one, other) = (self.root(one), self.root(other));
        let (first, second) = (one.min(other), one.max(other));
        self.0[second] = first;
        first
    }
}
