//! Whether a deploy may undo a rollback: somebody went back for a reason.

use mdo_engine::Observed;
use mdo_model::stack::{Change, Kind, Plan, Resource};

use super::consent;
use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// Asks before a deploy goes over functions that a rollback took back. Where nobody can be asked, `--yes` has to say it.
///
/// # Errors
/// When nobody agrees, and when nobody can be asked.
pub(super) async fn check(
    session: &Session,
    (plan, observed): (&Plan, &Observed),
    yes: bool,
) -> Result<(), Failure> {
    let Some(what) = undone(session, plan, observed).filter(|_| !yes) else { return Ok(()) };
    if !consent::is_interactive() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("{what}, and this would undo it"),
            "pass --yes where there is no terminal to ask at; nothing was changed",
        ));
    }
    if consent::agrees(&format!("{what}. Deploy over it?")).await? {
        return Ok(());
    }
    Err(consent::left_alone(session))
}

/// Says which rollbacks a plan undoes, for who only looks at it.
pub(super) fn say(session: &Session, plan: &Plan, observed: &Observed) {
    if let Some(what) = undone(session, plan, observed) {
        output::message(&format!("note: {what}: a deploy would undo that, and asks before"));
    }
}

/// `function echo was rolled back at stage dev`, of the functions that the plan brings forward again.
fn undone(session: &Session, plan: &Plan, observed: &Observed) -> Option<String> {
    let stage = &session.settings.stage;
    if let Some(from) = observed.server.as_ref().and_then(|server| server.rolled_back_from)
        && plan.changes.iter().any(|change| change.id.kind == Kind::Server && publishes(change))
    {
        return Some(format!("stage {stage} was rolled back from revision {from}"));
    }
    let back = |change: &&Change| {
        let facts = change.id.name.parse().ok().and_then(|name| observed.functions.get(&name));
        change.id.kind == Kind::Function
            && publishes(change)
            && facts.is_some_and(|facts| facts.rolled_back_from.is_some())
    };
    let names: Vec<&str> = plan.changes.iter().filter(back).map(|change| change.id.name.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [name] => Some(format!("function {name} was rolled back at stage {stage}")),
        names => Some(format!("functions {} were rolled back at stage {stage}", names.join(", "))),
    }
}

/// Whether a change makes another version live, or another revision.
fn publishes(change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(Resource::Function(before)), Some(Resource::Function(after))) => !before.freezes_as(after),
        (Some(Resource::Server(before)), Some(Resource::Server(after))) => !before.freezes_as(after),
        _ => false,
    }
}
