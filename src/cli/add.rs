//! `mdo add`: writes a function that runs into the project.

use std::path::Path;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use mdo_model::project::{Architecture, FunctionName, Overrides, Project, Route};

use super::init::{self, NewFile, text};
use super::session;
use crate::output::{self, Failure, exit_code};

/// What a new function may run on.
const RUNTIMES: [&str; 5] = ["python3.12", "python3.13", "python3.14", "nodejs22.x", "nodejs24.x"];

const PYTHON: &str = r#""""What answers a request: an event of API Gateway in, a response out."""

import json


def handle(event, context):
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    print("asked by", name)
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"hello": name}),
    }
"#;

const NODE: &str = r#"// What answers a request: an event of API Gateway in, a response out.

export const handle = async (event) => {
  const name = event.queryStringParameters?.name ?? "world";
  console.log("asked by", name);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ hello: name }),
  };
};
"#;

/// Write a function that runs into the project
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo add greeter                        GET /greeter, in Python
  mdo add cart --runtime nodejs24.x --route 'POST /carts'")]
pub(super) struct Args {
    /// The function's name
    name: FunctionName,
    /// What it runs on
    #[arg(long, value_name = "RUNTIME", default_value = "python3.13", value_parser = PossibleValuesParser::new(RUNTIMES))]
    runtime: String,
    /// What it answers, as METHOD /PATH; may be repeated [default: GET /NAME]
    #[arg(long, value_name = "ROUTE")]
    route: Vec<Route>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let root = Project::find(&session::current_folder()?)?;
    let Args { name, runtime, route } = args;
    let home = Path::new("functions").join(name.as_str());
    if root.join(&home).exists() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("there is a function {name} already, in {}", home.display()),
            "choose another name; nothing was written",
        ));
    }
    let routes: Vec<Route> = match route.as_slice() {
        [] => vec![format!("GET /{name}").parse().map_err(|error| Failure::new(exit_code::USAGE, error))?],
        routes => routes.to_vec(),
    };
    check_routes(&root, &routes)?;
    let routes: Vec<String> = routes.iter().map(ToString::to_string).collect();
    let (file, code) =
        if runtime.starts_with("python") { ("handler.py", PYTHON) } else { ("handler.mjs", NODE) };
    let architecture = Architecture::of_this_machine().unwrap_or_default();
    let settings = format!(
        "{{\n  \"$schema\": \"../../.mdo/schema/function.json\",\n  \"runtime\": \"{runtime}\",\n  \"architecture\": \
         \"{architecture}\",\n  \"handler\": \"handler.handle\",\n  \"routes\": {}\n}}\n",
        serde_json::to_string(&routes).map_err(anyhow::Error::from)?.replace("\",\"", "\", \"")
    );
    let files: Vec<NewFile> =
        vec![text(home.join("function.json"), settings), text(home.join(file), code.to_owned())];
    let written = init::write_all(&root, files, &[])?.written;
    for path in written {
        output::data(&format!("  wrote  {}\n", path.display()));
    }
    output::data(&format!("\nReady.\n  run it here   mdo dev\n  its routes    {}\n", routes.join(", ")));
    Ok(())
}

/// Refuses a route that another function answers. A project that cannot be read says so at the next command.
fn check_routes(root: &Path, routes: &[Route]) -> Result<(), Failure> {
    let Ok(project) = Project::load(root) else { return Ok(()) };
    let Ok(settings) = project.resolve(project.default_stage(), &Overrides::default()) else { return Ok(()) };
    for (name, function) in &settings.functions {
        if let Some(taken) = function.routes.iter().find(|own| routes.contains(&own.route)) {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("function {name} answers {} already", taken.route),
                "choose another one with --route; nothing was written",
            ));
        }
    }
    Ok(())
}
