//! What the programs in an image need below them to start: a loader, an interpreter, and the right processor.

use std::path::Path;

use mdo_model::project::{Architecture, FunctionName};

use super::parts::Job;
use super::store::Stored;
use super::{Base, ImageError, What};
use crate::elf::{self, Format, NotReadable};

/// The file that a function without a managed runtime starts with.
const BOOTSTRAP: &str = "bootstrap";

/// The loader of the server program; a static one has none.
pub(super) fn of_server(program: &Path, architecture: Architecture) -> Result<Option<String>, ImageError> {
    match elf::format(program).map_err(unread(program))? {
        Format::Elf { machine } => of_elf("the server program".to_owned(), program, machine, architecture),
        Format::Script(_) => {
            Err(ImageError::NotAProgram { path: program.to_owned(), found: "a script".to_owned() })
        }
        Format::Other(found) => {
            Err(ImageError::NotAProgram { path: program.to_owned(), found: found.to_owned() })
        }
    }
}

/// The loader or the interpreter of a function's bootstrap, if it has one.
pub(super) fn of_function(
    name: &FunctionName,
    code: &Path,
    architecture: Architecture,
) -> Result<Option<String>, ImageError> {
    let bootstrap = code.join(BOOTSTRAP);
    if !bootstrap.is_file() {
        return Ok(None);
    }
    match elf::format(&bootstrap).map_err(unread(&bootstrap))? {
        Format::Elf { machine } => of_elf(format!("function {name}:"), &bootstrap, machine, architecture),
        Format::Script(line) => Ok(line.split_whitespace().next().map(str::to_owned)),
        // The package's preflight has let it pass, and the function's own start will tell.
        Format::Other(_) => Ok(None),
    }
}

fn of_elf(
    what: String,
    program: &Path,
    machine: String,
    architecture: Architecture,
) -> Result<Option<String>, ImageError> {
    if machine != architecture.machine() {
        let path = program.to_owned();
        return Err(ImageError::Architecture { what, path, found: machine, architecture });
    }
    match elf::needs(program) {
        Ok(needs) => Ok(needs.loader),
        Err(NotReadable::Io(error)) => Err(unread(program)(error)),
        Err(NotReadable::Damaged(error)) => Err(unread(program)(std::io::Error::other(error.to_string()))),
    }
}

/// Refuses what could not start on the base.
pub(super) fn check(job: &Job, stored: &Stored, base: Option<&Base>) -> Result<(), ImageError> {
    let what = || match &job.what {
        What::Server => "the server program".to_owned(),
        what => what.to_string(),
    };
    let missing = |needs: &str| {
        Err(ImageError::NotInBase { what: what(), needs: needs.to_owned(), has_base: base.is_some() })
    };
    if let Some(path) = &stored.needs
        && !base.is_some_and(|base| base.files.has_file(path))
    {
        return missing(path);
    }
    if let Some(program) = job.interpreter()
        && !base.is_some_and(|base| base.has_program(program))
    {
        return missing(program);
    }
    Ok(())
}

fn unread(path: &Path) -> impl Fn(std::io::Error) -> ImageError + '_ {
    move |source| ImageError::Read { path: path.to_owned(), source }
}
