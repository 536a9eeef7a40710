//! Reads a file that the user wrote as text, and says where it is none.

use std::fs;
use std::io;
use std::path::Path;

use super::problem::{Place, Problem};

/// The text of the file at `path`, which messages call `file`.
///
/// # Errors
///
/// It cannot be read, or it is not UTF-8; then with the place of the first byte that is not.
pub(super) fn read(path: &Path, file: &str) -> Result<String, Problem> {
    let bytes = fs::read(path).map_err(|error| unreadable(file, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let place = Place {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        };
        Problem::new(format!("{file} is not UTF-8")).at(place).help("save it as UTF-8")
    })
}

/// The problem of a file or folder that cannot be read.
pub(super) fn unreadable(file: &str, error: &io::Error) -> Problem {
    Problem::new(format!("cannot read {file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_utf_8_is_reported_at_its_first_wrong_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project.toml");
        fs::write(&path, b"name = \"x\"\ndescription = \"caf\xe9\"\n").unwrap();
        let problem = read(&path, "project.toml").unwrap_err();
        assert_eq!(
            problem.render("error"),
            "error: project.toml is not UTF-8\n  --> project.toml:2:19\n  help: save it as UTF-8"
        );
    }
}
