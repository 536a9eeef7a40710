//! `mdo export`: a stage in the form of another tool. Asks nothing of AWS, packages nothing, and writes no secret.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use clap_complete::ArgValueCandidates;
use mdo_aws::export::{Export, cloudformation, locate, openapi, openapi_to_servers, terraform};
use mdo_aws::policy::{ANY, Place};
use mdo_model::project::{
    AccountId, Assignment, Container, Overrides, Project, Secret, ServerSettings, Settings, StageName,
};
use mdo_model::stack::{self, Stack};
use serde_json::Value;

use super::arguments::piped;
use super::{names, replace, session};
use crate::output::{self, Failure, exit_code};

/// Print a stage as an OpenAPI document, a CloudFormation template or Terraform, for who leaves mdo
///
/// The document is what the files ask for. Nothing is asked of AWS, and no function is packaged. Values of environment variables and
/// keys are never in it: they are parameters without a value. Of a hosted stage it is everything that hosts it, and the image is a
/// parameter.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo export openapi --account 123456789012 --region eu-west-1
  mdo export cloudformation --stage prod -o template.json
  mdo export terraform --stage prod -o main.tf.json")]
pub(super) struct Args {
    /// What to print
    form: Form,
    /// The stage [default: default_stage of project.toml, else dev]
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(names::stages))]
    stage: Option<StageName>,
    /// The account that an OpenAPI document of functions names [default: project.toml]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    /// The region that an OpenAPI document of functions names [default: project.toml, else AWS_REGION]
    #[arg(long)]
    region: Option<String>,
    /// Write into a file instead of standard output (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Set an environment variable of the functions, which becomes a parameter; may be repeated
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    set: Vec<Assignment>,
    /// Read environment variables from a file, or from standard input with `-`; may be repeated
    #[arg(short = 'E', long = "env-file", value_name = "FILE")]
    env_file: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// OpenAPI 3 with API Gateway's extensions: what mdo itself imports
    Openapi,
    /// A CloudFormation template, in JSON
    Cloudformation,
    /// Terraform in its JSON syntax: main.tf.json
    Terraform,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let project = session::load()?;
    let stage = args.stage.as_ref().unwrap_or_else(|| project.default_stage());
    let settings = settings(&project, stage, args)?;
    let document = match args.form {
        Form::Openapi => exported_api(&settings, args)?,
        Form::Cloudformation | Form::Terraform => exported_stack(&settings, args.form)?,
    };
    let text = format!("{document:#}\n");
    match args.output.as_deref().filter(|file| *file != Path::new("-")) {
        Some(file) => replace::write(file, &text),
        None => {
            output::data(&text);
            Ok(())
        }
    }
}

/// What the files say. A variable that a function requires and nothing sets is a parameter as the others are.
fn settings(project: &Project, stage: &StageName, args: &Args) -> Result<Settings, Failure> {
    let overrides = Overrides {
        region: args.region.clone(),
        env_files: args.env_file.clone(),
        piped: piped(&args.env_file),
        set: args.set.clone(),
        ..Overrides::default()
    };
    let mut settings = project.resolve(stage, &overrides)?;
    for (name, variable) in project.unmet_requirements(&settings) {
        if let Some(function) = settings.functions.get_mut(&name) {
            function.configuration.environment.insert(variable, Secret::new(""));
        }
    }
    Ok(settings)
}

fn exported_api(settings: &Settings, args: &Args) -> Result<Value, Failure> {
    let stage = &settings.stage;
    if !runs_functions(settings) {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("stage {stage} runs an image of its own, and mdo does not know what that answers"),
            format!("export what hosts it: mdo export cloudformation --stage {stage}"),
        ));
    }
    let Some(definition) = stack::definition(settings) else {
        let help = "give a function `routes` in its function.json";
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("stage {stage} has no route, thus no API"),
            help,
        ));
    };
    if let Some(stack) = hosted(settings) {
        let domain = domain(settings);
        let host = match domain {
            Some(domain) => format!("at {domain}"),
            None => "at the stage variable host, which the stage that serves it needs".to_owned(),
        };
        output::message(&format!("note: the document leads to the load balancer {host}"));
        return Ok(openapi_to_servers(&definition, &settings.names(), &stack, domain));
    }
    let region = session::region_of_environment();
    let place = Place::of(settings, region.as_deref(), args.account.as_ref());
    for (what, value) in [("account", &place.account), ("region", &place.region)] {
        if value == ANY {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("the document names the {what} of the functions, and nothing says which"),
                format!("give it with --{what}, or set `{what}` in project.toml"),
            ));
        }
    }
    output::message(&format!(
        "note: the stage that serves it needs the stage variable alias={stage}, and the functions have to let it call them"
    ));
    Ok(openapi(&definition, &settings.names(), &place))
}

fn exported_stack(settings: &Settings, form: Form) -> Result<Value, Failure> {
    if settings.functions.is_empty() && runs_functions(settings) {
        let help = "mdo add NAME makes one";
        return Err(Failure::with_help(exit_code::USAGE, "the project has no function to export", help));
    }
    let stack = match hosted(settings) {
        Some(stack) => {
            say_hosted_parameters(settings, &stack, form);
            stack
        }
        None => {
            let stack = stack::desired_of_any_code(settings);
            say_parameters(settings, &stack, form);
            stack
        }
    };
    let names = settings.names();
    let functions = settings.functions.iter();
    let referred = functions.map(|(name, function)| (name.clone(), function.referred.clone())).collect();
    let artifacts = settings.artifacts.as_ref();
    let domain = domain(settings);
    let export = Export { stack: &stack, names: &names, artifacts, referred: &referred, domain };
    Ok(match form {
        Form::Terraform => terraform(&export),
        Form::Cloudformation | Form::Openapi => cloudformation(&export),
    })
}

/// What a hosted stage is to be; an image that is still to be brought has no name.
fn hosted(settings: &Settings) -> Option<Stack> {
    let image = match &settings.server.as_ref()?.container {
        Container::Image { reference, .. } => reference,
        Container::Functions { .. } | Container::Dockerfile { .. } => "",
    };
    let mut located = settings.clone();
    locate(&mut located);
    stack::hosted(&located, image)
}

/// Whether functions answer the stage, and no image of the project's own making.
fn runs_functions(settings: &Settings) -> bool {
    let is_ours = |server: &ServerSettings| matches!(server.container, Container::Functions { .. });
    settings.server.as_ref().is_none_or(is_ours)
}

/// The name that clients of a hosted stage use, if it is not the load balancer's own.
fn domain(settings: &Settings) -> Option<&str> {
    settings.server.as_ref()?.domain.as_deref()
}

fn say_hosted_parameters(settings: &Settings, stack: &Stack, form: Form) {
    let stage = &settings.stage;
    let (image, parameters) = match form {
        Form::Terraform => ("variable image", "variables"),
        Form::Cloudformation | Form::Openapi => ("parameter Image", "parameters"),
    };
    let makes = match settings.server.as_ref().map(|server| &server.container) {
        Some(Container::Functions { .. }) => Some(format!("`mdo image --stage {stage} -o FILE` makes it")),
        Some(Container::Dockerfile { file, .. }) => Some(format!("{} makes it", file.display())),
        Some(Container::Image { .. }) | None => None,
    };
    if let Some(makes) = makes {
        output::message(&format!(
            "note: the image is {image}, by the digest that it has in the repository {}; {makes}",
            settings.names().repository()
        ));
    }
    let server = stack.server.iter();
    if server.flat_map(|server| server.functions.values()).any(|function| !function.environment.is_empty()) {
        say_environment(parameters);
    }
    if !stack.keys.is_empty() {
        let digest = match form {
            Form::Terraform => "",
            Form::Cloudformation | Form::Openapi => ", and its SHA-256 is another one",
        };
        output::message(&format!(
            "note: the value of a key is one of the {parameters}{digest}; `mdo key show NAME --stage {stage}` prints it"
        ));
    }
}

fn say_environment(parameters: &str) {
    output::message(&format!(
        "note: the values of environment variables are not in the document; they are {parameters} by name"
    ));
}

fn say_parameters(settings: &Settings, stack: &Stack, form: Form) {
    let (parameters, place) = match form {
        Form::Terraform => ("variables", "beside main.tf.json"),
        Form::Cloudformation | Form::Openapi => ("parameters", "into the bucket CodeBucket"),
    };
    output::message(&format!(
        "note: the zips are {parameters}. `mdo check` makes them in .mdo/packages, where NAME.json has the SHA-256 that the zip of a \
         function is named by; put it {place} as NAME.zip"
    ));
    if !stack.derivatives.is_empty() {
        output::message(&format!(
            "note: the layers of derivatives are {parameters} too: `aws lambda list-layers` has them as {}_NAME-…",
            settings.project
        ));
    }
    if stack.functions.values().any(|function| !function.configuration.environment.is_empty()) {
        say_environment(parameters);
    }
}
