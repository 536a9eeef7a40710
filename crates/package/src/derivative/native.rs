//! Checks native files against the runtime: processor, Python, glibc, and the libraries that they are linked with.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use mdo_model::project::Architecture;

use super::problem::{DerivativeProblem as Problem, Files};
use super::runtime::PythonRuntime;
use crate::base_image::{self, BaseImage, Version};
use crate::elf::{self, Format, Needs, NotReadable};

/// What is wrong with native files.
#[derive(Default)]
pub(crate) struct Findings {
    /// What keeps them from being loaded.
    pub problems: Vec<Problem>,
    /// What may keep some of them from being loaded.
    pub warnings: Vec<Problem>,
}

/// Looks into each native file among the files of a derivative or of a package, which are given with their places.
pub(crate) fn check<'a, P: AsRef<Path>>(
    files: impl Iterator<Item = (&'a str, P)> + Clone,
    holder: &'static str,
    runtime: PythonRuntime,
    architecture: Architecture,
) -> io::Result<Findings> {
    let image = base_image::of_python(runtime);
    let names: BTreeSet<&str> = files.clone().map(|(name, _)| last(name)).collect();
    let mut seen = Seen::default();
    for (name, path) in files {
        let path = path.as_ref();
        match elf::format(path)? {
            Format::Elf { machine } if machine != architecture.machine() => {
                seen.machines.entry(machine).or_default().push(name.to_owned());
            }
            Format::Elf { .. } => match elf::needs(path) {
                Ok(needs) => seen.linking(name, &needs, image, &names),
                Err(NotReadable::Io(error)) => return Err(error),
                Err(NotReadable::Damaged(error)) => {
                    seen.damaged.push((name.to_owned(), error.to_string()));
                }
            },
            Format::Other(found) if is_loaded(name) => {
                seen.foreign.entry(found).or_default().push(name.to_owned());
            }
            Format::Other(found) if is_of_another_system(name) => {
                seen.elsewhere.entry(found).or_default().push(name.to_owned());
            }
            _ => {}
        }
        if let Some(tag) = python_tag(name).filter(|tag| *tag != runtime.tag() && *tag != "abi3") {
            seen.tags.entry(tag.to_owned()).or_default().push(name.to_owned());
        }
    }
    Ok(seen.findings(holder, runtime, architecture))
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether Linux would load a file of this name as an extension module.
fn is_loaded(name: &str) -> bool {
    name.ends_with(".so")
}

/// Whether a file is an extension module or a library by the conventions of Windows or macOS. Packages for all systems
/// hold some that nobody loads here.
fn is_of_another_system(name: &str) -> bool {
    name.ends_with(".pyd") || name.ends_with(".dylib")
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
    elsewhere: BTreeMap<&'static str, Vec<String>>,
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

    fn findings(self, holder: &'static str, runtime: PythonRuntime, architecture: Architecture) -> Findings {
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
        let mut warnings = Vec::new();
        for (found, files) in self.elsewhere {
            warnings.push(Problem::NotForLinux { files: Files(files), found });
        }
        for (library, files) in self.missing {
            warnings.push(Problem::LibraryMissing { files: Files(files), library, runtime, holder });
        }
        Findings { problems, warnings }
    }
}
