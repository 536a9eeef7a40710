//! Which files of a function's folder stay out of its package: mdo's own, common junk, and what `.mdoignore` names.
//!
//! An `.mdoignore` means what a `.gitignore` means: its patterns count from its own folder, and the last one that matches
//! decides. What it takes back with `!` is packaged, whatever else would keep it out.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use mdo_model::project::StageName;

use super::wildmatch;
use super::{PackageError, Source};

/// The name of the ignore files, which may lie in any folder of the project.
pub(super) const IGNORE_FILE: &str = ".mdoignore";

/// Not in a package, in whatever folder: what is mdo's or git's, what holds secrets by convention, and junk.
const USUALLY_NOT: [&str; 14] = [
    IGNORE_FILE,
    ".git",
    ".env",
    ".env.local",
    ".env.*.local",
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
    "*.swp",
    "*.swo",
    "*~",
    "#*#",
    ".#*",
];

/// The rules in force in one folder of a walk. [`Rules::enter`] and [`Rules::leave`] follow the walk.
pub(super) struct Rules {
    files: Vec<IgnoreFile>,
}

impl Rules {
    /// The rules of the function, with those of the folders between it and the project's own ignore file.
    ///
    /// No `.gitignore` is ever read: a built `bootstrap` is commonly ignored by git.
    pub(crate) fn new(source: &Source) -> Result<Self, PackageError> {
        let mut rules = Self { files: Vec::new() };
        let Some(project) = source.project_ignore else { return Ok(rules) };
        rules.read(source, project, Base::Above(way(project, source.folder)))?;
        for folder in source.folder.ancestors().skip(1) {
            let own = folder.join(IGNORE_FILE);
            if !project.parent().is_some_and(|root| folder.starts_with(root)) || own == project {
                break;
            }
            let base = Base::Above(way(&own, source.folder));
            rules.read(source, &own, base)?;
            // The nearer one weighs more.
            rules.files[1..].rotate_right(1);
        }
        Ok(rules)
    }

    /// Reads the `.mdoignore` of `folder`, if it has one; its rules weigh more than those of the folders above. `prefix` is
    /// the folder's name in the package, with a slash at its end.
    pub(crate) fn enter(&mut self, source: &Source, folder: &Path, prefix: &str) -> Result<(), PackageError> {
        self.read(source, &folder.join(IGNORE_FILE), Base::Within(prefix.len()))
    }

    fn read(&mut self, source: &Source, path: &Path, base: Base) -> Result<(), PackageError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let (function, path) = (source.function.to_owned(), path.to_owned());
                return Err(PackageError::Read { function, path, source: error });
            }
        };
        let lines = text.trim_start_matches('\u{feff}').lines();
        self.files.push(IgnoreFile { patterns: lines.filter_map(Pattern::read).collect(), base });
        Ok(())
    }

    /// Forgets the rules of the folder entered last.
    pub(crate) fn leave(&mut self) {
        self.files.pop();
    }

    /// Whether a file or folder, by its name in the package, stays out of it.
    pub(crate) fn exclude(&self, name: &str, is_folder: bool) -> bool {
        let written = self.files.iter().rev().find_map(|file| file.excludes(name, is_folder));
        let usually =
            || USUALLY_NOT.iter().any(|pattern| wildmatch::is_match(pattern, base_name(name), false));
        written.unwrap_or_else(|| is_settings(name) || usually())
    }
}

/// Whether a file of the function's folder is what mdo, or apex before it, reads its settings from.
fn is_settings(name: &str) -> bool {
    let Some(inner) = name.strip_prefix("function.").and_then(|rest| rest.strip_suffix("json")) else {
        return false;
    };
    inner.is_empty() || inner.strip_suffix('.').is_some_and(|stage| stage.parse::<StageName>().is_ok())
}

fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The way from the folder of an ignore file down to `folder`, with a slash at its end.
fn way(ignore_file: &Path, folder: &Path) -> String {
    let root = ignore_file.parent().unwrap_or(Path::new(""));
    let below: PathBuf = folder
        .strip_prefix(root)
        .map_or_else(|_| folder.file_name().map(PathBuf::from).unwrap_or_default(), Path::to_owned);
    let names = below.components().filter(|component| matches!(component, Component::Normal(_)));
    names.map(|name| format!("{}/", name.as_os_str().to_string_lossy())).collect()
}

/// The patterns of one ignore file, the last of them first to be asked.
struct IgnoreFile {
    patterns: Vec<Pattern>,
    base: Base,
}

/// Where an ignore file lies, seen from the function's folder.
enum Base {
    /// Above it, with the way down to it.
    Above(String),
    /// In it, so many bytes into the names of the package.
    Within(usize),
}

impl IgnoreFile {
    fn excludes(&self, name: &str, is_folder: bool) -> Option<bool> {
        let path = match &self.base {
            Base::Above(way) => format!("{way}{name}"),
            Base::Within(length) => name.get(*length..)?.to_owned(),
        };
        let last = self.patterns.iter().rev().find(|pattern| pattern.names(&path, is_folder))?;
        Some(!last.takes_back)
    }
}

/// One line of an ignore file.
struct Pattern {
    text: String,
    takes_back: bool,
    is_for_folders: bool,
}

impl Pattern {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let line = without_blanks_at_its_end(line);
        let (takes_back, text) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (is_for_folders, text) = text.strip_suffix('/').map_or((false, text), |rest| (true, rest));
        (!text.is_empty()).then(|| Self { text: text.to_owned(), takes_back, is_for_folders })
    }

    /// Whether it names a path, relative to the folder of its file. Without a slash it names files of any folder.
    fn names(&self, path: &str, is_folder: bool) -> bool {
        if self.is_for_folders && !is_folder {
            return false;
        }
        if !self.text.contains('/') {
            return wildmatch::is_match(&self.text, base_name(path), false);
        }
        let text = self.text.strip_prefix('/').unwrap_or(&self.text);
        // As in git, what comes before the first special byte is compared by itself: `a**/b` is an `a` and then a `**/`.
        let literal = text.bytes().position(wildmatch::is_special).unwrap_or(text.len());
        path.strip_prefix(&text[..literal])
            .is_some_and(|rest| wildmatch::is_match(&text[literal..], rest, true))
    }
}

/// The line without the blanks at its end, but for one that a backslash protects.
fn without_blanks_at_its_end(line: &str) -> &str {
    let mut end = 0;
    let mut bytes = line.bytes().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b' ' => {}
            b'\\' => end = bytes.next().map_or(line.len(), |(next, _)| next + 1),
            _ => end = index + 1,
        }
    }
    &line[..end]
}

/// Patterns from a list instead of from an ignore file, which mean the same.
pub(super) struct Patterns(IgnoreFile);

impl Patterns {
    pub(super) fn read(lines: &[String]) -> Self {
        let patterns = lines.iter().filter_map(|line| Pattern::read(line)).collect();
        Self(IgnoreFile { patterns, base: Base::Within(0) })
    }

    /// Those of the lines that decide nothing about any of these paths, which are told from folders by the flag.
    pub(super) fn idle(lines: &[String], paths: &[(String, bool)]) -> Vec<String> {
        let patterns: Vec<_> = lines.iter().map(|line| Pattern::read(line)).collect();
        let mut is_of_use = vec![false; lines.len()];
        for (path, is_folder) in paths {
            let mut is_out = false;
            for (pattern, is_of_use) in patterns.iter().zip(&mut is_of_use) {
                let Some(pattern) = pattern.as_ref().filter(|one| one.names(path, *is_folder)) else {
                    continue;
                };
                *is_of_use |= is_out || !pattern.takes_back;
                is_out = !pattern.takes_back;
            }
        }
        lines
            .iter()
            .zip(is_of_use)
            .filter(|(_, is_of_use)| !is_of_use)
            .map(|(line, _)| line.clone())
            .collect()
    }

    /// Whether they name a file or a folder.
    pub(super) fn name(&self, path: &str, is_folder: bool) -> bool {
        self.0.excludes(path, is_folder).unwrap_or(false)
    }
}
