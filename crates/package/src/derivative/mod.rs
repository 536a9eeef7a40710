//! Derivatives: the locked dependencies of Python functions, built for Lambda's platform by uv, as a tree to run from and as zips.
//!
//! It knows neither AWS nor the project's files, and prints nothing.

mod build;
mod bytecode;
mod distribution;
mod download;
mod error;
mod import;
mod install;
mod lock;
mod missing;
pub(super) mod native;
mod origin;
mod parts;
mod path_files;
mod prebuilt;
mod problem;
mod recipe;
mod requirements;
mod resolve;
mod runtime;
mod store;
pub(super) mod tree;
mod used;
mod uv;
mod wanted;

use std::path::Path;
use std::sync::atomic::AtomicBool;

pub use build::{
    Built, Packing, Part, all_inputs, build, build_for_host, cached, cached_for_host, runs_here,
};
pub use distribution::Distribution;
pub use download::{Download, downloaded, is_downloaded};
pub use error::DerivativeError;
pub use import::{Imported, import};
pub use lock::{Lock, LockOptions, Locked, UNFINISHED_LOCK, VersionChange, is_lockable, lock};
pub use missing::missing_module_help;
pub use prebuilt::{Prebuilt, cached_prebuilt, digest, open};
pub use problem::{DerivativeProblem, MostUnzipped, check_total, hidden_modules, slow_imports};
pub use recipe::Recipe;
pub use requirements::{Pinned, pinned};
pub use runtime::{InvalidPythonRuntime, PythonRuntime};
pub use store::{distributions, tree};
pub use used::remove_unused;
pub use uv::{Doing, UvFailure, find_uv, find_uv_with};
pub use wanted::Wanted;

/// The programs that building needs, and whether anybody still waits for them.
#[derive(Clone, Copy, Debug)]
pub struct Tools<'a> {
    /// The `uv` program: see [`find_uv`].
    pub uv: &'a Path,
    /// Some Python that runs, of any version: uv needs one, and would download it otherwise.
    pub python: &'a Path,
    /// The Python of the runtime's own minor version, if this machine has one. Bytecode and trees for this machine need it.
    pub runtime_python: Option<&'a Path>,
    /// Set when nobody waits any more: a program that runs is ended then.
    pub abandoned: &'a AtomicBool,
}

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// uv resolves the requirements.
    Locking,
    /// uv downloads and unpacks so many packages, as the lock names them for every platform.
    Installing {
        /// How many.
        packages: usize,
    },
    /// uv or a build backend said this.
    Said(&'a str),
    /// The declared Python compiles the modules.
    Compiling,
    /// The files are checked against the runtime.
    Checking,
    /// The zip or the zips are written.
    Zipping,
    /// The top-level modules are imported.
    Importing,
}

/// Who is told how far a build is.
pub type Observe<'a> = &'a mut dyn FnMut(Event<'_>);
