//! `mdo check`: validates the files of every stage and packages the functions, without network, credentials or values.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use clap_complete::ArgValueCandidates;
use mdo_model::project::{Overrides, Project, Settings, StageName};
use mdo_model::stack::Selection;
use mdo_package::{Bytes, Destination};

use super::checks::Checks;
use super::derivatives::Derivatives;
use super::names;
use super::packaging::{Packaging, package_functions};
use super::{planning, session};
use crate::output::{CheckState, Failure, count, exit_code};

/// Check the files of every stage and package the functions, without network, credentials or values
///
/// Nothing is written into the project where that cannot be written: a read-only checkout is enough.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo check                              in CI, before anything else
  mdo check --stage prod --json")]
pub(super) struct Args {
    /// The functions, as names or globs [default: all]
    #[arg(value_name = "FUNCTION", add = ArgValueCandidates::new(names::functions))]
    functions: Vec<String>,
    /// Only this stage [default: every stage that project.toml names]
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(names::stages))]
    stage: Option<StageName>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let project = Project::load(&Project::find(&session::current_folder()?)?)?;
    let mut checks = Checks::default();
    checks.warned("project", project.warnings(session::today()));
    let stages: BTreeSet<StageName> = match &args.stage {
        Some(stage) => [stage.clone()].into(),
        None => project.stages().chain([project.default_stage()]).cloned().collect(),
    };
    let mut first = None;
    for stage in &stages {
        let name = format!("stage {stage}");
        match project.resolve(stage, &Overrides::default()) {
            Ok(settings) => {
                let routes = settings.functions.values().map(|function| function.routes.len()).sum();
                let functions = count(settings.functions.len(), "function");
                checks.ok(&name, format!("{functions}, {}", count(routes, "route")));
                first.get_or_insert(settings);
            }
            Err(problems) => checks.failed(&name, &problems.into(), CheckState::Failed, exit_code::USAGE),
        }
    }
    if let Some(settings) = first {
        let selection = planning::select(&settings, &args.functions)?;
        look_at_packages(&project, &settings, &selection, &mut checks).await;
        if let Err(failure) = Derivatives::of(&settings, &selection) {
            checks.failed("derivatives", &failure, CheckState::Failed, exit_code::USAGE);
        } else if !settings.derivatives.is_empty() {
            checks.ok("derivatives", "locked");
        }
    }
    checks.finish(args.json)
}

/// Packages the functions as a deploy would: what is wrong with any of them stops.
async fn look_at_packages(
    project: &Project,
    settings: &Settings,
    selection: &Selection,
    checks: &mut Checks,
) {
    let destination = match settings.artifacts {
        Some(_) => Destination::LambdaWithBucket,
        None => Destination::Lambda,
    };
    let packaged = BTreeMap::new();
    let packages = package_functions(Packaging {
        project,
        settings,
        packaged: &packaged,
        selection,
        destination,
        may_be_elsewhere: true,
    });
    match packages.await {
        Ok(packages) => {
            for (name, package) in packages {
                checks.ok(&format!("function {name}"), Bytes(package.size).to_string());
            }
        }
        Err(failure) => checks.failed("package", &failure, CheckState::Failed, exit_code::USAGE),
    }
}
