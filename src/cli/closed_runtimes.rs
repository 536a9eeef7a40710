//! Functions that would be created on a runtime that Lambda takes only updates for.

use mdo_engine::Scope;
use mdo_model::project::{FunctionName, Problem, replacement_of_closed_runtime};
use mdo_model::stack::{Kind, ResourceId, Selection};

use super::session::{Session, today};
use crate::output::{Complaint, ErrorCode, Failure, exit_code};

/// Checks that no function has to be created on a runtime that is closed to new functions. One that exists, be it at another
/// stage alone, may be updated.
pub(super) async fn check_closed_runtimes(
    session: &Session,
    scope: &Scope,
    selection: &Selection,
    is_live: impl Fn(&FunctionName) -> bool,
) -> Result<(), Failure> {
    let closed = |name: &&FunctionName| {
        let runtime = &session.settings.functions[*name].configuration.runtime;
        selection.contains(name)
            && !is_live(name)
            && replacement_of_closed_runtime(runtime, today()).is_some()
    };
    let suspects: Vec<&FunctionName> = session.settings.functions.keys().filter(closed).collect();
    // This machine runs what it can run, whatever its name.
    if suspects.is_empty() || session.is_local() {
        return Ok(());
    }
    let all = session.observe(&Scope { thorough: true, ..scope.clone() }).await?;
    let is_new = |name: &&&FunctionName| {
        !all.stack.functions.contains_key(**name)
            && !all.shared.contains(&ResourceId::new(Kind::Function, **name))
    };
    let refused: Vec<Complaint> = suspects.iter().filter(is_new).map(|name| refusal(session, name)).collect();
    if refused.is_empty() { Ok(()) } else { Err(Failure { complaints: refused, code: exit_code::USAGE }) }
}

fn refusal(session: &Session, name: &FunctionName) -> Complaint {
    let runtime = &session.settings.functions[name].configuration.runtime;
    let message = format!("function {name}: Lambda creates no function on the runtime `{runtime}` any more");
    let problem = Problem::new(message).at(session.project.place(name, "runtime"));
    let problem = problem.help(replacement_of_closed_runtime(runtime, today()).unwrap_or_default());
    Complaint::of_problem(ErrorCode::Configuration, problem).on(format!("function {name}"))
}
