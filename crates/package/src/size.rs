//! Sizes: Lambda's limits, how a size is written, and which folders weigh the most.

use std::collections::BTreeMap;
use std::fmt;

use super::collect::Entry;

/// Lambda's limits count in units of 1,048,576 bytes.
const MEGABYTE: u64 = 1024 * 1024;

/// How many of the largest folders a message names.
const NAMED: usize = 5;

/// A number of bytes, displayed as people read it: `0.9 MB`, `12 KB`, `7 bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < 1024 => write!(f, "{bytes} bytes"),
            bytes if bytes < MEGABYTE / 10 => write!(f, "{} KB", bytes / 1024),
            bytes => write!(f, "{:.1} MB", bytes as f64 / MEGABYTE as f64),
        }
    }
}

/// The largest folders (to a depth of two) and root files, heaviest first, with their unzipped bytes.
pub(super) fn largest(entries: &[Entry]) -> Vec<(String, u64)> {
    let mut folders: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries {
        *folders.entry(place(&entry.name)).or_default() += entry.size;
    }
    let mut folders: Vec<_> = folders.into_iter().collect();
    folders.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    folders.truncate(NAMED);
    folders
}

/// Writes places and sizes on one line: `data/ 260.0 MB, bootstrap 1.2 MB`.
pub(super) fn describe(places: &[(String, u64)]) -> String {
    let described: Vec<_> = places.iter().map(|(place, size)| format!("{place} {}", Bytes(*size))).collect();
    described.join(", ")
}

fn place(name: &str) -> String {
    let parts: Vec<_> = name.split('/').collect();
    match parts.as_slice() {
        [file] => (*file).to_owned(),
        [folder, _] => format!("{folder}/"),
        [folder, inner, ..] => format!("{folder}/{inner}/"),
        [] => String::new(),
    }
}
