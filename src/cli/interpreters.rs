//! Functions whose runtime is an interpreter that this machine does not have.

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{FunctionName, Interpreter, Problem};
use mdo_model::stack::Selection;
use mdo_package::{Given, NotFound};

use super::session::Session;
use crate::output::{self, Complaint, ErrorCode, Failure, exit_code};

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
    let runtimes = session.settings.functions.values().map(|function| &function.configuration.runtime);
    let projects: BTreeSet<Interpreter> = runtimes.filter_map(|runtime| Interpreter::of(runtime)).collect();
    // Each candidate is run to hear its version.
    let looking = move || -> Vec<(FunctionName, NotFound)> {
        let mut given = BTreeMap::new();
        let missing = |(name, interpreter): (FunctionName, Interpreter)| {
            let given = given
                .entry(interpreter.variable())
                .or_insert_with(|| mdo_package::given(interpreter))
                .as_ref();
            let passed_over = given.and_then(|given| passed_over(interpreter, given, &projects));
            Some((name, passed_over.or_else(|| mdo_package::find_interpreter(interpreter, &root).err())?))
        };
        needed.into_iter().filter_map(missing).collect()
    };
    let missing = tokio::task::spawn_blocking(looking).await.map_err(anyhow::Error::from)?;
    let complaints: Vec<Complaint> =
        missing.iter().map(|(name, not_found)| complaint(session, name, not_found)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Failure { complaints, code: exit_code::USAGE }) }
}

/// Why a program that was named and is of another version cannot be passed over. It can where another function of the project is what it
/// was named for.
fn passed_over(
    interpreter: Interpreter,
    given: &Given,
    projects: &BTreeSet<Interpreter>,
) -> Option<NotFound> {
    let is = given.is.filter(|is| *is != interpreter)?;
    if !projects.contains(&is) {
        return Some(NotFound { interpreter, found: Vec::new(), given: Some(given.clone()) });
    }
    let (variable, program) = (interpreter.variable(), given.program.display());
    output::once(&format!(
        "warning: {variable} is {program}, which is {is}: functions on {interpreter} run on another program"
    ));
    None
}

fn complaint(session: &Session, name: &FunctionName, not_found: &NotFound) -> Complaint {
    let runtime = &session.settings.functions[name].configuration.runtime;
    let problem = Problem::new(format!("function {name} runs on {runtime}, and {not_found}"));
    let problem = problem.at(session.project.place(name, "runtime")).help(not_found.help());
    Complaint::of_problem(ErrorCode::Configuration, problem).on(format!("function {name}"))
}
