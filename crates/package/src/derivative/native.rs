//! Checks the native files of a tree against the runtime: processor, Python, glibc, and the libraries that they are linked with.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use mdo_model::project::Architecture;

use super::problem::{DerivativeProblem as Problem, Files};
use super::runtime::PythonRuntime;
use super::tree::TreeFile;
use crate::base_image::{self, BaseImage, Version};
use crate::elf::{self, Format, Needs, NotReadable};

/// What is wrong with the native files of a tree.
#[derive(Default)]
pub(super) struct Findings {
    /// What keeps them from being loaded.
    pub problems: Vec<Problem>,
    /// What may keep some of them from being loaded.
    pub warnings: Vec<Problem>,
}

/// Looks into each native file.
pub(super) fn check(
    tree: &Path,
    files: &[TreeFile],
    runtime: PythonRuntime,
    architecture: Architecture,
) -> io::Result<Findings> {
    let image = base_image::of_python(runtime);
    let names: BTreeSet<&str> = files.iter().map(|file| last(&file.name)).collect();
    let mut seen = Seen::default();
    for file in files.iter().filter(|file| file.size > 0) {
        let path = tree.join(&file.name);
        match elf::format(&path)? {
            Format::Elf { machine } if machine != architecture.machine() => {
                seen.machines.entry(machine).or_default().push(file.name.clone());
            }
            Format::Elf { .. } => match elf::needs(&path) {
                Ok(needs) => seen.linking(&file.name, &needs, image, &names),
                Err(NotReadable::Io(error)) => return Err(error),
                Err(NotReadable::Damaged(error)) => {
                    seen.damaged.push((file.name.clone(), error.to_string()));
                }
            },
            Format::Other(found) if is_native(&file.name) => {
                seen.foreign.entry(found).or_default().push(file.name.clone());
            }
            _ => {}
        }
        if let Some(tag) = python_tag(&file.name).filter(|tag| *tag != runtime.tag() && *tag != "abi3") {
            seen.tags.entry(tag.to_owned()).or_default().push(file.name.clone());
        }
    }
    Ok(seen.findings(runtime, architecture))
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether a file has the name of a library or of an extension module of any system.
fn is_native(name: &str) -> bool {
    let name = last(name);
    [".so", ".pyd", ".dylib"].iter().any(|end| name.ends_with(end))
}

/// Which Python loads an extension module: `cpython-313` of `_x.cpython-313-x86_64-linux-gnu.so`.
///
/// A module whose name has no tag is loaded by any.
fn python_tag(name: &str) -> Option<&str> {
    let stem = last(name).strip_suffix(".so")?;
    let (_, tag) = stem.split_once('.')?;
    if tag == "abi3" {
        return Some(tag);
    }
    let known = tag.starts_with("cpython-3") || tag.starts_with("pypy3");
    known.then(|| tag.match_indices('-').nth(1).map_or(tag, |(end, _)| &tag[..end]))
}

#[derive(Default)]
struct Seen {
    machines: BTreeMap<String, Vec<String>>,
    foreign: BTreeMap<&'static str, Vec<String>>,
    tags: BTreeMap<String, Vec<String>>,
    /// By the prefix of the symbol version: the newest version, and the files that need more than the image has.
    versions: BTreeMap<&'static str, (Version, Version, Vec<String>)>,
    missing: BTreeMap<String, Vec<String>>,
    damaged: Vec<(String, String)>,
}

impl Seen {
    fn linking(&mut self, file: &str, needs: &Needs, image: &BaseImage, names: &BTreeSet<&str>) {
        for (library, symbol) in &needs.versions {
            // A tree may bring its own libstdc++, but never its own glibc: the loader is the system's.
            let own = !symbol.starts_with("GLIBC_") && names.contains(library.as_str());
            let Some((prefix, needed, has)) = image.too_new(symbol).filter(|_| !own) else { continue };
            let known = self.versions.entry(prefix).or_insert((needed, has, Vec::new()));
            known.0 = known.0.max(needed);
            if known.2.last().is_none_or(|known| known != file) {
                known.2.push(file.to_owned());
            }
        }
        // By the name alone, wherever it lies: packages load their own libraries before what needs them.
        let missing = needs
            .libraries
            .iter()
            .filter(|library| !names.contains(last(library)) && !image.has_library(library));
        for library in missing {
            self.missing.entry(library.clone()).or_default().push(file.to_owned());
        }
    }

    fn findings(self, runtime: PythonRuntime, architecture: Architecture) -> Findings {
        let mut problems = Vec::new();
        for (found, files) in self.machines {
            problems.push(Problem::WrongArchitecture { files: Files(files), found, declared: architecture });
        }
        for (found, files) in self.foreign {
            problems.push(Problem::NotForLinux { files: Files(files), found });
        }
        for (tag, files) in self.tags {
            problems.push(Problem::WrongPython { files: Files(files), tag, runtime });
        }
        for (prefix, (needs, has, files)) in self.versions {
            let needs = format!("{prefix}{}", base_image::written(needs));
            let has = format!("{prefix}{}", base_image::written(has));
            problems.push(Problem::TooNew { files: Files(files), needs, has, runtime });
        }
        for (file, reason) in self.damaged {
            problems.push(Problem::DamagedElf { file, reason });
        }
        let warnings = self
            .missing
            .into_iter()
            .map(|(library, files)| Problem::LibraryMissing { files: Files(files), library, runtime })
            .collect();
        Findings { problems, warnings }
    }
}
