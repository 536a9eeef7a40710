//! An image of one's own: what a Dockerfile builds, with the engine of this machine.

use std::path::Path;

use mdo_model::project::{Architecture, Settings};
use mdo_package::OwnFolder;
use mdo_package::image::{Image, ImageError, ImageStore, own_image};

use super::abandoned::Waiting;
use super::engine::{Engine, Purpose};
use crate::output::{self, Failure, exit_code};

/// Why what an engine has built cannot be hosted: nobody but mdo knows the archive that it lies in.
fn unfit(error: ImageError, engine: &Engine, platform: &str) -> Failure {
    match error {
        ImageError::Base { reason, .. } => Failure::with_help(
            exit_code::USAGE,
            format!("what {} built for {platform} cannot be hosted: {reason}", engine.name()),
            "check the `FROM` of the Dockerfile; an engine may reuse what it built for another processor: build once without its cache",
        ),
        error => error.into(),
    }
}

/// Builds the image of a Dockerfile, and reads what the engine has made.
///
/// # Errors
/// When there is no engine, when it cannot build the image, and when that is for another processor.
pub(super) async fn build_dockerfile(
    settings: &Settings,
    file: &Path,
    architecture: Architecture,
) -> Result<Image, Failure> {
    let (root, file) = (settings.root.clone(), settings.root.join(file));
    let name = format!("{}-{}-mdo", settings.project, settings.stage).to_lowercase();
    let waiting = Waiting::default();
    let abandoned = waiting.abandoned();
    let building = move || {
        let engine = Engine::find(Purpose::Build)?;
        let platform = match architecture {
            Architecture::X86_64 => "linux/amd64",
            Architecture::Arm64 => "linux/arm64",
        };
        output::message(&format!("  {}: building {}", engine.name(), file.display()));
        let mut build = engine.command_with_options("build");
        build.args(["--platform", platform, "--tag", &name, "--file"]).arg(&file).arg(&root);
        engine.finish(&mut build, &abandoned)?;
        let own = OwnFolder::of(&root);
        let folder = own.folder("images")?;
        let place = tempfile::tempdir_in(&folder).map_err(anyhow::Error::from)?;
        let archive = place.path().join("own.tar");
        let mut save = match engine.name() {
            "buildah" => {
                let mut push = engine.command("push");
                push.arg(&name).arg(format!("oci-archive:{}", archive.display()));
                push
            }
            "podman" => {
                let mut save = engine.command("save");
                save.args(["--format", "oci-archive", "--output"]).arg(&archive).arg(&name);
                save
            }
            _ => {
                let mut save = engine.command("save");
                save.arg("--output").arg(&archive).arg(&name);
                save
            }
        };
        engine.finish(&mut save, &abandoned)?;
        own_image(&archive, architecture, &ImageStore::of(&own))
            .map_err(|error| unfit(error, &engine, platform))
    };
    tokio::task::spawn_blocking(building).await.map_err(anyhow::Error::from)?
}
