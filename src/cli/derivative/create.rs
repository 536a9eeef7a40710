//! `mdo derivative create`: the guide's missing section, as one command.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mdo_model::project::{
    DERIVATIVES, DerivativeId, DerivativeName, FunctionName, PYPROJECT, Project, REQUIREMENTS, Settings,
    set_key, takes_derivatives,
};
use mdo_package::derivative::PythonRuntime;

use super::super::planning::no_such_function;
use super::super::replace::replace;
use super::super::session::current_folder;
use super::{build, ids_of, lock, open, usual_runtime};
use crate::output::{self, DerivativeCreateDocument, DerivativeEntry, Failure, LockEntry, exit_code};

pub(super) async fn run(
    name: &DerivativeName,
    packages: &[String],
    function: Option<&FunctionName>,
    runtime: Option<PythonRuntime>,
    json: bool,
) -> Result<(), Failure> {
    let root = Project::find(&current_folder()?)?;
    let folder = Path::new(DERIVATIVES).join(name.as_str());
    let has = |file: &str| root.join(&folder).join(file).exists();
    let (had_uv_lock, is_project) = (has("uv.lock"), has(PYPROJECT));
    let file = folder.join(if is_project { PYPROJECT } else { REQUIREMENTS });
    let is_package =
        |text: &&String| !text.trim().is_empty() && !text.contains('\n') && !text.starts_with('-');
    if let Some(odd) = packages.iter().find(|text| !is_package(text)) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("`{}` is not a package; nothing was written", odd.escape_debug()),
            format!(
                "name packages as pip does, as in \"numpy>=2\"; options such as -r go into {}",
                file.display()
            ),
        ));
    }
    if is_project && !packages.is_empty() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("{} says what derivative `{name}` holds; nothing was written", file.display()),
            format!("name packages there, and none here: mdo derivative create {name}"),
        ));
    }
    if !is_project && packages.is_empty() && !has(REQUIREMENTS) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("derivative `{name}` has neither a package nor a {}", folder.join(PYPROJECT).display()),
            format!("name what it holds, as in: mdo derivative create {name} scikit-learn"),
        ));
    }
    // A function may name the derivative already: the project is whole only with its requirements.
    let mut written = Written::requirements(&root.join(&file), packages)?;
    let (_, settings) = open()?;
    if written.is_anothers || settings.derivatives.get(name).is_some_and(|own| own.zip.is_some()) {
        return Err(exists(name, &file, function));
    }
    if let Some(function) = function {
        check_function(&settings, function)?;
    }
    let runtime = match (runtime, function) {
        (Some(runtime), _) => runtime,
        (None, Some(function)) => parsed(&settings.functions[function].configuration.runtime)?,
        (None, None) => parsed(&usual_runtime(&settings))?,
    };
    let locked = lock::lock(&settings, name, runtime, false).await?;
    written.is_kept = true;
    let mut wrote = Vec::from_iter((!packages.is_empty()).then(|| file.clone()));
    wrote.extend((!had_uv_lock && has("uv.lock")).then(|| folder.join("uv.lock")));
    wrote.push(folder.join("requirements.txt"));
    let say = |text: &str| {
        if !json {
            output::data(text);
        }
    };
    wrote.iter().for_each(|path| say(&format!("  wrote  {}\n", path.display())));
    let ids: BTreeSet<DerivativeId> = match function {
        Some(function) => {
            let configuration = &settings.functions[function].configuration;
            let (runtime, architecture) = (configuration.runtime.clone(), configuration.architecture);
            BTreeSet::from([DerivativeId { name: name.clone(), runtime, architecture }])
        }
        None => {
            let of_runtime = |id| DerivativeId { runtime: runtime.to_string(), ..id };
            ids_of(&settings, name).into_iter().map(of_runtime).collect()
        }
    };
    let kept = |failure: Failure| {
        let again = "the requirements are kept: when this is mended, run the same command again";
        output::message(&format!("note: {again}"));
        failure
    };
    let mut entries = Vec::new();
    for (id, built) in build::build(&settings, &ids).await.map_err(kept)? {
        let imported = build::import(&settings, &id, &built).await?;
        match json {
            true => entries.push(DerivativeEntry::of(&id, &built, &imported)),
            false => output::data(&build::text(&settings, &id, &built, &imported)),
        }
    }
    if let Some(function) = function {
        give(&settings, function, name)?;
    }
    if json {
        let locked = LockEntry::of(name, &locked, &settings.root);
        let document = DerivativeCreateDocument::new(&settings.project, &wrote, locked, entries, function);
        output::json(&document);
        return Ok(());
    }
    match function {
        Some(function) => {
            output::data(&format!("\nfunction {function} runs with {name} now: mdo dev, or mdo deploy\n"));
        }
        None => output::data(&format!(
            "\n{}. A function runs with it by `\"derivatives\": [\"{name}\"]` in its function.json\n",
            output::count(locked.packages.len(), "package")
        )),
    }
    Ok(())
}

fn parsed(runtime: &str) -> Result<PythonRuntime, Failure> {
    runtime.parse().map_err(|error| Failure::new(exit_code::USAGE, error))
}

fn check_function(settings: &Settings, function: &FunctionName) -> Result<(), Failure> {
    let known = settings.functions.get(function);
    let known = known.ok_or_else(|| no_such_function(settings, function.as_str()))?;
    let runtime = &known.configuration.runtime;
    if takes_derivatives(runtime) {
        return Ok(());
    }
    Err(Failure::with_help(
        exit_code::USAGE,
        format!(
            "derivatives are for Python functions, and function {function} runs on `{runtime}`; nothing was written"
        ),
        format!("set \"runtime\": \"python3.13\" and a \"handler\" in functions/{function}/function.json"),
    ))
}

fn exists(name: &DerivativeName, file: &Path, function: Option<&FunctionName>) -> Failure {
    let give = function.map_or_else(String::new, |function| {
        format!("; functions/{function}/function.json takes it by `\"derivatives\": [\"{name}\"]`")
    });
    Failure::with_help(
        exit_code::USAGE,
        format!("there is a derivative `{name}` of other packages already; nothing was written"),
        format!("name packages in {}, then: mdo derivative lock {name}{give}", file.display()),
    )
}

/// Adds the derivative to those of a function.
fn give(settings: &Settings, function: &FunctionName, name: &DerivativeName) -> Result<(), Failure> {
    let known = &settings.functions[function];
    let path = known.folder.join("function.json");
    let mut names: Vec<&DerivativeName> = known.derivatives.iter().collect();
    if names.contains(&name) {
        return Ok(());
    }
    names.push(name);
    let before = fs::read_to_string(&path)?;
    let after = set_key(&before, "derivatives", Some(&names))?;
    replace(&path, &after)
}

/// The requirements that were written. They go again where nothing comes of them.
struct Written {
    folder: PathBuf,
    is_kept: bool,
    /// Whether there were others.
    is_anothers: bool,
}

impl Written {
    fn requirements(path: &Path, packages: &[String]) -> Result<Self, Failure> {
        let folder = path.parent().unwrap_or(path).to_owned();
        let text: String = packages.iter().map(|package| format!("{package}\n")).collect();
        if packages.is_empty() {
            // What is there says what is wanted.
            return Ok(Self { folder, is_kept: true, is_anothers: false });
        }
        if let Ok(before) = fs::read_to_string(path) {
            // The same command once more goes on where it stopped.
            return Ok(Self { folder, is_kept: true, is_anothers: before != text });
        }
        let write = || {
            fs::create_dir_all(&folder)?;
            fs::write(path, text)
        };
        let written = Self { folder: folder.clone(), is_kept: false, is_anothers: false };
        write().map_err(|error: std::io::Error| {
            Failure::new(exit_code::FAILED, format!("cannot write {}: {error}", path.display()))
        })?;
        Ok(written)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(self.folder.join(REQUIREMENTS));
            // Folders that were made for it go too: only empty ones can.
            let _ = fs::remove_dir(&self.folder);
            let _ = self.folder.parent().map(fs::remove_dir);
        }
    }
}
