//! What a derivative is made of, and the identity that follows from it.

use mdo_model::Sha256;
use mdo_model::project::Architecture;

use super::error::DerivativeError;
use super::requirements::{self, Pinned};
use super::runtime::PythonRuntime;

/// Part of every identity. A change to what a build makes of the same inputs is a new number.
const FORMAT: u32 = 1;

/// What decides the bytes of a derivative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The derivative's name, for messages. It is not part of the identity.
    pub name: String,
    /// The text of `requirements.txt`: see [`super::Lock`].
    pub lock: String,
    /// The runtime of the functions that use it.
    pub runtime: PythonRuntime,
    /// The processor that the functions run on.
    pub architecture: Architecture,
    /// Which files stay out, by patterns as in `.mdoignore` that count from the folder that holds the packages.
    pub exclude: Vec<String>,
    /// The packages that may be built from source, by name. They have to be pure Python.
    pub source: Vec<String>,
    /// Whether it brings compiled bytecode.
    pub bytecode: bool,
}

impl Recipe {
    /// The identity: the same inputs make the same bytes.
    pub fn inputs(&self) -> Sha256 {
        self.identity(self.architecture.as_str())
    }

    /// The identity of the build for a platform.
    pub(super) fn identity(&self, platform: &str) -> Sha256 {
        let mut source: Vec<_> = self.source.iter().map(|name| requirements::normalized(name)).collect();
        source.sort();
        source.dedup();
        // A checkout on another system may have other line ends.
        let lock = self.lock.replace("\r\n", "\n");
        let inputs = serde_json::json!([
            FORMAT,
            lock,
            self.runtime.to_string(),
            platform,
            self.exclude,
            source,
            self.bytecode,
        ]);
        Sha256::of(inputs.to_string().as_bytes())
    }

    /// Checks that the lock pins every package that may be built from source.
    pub(super) fn check_source(&self) -> Result<(), DerivativeError> {
        let pinned: Vec<_> =
            self.packages().iter().map(|package| requirements::normalized(&package.name)).collect();
        let is_unknown = |package: &&String| !pinned.contains(&requirements::normalized(package));
        let Some(package) = self.source.iter().find(is_unknown) else { return Ok(()) };
        let near = mdo_model::project::nearest(package, pinned.iter().map(String::as_str));
        Err(DerivativeError::UnknownSource {
            name: self.name.clone(),
            package: package.clone(),
            near: near.map(str::to_owned),
        })
    }

    /// The packages that the lock pins, for every platform, in its order.
    pub fn packages(&self) -> Vec<Pinned> {
        requirements::pinned(&self.lock)
    }
}
