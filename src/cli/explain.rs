//! `mdo explain`: what an error code means, and the way out.

use clap::{Parser, ValueEnum};

use crate::output::{self, ErrorCode};

/// Say what an error code means and what to do; without one, list all of them
///
/// `--json` has the code of each error, and so has its text with `-v`.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo explain
  mdo explain denied")]
pub(super) struct Args {
    /// The code
    #[arg(hide_possible_values = true, ignore_case = true)]
    code: Option<ErrorCode>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) {
    if args.json {
        let codes = args.code.map_or_else(|| ErrorCode::value_variants().to_vec(), |code| vec![code]);
        return output::json(&output::ExplainDocument::new(&codes));
    }
    match args.code {
        Some(code) => output::data(&code.explained()),
        None => {
            let codes = ErrorCode::value_variants();
            let row = |code: &ErrorCode| vec![code.word(), code.summary()];
            output::data(&output::table(&codes.iter().map(row).collect::<Vec<_>>()));
        }
    }
}
