//! `mdo man`: the manual pages, made of the same definitions as the help.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory, Parser};
use clap_mangen::Man;

use super::Cli;
use crate::output::{self, Failure, exit_code};

/// Print the manual page of mdo or of a command, or write all of them into a folder
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo man | man -l -
  mdo man key rotate | man -l -
  mdo man --out ~/.local/share/man/man1")]
pub(super) struct Args {
    /// The command [default: mdo itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// The folder to write every page into
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(folder) = &args.out {
        let cannot = |error: std::io::Error| {
            let message = format!("cannot write manual pages into {}: {error}", folder.display());
            Failure::with_help(exit_code::FAILED, message, "name a folder that you may write to")
        };
        fs::create_dir_all(folder).map_err(cannot)?;
        return write(&command, folder).map_err(cannot);
    }
    let mut page = &command;
    for name in &args.command {
        let found = page.find_subcommand(name);
        page = found.ok_or_else(|| {
            let known: Vec<&str> = page.get_subcommands().map(Command::get_name).collect();
            let message = format!("there is no command `{}`", args.command.join(" "));
            Failure::with_help(exit_code::USAGE, message, format!("there are {}", known.join(", ")))
        })?;
    }
    output::data(&String::from_utf8_lossy(&rendered(page)?));
    Ok(())
}

/// Writes the page of a command and of those below it.
fn write(command: &Command, folder: &Path) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(folder.join(format!("{name}.1")), rendered(command)?)?;
    command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
        .try_for_each(|below| write(below, folder))
}

fn rendered(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
