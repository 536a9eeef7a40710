//! Functions whose runtime is an interpreter that this machine does not have.

use std::collections::BTreeMap;

use mdo_model::project::{FunctionName, Interpreter, Problem};
use mdo_model::stack::Selection;
use mdo_package::NotFound;

use super::session::Session;
use crate::output::{Complaint, ErrorCode, Failure, exit_code};

/// Checks that this machine has the interpreter of every chosen function, before anything is changed. Where mdo does not vouch for the
/// runtime, the function is deployed all the same, with a warning.
pub(super) async fn check_interpreters(session: &Session, selection: &Selection) -> Result<(), Failure> {
    if !session.is_local() {
        return Ok(());
    }
    let needed = session.settings.functions.iter().filter(|(name, _)| selection.contains(name));
    let needed: BTreeMap<FunctionName, Interpreter> = needed
        .filter_map(|(name, function)| {
            Some((name.clone(), Interpreter::of(&function.configuration.runtime)?))
        })
        .filter(|(_, interpreter)| interpreter.is_required())
        .collect();
    let root = session.settings.root.clone();
    // Each candidate is run to hear its version.
    let looking = move || -> Vec<(FunctionName, NotFound)> {
        let missing =
            |(name, interpreter)| Some((name, mdo_package::find_interpreter(interpreter, &root).err()?));
        needed.into_iter().filter_map(missing).collect()
    };
    let missing = tokio::task::spawn_blocking(looking).await.map_err(anyhow::Error::from)?;
    let complaints: Vec<Complaint> =
        missing.iter().map(|(name, not_found)| complaint(session, name, not_found)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Failure { complaints, code: exit_code::USAGE }) }
}

fn complaint(session: &Session, name: &FunctionName, not_found: &NotFound) -> Complaint {
    let runtime = &session.settings.functions[name].configuration.runtime;
    let problem = Problem::new(format!("function {name} runs on {runtime}, and {not_found}"));
    let problem = problem.at(session.project.place(name, "runtime")).help(not_found.help());
    Complaint::of_problem(ErrorCode::Configuration, problem).on(format!("function {name}"))
}
