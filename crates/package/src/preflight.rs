//! Checks that a collected package can start on Lambda, before anything is changed anywhere.

use std::collections::BTreeMap;
use std::io;

use mdo_model::quotas::UNZIPPED_LIMIT;

use super::base_image::{self, BaseImage, Version};
use super::collect::{Collected, Entry};
use super::derivative::{PythonRuntime, native};
use super::elf::{self, Format, Needs, NotReadable};
use super::size;
use super::{PackageError, Problem, Source, handler};

/// The file that an OS-only runtime starts.
const BOOTSTRAP: &str = "bootstrap";

/// Fails with every problem at once, or returns the warnings.
///
/// Where the file system keeps no modes, `bootstrap` is marked executable.
pub(super) fn check(source: &Source, collected: &mut Collected) -> Result<Vec<String>, PackageError> {
    let mut report = Report { problems: std::mem::take(&mut collected.problems), warnings: Vec::new() };
    if collected.entries.is_empty() && report.problems.is_empty() {
        report.problems.push(Problem::Empty);
    }
    match base_image::of(source.runtime) {
        Some(image) => check_bootstrap(source, image, &mut collected.entries, &mut report)?,
        None if collected.entries.is_empty() => {}
        None => {
            report.problems.extend(handler::check(source, &collected.entries));
            check_native(source, &collected.entries, &mut report)?;
        }
    }
    if source.has_layers {
        report.leave_to_layers();
    }
    check_size(&collected.entries, &mut report);
    if report.problems.is_empty() {
        return Ok(report.warnings);
    }
    Err(PackageError::Preflight {
        function: source.function.to_owned(),
        folder: source.folder.to_owned(),
        problems: report.problems,
    })
}

struct Report {
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Report {
    /// What is not in the package may be in a layer, which cannot be looked into from here.
    fn leave_to_layers(&mut self) {
        let found = std::mem::take(&mut self.problems);
        let (left, problems): (Vec<_>, _) = found.into_iter().partition(Problem::may_come_from_a_layer);
        self.problems = problems;
        self.warnings.extend(left.iter().map(|problem| format!("{problem}: a layer has to bring it")));
    }
}

fn check_size(entries: &[Entry], report: &mut Report) {
    let unzipped = entries.iter().map(|entry| entry.size).sum();
    if unzipped > UNZIPPED_LIMIT {
        report.problems.push(Problem::TooLarge { unzipped, largest: size::largest(entries) });
    }
}

/// Packages that lie in the folder of a Python function were mostly installed there for the machine that they lie on.
fn check_native(source: &Source, entries: &[Entry], report: &mut Report) -> Result<(), PackageError> {
    let Ok(runtime) = source.runtime.parse::<PythonRuntime>() else { return Ok(()) };
    let files = entries.iter().map(|entry| (entry.name.as_str(), &entry.path));
    let found = native::check(files, "package", runtime, source.architecture).map_err(|error| {
        let (function, path) = (source.function.to_owned(), source.folder.to_owned());
        PackageError::Read { function, path, source: error }
    })?;
    report.problems.extend(found.problems.into_iter().map(Problem::Native));
    report.warnings.extend(found.warnings.iter().map(ToString::to_string));
    Ok(())
}

fn check_bootstrap(
    source: &Source,
    image: &BaseImage,
    entries: &mut [Entry],
    report: &mut Report,
) -> Result<(), PackageError> {
    let Some(at) = entries.iter().position(|entry| entry.name == BOOTSTRAP) else {
        if !report.problems.iter().any(|problem| problem.file() == Some(BOOTSTRAP)) {
            report.problems.push(missing(source, entries));
        }
        return Ok(());
    };
    if !entries[at].executable {
        if has_modes(source) {
            report.problems.push(Problem::NotExecutable);
        } else {
            entries[at].executable = true;
        }
    }
    let bootstrap = &entries[at];
    match elf::format(&bootstrap.path).map_err(read(source, bootstrap))? {
        Format::Script(line) => check_script(source, &line, report),
        Format::Other(found) => report.problems.push(Problem::NotAnExecutable { found: found.to_owned() }),
        Format::Elf { machine } if machine != source.architecture.machine() => {
            report.problems.push(Problem::WrongArchitecture {
                found: machine,
                declared: source.architecture,
                key: "architecture",
            });
        }
        Format::Elf { .. } => check_linking(source, image, entries, at, report)?,
    }
    Ok(())
}

fn missing(source: &Source, entries: &[Entry]) -> Problem {
    let similar = |entry: &&Entry| {
        let file = entry.name.rsplit('/').next().unwrap_or(&entry.name);
        let stem = file.split('.').next().unwrap_or(file);
        stem.eq_ignore_ascii_case(BOOTSTRAP)
    };
    Problem::BootstrapMissing {
        hook: source.build_hook.map(str::to_owned),
        near: entries.iter().filter(similar).take(3).map(|entry| entry.name.clone()).collect(),
        ignored: source.folder.join(BOOTSTRAP).is_file(),
    }
}

fn check_script(source: &Source, line: &str, report: &mut Report) {
    if line.ends_with('\r') {
        report.problems.push(Problem::CarriageReturn);
        return;
    }
    let mut words = line.split_whitespace();
    let mut interpreter = words.next().unwrap_or_default();
    if interpreter.ends_with("/env") {
        interpreter = words.find(|word| !word.starts_with('-')).unwrap_or_default();
    }
    let is_there = matches!(interpreter, "sh" | "bash")
        || base_image::has_interpreter(interpreter)
        || interpreter.starts_with("/var/task/");
    let runtime = source.runtime;
    report.warnings.push(if is_there {
        format!(
            "bootstrap is a script for {interpreter}; it can call only what is in the package or in {runtime}"
        )
    } else {
        format!("bootstrap is a script for {interpreter}, which {runtime} may not have; it has sh and bash")
    });
}

/// Checks the loader, and then everything that the loader would load: `bootstrap`, and from the package what it needs.
fn check_linking(
    source: &Source,
    image: &BaseImage,
    entries: &[Entry],
    bootstrap: usize,
    report: &mut Report,
) -> Result<(), PackageError> {
    let mut waiting = vec![bootstrap];
    let mut seen = vec![bootstrap];
    while let Some(at) = waiting.pop() {
        let entry = &entries[at];
        let needs = match elf::needs(&entry.path) {
            Ok(needs) => needs,
            Err(NotReadable::Io(error)) => return Err(read(source, entry)(error)),
            Err(NotReadable::Damaged(error)) => {
                report
                    .problems
                    .push(Problem::DamagedElf { file: entry.name.clone(), reason: error.to_string() });
                continue;
            }
        };
        if at == bootstrap && !check_loader(source, &needs, report) {
            return Ok(());
        }
        if needs.unreadable {
            report.warnings.push(format!(
                "{} has no section table, so the libraries that it needs are not checked",
                entry.name
            ));
        }
        check_versions(source, image, entries, entry, &needs, report);
        for library in &needs.libraries {
            match in_package(entries, entry, library, &needs.run_paths) {
                Some(found) if !seen.contains(&found) => {
                    seen.push(found);
                    waiting.push(found);
                }
                Some(_) => {}
                None if image.has_library(library) => {}
                None => report.problems.push(Problem::LibraryMissing {
                    file: entry.name.clone(),
                    library: library.clone(),
                    runtime: source.runtime.to_owned(),
                }),
            }
        }
    }
    Ok(())
}

fn check_loader(source: &Source, needs: &Needs, report: &mut Report) -> bool {
    let Some(loader) = &needs.loader else {
        return true;
    };
    if loader == base_image::loader(source.architecture) {
        return true;
    }
    report.problems.push(Problem::WrongLoader {
        loader: loader.clone(),
        runtime: source.runtime.to_owned(),
        architecture: source.architecture,
    });
    false
}

/// Names the newest version of each kind that is too new, not all of them.
fn check_versions(
    source: &Source,
    image: &BaseImage,
    entries: &[Entry],
    file: &Entry,
    needs: &Needs,
    report: &mut Report,
) {
    let mut newest: BTreeMap<&str, (Version, Version)> = BTreeMap::new();
    for (library, symbol) in &needs.versions {
        // A package may bring its own libstdc++, but never its own glibc: the loader is the system's.
        let own =
            !symbol.starts_with("GLIBC_") && in_package(entries, file, library, &needs.run_paths).is_some();
        if let Some((prefix, needs, has)) = image.too_new(symbol).filter(|_| !own) {
            let known = newest.entry(prefix).or_insert((needs, has));
            known.0 = known.0.max(needs);
        }
    }
    for (prefix, (needs, has)) in newest {
        report.problems.push(Problem::TooNew {
            file: file.name.clone(),
            needs: format!("{prefix}{}", base_image::written(needs)),
            has: format!("{prefix}{}", base_image::written(has)),
            runtime: source.runtime.to_owned(),
            architecture: source.architecture,
        });
    }
}

/// Finds a library in the package as Lambda's loader would: in the root and in `lib/`, which are on its
/// `LD_LIBRARY_PATH`, and where the file itself says, relative to `$ORIGIN` or `/var/task`.
fn in_package(entries: &[Entry], file: &Entry, library: &str, run_paths: &[String]) -> Option<usize> {
    let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let own = run_paths
        .iter()
        .map(|path| path.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", &format!("/var/task/{folder}")));
    ["/var/task".to_owned(), "/var/task/lib".to_owned()]
        .into_iter()
        .chain(own)
        .filter_map(|path| within_task(&path))
        .find_map(|folder| {
            let name = match folder.as_str() {
                "" => library.to_owned(),
                folder => format!("{folder}/{library}"),
            };
            entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name.as_bytes())).ok()
        })
}

/// A folder below `/var/task`, relative to it and without `.` and `..`.
fn within_task(path: &str) -> Option<String> {
    let path = path.strip_prefix("/var/task")?;
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn read<'a>(source: &'a Source, entry: &'a Entry) -> impl Fn(io::Error) -> PackageError + 'a {
    move |error| PackageError::Read {
        function: source.function.to_owned(),
        path: entry.path.clone(),
        source: error,
    }
}

/// Whether the folder's file system keeps executable bits: a FAT or a network mount may not.
///
/// Where it cannot be tried, for the folder is read-only, the answer is yes.
#[cfg(unix)]
fn has_modes(source: &Source) -> bool {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let Ok(probe) = tempfile::Builder::new().prefix(".mdo-mode-").tempfile_in(source.folder) else {
        return true;
    };
    let changed = probe.as_file().set_permissions(Permissions::from_mode(0o700));
    let mode = probe.as_file().metadata().map(|is| is.permissions().mode());
    changed.is_ok() && mode.is_ok_and(|mode| mode & 0o100 != 0)
}

#[cfg(not(unix))]
fn has_modes(_source: &Source) -> bool {
    false
}
