//! Builds a derivative: the tree, checked, and the zips that Lambda takes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_model::quotas::{DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT};

use super::distribution::{self, Distribution};
use super::error::{BYTECODE, DerivativeError};
use super::problem::{self, DerivativeProblem};
use super::recipe::Recipe;
use super::runtime::PythonRuntime;
use super::store::{Store, Tree, Workshop, Zip};
use super::tree::{self, TreeFile};
use super::{Event, Observe, Tools, bytecode, install, native, parts, path_files, used};
use crate::archive::{self, Member};

/// The folder of the one zip, and that of the several.
const WHOLE: &str = "zip";
const LAYERS: &str = "layers";

/// What is made of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Nothing: it is run from.
    Tree,
    /// One zip, however large: it goes through a bucket.
    OneZip,
    /// One zip where Lambda takes it directly, else several that it takes.
    Layers,
}

/// A finished derivative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its identity: see [`Recipe::inputs`].
    pub inputs: Sha256,
    /// The folder that holds the packages, for `PYTHONPATH`.
    pub tree: PathBuf,
    /// The zips, each a layer of its own. None where only the tree was asked for.
    pub parts: Vec<Part>,
    /// What its files take unzipped, in bytes.
    pub raw_size: u64,
    /// What it consists of.
    pub distributions: Vec<Distribution>,
    /// The top-level modules that it brings.
    pub modules: Vec<String>,
    /// What may go wrong at run time, as lower-case fragments that read after `derivative sklearn: `.
    pub warnings: Vec<String>,
}

/// One zip of a derivative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Whether this machine runs what is built for Lambda.
pub fn runs_here(architecture: Architecture) -> bool {
    cfg!(target_os = "linux") && Architecture::of_this_machine() == Some(architecture)
}

/// The derivative, if it has been built before. Needs no tools and no network.
pub fn cached(recipe: &Recipe, cache: &Path, packing: Packing) -> Option<Built> {
    find(recipe.inputs(), cache, packing)
}

/// Builds the derivative for Lambda below `cache`, unless it has been built before.
///
/// The same inputs make the same zips on every machine. What is there is complete, whatever ended a build.
///
/// # Errors
/// When uv cannot install what is locked, when Python cannot compile it, when it would not work on Lambda, or when files
/// cannot be written.
pub fn build(
    recipe: &Recipe,
    cache: &Path,
    packing: Packing,
    tools: &Tools,
    observe: Observe,
) -> Result<Built, DerivativeError> {
    let platform = recipe.runtime.platform(recipe.architecture);
    let making = Making { name: &recipe.name, inputs: recipe.inputs(), cache, abandoned: tools.abandoned };
    making.make(packing, observe, &mut |workshop, observe| {
        let idle = fill(recipe, Some(&platform), workshop, tools, observe)?;
        let (runtime, architecture) = (recipe.runtime, recipe.architecture);
        checked(&recipe.name, workshop, Some((runtime, architecture)), idle, observe)
    })
}

/// Builds the same lock for this machine: the tree that its Python runs functions from.
///
/// Where Lambda's own build runs, that is the one. Elsewhere the packages come in their versions for this system.
///
/// # Errors
/// As [`build`], and when this machine has no Python of the runtime's version.
pub fn build_for_host(
    recipe: &Recipe,
    cache: &Path,
    tools: &Tools,
    observe: Observe,
) -> Result<Built, DerivativeError> {
    if runs_here(recipe.architecture) {
        return build(recipe, cache, Packing::Tree, tools, observe);
    }
    let making =
        Making { name: &recipe.name, inputs: host_inputs(recipe), cache, abandoned: tools.abandoned };
    making.make(Packing::Tree, observe, &mut |workshop, observe| {
        let python = bytecode::runtime_python(&recipe.name, "running it here", recipe.runtime, tools)?;
        let tools = Tools { python, ..*tools };
        let idle = fill(recipe, None, workshop, &tools, observe)?;
        checked(&recipe.name, workshop, None, idle, observe)
    })
}

/// The derivative for this machine, if it has been built before. Needs no tools and no network.
pub fn cached_for_host(recipe: &Recipe, cache: &Path) -> Option<Built> {
    let inputs = if runs_here(recipe.architecture) { recipe.inputs() } else { host_inputs(recipe) };
    find(inputs, cache, Packing::Tree)
}

/// The identities of all that is built of a recipe: for Lambda, and for this machine.
pub fn all_inputs(recipe: &Recipe) -> [Sha256; 2] {
    [recipe.inputs(), host_inputs(recipe)]
}

fn host_inputs(recipe: &Recipe) -> Sha256 {
    recipe.identity(&format!("host {} {}", std::env::consts::OS, std::env::consts::ARCH))
}

/// Installs and compiles the packages of a recipe in a workshop; gives the patterns of `exclude` that name none of their files.
fn fill(
    recipe: &Recipe,
    platform: Option<&str>,
    workshop: &Workshop,
    tools: &Tools,
    observe: Observe,
) -> Result<Vec<String>, DerivativeError> {
    recipe.check_source()?;
    let python = match recipe.bytecode {
        // Asked for first: it is better to know before the packages are downloaded.
        true => Some(bytecode::runtime_python(&recipe.name, BYTECODE, recipe.runtime, tools)?),
        false => None,
    };
    install::install(recipe, platform, workshop.out(), tools, observe)?;
    let packages = workshop.out().join("python");
    let idle = tree::idle(&packages, &recipe.exclude)
        .map_err(|source| DerivativeError::read(&recipe.name, &packages, source))?;
    tree::clean(&packages, &recipe.exclude, &|_| false)
        .map_err(|source| DerivativeError::write(&recipe.name, &packages, source))?;
    if let Some(python) = python {
        bytecode::compile(&recipe.name, python, workshop.out(), tools, observe)?;
    }
    Ok(idle)
}

/// Describes the tree in a workshop, if it would work on Lambda; for this machine, whatever it is. `idle` are the patterns of
/// `exclude` that name nothing.
pub(super) fn checked(
    name: &str,
    workshop: &Workshop,
    lambda: Option<(PythonRuntime, Architecture)>,
    idle: Vec<String>,
    observe: Observe,
) -> Result<Tree, DerivativeError> {
    observe(Event::Checking);
    let packages = workshop.out().join("python");
    let failed = |source| DerivativeError::read(name, &packages, source);
    let files = tree::list(&packages).map_err(failed)?;
    let contents = distribution::contents(&packages, &files).map_err(failed)?;
    let mut problems = Vec::new();
    let mut warnings: Vec<_> =
        idle.iter().map(|pattern| format!("`{pattern}` in `exclude` has no effect")).collect();
    if files.is_empty() {
        problems.push(DerivativeProblem::Empty);
    }
    if let Some((runtime, architecture)) = lambda {
        let placed = files.iter().map(|file| (file.name.as_str(), packages.join(&file.name)));
        let found = native::check(placed, "derivative", runtime, architecture).map_err(failed)?;
        problems.extend(found.problems);
        warnings.extend(found.warnings.iter().map(ToString::to_string));
        problems.extend(too_large(&files, &contents.distributions));
    }
    if !problems.is_empty() {
        return Err(DerivativeError::Preflight { name: name.to_owned(), problems });
    }
    warnings.extend(path_files::unread(&files, &contents).iter().map(ToString::to_string));
    if !files.iter().any(|file| distribution::is_importable(&file.name)) {
        warnings.push("brings nothing that a function can import".to_owned());
    }
    let distribution::Contents { distributions, owners, modules } = contents;
    Ok(Tree { files, owners, distributions, modules, warnings })
}

fn too_large(files: &[TreeFile], distributions: &[Distribution]) -> Option<DerivativeProblem> {
    let unzipped = files.iter().map(|file| file.size).sum();
    let sizes = distributions.iter().map(|one| (one.name.clone(), one.raw_size));
    (unzipped > UNZIPPED_LIMIT)
        .then(|| DerivativeProblem::TooLarge { unzipped, largest: problem::largest(sizes) })
}

/// What makes a tree in a workshop.
type Fill<'a> = &'a mut dyn FnMut(&Workshop, Observe) -> Result<Tree, DerivativeError>;

/// One derivative being made.
pub(super) struct Making<'a> {
    pub name: &'a str,
    pub inputs: Sha256,
    pub cache: &'a Path,
    pub abandoned: &'a AtomicBool,
}

impl Making<'_> {
    /// Makes the tree and the zips, as far as they are not there.
    pub(super) fn make(
        &self,
        packing: Packing,
        observe: Observe,
        fill: Fill,
    ) -> Result<Built, DerivativeError> {
        let store = Store::of(self.cache, self.inputs);
        used::hold(store.home());
        let tree = match store.tree() {
            Some(tree) => tree,
            None => {
                let workshop = self.workshop(&store)?;
                let tree = fill(&workshop, observe)?;
                store.keep_tree(&workshop, &tree).map_err(self.failed())?;
                used::hold(store.home());
                tree
            }
        };
        let zips = match packing {
            Packing::Tree => Vec::new(),
            Packing::OneZip => self.whole(&store, &tree, observe)?,
            Packing::Layers => self.layers(&store, &tree, observe)?,
        };
        Ok(built(self.inputs, &store, tree, zips))
    }

    fn whole(
        &self,
        store: &Store,
        tree: &Tree,
        observe: Observe,
    ) -> Result<Vec<(PathBuf, Zip)>, DerivativeError> {
        let all: Vec<usize> = (0..tree.files.len()).collect();
        self.zips(store, WHOLE, tree, &[all], observe)
    }

    fn layers(
        &self,
        store: &Store,
        tree: &Tree,
        observe: Observe,
    ) -> Result<Vec<(PathBuf, Zip)>, DerivativeError> {
        let whole = self.whole(store, tree, observe)?;
        let Some((path, Zip { size, .. })) = whole.first().filter(|(_, zip)| zip.size > DIRECT_UPLOAD_LIMIT)
        else {
            return Ok(whole);
        };
        let zipped = parts::zipped_sizes(path).map_err(|error| DerivativeError::Zip {
            name: self.name.to_owned(),
            file: "its parts".to_owned(),
            reason: error.to_string(),
        })?;
        let parts = parts::split(tree, &zipped).map_err(|largest| DerivativeError::Preflight {
            name: self.name.to_owned(),
            problems: vec![DerivativeProblem::NotSplittable { size: *size, largest }],
        })?;
        self.zips(store, LAYERS, tree, &parts, observe)
    }

    /// Zips the files of each part, all parts at once, unless that has been done before.
    fn zips(
        &self,
        store: &Store,
        kind: &str,
        tree: &Tree,
        parts: &[Vec<usize>],
        observe: Observe,
    ) -> Result<Vec<(PathBuf, Zip)>, DerivativeError> {
        if let Some(zips) = store.zips(kind) {
            return Ok(zips);
        }
        observe(Event::Zipping);
        let workshop = self.workshop(store)?;
        let packages = store.packages();
        let zip = |part: &Vec<usize>| {
            let files = part.iter().map(|at| &tree.files[*at]);
            let named: Vec<_> = files
                .map(|file| (format!("python/{}", file.name), packages.join(&file.name), file.executable))
                .collect();
            let members =
                named.iter().map(|(name, path, executable)| Member { name, path, executable: *executable });
            let wanted = members.take_while(|_| !self.abandoned.load(Ordering::Relaxed));
            let archive = archive::write(wanted, workshop.out())
                .map_err(|error| DerivativeError::of_archive(self.name, error))?;
            if self.abandoned.load(Ordering::Relaxed) {
                return Err(DerivativeError::Abandoned { name: self.name.to_owned() });
            }
            Ok(Zip { sha256: archive.sha256, size: archive.size })
        };
        let zips: Vec<Zip> = thread::scope(|scope| {
            let zip = &zip;
            let running: Vec<_> = parts.iter().map(|part| scope.spawn(move || zip(part))).collect();
            let finished = running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            finished.collect::<Result<_, DerivativeError>>()
        })?;
        store.keep_zips(&workshop, kind, &zips).map_err(self.failed())?;
        store.zips(kind).ok_or_else(|| {
            self.failed()(std::io::Error::other("the zips are gone again, something else removes them"))
        })
    }

    fn workshop(&self, store: &Store) -> Result<Workshop, DerivativeError> {
        store.workshop().map_err(self.failed())
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> DerivativeError + '_ {
        |source| DerivativeError::write(self.name, self.cache, source)
    }
}

/// What has been made before, if all of it is there.
pub(super) fn find(inputs: Sha256, cache: &Path, packing: Packing) -> Option<Built> {
    let store = Store::of(cache, inputs);
    used::hold(store.home());
    let zips = match packing {
        Packing::Tree => Vec::new(),
        Packing::OneZip => store.zips(WHOLE)?,
        Packing::Layers => {
            let whole = store.zips(WHOLE)?;
            let fits = whole.iter().all(|(_, zip)| zip.size <= DIRECT_UPLOAD_LIMIT);
            if fits { whole } else { store.zips(LAYERS)? }
        }
    };
    Some(built(inputs, &store, store.tree()?, zips))
}

fn built(inputs: Sha256, store: &Store, tree: Tree, zips: Vec<(PathBuf, Zip)>) -> Built {
    let part = |(path, Zip { sha256, size })| Part { path, sha256, size };
    Built {
        inputs,
        tree: store.packages(),
        parts: zips.into_iter().map(part).collect(),
        raw_size: tree.raw_size(),
        distributions: tree.distributions,
        modules: tree.modules,
        warnings: tree.warnings,
    }
}
