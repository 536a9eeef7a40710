//! Which files of a function's folder stay out of its package: mdo's own, common junk, and what `.mdoignore` names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{PackageError, Source};

/// The name of the ignore files, which may lie in any folder of the function.
pub(super) const IGNORE_FILE: &str = ".mdoignore";

/// Never in a package, whatever `.mdoignore` says.
const NEVER: [&str; 3] = ["/function*.json", IGNORE_FILE, ".git"];

/// Not in a package unless an `.mdoignore` takes it back with `!`.
const USUALLY_NOT: [&str; 9] =
    [".DS_Store", "._*", "Thumbs.db", "desktop.ini", "*.swp", "*.swo", "*~", "\\#*\\#", ".#*"];

/// Programs that run the script that their first argument names.
const INTERPRETERS: [&str; 8] = ["sh", "bash", "zsh", "python", "python3", "node", "ruby", "perl"];

/// The rules in force in one folder of a walk. [`Rules::enter`] and [`Rules::leave`] follow the walk.
pub(super) struct Rules {
    never: Gitignore,
    usually_not: Gitignore,
    folders: Vec<Gitignore>,
    hook_scripts: BTreeSet<PathBuf>,
}

impl Rules {
    /// The rules of the function in `root`, before any `.mdoignore` is read.
    ///
    /// No `.gitignore` is ever read: a built `bootstrap` is commonly ignored by git.
    pub(crate) fn new(source: &Source, root: &Path) -> Self {
        Self {
            never: built_in(root, &NEVER),
            usually_not: built_in(root, &USUALLY_NOT),
            folders: Vec::new(),
            hook_scripts: hook_scripts(source, root),
        }
    }

    /// Reads the `.mdoignore` of `folder`, if it has one; its rules weigh more than those of the folders above.
    pub(crate) fn enter(&mut self, source: &Source, folder: &Path) -> Result<(), PackageError> {
        self.read(source, folder.join(IGNORE_FILE), folder)
    }

    /// Reads the project's own ignore file, whose patterns are meant as if each function's folder had them.
    pub(crate) fn enter_project(&mut self, source: &Source, root: &Path) -> Result<(), PackageError> {
        match source.project_ignore {
            Some(path) => self.read(source, path.to_owned(), root),
            None => Ok(()),
        }
    }

    fn read(&mut self, source: &Source, path: PathBuf, folder: &Path) -> Result<(), PackageError> {
        let read = |error| PackageError::Read {
            function: source.function.to_owned(),
            path: path.clone(),
            source: error,
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(read(error)),
        };
        let mut rules = GitignoreBuilder::new(folder);
        let invalid = |line, error: &ignore::Error| PackageError::IgnoreRule {
            function: source.function.to_owned(),
            path: path.clone(),
            line,
            reason: error.to_string(),
        };
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            rules.add_line(None, line).map_err(|error| invalid(number + 1, &error))?;
        }
        let rules = rules.build().map_err(|error| invalid(1, &error))?;
        self.folders.push(rules);
        Ok(())
    }

    /// Forgets the rules of the folder entered last.
    pub(crate) fn leave(&mut self) {
        self.folders.pop();
    }

    /// Whether `path`, an absolute path below the root, stays out of the package.
    pub(crate) fn exclude(&self, path: &Path, is_folder: bool) -> bool {
        if self.hook_scripts.contains(path) || self.never.matched(path, is_folder).is_ignore() {
            return true;
        }
        for rules in self.folders.iter().rev() {
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        self.usually_not.matched(path, is_folder).is_ignore()
    }
}

fn built_in(root: &Path, patterns: &[&str]) -> Gitignore {
    let mut rules = GitignoreBuilder::new(root);
    for pattern in patterns {
        rules.add_line(None, pattern).expect("the built-in patterns are valid");
    }
    rules.build().expect("the built-in patterns are valid")
}

/// The scripts in the folder that the hooks run: `./build.sh --fast`, `python3 build.py`, `a.sh && b.sh`.
///
/// Only what is *run* is meant, so that `cp ../../target/bootstrap ./bootstrap` does not exclude what it makes.
fn hook_scripts(source: &Source, root: &Path) -> BTreeSet<PathBuf> {
    [source.build_hook, source.clean_hook]
        .into_iter()
        .flatten()
        .flat_map(|hook| hook.split(['&', '|', ';', '\n']))
        .filter_map(script)
        .map(|script| root.join(script.trim_start_matches("./")))
        .filter(|path| path.is_file() && *path != root.join("bootstrap"))
        .collect()
}

fn script(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace().skip_while(|word| word.contains('='));
    let program = words.next()?;
    if !INTERPRETERS.contains(&program) {
        return Some(program);
    }
    words.find(|word| !word.starts_with('-'))
}
