//! What each derivative is made of: packages that a lock names, or a zip that somebody else has built.

use std::collections::BTreeMap;
use std::path::Path;

use mdo_model::Sha256;
use mdo_model::project::{DERIVATIVES, DerivativeId, DerivativeName, DerivativeSettings, ZipSource};
use mdo_package::derivative::{self, Built, Lock, Packing, Prebuilt, PythonRuntime, Recipe};

use super::session::Session;
use crate::output::{Complaint, ErrorCode, Failure, exit_code};

/// What a derivative is made of.
#[derive(Clone)]
pub(super) enum Ingredients {
    /// Packages that a lock names.
    Locked(Recipe),
    /// A zip that somebody else has built.
    Prebuilt {
        /// Where it is, and for what.
        prebuilt: Prebuilt,
        /// Its digest.
        sha256: Sha256,
        /// Where it is fetched from, if it is not a file of the project.
        elsewhere: Option<ZipSource>,
    },
}

impl Ingredients {
    pub(super) fn inputs(&self) -> Sha256 {
        match self {
            Self::Locked(recipe) => recipe.inputs(),
            Self::Prebuilt { prebuilt, sha256, .. } => prebuilt.inputs(*sha256),
        }
    }

    /// What is there already, without any tool.
    pub(super) fn cached(&self, cache: &Path, make: Make) -> Option<Built> {
        match (self, make) {
            (Self::Locked(recipe), Make::ForThisMachine) => derivative::cached_for_host(recipe, cache),
            (Self::Locked(recipe), Make::ForLambda(packing)) => derivative::cached(recipe, cache, packing),
            (Self::Prebuilt { prebuilt, sha256, .. }, make) => {
                derivative::cached_prebuilt(prebuilt, *sha256, cache, make.packing())
            }
        }
    }
}

/// What is made of a derivative.
#[derive(Clone, Copy)]
pub(super) enum Make {
    /// The tree that functions on this machine run with.
    ForThisMachine,
    /// What is published on AWS.
    ForLambda(Packing),
}

impl Make {
    /// What a session needs.
    pub(super) fn of(session: &Session) -> Self {
        match &session.settings.artifacts {
            _ if session.is_local() => Self::ForThisMachine,
            Some(_) => Self::ForLambda(Packing::OneZip),
            None => Self::ForLambda(Packing::Layers),
        }
    }

    pub(super) fn packing(self) -> Packing {
        match self {
            Self::ForThisMachine => Packing::Tree,
            Self::ForLambda(packing) => packing,
        }
    }
}

/// A zip that is there or will be fetched.
pub(super) fn prebuilt(
    root: &Path,
    cache: &Path,
    id: &DerivativeId,
    own: &DerivativeSettings,
    source: &ZipSource,
) -> Result<Ingredients, Failure> {
    let (name, runtime) = (id.name.to_string(), runtime_of(id)?);
    let zip = match (source, own.sha256) {
        (ZipSource::Path(path), _) => root.join(path),
        (_, Some(pinned)) => derivative::downloaded(cache, pinned),
        (_, None) => return Err(not_pinned(&id.name, source, own)),
    };
    let (exclude, architecture) = (own.exclude.clone(), id.architecture);
    let prebuilt = Prebuilt { name, zip, pinned: own.sha256, runtime, architecture, exclude };
    let elsewhere = Some(source.clone()).filter(ZipSource::is_elsewhere);
    let sha256 = match own.sha256.filter(|_| elsewhere.is_some()) {
        Some(pinned) => pinned,
        // Read even where it was opened before: another zip may lie in its place since.
        None => prebuilt.sha256().map_err(|error| error.relative_to(root))?,
    };
    Ok(Ingredients::Prebuilt { prebuilt, sha256, elsewhere })
}

/// What a lock names; none where the lock was complained of before.
pub(super) fn locked(
    root: &Path,
    id: &DerivativeId,
    own: &DerivativeSettings,
    locks: &mut BTreeMap<DerivativeName, Option<Lock>>,
) -> Result<Option<Ingredients>, Failure> {
    let name = id.name.to_string();
    let runtime = runtime_of(id)?;
    if !locks.contains_key(&id.name) {
        locks.insert(id.name.clone(), None);
        let lock = Lock::read(&name, &root.join(DERIVATIVES).join(&name));
        locks.insert(id.name.clone(), Some(lock.map_err(|error| error.relative_to(root))?));
    }
    let Some(Some(lock)) = locks.get(&id.name) else { return Ok(None) };
    let lock = lock.text(runtime).map_err(|error| error.relative_to(root))?.to_owned();
    Ok(Some(Ingredients::Locked(Recipe {
        name,
        lock,
        runtime,
        architecture: id.architecture,
        exclude: own.exclude.clone(),
        source: own.source.iter().cloned().collect(),
        bytecode: own.bytecode.unwrap_or(true),
    })))
}

/// Nothing but its digest says what lies at an address.
fn not_pinned(name: &DerivativeName, source: &ZipSource, own: &DerivativeSettings) -> Failure {
    let message = format!("derivative {name}: {source} is from elsewhere and has no `sha256`");
    let help = format!("mdo derivative pin {name}");
    let complaint = Complaint::new(ErrorCode::Configuration, message).help(help);
    let complaints = vec![Complaint { place: own.zip_place.clone(), ..complaint }];
    Failure { complaints, code: exit_code::USAGE }
}

/// The runtime that a derivative is for.
pub(super) fn runtime_of(id: &DerivativeId) -> Result<PythonRuntime, Failure> {
    let runtime = id.runtime.parse();
    runtime.map_err(|error| Failure::new(exit_code::USAGE, format!("derivative {}: {error}", id.name)))
}
