//! `mdo image`: the functions as one container image, in a file that docker, podman and skopeo read.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Parser;
use mdo_model::project::{Assignment, Container, Overrides, Settings, StageName};
use mdo_package::Bytes;
use mdo_package::image::{Image, write_archive, write_archive_to};

use super::arguments::piped;
use super::hosting::any_image;
use super::interrupt::Interrupt;
use super::session::load;
use super::trial::{self, How};
use crate::output::{self, Failure, ImageDocument, exit_code};

/// Make a container image of the functions: no Docker needed
///
/// The image holds mdo's own server program, the functions with their derivatives, and the routes. It holds no environment
/// and no key, so that one image serves every stage: what is a stage's own is told to the container in MDO_STAGE. It is
/// the same image on every machine.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The stage whose `[server]` settings count [default: default_stage of project.toml, else dev]
    #[arg(long, value_name = "STAGE")]
    stage: Option<StageName>,
    /// Write the image to a file, `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Run the image with docker, podman or finch, and serve it until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    run: bool,
    /// End as soon as health and a route have answered
    #[arg(long, requires = "run")]
    check: bool,
    /// The port on this machine [default: one that is free]
    #[arg(long, requires = "run")]
    port: Option<u16>,
    /// Set an environment variable of the functions for this run; may be repeated
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE", requires = "run")]
    set: Vec<Assignment>,
    /// Read environment variables for this run from a file; may be repeated
    #[arg(short = 'E', long = "env-file", value_name = "FILE", requires = "run")]
    env_file: Vec<PathBuf>,
    /// The server program [default: the one in a release build, else mdo-server beside mdo]
    #[arg(long, value_name = "FILE")]
    server_program: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "Examples:
  mdo image                      what an image would hold
  mdo image -o ml_api.tar        an archive for docker load -i
  mdo image -o - | podman load
  mdo image --run                try it here, as a task would run";

pub(super) async fn run(args: Args, interrupt: &Interrupt) -> Result<(), Failure> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && (args.json || output::events::take_stdout()) {
        let other = if args.json { "the JSON document" } else { "the events" };
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("the image and {other} cannot both go to standard output"),
            "write the image to a file: -o FILE",
        ));
    }
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "an image is not for a terminal",
            "write it to a file, or into a pipe: mdo image -o - | podman load",
        ));
    }
    let project = load()?;
    let stage = args.stage.as_ref().unwrap_or_else(|| project.default_stage());
    let overrides = Overrides {
        hosted: true,
        set: args.set,
        piped: piped(&args.env_file),
        env_files: args.env_file,
        ..Overrides::default()
    };
    let settings = project.resolve(stage, &overrides)?;
    output::notes(&settings).iter().for_each(|note| output::once(note));
    let server = args.server_program.as_deref();
    if args.run {
        let how = How { port: args.port, ends: args.check };
        return trial::run(&project, &settings, server, how, interrupt).await;
    }
    if let Some(reference) = elsewhere(&settings) {
        return Err(nothing_to_make(&settings, reference));
    }
    let image = any_image(&project, &settings, server).await?;
    let name = format!("{}:{}", settings.names().repository(), image.tag());
    match &args.output {
        None => {}
        Some(_) if to_stdout => {
            let (archived, called) = (image.clone(), name.clone());
            let writing = move || write_archive_to(&archived, &called, &mut std::io::stdout().lock());
            tokio::task::spawn_blocking(writing).await.map_err(anyhow::Error::from)??;
            output::message(text(&image, &name, None).trim_end());
            return Ok(());
        }
        Some(file) => {
            let (image, file, name) = (image.clone(), file.clone(), name.clone());
            let writing = move || write_archive(&image, &name, &file);
            tokio::task::spawn_blocking(writing).await.map_err(anyhow::Error::from)??;
        }
    }
    if args.json {
        output::json(&ImageDocument::new(&settings.project, &image, args.output.as_deref()));
    } else {
        output::data(&text(&image, &name, args.output.as_deref()));
    }
    Ok(())
}

/// The image of a stage that runs one from somewhere else.
fn elsewhere(settings: &Settings) -> Option<&String> {
    match &settings.server.as_ref()?.container {
        Container::Image { reference, .. } => Some(reference),
        _ => None,
    }
}

fn nothing_to_make(settings: &Settings, reference: &str) -> Failure {
    let stage = &settings.stage;
    Failure::with_help(
        exit_code::USAGE,
        format!("stage {stage} runs {reference}: there is nothing to make"),
        "`mdo image --run` runs it here; take `image` out of `[server]` for an image of the functions",
    )
}

/// The layers with their sizes, what the image is known by, and where it is.
fn text(image: &Image, name: &str, file: Option<&Path>) -> String {
    let row = |layer: &mdo_package::image::Layer| {
        vec![
            layer.what.to_string(),
            Bytes(layer.size).to_string(),
            format!("{} unpacked", Bytes(layer.unpacked)),
            format!("sha256:{}", &layer.digest.to_string()[..12]),
        ]
    };
    let rows: Vec<Vec<String>> = image.layers.iter().map(row).collect();
    let mut text = output::table(&rows);
    text.push_str(&format!(
        "\n  image  sha256:{}  {}, {}\n",
        image.digest,
        image.architecture,
        Bytes(image.size())
    ));
    if let Some(file) = file {
        text.push_str(&format!("  file   {}\n", file.display()));
        text.push_str(&format!("  load   docker load -i {}, which calls it {name}\n", file.display()));
    }
    text
}
