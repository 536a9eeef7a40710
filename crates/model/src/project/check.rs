//! What no schema can say about the files of a project: settings that need each other, and warnings.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use time::Date;

use super::document::Document;
use super::function_file::VpcSetting;
use super::loaded_function::LoadedFunction;
use super::manifest::Manifest;
use super::problem::Problem;
use super::written::Project;
use super::{FunctionName, StageName, derivative, region, routes, runtime, suggest, tags};

/// Checks `project.toml` by itself.
pub(super) fn manifest(manifest: &Manifest, document: &Document, problems: &mut Vec<Problem>) {
    half_a_network(manifest.defaults.vpc.as_ref(), document, &["defaults", "vpc"], problems);
    derivative::check_tables(manifest, document, problems);
    problems.extend(tags::check(&manifest.tags, document, &["tags"]));
    for (stage, table) in manifest.stages.iter().filter(|(_, table)| !table.tags.is_empty()) {
        let path = ["stages", stage.as_str(), "tags"];
        problems.extend(tags::check(&manifest.tags.with(&table.tags), document, &path));
    }
}

/// Checks the functions with what they take from `[defaults]`, and their routes against each other.
pub(super) fn functions(
    root: &Path,
    manifest: Option<(&Manifest, &Document)>,
    functions: &BTreeMap<FunctionName, LoadedFunction>,
    problems: &mut Vec<Problem>,
) {
    let derivatives = manifest.map(|(manifest, _)| (manifest, derivative::settings(root, manifest)));
    if let Some((manifest, document)) = manifest {
        permissions_without_a_role(manifest, document, functions, problems);
        at_stages(root, manifest, document, functions, problems);
    }
    for (name, function) in functions {
        if let Some((manifest, known)) = &derivatives {
            derivative::check(root, manifest, name, function, known, problems);
        }
        half_a_network(function.file.common.vpc.as_ref(), &function.document, &["vpc"], problems);
        missing_handler(manifest.map(|(manifest, _)| manifest), name, function, problems);
    }
    routes::check(functions, problems);
}

/// Permissions go to the role that mdo makes, and to no role that somebody else has made.
fn permissions_without_a_role(
    manifest: &Manifest,
    document: &Document,
    functions: &BTreeMap<FunctionName, LoadedFunction>,
    problems: &mut Vec<Problem>,
) {
    let mut refuse = |document: &Document, path: &[&str], role: &str| {
        problems.push(
            Problem::new(format!("`permissions` would change nothing: {role}, which mdo does not touch"))
                .at(document.key_place(path))
                .help(
                    "give that role the permissions yourself, or remove `role` to use the one that mdo makes",
                ),
        );
    };
    if let (Some(role), Some(_)) = (&manifest.role, &manifest.defaults.permissions) {
        refuse(document, &["defaults", "permissions"], &format!("`role` of project.toml is {role}"));
    }
    for (name, LoadedFunction { file, document }) in functions {
        if let (Some(role), Some(_)) =
            (file.role.as_ref().or(manifest.role.as_ref()), &file.common.permissions)
        {
            refuse(document, &["permissions"], &format!("function {name} runs as {role}"));
        }
    }
}

/// Checks what stages say of single functions.
fn at_stages(
    root: &Path,
    manifest: &Manifest,
    document: &Document,
    functions: &BTreeMap<FunctionName, LoadedFunction>,
    problems: &mut Vec<Problem>,
) {
    let all = manifest.stages.iter().flat_map(|(stage, table)| {
        table.functions.iter().map(move |(name, settings)| (stage, name, settings))
    });
    for (stage, name, settings) in all {
        let path = ["stages", stage.as_str(), "functions", name.as_str()];
        half_a_network(settings.vpc.as_ref(), document, &[&path[..], &["vpc"]].concat(), problems);
        // One whose file cannot be read is there all the same.
        if root.join("functions").join(name.as_str()).is_dir() {
            continue;
        }
        let known = functions.keys().map(FunctionName::as_str);
        let help = match suggest::nearest(name.as_str(), known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a functions/{name}/function.json, or remove the table"),
        };
        problems.push(
            Problem::new(format!("there is no function {name}")).at(document.key_place(&path)).help(help),
        );
    }
}

fn half_a_network(vpc: Option<&VpcSetting>, document: &Document, path: &[&str], problems: &mut Vec<Problem>) {
    if vpc.is_some_and(VpcSetting::is_half) {
        problems.push(
            Problem::new("a vpc needs both `subnets` and `securityGroups`")
                .at(document.place(path))
                .help("leave the key out for no network of your own"),
        );
    }
}

fn missing_handler(
    manifest: Option<&Manifest>,
    name: &FunctionName,
    function: &LoadedFunction,
    problems: &mut Vec<Problem>,
) {
    let Some(manifest) = manifest else { return };
    let common = &function.file.common;
    let runtime = common.runtime.as_deref().or(manifest.defaults.runtime.as_deref());
    let handler = common.handler.as_ref().or(manifest.defaults.handler.as_ref());
    if let Some(runtime) = runtime.filter(|runtime| !runtime::is_custom(runtime) && handler.is_none()) {
        problems.push(
            Problem::new(format!("function {name}: the runtime `{runtime}` needs a `handler`"))
                .at(function.document.place(&["runtime"]).unwrap_or_else(|| function.document.place_of(0)))
                .help("name the module and the function that it calls, as in `main.handler`"),
        );
    }
}

/// What works today and will not for long, and what is there but is not read.
pub(super) fn warnings(project: &Project, today: Date) -> Vec<Problem> {
    let Project { root, manifest, document, functions, .. } = project;
    let of_runtime = |runtime: Option<&str>, document: &Document, path: &[&str]| {
        Some(runtime::warning(runtime?, today)?.at(document.place(path)))
    };
    let of_region = |region: &Option<String>, path: &[&str]| {
        Some(region::warning(region.as_deref()?)?.at(document.place(path)))
    };
    let mut warnings = Vec::new();
    warnings.extend(of_region(&manifest.region, &["region"]));
    for (stage, table) in &manifest.stages {
        warnings.extend(of_region(&table.region, &["stages", stage.as_str(), "region"]));
    }
    warnings.extend(derivative::warnings(root, manifest, document));
    warnings.extend(of_runtime(manifest.defaults.runtime.as_deref(), document, &["defaults", "runtime"]));
    for (name, function) in functions {
        warnings.extend(of_runtime(
            function.file.common.runtime.as_deref(),
            &function.document,
            &["runtime"],
        ));
        warnings.extend(files_of_apex_environments(root, name));
    }
    warnings
}

/// apex reads `function.prod.json` for its environment `prod`; mdo does not. What `mdo init --apex` leaves behind is no such file.
fn files_of_apex_environments(root: &Path, name: &FunctionName) -> Vec<Problem> {
    let folder = format!("functions/{name}");
    let mut files: Vec<String> = fs::read_dir(root.join(&folder))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| {
            let stage = file.strip_prefix("function.").and_then(|rest| rest.strip_suffix(".json"));
            stage.is_some_and(|stage| stage != "apex" && stage.parse::<StageName>().is_ok())
        })
        .collect();
    files.sort();
    let warning = |file: &String| {
        Problem::new(format!("{folder}/{file} is not read"))
            .help("write what differs between stages under `[stages.<name>]` in project.toml")
    };
    files.iter().map(warning).collect()
}
