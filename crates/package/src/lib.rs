//! Turns a function's folder into a deterministic, preflighted zip, and zips into an image; it uploads nothing and knows no project or stack.

mod archive;
mod base_image;
mod collect;
pub mod derivative;
mod elf;
mod error;
mod handler;
mod hooks;
mod ignore_rules;
pub mod image;
mod interpreter;
mod memory;
mod own_folder;
mod preflight;
mod problem;
mod process;
mod size;
mod stamp;
mod unpack;
mod wildmatch;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use mdo_model::Sha256;
use mdo_model::project::Architecture;
use mdo_model::quotas::DIRECT_UPLOAD_LIMIT;

use collect::Entry;
use memory::Fingerprint;

pub use error::{PackageError, UnpackError};
pub use hooks::{Hook, build};
pub use interpreter::{Given, NotFound, find_interpreter, find_python, given};
pub use own_folder::{OwnFolder, OwnFolderError};
pub use problem::Problem;
pub use size::Bytes;
pub use stamp::Stamp;
pub use unpack::{UNPACKING, unpack};

/// What takes the zip, which decides how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Lambda itself.
    Lambda,
    /// Lambda, and a bucket for what is too large for a direct upload.
    LambdaWithBucket,
    /// This machine.
    Local,
    /// A container image.
    Image,
}

/// What packaging needs to know of a function.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The function's name, for messages and `MDO_FUNCTION`.
    pub function: &'a str,
    /// The function's folder.
    pub folder: &'a Path,
    /// Lambda's runtime identifier: `provided.al2023`, `python3.13` …
    pub runtime: &'a str,
    /// The handler, which managed runtimes find the code by; `provided.*` runtimes do not read it.
    pub handler: &'a str,
    /// The processor that the function runs on.
    pub architecture: Architecture,
    /// The project's own `.mdoignore`, if there may be one; its patterns count from its folder.
    pub project_ignore: Option<&'a Path>,
    /// Whether the function has layers, which may bring what it lacks.
    pub has_layers: bool,
    /// What takes the zip.
    pub destination: Destination,
    /// Set when nobody waits for the package any more: a hook that runs is ended then.
    pub abandoned: &'a AtomicBool,
    /// A shell command that makes the code before it is packaged.
    pub build_hook: Option<&'a str>,
    /// A shell command that removes what the build made.
    pub clean_hook: Option<&'a str>,
}

/// A finished zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The digest of the zip, which is also its name.
    pub sha256: Sha256,
    /// The zip's size in bytes.
    pub size: u64,
    /// The size of its files in bytes.
    pub unzipped: u64,
    /// Where it is: `<artifacts>/<sha256>.zip`.
    pub path: PathBuf,
    /// What may go wrong at run time, as lower-case fragments that read after `function sample_producer: `.
    pub warnings: Vec<String>,
}

/// Runs the build hook, checks that the result can run, zips it into the `artifacts` folder, and runs the clean hook.
///
/// The same files make the same bytes on every machine. The zip is written beside its final place and renamed, so
/// that several packagings at once never see half of one.
///
/// # Errors
/// When the hook fails, when a file cannot be read or the zip not written, and when the preflight finds that
/// the function could not start: then with everything it found.
pub fn package(source: &Source, artifacts: &Path) -> Result<Package, PackageError> {
    package_observed(source, artifacts, &mut |_| {})
}

/// As [`package`], passing each line that the hooks print to `observe`.
///
/// # Errors
/// As [`package`].
pub fn package_observed(
    source: &Source,
    artifacts: &Path,
    observe: &mut dyn FnMut(&str),
) -> Result<Package, PackageError> {
    build(source, observe)?;
    let packaged = zip(source, artifacts);
    // Whatever came of the packaging, what the build left is not needed any more.
    let cleaned = hooks::clean(source, observe);
    let mut package = packaged?;
    package.warnings.extend(cleaned.err().map(|error| error.to_string()));
    Ok(package)
}

/// Checks that what is in the folder can run, and zips it.
fn zip(source: &Source, artifacts: &Path) -> Result<Package, PackageError> {
    let mut collected = collect::collect(source, artifacts)?;
    let is_whole = collected.problems.is_empty();
    let fingerprint = is_whole.then(|| Fingerprint::of(source, &collected.entries));
    if let Some(package) = fingerprint.as_ref().and_then(|print| memory::recall(source, artifacts, print)) {
        return Ok(package);
    }
    let mut warnings = preflight::check(source, &mut collected)?;
    let members = collected.entries.iter().map(Entry::member);
    let archive = archive::write(members, artifacts)
        .map_err(|error| PackageError::of_archive(source.function, error))?;
    if archive.size > DIRECT_UPLOAD_LIMIT && source.destination != Destination::Image {
        let largest = size::largest(&collected.entries);
        let consequence = match source.destination {
            Destination::LambdaWithBucket => "so it goes through a bucket",
            Destination::Local | Destination::Image => {
                "so a deploy to AWS needs a bucket under `[artifacts]` in project.toml"
            }
            Destination::Lambda => {
                return Err(PackageError::Preflight {
                    function: source.function.to_owned(),
                    folder: source.folder.to_owned(),
                    problems: vec![Problem::NeedsBucket { size: archive.size, largest }],
                });
            }
        };
        warnings.push(format!(
            "the zip is {}, over the {} of a direct upload, {consequence}; largest: {}",
            Bytes(archive.size),
            Bytes(DIRECT_UPLOAD_LIMIT),
            size::describe(&largest),
        ));
    }
    let package = Package {
        sha256: archive.sha256,
        size: archive.size,
        unzipped: archive.unzipped,
        path: archive.path,
        warnings,
    };
    if let Some(fingerprint) = fingerprint {
        memory::remember(source, artifacts, fingerprint, &package);
    }
    Ok(package)
}
