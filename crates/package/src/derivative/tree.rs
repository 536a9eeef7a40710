//! The files of an installed tree: which stay, and what is left of the records that name them.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ignore_rules::Patterns;

/// One file of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeFile {
    /// Relative to the folder that holds the packages, with `/`.
    pub name: String,
    /// In bytes.
    pub size: u64,
    pub executable: bool,
}

/// What installers and build backends note about a host.
const NOTES: [&str; 4] = ["INSTALLER", "REQUESTED", "uv_build.json", "uv_cache.json"];

/// What systems and archivers leave in folders.
const JUNK: [&str; 2] = [".DS_Store", "__MACOSX"];

/// Those of the patterns that change nothing about a tree.
pub(super) fn idle(tree: &Path, exclude: &[String]) -> io::Result<Vec<String>> {
    if exclude.is_empty() {
        return Ok(Vec::new());
    }
    let mut paths = BTreeSet::new();
    for TreeFile { name, .. } in list(tree)? {
        paths.extend(name.match_indices('/').map(|(end, _)| (name[..end].to_owned(), true)));
        paths.insert((name, false));
    }
    Ok(Patterns::idle(exclude, &paths.into_iter().collect::<Vec<_>>()))
}

/// Removes what must not be shipped, and what `exclude` names; then makes the records name what is left.
pub(super) fn clean(
    tree: &Path,
    exclude: &[String],
    keeps_bytecode: &dyn Fn(&Path) -> bool,
) -> io::Result<()> {
    let patterns = Patterns::read(exclude);
    // Scripts begin with the path of the interpreter that installed them.
    for own in ["bin", ".lock"] {
        remove(&tree.join(own))?;
    }
    sweep(tree, "", &mut |name, path, is_folder| {
        let last = name.rsplit('/').next().unwrap_or(name);
        let in_bytecode = name.split('/').any(|part| part == "__pycache__");
        JUNK.contains(&last)
            || last.starts_with("._")
            || (in_bytecode && !is_folder && !keeps_bytecode(path))
            || (NOTES.contains(&last) && name.contains(".dist-info/"))
            || patterns.name(name, is_folder)
    })?;
    filter_records(tree)
}

/// Removes what `goes` says, and folders that nothing is left in.
fn sweep(folder: &Path, prefix: &str, goes: &mut dyn FnMut(&str, &Path, bool) -> bool) -> io::Result<bool> {
    let mut is_empty = true;
    for child in fs::read_dir(folder)? {
        let child = child?;
        let name = format!("{prefix}{}", child.file_name().to_string_lossy());
        let kind = child.file_type()?;
        let path = child.path();
        // Neither a wheel nor a zip can hold a link, so one was made by a build here and leads nowhere on Lambda.
        if kind.is_symlink() || goes(&name, &path, kind.is_dir()) {
            remove(&path)?;
        } else if kind.is_dir() && sweep(&path, &format!("{name}/"), goes)? {
            fs::remove_dir(&path)?;
        } else {
            is_empty = false;
        }
    }
    Ok(is_empty)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn filter_records(tree: &Path) -> io::Result<()> {
    for folder in distributions(tree)? {
        let path = tree.join(&folder).join("RECORD");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let kept: BTreeSet<&str> = text
            .lines()
            .filter(|line| recorded(line).is_some_and(|name| tree.join(name).is_file()))
            .collect();
        let kept: String = kept.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, kept)?;
    }
    Ok(())
}

/// The names of the `.dist-info` folders, sorted.
pub(super) fn distributions(tree: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for child in fs::read_dir(tree)? {
        let name = child?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".dist-info") {
            found.insert(name);
        }
    }
    Ok(found)
}

/// The file that a line of a record names, if it is in the tree.
pub(super) fn recorded(line: &str) -> Option<String> {
    let name = match line.strip_prefix('"') {
        Some(quoted) => quoted.split("\",").next()?.replace("\"\"", "\""),
        None => line.split(',').next()?.to_owned(),
    };
    let is_within = !name.is_empty() && !name.starts_with('/') && !name.split('/').any(|part| part == "..");
    is_within.then_some(name)
}

/// Lists the files, sorted by the bytes of their names.
pub(crate) fn list(tree: &Path) -> io::Result<Vec<TreeFile>> {
    let mut files = Vec::new();
    walk(tree, "", &mut files)?;
    files.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<TreeFile>) -> io::Result<()> {
    for child in fs::read_dir(folder)? {
        let child = child?;
        let name = format!("{prefix}{}", child.file_name().to_string_lossy());
        if child.file_type()?.is_dir() {
            walk(&child.path(), &format!("{name}/"), files)?;
        } else {
            let data = child.metadata()?;
            files.push(TreeFile { name, size: data.len(), executable: is_executable(&data) });
        }
    }
    Ok(())
}

fn is_executable(data: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    data.permissions().mode() & 0o111 != 0
}
