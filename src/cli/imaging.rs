//! The functions of a project as a container image: everything that goes into it, found, built and checked. Nothing is sent.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mdo_model::Sha256;
use mdo_model::hosted::{FrozenFunction, FrozenStack, tag_of};
use mdo_model::project::{
    Architecture, Base as WantedBase, Container, FunctionName, Interpreter, Project, Settings,
};
use mdo_model::stack::{self, Selection};
use mdo_package::derivative::Packing;
use mdo_package::image::{
    Base, DerivativePart, FunctionPart, Image, ImageError, ImageStore, Parts, derivative_folder, image,
};
use mdo_package::{Bytes, Destination, OwnFolder, Package};
use mdo_registry::{Client, DockerConfig, Event, Platform, Reference, Registry};
use tokio_util::sync::CancellationToken;

use super::abandoned::Waiting;
use super::derivatives::Derivatives;
use super::ingredients::Make;
use super::packaging::{Packaging, package_functions};
use crate::output::{Complaint, ErrorCode, Failure, Steps, exit_code};

/// Where fetched bases are, below the project's own folder.
const BASES: &str = "bases";

/// Builds the image of a project whose settings are those of a hosted stage.
///
/// # Errors
/// When the stage runs an image of its own, when a function, a derivative or the base cannot be had, and when they do not fit
/// together.
pub(super) async fn build_image(
    project: &Project,
    settings: &Settings,
    server: Option<&Path>,
) -> Result<Image, Failure> {
    let stage = &settings.stage;
    let hosted = settings.server.as_ref().filter(|_| !settings.functions.is_empty());
    let Some(hosted) = hosted else {
        let message = format!("there is nothing to make an image of: stage {stage} has no function");
        return Err(Failure::with_help(exit_code::USAGE, message, "write a function: mdo init"));
    };
    let Container::Functions { base } = &hosted.container else {
        return Err(anyhow::anyhow!("stage {stage} runs an image of its own").into());
    };
    let configurations = settings.functions.values().map(|function| &function.configuration);
    let architecture = configurations.map(|one| one.architecture).next().unwrap_or_default();
    let own = OwnFolder::of(&settings.root);
    let server = server_program(server, architecture, &own)?;
    let packages = package_functions(Packaging {
        project,
        settings,
        packaged: &BTreeMap::new(),
        selection: &Selection::All,
        destination: Destination::Image,
        may_be_elsewhere: false,
    })
    .await?;
    let derivatives = Derivatives::of(settings, &Selection::All)?;
    let built = derivatives.build_all(Make::ForLambda(Packing::Tree)).await?;
    let folder =
        |id: &mdo_model::project::DerivativeId| format!("{}-{}", id.name, id.runtime.replace('.', "_"));
    let derivatives: Vec<DerivativePart> = built
        .iter()
        .map(|(id, built)| DerivativePart {
            name: folder(id),
            inputs: built.inputs,
            tree: built.tree.clone(),
        })
        .collect();
    let stack = frozen(settings, &packages, |id| derivative_folder(&folder(id)))?;
    let functions: Vec<FunctionPart> = settings
        .functions
        .iter()
        .filter_map(|(name, function)| {
            let package = packages.get(name)?;
            let interpreter = Interpreter::of(&function.configuration.runtime);
            Some(FunctionPart {
                name: name.clone(),
                zip: package.path.clone(),
                sha256: package.sha256,
                interpreter: interpreter.map(|interpreter| interpreter.program()),
            })
        })
        .collect();
    let base = match base {
        None => None,
        Some(WantedBase::Archive(path)) => Some(settings.root.join(path)),
        Some(WantedBase::Reference(reference)) => {
            Some(fetch_base(reference, architecture, &own.folder(BASES)?).await?)
        }
    };
    let labels =
        BTreeMap::from([("org.opencontainers.image.title".to_owned(), settings.project.to_string())]);
    let waiting = Waiting::default();
    let abandoned = waiting.abandoned();
    let making = move || {
        let store = ImageStore::of(&own);
        let base = base.map(|path| Base::read(&path, architecture, &store)).transpose()?;
        let parts = Parts {
            architecture,
            server: &server,
            functions: &functions,
            derivatives: &derivatives,
            stack: &stack,
            base: base.as_ref(),
            labels: &labels,
            abandoned: &abandoned,
        };
        image(&parts, &store)
    };
    Ok(tokio::task::spawn_blocking(making).await.map_err(anyhow::Error::from)??)
}

/// What the image serves, as its `stack.json`.
fn frozen(
    settings: &Settings,
    packages: &BTreeMap<FunctionName, Package>,
    folder: impl Fn(&mdo_model::project::DerivativeId) -> String,
) -> Result<Vec<u8>, Failure> {
    let served = stack::hosted(settings, "").and_then(|stack| stack.server).map(|server| server.definition);
    let definition = served.unwrap_or_default();
    let functions = settings.functions.iter().filter_map(|(name, function)| {
        let package = packages.get(name)?;
        let frozen = FrozenFunction {
            derivatives: function.derivative_ids().map(|id| PathBuf::from(folder(&id))).collect(),
            concurrency: function.concurrency,
            ..FrozenFunction::new(name, &function.configuration, package.sha256)
        };
        Some((name.clone(), frozen))
    });
    Ok(FrozenStack::new(settings.project.clone(), &definition, functions.collect()).to_json())
}

/// The server program that a release build brings along; empty where it brings none.
static SERVER: &[u8] = include_bytes!(env!("MDO_STATIC_SERVER"));

/// Finds the server program: the one that a flag names, else one beside this program that says for which architecture it is, else the
/// one that this program brings along, else whichever is beside it.
fn server_program(
    given: Option<&Path>,
    architecture: Architecture,
    own: &OwnFolder,
) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        let message = || format!("there is no server program at {}", given.display());
        let help = "--server-program names the program mdo-server, built for Linux";
        let found = given.is_file().then(|| given.to_owned());
        return found.ok_or_else(|| Failure::with_help(exit_code::USAGE, message(), help));
    }
    let folder = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let beside = |name: &str| folder.as_ref().map(|folder| folder.join(name)).filter(|place| place.is_file());
    if let Some(place) = beside(&format!("mdo-server-{architecture}")) {
        return Ok(place);
    }
    let here = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    if !SERVER.is_empty() && architecture == here {
        return embedded(own);
    }
    beside("mdo-server").ok_or_else(|| {
        Failure::with_help(
            exit_code::USAGE,
            format!("there is no server program for {architecture} beside mdo"),
            STATIC_SERVER,
        )
    })
}

/// Puts the server program that this program brings along where images are made from.
fn embedded(own: &OwnFolder) -> Result<PathBuf, Failure> {
    let folder = own.folder("images/server")?;
    let place = folder.join(format!("mdo-server-{}", tag_of(&Sha256::of(SERVER))));
    // What a crash or a full disk has left is not whole.
    if std::fs::read(&place).is_ok_and(|there| there == SERVER) {
        return Ok(place);
    }
    let failed = |source| ImageError::Write { path: place.clone(), source };
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    file.write_all(SERVER).map_err(failed)?;
    file.persist(&place).map_err(|error| failed(error.error))?;
    Ok(place)
}

/// How to make a server program that runs without a base.
const STATIC_SERVER: &str = "build it statically and name it: \
     cargo rustc --release -p mdo-server --bin mdo-server -- -C target-feature=+crt-static -C relocation-model=static, \
     then --server-program target/release/mdo-server";

/// Fetches a base into `folder`, as far as it is not there, and answers where it lies.
async fn fetch_base(reference: &str, architecture: Architecture, folder: &Path) -> Result<PathBuf, Failure> {
    let reference: Reference = reference.parse().map_err(|error: mdo_registry::InvalidReference| {
        Failure::with_help(exit_code::USAGE, format!("`base`: {error}"), error.help())
    })?;
    let steps = Arc::new(Steps::begin("base".to_owned()));
    steps.next(&format!("fetching {reference}"));
    let certificates = std::env::var_os("AWS_CA_BUNDLE").map(std::fs::read).transpose()?;
    let client = Client::new(certificates.as_deref())?;
    let config =
        DockerConfig::place().map(|place| DockerConfig::read(&place)).transpose()?.unwrap_or_default();
    let repository = reference.repository.clone();
    let credentials = tokio::task::spawn_blocking(move || config.credentials(&repository))
        .await
        .map_err(anyhow::Error::from)??;
    let registry = Registry::new(&client, &reference.repository, credentials);
    let platform = Platform {
        os: "linux".to_owned(),
        architecture: match architecture {
            Architecture::X86_64 => "amd64".to_owned(),
            Architecture::Arm64 => "arm64".to_owned(),
        },
    };
    let place = folder.join(format!("{}-{architecture}", reference.digest));
    let told = Arc::clone(&steps);
    let observe: mdo_registry::Observe = Arc::new(move |event| match event {
        Event::Bytes { done, total, .. } => told.detail(&format!("{} of {}", Bytes(done), Bytes(total))),
        Event::Waiting { why, .. } => told.detail(&why),
        _ => {}
    });
    let cancel = CancellationToken::new();
    let fetched = registry.fetch(reference.digest, &platform, &place, &observe, &cancel).await?;
    Ok(fetched.layout)
}

impl From<mdo_registry::Error> for Failure {
    fn from(error: mdo_registry::Error) -> Self {
        use mdo_registry::Error;
        let (code, kind) = match &error {
            Error::Denied { .. } | Error::Unreachable { .. } => (exit_code::ACCESS, ErrorCode::Denied),
            Error::NotFound { .. } | Error::NoPlatform { .. } => (exit_code::USAGE, ErrorCode::Configuration),
            Error::Cancelled => (exit_code::INTERRUPTED, ErrorCode::Interrupted),
            _ => (exit_code::FAILED, ErrorCode::Failed),
        };
        let complaint = Complaint { help: error.help(), ..Complaint::new(kind, &error) };
        Self { complaints: vec![complaint], code }
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let (code, kind) = match &error {
            ImageError::Abandoned => (exit_code::INTERRUPTED, ErrorCode::Interrupted),
            ImageError::Read { .. }
            | ImageError::Write { .. }
            | ImageError::Damaged { .. }
            | ImageError::OwnFolder(_) => (exit_code::FAILED, ErrorCode::Failed),
            _ => (exit_code::USAGE, ErrorCode::Package),
        };
        let is_our_program = matches!(&error, ImageError::NotInBase { what, has_base: false, .. } if what.contains("server program"));
        let help = if is_our_program { Some(STATIC_SERVER.to_owned()) } else { error.help() };
        let complaint = Complaint { help, ..Complaint::new(kind, &error) };
        Self { complaints: vec![complaint], code }
    }
}
