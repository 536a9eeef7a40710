//! The `mdo` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mdo::cli::main()
}
