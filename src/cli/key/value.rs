//! The value of a key that exists elsewhere already.

use std::ops::RangeInclusive;
use std::path::Path;

use mdo_model::project::Secret;

use crate::output::{Failure, exit_code};

/// How long the value of a key may be, in characters: what API Gateway takes.
const LENGTHS: RangeInclusive<usize> = 20..=128;

/// The value of a key that exists already. It is no argument, for those are seen by others.
pub(super) fn read(file: &Path) -> Result<Secret, Failure> {
    let is_stdin = file == Path::new("-");
    let read =
        if is_stdin { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let from = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let text = read.map_err(|error| {
        Failure::with_help(
            exit_code::USAGE,
            format!("cannot read the value in {from}: {error}"),
            "name a file that holds it, or `-` for standard input",
        )
    })?;
    let text = text.trim();
    let count = text.chars().count();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !LENGTHS.contains(&count) || !is_plain {
        let message = format!(
            "the value in {from} cannot be a key's: it has {count} characters, and a key has {} to {}, without blanks",
            LENGTHS.start(),
            LENGTHS.end()
        );
        return Err(Failure::new(exit_code::USAGE, message));
    }
    Ok(Secret::new(text))
}
