//! The derivatives of a project on their way to a plan: what each is built from, and building those that are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mdo_engine::{DerivativePackage, DerivativePart};
use mdo_model::Sha256;
use mdo_model::project::{DERIVATIVES, DerivativeId, DerivativeName, Interpreter, Settings};
use mdo_model::stack::{Action, Kind, Plan, Resource, ResourceId, Selection};
use mdo_package::derivative::{
    self, Built, DerivativeError, Event, Lock, Packing, Pinned, PythonRuntime, Tools, UvFailure,
};
use mdo_package::{OwnFolder, OwnFolderError};

use super::abandoned::Waiting;
use super::fetch::fetch_pinned;
use super::ingredients::{Ingredients, Make, locked, prebuilt};
use crate::output::{Complaint, DerivativeSize, ErrorCode, Failure, Steps, count, exit_code};

/// The oldest and the newest Python that uv may run with; it is not particular.
const PYTHONS: std::ops::RangeInclusive<u32> = 11..=15;

/// What the chosen functions run with.
pub(super) struct Derivatives {
    ingredients: BTreeMap<DerivativeId, Ingredients>,
    settings: Settings,
    cache: PathBuf,
}

impl Derivatives {
    /// Reads what the derivatives of the chosen functions are made of. Nothing is built.
    pub(super) fn of(settings: &Settings, selection: &Selection) -> Result<Self, Failure> {
        let chosen = settings.functions.iter().filter(|(name, _)| selection.contains(name));
        let ids = chosen.flat_map(|(_, function)| function.derivative_ids()).collect();
        Self::of_ids(settings, &ids)
    }

    /// The same for derivatives that are named.
    pub(super) fn of_ids(settings: &Settings, ids: &BTreeSet<DerivativeId>) -> Result<Self, Failure> {
        match Self::readable(settings, ids) {
            (derivatives, complaints) if complaints.is_empty() => Ok(derivatives),
            (_, complaints) => Err(Failure { complaints, code: exit_code::USAGE }),
        }
    }

    /// Those of the named derivatives that can be read, and what is wrong with the others.
    pub(super) fn readable(settings: &Settings, ids: &BTreeSet<DerivativeId>) -> (Self, Vec<Complaint>) {
        let root = &settings.root;
        let cache = OwnFolder::of(root).path().join(DERIVATIVES);
        let mut ingredients = BTreeMap::new();
        let mut complaints: Vec<Complaint> = Vec::new();
        // A lock is the same for every runtime and architecture.
        let mut locks: BTreeMap<DerivativeName, Option<Lock>> = BTreeMap::new();
        for id in ids {
            let own = settings.derivatives.get(&id.name).cloned().unwrap_or_default();
            let read = match &own.zip {
                Some(zip) => prebuilt(root, &cache, id, &own, zip).map(Some),
                None => locked(root, id, &own, &mut locks),
            };
            match read {
                Ok(read) => ingredients.extend(read.map(|read| (id.clone(), read))),
                Err(failure) => complaints.extend(failure.complaints),
            }
        }
        complaints.dedup_by(|one, other| one.message == other.message);
        (Self { ingredients, settings: settings.clone(), cache }, complaints)
    }

    /// The packages that the locks pin.
    pub(super) fn pinned(&self) -> Vec<Pinned> {
        let packages = self.ingredients.values().map(|ingredients| match ingredients {
            Ingredients::Locked(recipe) => recipe.packages(),
            Ingredients::Prebuilt { .. } => Vec::new(),
        });
        packages.flatten().collect()
    }

    /// The inputs of each.
    pub(super) fn inputs(&self) -> BTreeMap<DerivativeId, Sha256> {
        self.ingredients.iter().map(|(id, ingredients)| (id.clone(), ingredients.inputs())).collect()
    }

    /// The identities of everything that is built of them.
    pub(super) fn named(&self) -> BTreeSet<Sha256> {
        let inputs = self.ingredients.values().flat_map(|ingredients| match ingredients {
            Ingredients::Locked(recipe) => derivative::all_inputs(recipe).to_vec(),
            Ingredients::Prebuilt { prebuilt, sha256, .. } => vec![prebuilt.inputs(*sha256)],
        });
        inputs.collect()
    }

    /// The folder of what is built.
    pub(super) fn cache(&self) -> Result<&Path, OwnFolderError> {
        OwnFolder::of(&self.settings.root).check(&self.cache)?;
        Ok(&self.cache)
    }

    /// Builds all of them, one after another: each build is at work with all that the machine has.
    pub(super) async fn build_all(&self, make: Make) -> Result<BTreeMap<DerivativeId, Built>, Failure> {
        self.build(&self.ingredients.keys().cloned().collect(), make).await
    }

    /// Builds those that a plan publishes.
    pub(super) async fn build_for(
        &self,
        plan: &Plan,
        make: Make,
    ) -> Result<BTreeMap<DerivativeId, Built>, Failure> {
        let published = plan.changes.iter().filter(|change| change.action != Action::Delete);
        let published = published.filter(|change| change.id.kind == Kind::Derivative);
        self.build(&published.filter_map(|change| change.id.name.parse().ok()).collect(), make).await
    }

    async fn build(
        &self,
        ids: &BTreeSet<DerivativeId>,
        make: Make,
    ) -> Result<BTreeMap<DerivativeId, Built>, Failure> {
        let mut all = BTreeMap::new();
        if !ids.is_empty() {
            OwnFolder::of(&self.settings.root).folder(DERIVATIVES)?;
        }
        for (id, ingredients) in self.ingredients.iter().filter(|(id, _)| ids.contains(id)) {
            if let Ingredients::Prebuilt { sha256, elsewhere: Some(source), .. } = ingredients
                && ingredients.cached(&self.cache, make).is_none()
            {
                fetch_pinned(&self.settings, &id.name, source, *sha256, &self.cache).await?;
            }
            let waiting = Waiting::default();
            let abandoned = waiting.abandoned();
            let (id, ingredients) = (id.clone(), ingredients.clone());
            let (root, cache) = (self.settings.root.clone(), self.cache.clone());
            let building = move || {
                if let Some(built) = ingredients.cached(&cache, make) {
                    return Ok((id, built));
                }
                let steps = Steps::begin(format!("derivative {}", id.name));
                let mut observe = |event: Event<'_>| tell(&steps, event);
                let built = match &ingredients {
                    Ingredients::Prebuilt { prebuilt, elsewhere, .. } => {
                        let opened =
                            derivative::open(prebuilt, &cache, make.packing(), &abandoned, &mut observe);
                        return match (opened, elsewhere) {
                            (Ok(built), _) => Ok((id, built)),
                            (Err(error), None) => Err(error.into()),
                            // The user knows the zip by its address.
                            (Err(error), Some(source)) => {
                                let (file, source) = (prebuilt.zip.display().to_string(), source.to_string());
                                Err(Failure::from(error).rewritten(|text| text.replace(&file, &source)))
                            }
                        };
                    }
                    Ingredients::Locked(recipe) => {
                        let needed = Needed::find(recipe.runtime, &root)?;
                        let tools = needed.tools(&abandoned);
                        match make {
                            Make::ForThisMachine => {
                                derivative::build_for_host(recipe, &cache, &tools, &mut observe)
                            }
                            Make::ForLambda(packing) => {
                                derivative::build(recipe, &cache, packing, &tools, &mut observe)
                            }
                        }
                    }
                };
                Ok::<_, Failure>((id, built?))
            };
            let (id, built) = tokio::task::spawn_blocking(building).await.map_err(anyhow::Error::from)??;
            all.insert(id, built);
        }
        Ok(all)
    }

    /// Those that were built, and those of the others that are on this machine all the same.
    pub(super) fn known(&self, built: &BTreeMap<DerivativeId, Built>) -> BTreeMap<DerivativeId, Built> {
        let known = |(id, ingredients): (&DerivativeId, &Ingredients)| {
            let present = || ingredients.cached(&self.cache, Make::ForLambda(Packing::Tree));
            Some((id.clone(), built.get(id).cloned().or_else(present)?))
        };
        self.ingredients.iter().filter_map(known).collect()
    }

    /// What the lines of a plan say of those that were built.
    pub(super) fn sizes(
        &self,
        built: &BTreeMap<DerivativeId, Built>,
        plan: &Plan,
    ) -> BTreeMap<DerivativeId, DerivativeSize> {
        let size = |(id, built): (&DerivativeId, &Built)| {
            let change = plan.change(&ResourceId::new(Kind::Derivative, id));
            let before = change.and_then(|change| match &change.before {
                Some(Resource::Derivative(before)) => derivative::distributions(&self.cache, before.inputs),
                _ => None,
            });
            let versions = |distributions: &[derivative::Distribution]| -> BTreeMap<String, String> {
                distributions.iter().map(|one| (one.name.clone(), one.version.clone())).collect()
            };
            let size = DerivativeSize {
                packages: versions(&built.distributions),
                packages_before: before.as_deref().map(versions),
                unzipped: built.raw_size,
                zips: built.parts.iter().map(|part| part.size).collect(),
            };
            (id.clone(), size)
        };
        built.iter().map(size).collect()
    }
}

/// A derivative as what is uploaded.
pub(super) fn package(built: &Built) -> DerivativePackage {
    let part = |part: &derivative::Part| DerivativePart {
        path: part.path.clone(),
        sha256: part.sha256,
        size: part.size,
    };
    DerivativePackage { parts: built.parts.iter().map(part).collect(), unzipped: built.raw_size }
}

/// The programs that building needs, as this machine has them.
pub(super) struct Needed {
    uv: PathBuf,
    python: PathBuf,
    runtime_python: Option<PathBuf>,
}

impl Needed {
    /// Finds them.
    pub(super) fn find(runtime: PythonRuntime, root: &Path) -> Result<Self, Failure> {
        let uv = derivative::find_uv()?;
        let find = |minor| mdo_package::find_interpreter(Interpreter::Python { minor }, root).ok();
        let runtime_python = find(runtime.minor().into());
        let python = runtime_python.clone().or_else(|| PYTHONS.rev().find_map(find)).ok_or_else(|| {
            Failure::with_help(
                exit_code::USAGE,
                "uv needs a Python to run with, of any version from 3.11 on, and this machine has none",
                format!("uv python install {}", runtime.version()),
            )
        })?;
        Ok(Self { uv, python, runtime_python })
    }

    /// As building takes them.
    pub(super) fn tools<'a>(&'a self, abandoned: &'a std::sync::atomic::AtomicBool) -> Tools<'a> {
        Tools {
            uv: &self.uv,
            python: &self.python,
            runtime_python: self.runtime_python.as_deref(),
            abandoned,
        }
    }
}

/// Tells how far a build is.
pub(super) fn tell(steps: &Steps, event: Event<'_>) {
    match event {
        Event::Locking => steps.next("resolving what is wanted"),
        Event::Installing { packages } => steps.next(&format!("installing {}", count(packages, "package"))),
        Event::Said(line) => steps.detail(line),
        Event::Compiling => steps.next("compiling"),
        Event::Checking => steps.next("checking"),
        Event::Zipping => steps.next("zipping"),
        Event::Importing => steps.next("importing"),
    }
}

impl From<DerivativeError> for Failure {
    fn from(error: DerivativeError) -> Self {
        let code = match &error {
            DerivativeError::Abandoned { .. } => exit_code::INTERRUPTED,
            DerivativeError::Uv {
                failure: UvFailure::Unreachable | UvFailure::UnknownIssuer | UvFailure::DiskFull,
                ..
            }
            | DerivativeError::Start { .. }
            | DerivativeError::Compile { .. }
            | DerivativeError::Read { .. }
            | DerivativeError::Write { .. }
            | DerivativeError::Zip { .. } => exit_code::FAILED,
            _ => exit_code::USAGE,
        };
        let kind = match code {
            exit_code::USAGE => ErrorCode::Package,
            exit_code::INTERRUPTED => ErrorCode::Interrupted,
            _ => ErrorCode::Failed,
        };
        let complaint = Complaint { help: error.help(), ..Complaint::new(kind, &error) };
        Self { complaints: vec![complaint], code }
    }
}
