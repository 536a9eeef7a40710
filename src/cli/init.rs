//! `mdo init`: a project that is ready to run, or an apex project made into ours. Never overwrites a file.

mod ci;
mod python;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mdo_model::project::{Architecture, FunctionName, Project, ProjectName, StageName};
use mdo_package::derivative::PythonRuntime;

use self::ci::{Ci, Pipeline};
use super::session::current_folder;
use super::{DEV_ENVIRONMENT, consent, convert, schema};
use crate::output::{self, Failure, exit_code};

/// The bootstrap of `sample_producer`, built with mdo; empty where it could not be built.
static SAMPLE_BOOTSTRAP: &[u8] = include_bytes!(env!("MDO_SAMPLE_BOOTSTRAP"));

/// What the first function may run on: a program of its own, or a Python that runs on this machine too.
const RUNTIMES: [&str; 4] = [PROVIDED, "python3.12", "python3.13", "python3.14"];

const PROVIDED: &str = "provided.al2023";

/// The function of who names none.
const SAMPLE: &str = "sample_producer";

/// The stage of a project that has just begun, and the variable that its function requires.
const STAGE: &str = "dev";
const VARIABLE: &str = "N_CLASSES";

/// Start a project in this folder: project.toml and a function that runs at once
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo init --name ml_api && mdo dev
  mdo init --runtime python3.13          a function in Python, with scikit-learn
  mdo init --ci github                   a workflow of GitHub, for any project
  mdo init --apex                        make an apex project ours")]
pub(super) struct Args {
    /// The project's name; it prefixes every name on AWS [default: asked for, else the folder's name]
    #[arg(long)]
    name: Option<ProjectName>,
    /// The API's description [default: asked for, else a plain one]
    #[arg(long)]
    description: Option<String>,
    /// The name of the first function [default: sample_producer]
    #[arg(long, value_name = "NAME")]
    function: Option<FunctionName>,
    /// What the first function runs on [default: provided.al2023]
    #[arg(long, value_name = "RUNTIME", value_parser = runtime_parser())]
    runtime: Option<Runtime>,
    /// Write a workflow too that plans pull requests and deploys the main branch; nothing else where there is a project already
    #[arg(long, value_name = "PROVIDER")]
    ci: Option<Ci>,
    /// Convert the apex project in this folder (project.json) instead
    #[arg(long, conflicts_with_all = ["name", "description", "function", "runtime", "ci"])]
    apex: bool,
}

/// One of [`RUNTIMES`].
#[derive(Clone, Copy, Debug, Default)]
enum Runtime {
    #[default]
    Provided,
    Python(PythonRuntime),
}

fn runtime_parser() -> impl TypedValueParser<Value = Runtime> {
    // The only one of them that is no Python is the program's own.
    PossibleValuesParser::new(RUNTIMES).map(|name| name.parse().map_or(Runtime::Provided, Runtime::Python))
}

/// A file to write.
pub(super) struct NewFile {
    path: PathBuf,
    content: Vec<u8>,
    executable: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let folder = current_folder()?;
    if let (Some(Ci::Github), true, Ok(root)) = (args.ci, args.is_for_any_project(), Project::find(&folder)) {
        return add_workflow(&root);
    }
    if folder.join("project.toml").exists() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            "there is a project.toml here already; nothing was written",
            "mdo dev runs it, mdo plan shows what a deploy would change",
        ));
    }
    if args.apex {
        return convert::run(&folder);
    }
    if let Some(file) = convert::apex_file(&folder) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("{file} says that this is an apex project; nothing was written"),
            "mdo init --apex makes it ours",
        ));
    }
    start(&folder, args)
}

impl Args {
    /// Whether nothing is asked for that only a new project can have.
    fn is_for_any_project(&self) -> bool {
        let Self { name, description, function, runtime, .. } = self;
        name.is_none() && description.is_none() && function.is_none() && runtime.is_none()
    }
}

/// Writes the workflow of a project that is there already.
fn add_workflow(root: &Path) -> Result<(), Failure> {
    let pipeline = Pipeline::of(&Project::load(root)?)?;
    say(&write_all(root, vec![pipeline.workflow(root)], &[])?);
    output::data(&pipeline.next_steps());
    Ok(())
}

fn start(folder: &Path, args: Args) -> Result<(), Failure> {
    let name = match args.name {
        Some(name) => name,
        None => ask_name(folder)?,
    };
    let description = match args.description {
        Some(description) => description,
        None => ask("Description", "Samples for machine-learning APIs")?,
    };
    let function = match args.function {
        Some(function) => function,
        None => SAMPLE.parse().map_err(|error| Failure::new(exit_code::FAILED, error))?,
    };
    let (function, runtime) = (&function, args.runtime.unwrap_or_default());
    let home = Path::new("functions").join(function.as_str());
    let (own, ignored_by_git) = match runtime {
        Runtime::Provided => (provided_files(&home, function)?, format!(".mdo/\n{DEV_ENVIRONMENT}\n")),
        Runtime::Python(runtime) => (python::files(&home, function, runtime), python::gitignore()),
    };
    let pipeline = args.ci.map(|Ci::Github| begun(&name, runtime)).transpose()?;
    let mut files = vec![text("project.toml", project_toml(&name, &description))];
    files.extend(own);
    files.extend([
        text(DEV_ENVIRONMENT, format!("# What `mdo dev` sets; no deploy reads it.\n{VARIABLE}=2\n")),
        text(".gitignore", ignored_by_git),
        text(".mdoignore", IGNORED.to_owned()),
    ]);
    files.extend(pipeline.as_ref().map(|pipeline| pipeline.workflow(folder)));
    let outcome = write_all(folder, files, &[DEV_ENVIRONMENT, ".gitignore", ".mdoignore"])?;
    schema::write_for_editors(folder)?;
    say(&outcome);
    let next = match runtime {
        Runtime::Provided => format!(
            "  run it here   mdo dev\n  on AWS        mdo deploy -s N_CLASSES=2\n  its routes    GET /{function}\n"
        ),
        Runtime::Python(runtime) => python::next_steps(folder, function, runtime),
    };
    output::data(&format!("\nReady.\n{next}"));
    if let Some(pipeline) = pipeline {
        output::data(&pipeline.next_steps());
    }
    Ok(())
}

/// What a project that has just begun decides of its workflow.
fn begun(name: &ProjectName, runtime: Runtime) -> Result<Pipeline, Failure> {
    let stage: StageName = STAGE.parse().map_err(|error| Failure::new(exit_code::FAILED, error))?;
    Ok(Pipeline {
        project: name.clone(),
        stages: vec![stage.clone()],
        variables: [(VARIABLE.to_owned(), [stage.clone()].into())].into(),
        default_stage: stage,
        region: None,
        has_profile: false,
        has_derivatives: matches!(runtime, Runtime::Python(_)),
    })
}

/// Says which files were written, and which were there.
fn say(Outcome { written, kept }: &Outcome) {
    for path in written {
        output::data(&format!("  wrote  {}\n", path.display()));
    }
    for path in kept {
        output::data(&format!("  kept   {}\n", path.display()));
    }
}

/// The files of the function that was built with mdo.
fn provided_files(home: &Path, function: &FunctionName) -> Result<Vec<NewFile>, Failure> {
    if SAMPLE_BOOTSTRAP.is_empty() {
        return Err(Failure::with_help(
            exit_code::FAILED,
            "this mdo was built on a machine that cannot build for Lambda, so it carries no sample function",
            "write project.toml and functions/<name>/function.json by hand, use an mdo built on Linux, or begin with Python: mdo init --runtime python3.13",
        ));
    }
    Ok(vec![
        text(home.join("function.json"), function_json(function)),
        NewFile { path: home.join("bootstrap"), content: SAMPLE_BOOTSTRAP.to_vec(), executable: true },
    ])
}

const IGNORED: &str =
    "# What never goes into a function's package, as in a .gitignore; each function may have its own.
*.md
*.log
*.pyc
__pycache__/
tests/
";

fn project_toml(name: &ProjectName, description: &str) -> String {
    let description = toml::Value::from(description);
    format!(
        "#:schema .mdo/schema/project.json
name = \"{name}\"
description = {description}
default_stage = \"{STAGE}\"

[api]
security = \"key\"                        # who may call: \"key\", \"open\" or \"iam\"
throttle = {{ rate = 10, burst = 20 }}    # requests per second, and at once
quota = {{ limit = 10000, period = \"day\" }}
"
    )
}

fn function_json(function: &FunctionName) -> String {
    let architecture = Architecture::of_this_machine().unwrap_or_default();
    format!(
        r#"{{
  "$schema": "../../.mdo/schema/function.json",
  "description": "function which produces a sample from sklearn",
  "runtime": "{PROVIDED}",
  "architecture": "{architecture}",
  "handler": "bootstrap",
  "memory": 128,
  "timeout": 30,
  "routes": ["GET /{function}"],
  "warm": {{ "rate": "5m", "concurrency": 1 }},
  "required_environment": ["{VARIABLE}"]
}}
"#
    )
}

pub(super) fn text(path: impl Into<PathBuf>, content: String) -> NewFile {
    NewFile { path: path.into(), content: content.into_bytes(), executable: false }
}

/// What came of files to write.
pub(super) struct Outcome {
    pub written: Vec<PathBuf>,
    /// Those that were there already.
    kept: Vec<PathBuf>,
}

/// Writes the files below `folder`, or none of them. Those that `may_exist` names are left alone where they exist.
pub(super) fn write_all(folder: &Path, files: Vec<NewFile>, may_exist: &[&str]) -> Result<Outcome, Failure> {
    let exists = |file: &NewFile| folder.join(&file.path).symlink_metadata().is_ok();
    let (kept, new): (Vec<_>, Vec<_>) = files.into_iter().partition(exists);
    if let Some(file) = kept.iter().find(|file| !may_exist.iter().any(|name| file.path == Path::new(name))) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("{} exists already; nothing was written", file.path.display()),
            "move it away, or start in an empty folder",
        ));
    }
    let homes = missing_folders(folder, &new);
    let mut written = Vec::new();
    for file in new {
        let path = folder.join(&file.path);
        if let Err(error) = write(&path, &file.content, file.executable) {
            // One that another process has made meanwhile is that one's.
            if error.kind() != ErrorKind::AlreadyExists {
                let _ = std::fs::remove_file(path);
            }
            for path in &written {
                let _ = std::fs::remove_file(folder.join(path));
            }
            remove_empty(folder, &homes);
            let message = format!("cannot write {}: {error}; nothing was written", file.path.display());
            return Err(Failure::new(exit_code::FAILED, message));
        }
        written.push(file.path);
    }
    Ok(Outcome { written, kept: kept.into_iter().map(|file| file.path).collect() })
}

/// The folders that writing the files will create, the innermost first.
fn missing_folders(folder: &Path, files: &[NewFile]) -> BTreeSet<Reverse<PathBuf>> {
    let parents = files.iter().flat_map(|file| file.path.ancestors().skip(1));
    parents.filter(|path| !folder.join(path).exists()).map(|path| Reverse(path.to_owned())).collect()
}

/// Takes back the folders of [`missing_folders`], but for those that somebody else put something into.
fn remove_empty(folder: &Path, homes: &BTreeSet<Reverse<PathBuf>>) {
    for Reverse(home) in homes {
        let _ = std::fs::remove_dir(folder.join(home));
    }
}

fn write(path: &Path, content: &[u8], executable: bool) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn ask_name(folder: &Path) -> Result<ProjectName, Failure> {
    let suggestion = suggested_name(folder);
    if !consent::is_interactive() {
        return Ok(suggestion);
    }
    loop {
        let answer = answer(&format!("Name [{suggestion}]: "))?;
        if answer.is_empty() {
            return Ok(suggestion);
        }
        match answer.parse() {
            Ok(name) => return Ok(name),
            Err(error) => output::message(&format!("{error}")),
        }
    }
}

/// The folder's name, made into a project's name.
fn suggested_name(folder: &Path) -> ProjectName {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let name: String = name.chars().take(32).collect();
    name.parse().unwrap_or_else(|_| ProjectName::example())
}

fn ask(prompt: &str, default: &str) -> Result<String, Failure> {
    if !consent::is_interactive() {
        return Ok(default.to_owned());
    }
    let answer = answer(&format!("{prompt} [{default}]: "))?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
}

/// What a person answers; the end of the input is no answer.
fn answer(prompt: &str) -> Result<String, Failure> {
    consent::ask(prompt)?
        .ok_or_else(|| Failure::new(exit_code::INTERRUPTED, "interrupted; nothing was written"))
}
