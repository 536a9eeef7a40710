//! `mdo schema`: the JSON Schemas of the files, for editors and checkers.

use std::path::Path;

use clap::{Parser, ValueEnum};
use mdo_model::project::{self, SchemaKind};
use mdo_package::OwnFolder;

use crate::output::{self, Failure, exit_code};

/// Print the JSON Schema of project.toml, function.json, or what --json prints
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo schema function > function.schema.json")]
pub(super) struct Args {
    /// Which file
    #[arg(value_enum)]
    file: File,
    /// Print the reference of every key as a Markdown table instead
    #[arg(long)]
    markdown: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum File {
    /// project.toml
    Project,
    /// function.json
    Function,
    /// What --json prints
    Output,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let kind = match args.file {
        File::Project => SchemaKind::Project,
        File::Function => SchemaKind::Function,
        File::Output if args.markdown => {
            let help = "leave out --markdown: the descriptions are in the schema";
            return Err(Failure::with_help(
                exit_code::USAGE,
                "there is no table of what --json prints",
                help,
            ));
        }
        File::Output => {
            output::json(&output::schema());
            return Ok(());
        }
    };
    if args.markdown {
        output::data(&project::reference(kind));
    } else {
        output::json(&project::schema(kind));
    }
    Ok(())
}

/// Writes both schemas to `.mdo/schema/`, where the files that `mdo init` writes point editors to.
pub(super) fn write_for_editors(root: &Path) -> Result<(), Failure> {
    let own = OwnFolder::of(root);
    let folder = own.folder("schema")?;
    for (name, kind) in [("project.json", SchemaKind::Project), ("function.json", SchemaKind::Function)] {
        let text = format!("{:#}\n", project::schema(kind));
        let path = folder.join(name);
        own.check(&path)?;
        if !std::fs::read_to_string(path).is_ok_and(|current| current == text) {
            own.write(&format!("schema/{name}"), text.as_bytes())?;
        }
    }
    Ok(())
}
