//! Derivatives: named sets of prebuilt dependencies of Python functions, each for a runtime and an architecture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::loaded_function::LoadedFunction;
use super::manifest::Manifest;
use super::problem::{Place, Problem};
use super::{Architecture, DerivativeName, FunctionName, ZipSource};
use crate::Sha256;

/// The folder of all derivatives, below the project's.
pub const DERIVATIVES: &str = "derivatives";

/// What is wanted, as a file of a derivative's folder.
pub const REQUIREMENTS: &str = "requirements.in";

/// The same as a project of Python's own tools; a folder holds the one or the other.
pub const PYPROJECT: &str = "pyproject.toml";

/// The most layers that Lambda lets a function have.
const MOST_LAYERS: usize = 5;

/// How a derivative is built. Without a table, from the requirements in its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DerivativeSettings {
    /// Files to leave out, as globs below the packages' folder, such as `**/tests/**`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Packages that have no wheel and may be built from source; pure Python only.
    #[serde(default)]
    pub source: BTreeSet<String>,
    /// Whether compiled bytecode comes with the packages: it makes cold starts faster and the zip larger.
    #[schemars(extend("default" = true))]
    pub bytecode: Option<bool>,
    /// A prebuilt zip instead: a path from the project's folder, `https://…` or `s3://bucket/key`.
    pub zip: Option<ZipSource>,
    /// Where that is written.
    #[serde(skip)]
    pub zip_place: Option<Place>,
    /// The SHA-256 of the prebuilt zip, in hexadecimal digits, needed for one from elsewhere; `mdo derivative pin` writes it.
    #[schemars(with = "Option<String>", extend("format" = "sha256", "pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: Option<Sha256>,
}

/// A derivative for one runtime and architecture: what becomes a layer. Written `sklearn-python3_13-x86_64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DerivativeId {
    /// Its name.
    pub name: DerivativeName,
    /// Lambda's name of the runtime.
    pub runtime: String,
    /// The instruction set.
    pub architecture: Architecture,
}

impl fmt::Display for DerivativeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.name, self.runtime.replace('.', "_"), self.architecture)
    }
}

impl FromStr for DerivativeId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = || {
            let (rest, architecture) = text.rsplit_once('-')?;
            let (name, runtime) = rest.rsplit_once('-')?;
            let architecture = Architecture::ALL.into_iter().find(|one| one.to_string() == architecture)?;
            Some(Self { name: name.parse().ok()?, runtime: runtime.replace('_', "."), architecture })
        };
        parts().ok_or_else(|| format!("`{text}` is not a derivative of a runtime and an architecture"))
    }
}

impl TryFrom<String> for DerivativeId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DerivativeId> for String {
    fn from(id: DerivativeId) -> Self {
        id.to_string()
    }
}

/// Whether derivatives are for a runtime: managed Python.
pub fn takes_derivatives(runtime: &str) -> bool {
    runtime.starts_with("python3.")
}

/// The derivatives of the files: those with a table in project.toml, and those with a folder.
pub(super) fn settings(root: &Path, manifest: &Manifest) -> BTreeMap<DerivativeName, DerivativeSettings> {
    let mut all = manifest.derivatives.clone();
    let folders = std::fs::read_dir(root.join(DERIVATIVES)).into_iter().flatten().flatten();
    for folder in folders.filter(|folder| {
        let path = folder.path();
        path.join(REQUIREMENTS).is_file() || path.join(PYPROJECT).is_file()
    }) {
        if let Some(name) = folder.file_name().to_str().and_then(|name| name.parse().ok()) {
            all.entry(name).or_default();
        }
    }
    all
}

/// The same, each with the place where its prebuilt zip is written.
pub(super) fn placed_settings(
    root: &Path,
    manifest: &Manifest,
    document: &Document,
) -> BTreeMap<DerivativeName, DerivativeSettings> {
    let mut all = settings(root, manifest);
    for (name, own) in all.iter_mut().filter(|(_, own)| own.zip.is_some()) {
        own.zip_place = document.place(&["derivatives", name.as_str(), "zip"]);
    }
    all
}

/// Checks the tables of derivatives: keys that need each other, and keys that exclude each other.
pub(super) fn check_tables(manifest: &Manifest, document: &Document, problems: &mut Vec<Problem>) {
    for (name, own) in &manifest.derivatives {
        let mut wrong = |key: &str, message: &str, help: &str| {
            let place = document.key_place(&["derivatives", name.as_str(), key]);
            problems.push(Problem::new(format!("derivative {name}: {message}")).at(place).help(help));
        };
        if own.zip.is_none() && own.sha256.is_some() {
            wrong(
                "sha256",
                "`sha256` pins a prebuilt zip, and it has none",
                "set `zip`, or take `sha256` out",
            );
        }
        for (key, is_set) in [("source", !own.source.is_empty()), ("bytecode", own.bytecode.is_some())] {
            if own.zip.is_some() && is_set {
                let message = format!("a prebuilt zip is taken as it is, without `{key}`");
                wrong(key, &message, &format!("take `{key}` or `zip` out"));
            }
        }
    }
}

/// The tables that belong to nothing, most likely because their name is misspelt.
pub(super) fn warnings(root: &Path, manifest: &Manifest, document: &Document) -> Vec<Problem> {
    let has_folder = |name: &DerivativeName| root.join(DERIVATIVES).join(name.as_str()).is_dir();
    let all = settings(root, manifest);
    let lost = manifest.derivatives.iter().filter(|(name, own)| own.zip.is_none() && !has_folder(name));
    let warning = |(name, _): (&DerivativeName, &DerivativeSettings)| {
        let others = all.keys().filter(|other| has_folder(other)).map(DerivativeName::as_str);
        Problem::new(format!("`[derivatives.{name}]` has neither a folder {DERIVATIVES}/{name} nor a `zip`"))
            .at(document.key_place(&["derivatives", name.as_str()]))
            .help(match super::nearest(name.as_str(), others) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`mdo derivative create {name} PACKAGE…` makes the folder"),
            })
    };
    lost.map(warning).collect()
}

/// Checks that the derivatives of a function are there, and that its runtime and its layers let it have them.
pub(super) fn check(
    root: &Path,
    manifest: &Manifest,
    name: &FunctionName,
    function: &LoadedFunction,
    known: &BTreeMap<DerivativeName, DerivativeSettings>,
    problems: &mut Vec<Problem>,
) {
    let (own, defaults) = (&function.file.common, &manifest.defaults);
    let Some(wanted) = own.derivatives.as_ref().or(defaults.derivatives.as_ref()) else { return };
    let place = |index: Option<usize>| {
        let index = index.map(|index| index.to_string());
        let path: Vec<&str> = std::iter::once("derivatives").chain(index.as_deref()).collect();
        function.document.place(&path).unwrap_or_else(|| function.document.place_of(0))
    };
    for (index, derivative) in wanted.iter().enumerate() {
        if wanted[..index].contains(derivative) {
            problems.push(
                Problem::new(format!("function {name} names the derivative `{derivative}` twice"))
                    .at(place(Some(index)))
                    .help("take one of them out"),
            );
            continue;
        }
        if !known.contains_key(derivative) {
            let problem = match root.join(DERIVATIVES).join(derivative.as_str()).is_dir() {
                true => Problem::new(format!(
                    "{DERIVATIVES}/{derivative} has neither a {REQUIREMENTS} nor a {PYPROJECT}"
                )),
                false => Problem::new(format!("function {name}: there is no derivative `{derivative}`")),
            };
            let near = super::nearest(derivative.as_str(), known.keys().map(DerivativeName::as_str));
            problems.push(problem.at(place(Some(index))).help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`mdo derivative create {derivative} PACKAGE…` makes it"),
            }));
        }
    }
    let runtime = own.runtime.as_deref().or(defaults.runtime.as_deref());
    let runtime = runtime.unwrap_or(super::runtime::DEFAULT_RUNTIME);
    if !wanted.is_empty() && !takes_derivatives(runtime) {
        problems.push(
            Problem::new(format!(
                "function {name}: derivatives are for Python runtimes, and its runtime is `{runtime}`"
            ))
            .at(place(None))
            .help("set `\"runtime\": \"python3.13\"`, or take the derivatives out"),
        );
    }
    let layers = own.layers.as_ref().or(defaults.layers.as_ref()).map_or(0, Vec::len);
    if layers + wanted.len() > MOST_LAYERS {
        problems.push(
            Problem::new(format!(
                "function {name} has {layers} layers and {} derivatives: Lambda takes {MOST_LAYERS} layers in all",
                wanted.len()
            ))
            .at(place(None))
            .help("put the packages of several derivatives into one"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_whatever_its_name() {
        for name in ["sklearn", "a-b_c", "x-python3_12-arm64"] {
            let id = DerivativeId {
                name: name.parse().unwrap(),
                runtime: "python3.13".to_owned(),
                architecture: Architecture::X86_64,
            };
            assert_eq!(id.to_string(), format!("{name}-python3_13-x86_64"));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["sklearn", "sklearn-python3_13", "sklearn-python3_13-mips", "-python3_13-arm64"] {
            assert!(text.parse::<DerivativeId>().is_err(), "{text}");
        }
    }
}
