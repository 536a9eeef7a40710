//! `mdo image`: the functions as one container image, in a file that docker, podman and skopeo read.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Parser;
use mdo_model::project::{Overrides, StageName};
use mdo_package::Bytes;
use mdo_package::image::{Image, write_archive, write_archive_to};

use super::imaging::build_image;
use super::session::load;
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
    /// The server program [default: mdo-server beside mdo]
    #[arg(long, value_name = "FILE")]
    server_program: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "Examples:
  mdo image                      what an image would hold
  mdo image -o ml_api.tar        an archive for docker load -i
  mdo image -o - | podman load";

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && args.json {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "the image and the JSON document cannot both go to standard output",
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
    let settings = project.resolve(stage, &Overrides { hosted: true, ..Overrides::default() })?;
    output::notes(&settings).iter().for_each(|note| output::once(note));
    let image = build_image(&project, &settings, args.server_program.as_deref()).await?;
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
