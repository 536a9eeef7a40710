//! Opens a zip of packages that somebody else has built, as carefully as what comes from elsewhere deserves.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use sha2::Digest as _;

use super::build::{self, Built, Making, Packing};
use super::error::DerivativeError;
use super::problem::DerivativeProblem;
use super::runtime::PythonRuntime;
use super::store::{Tree, Workshop};
use super::{Observe, bytecode, tree};
use crate::unpack;

/// Part of every identity, as that of a recipe.
const FORMAT: u32 = 2;

/// A prebuilt zip, which is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prebuilt {
    /// The derivative's name, for messages.
    pub name: String,
    /// The zip.
    pub zip: PathBuf,
    /// What its digest has to be; any, if nobody has said so.
    pub pinned: Option<Sha256>,
    /// The runtime of the functions that use it.
    pub runtime: PythonRuntime,
    /// The processor that the functions run on.
    pub architecture: Architecture,
    /// Which files stay out: see [`super::Recipe::exclude`].
    pub exclude: Vec<String>,
}

impl Prebuilt {
    /// The digest of the zip as it is now.
    ///
    /// # Errors
    /// When it cannot be read, and when it is not the one that was pinned.
    pub fn sha256(&self) -> Result<Sha256, DerivativeError> {
        let (name, zip) = (self.name.clone(), self.zip.clone());
        let found = match digest(&zip) {
            Ok(found) => found,
            Err(source) => return Err(DerivativeError::ZipUnreadable { name, zip, source }),
        };
        match self.pinned {
            Some(pinned) if pinned != found => Err(DerivativeError::OtherZip { name, zip, found, pinned }),
            _ => Ok(found),
        }
    }

    /// The identity of what becomes of a zip with this digest.
    pub fn inputs(&self, sha256: Sha256) -> Sha256 {
        let inputs = serde_json::json!([
            "zip",
            FORMAT,
            sha256.to_string(),
            self.runtime.to_string(),
            self.architecture.as_str(),
            self.exclude,
        ]);
        Sha256::of(inputs.to_string().as_bytes())
    }
}

/// The derivative, if a zip with this digest has been opened before. [`Prebuilt::sha256`] tells whether that is the zip.
pub fn cached_prebuilt(prebuilt: &Prebuilt, sha256: Sha256, cache: &Path, packing: Packing) -> Option<Built> {
    build::find(prebuilt.inputs(sha256), cache, packing)
}

/// Opens the zip below `cache`, unless that has been done before: its packages lie at its root or below `python/`.
///
/// # Errors
/// When it is not the zip that was pinned, cannot be unpacked safely, would not work on Lambda, or when files cannot be written.
pub fn open(
    prebuilt: &Prebuilt,
    cache: &Path,
    packing: Packing,
    abandoned: &AtomicBool,
    observe: Observe,
) -> Result<Built, DerivativeError> {
    let name = prebuilt.name.as_str();
    let making = Making { name, inputs: prebuilt.inputs(prebuilt.sha256()?), cache, abandoned };
    making.make(packing, observe, &mut |workshop, observe| fill(prebuilt, workshop, observe))
}

fn fill(prebuilt: &Prebuilt, workshop: &Workshop, observe: Observe) -> Result<Tree, DerivativeError> {
    let name = prebuilt.name.as_str();
    let unpacked = workshop.out().join("unpacked");
    let failed = |source| DerivativeError::write(name, &unpacked, source);
    unpack::unpack_foreign(&prebuilt.zip, &unpacked)
        .map_err(|source| DerivativeError::Unpack { name: name.to_owned(), source })?;
    tree::clean(&unpacked, &[], &|_| true).map_err(failed)?;
    let packages = packages(name, &unpacked, prebuilt.runtime)?;
    let tree = workshop.out().join("python");
    fs::rename(&packages, &tree).map_err(failed)?;
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).map_err(failed)?;
    }
    let idle =
        tree::idle(&tree, &prebuilt.exclude).map_err(|source| DerivativeError::read(name, &tree, source))?;
    tree::clean(&tree, &prebuilt.exclude, &|path| bytecode::is_of_use(path, prebuilt.runtime))
        .map_err(|source| DerivativeError::write(name, &tree, source))?;
    let lambda = Some((prebuilt.runtime, prebuilt.architecture));
    let tree = build::checked(name, workshop, lambda, idle, observe);
    match tree {
        // Nothing else can be wrong with no file.
        Err(DerivativeError::Preflight { name, problems }) if problems == [DerivativeProblem::Empty] => {
            Err(DerivativeError::Preflight { name, problems: vec![DerivativeProblem::EmptyZip] })
        }
        checked => checked,
    }
}

/// The folder of an unpacked zip that holds the packages: itself, or one of those where Lambda looks in a layer.
fn packages(name: &str, unpacked: &Path, runtime: PythonRuntime) -> Result<PathBuf, DerivativeError> {
    let refused =
        |problem| Err(DerivativeError::Preflight { name: name.to_owned(), problems: vec![problem] });
    let files = tree::list(unpacked).map_err(|source| DerivativeError::read(name, unpacked, source))?;
    let versions = files.iter().filter_map(|file| site_packages(&file.name));
    let other = versions.clone().find(|(_, version)| *version != runtime.version());
    if let Some((folder, _)) = other {
        return refused(DerivativeProblem::OtherPython { folder: folder.to_owned(), runtime });
    }
    let python = unpacked.join("python");
    let is_layer = python.is_dir() && !python.join("__init__.py").exists();
    let own = versions.map(|(folder, _)| folder).next();
    let prefix = match own.or(is_layer.then_some("python")) {
        Some(folder) => format!("{folder}/"),
        None => return Ok(unpacked.to_owned()),
    };
    match files.into_iter().find(|file| !file.name.starts_with(&prefix)) {
        None => Ok(unpacked.join(&prefix)),
        Some(file) => refused(DerivativeProblem::Beside { file: file.name, folder: prefix }),
    }
}

/// The folder of a Python's packages that a file lies in, as layers and virtual environments have it, and that Python's version.
fn site_packages(file: &str) -> Option<(&str, &str)> {
    let below = file.strip_prefix("python/").unwrap_or(file);
    let (version, rest) = below.strip_prefix("lib/python")?.split_once('/')?;
    let inner = rest.strip_prefix("site-packages/")?;
    Some((file[..file.len() - inner.len()].trim_end_matches('/'), version))
}

/// The digest of a zip.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> io::Result<Sha256> {
    let mut hash = sha2::Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    let digest: [u8; 32] = hash.finalize().into();
    Ok(digest.into())
}
