//! What derivatives and the functions that run with them are to each other: sizes, and modules and packages in each other's way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mdo_model::project::{DerivativeId, FunctionName, FunctionSettings};
use mdo_package::Package;
use mdo_package::derivative::{self, Built, MostUnzipped};

use super::session::Session;
use crate::output::{self, Complaint, ErrorCode, Failure, exit_code};

/// Checks the functions that were packaged with their derivatives. Of those that are live and not on this machine no more is
/// known than what they take `unzipped`.
pub(super) fn check(
    session: &Session,
    packages: &BTreeMap<FunctionName, Package>,
    built: &BTreeMap<DerivativeId, Built>,
    unzipped: &BTreeMap<DerivativeId, u64>,
) -> Result<(), Failure> {
    let mut complaints = Vec::new();
    for (name, package) in packages {
        let function = &session.settings.functions[name];
        let own: Vec<&Built> = function.derivative_ids().filter_map(|id| built.get(&id)).collect();
        let elsewhere: Vec<(DerivativeId, u64)> = function
            .derivative_ids()
            .filter(|id| !built.contains_key(id))
            .filter_map(|id| unzipped.get(&id).copied().map(|bytes| (id, bytes)))
            .collect();
        if own.is_empty() && elsewhere.is_empty() {
            continue;
        }
        let elsewhere: Vec<(&str, u64)> =
            elsewhere.iter().map(|(id, bytes)| (id.name.as_str(), *bytes)).collect();
        let total = MostUnzipped {
            function: name.as_str(),
            unzipped: package.unzipped,
            derivatives: &own,
            elsewhere: &elsewhere,
        };
        if let Err(problem) = derivative::check_total(&total)
            && !session.is_local()
        {
            complaints.push(complaint(session, name, &problem.to_string()).help(problem.help()));
        }
        complaints.extend(
            two_versions(function, built).map(|(text, help)| complaint(session, name, &text).help(help)),
        );
        let files = modules(&function.folder);
        let hidden =
            own.iter().flat_map(|built| derivative::hidden_modules(files.iter().map(String::as_str), built));
        let slow =
            derivative::slow_imports(function.configuration.memory, &own).filter(|_| !session.is_local());
        for problem in hidden.chain(slow) {
            output::once(&format!("warning: function {name}: {problem}\n  help: {}", problem.help()));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(Failure { complaints, code: exit_code::USAGE }) }
}

fn complaint(session: &Session, name: &FunctionName, problem: &str) -> Complaint {
    let message = format!("function {name}: {problem}");
    let place = session.project.place(name, "derivatives");
    Complaint { place, ..Complaint::new(ErrorCode::Package, message).on(format!("function {name}")) }
}

/// A package that two derivatives bring in different versions. Which one a function would get depends on their order.
fn two_versions(
    function: &FunctionSettings,
    built: &BTreeMap<DerivativeId, Built>,
) -> Option<(String, String)> {
    let mut seen: BTreeMap<&str, (DerivativeId, &str)> = BTreeMap::new();
    for id in function.derivative_ids() {
        for one in built.get(&id).into_iter().flat_map(|built| &built.distributions) {
            match seen.get(one.name.as_str()) {
                Some((other, version)) if *version != one.version => {
                    let text = format!(
                        "derivatives {} and {} bring {} {version} and {}: a function can have one of them",
                        other.name, id.name, one.name, one.version
                    );
                    let help = format!("pin one version in both requirements.in: {}=={version}", one.name);
                    return Some((text, help));
                }
                Some(_) => {}
                None => drop(seen.insert(&one.name, (id.clone(), &one.version))),
            }
        }
    }
    None
}

/// The files of a function's folder that are modules: `numpy.py`, `numpy/__init__.py`.
fn modules(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let module = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        match entry.path().is_dir() {
            true => entry.path().join("__init__.py").is_file().then(|| format!("{name}/__init__.py")),
            false => name.ends_with(".py").then_some(name),
        }
    };
    entries.filter_map(module).collect()
}
