//! `mdo completions`: what a shell has to run to complete commands, flags and the project's own names.

use clap::{Parser, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::COMPLETE;
use crate::output::{self, Failure};

/// Print what a shell runs to complete commands, flags and the names of functions, stages and keys
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo completions bash >> ~/.bashrc
  mdo completions zsh >> ~/.zshrc
  mdo completions fish > ~/.config/fish/completions/mdo.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut script = Vec::new();
    // The program is found in PATH, as the shell finds it.
    shell.write_registration(COMPLETE, "mdo", "mdo", "mdo", &mut script)?;
    output::data(&String::from_utf8_lossy(&script));
    Ok(())
}
