//! An API that is about to be taken over: what is said of it, and whether somebody agrees to what its users would miss.

use std::collections::BTreeSet;

use mdo_engine::{Observed, TakenOver};
use mdo_model::project::{Method, Route};
use mdo_model::stack::{self, Definition};

use super::consent;
use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// Says what comes of an API that is about to be taken over, and of what hangs on it.
pub(super) fn say(session: &Session, observed: &Observed) {
    let Some(taken) = &observed.taken_over else { return };
    let TakenOver { id, name, stages, usage_plans, .. } = taken;
    let stage = &session.settings.stage;
    let project = session.settings.names().api();
    let called = if *name == project { String::new() } else { format!(", called {name}, becomes {project}") };
    output::once(&format!("note: REST API {id}{called}: its URL stays as clients know it"));
    if !usage_plans.is_empty() {
        let plans = usage_plans.join(", ");
        output::once(&format!(
            "note: keys of usage plan {plans} go on opening stage {stage}: mdo leaves the plan and its keys as they are"
        ));
    }
    if !stages.is_empty() && stages.iter().all(|other| other != stage.as_str()) {
        output::once(&format!(
            "note: the API has stage {}, and {stage} will be new on it; to keep the URL of one, deploy a stage of its name: --stage {}",
            stages.join(", "),
            stages[0]
        ));
    }
    if let Some(lost) = lost(session, taken) {
        output::once(&format!(
            "warning: stage {stage} answers {lost}, which no file has: a deploy takes that away"
        ));
    }
}

/// Asks before an API is taken over that answers what no file has. Where nobody can be asked, `--yes` has to say it.
///
/// # Errors
/// When nobody agrees, and when nobody can be asked.
pub(super) async fn check(session: &Session, observed: &Observed, yes: bool) -> Result<(), Failure> {
    let lost = observed.taken_over.as_ref().and_then(|taken| lost(session, taken));
    let Some(lost) = lost.filter(|_| !yes) else { return Ok(()) };
    let stage = &session.settings.stage;
    if !consent::is_interactive() {
        return Err(Failure::with_help(
            exit_code::USAGE,
            format!("stage {stage} answers {lost}, which no file has, and this would take it away"),
            "give a function the routes, or pass --yes; nothing was changed",
        ));
    }
    match consent::agrees(&format!("Take {lost} away from stage {stage}?")).await? {
        true => Ok(()),
        false => Err(consent::left_alone(session)),
    }
}

/// The routes that a stage answers and that no file has, as `GET /a, POST /b`; `None` where there are none.
fn lost(session: &Session, taken: &TakenOver) -> Option<String> {
    let lost = lost_routes(session, taken);
    (!lost.is_empty()).then(|| lost.join(", "))
}

/// The same, one by one.
pub(super) fn lost_routes(session: &Session, taken: &TakenOver) -> Vec<String> {
    let wanted = stack::definition(&session.settings).unwrap_or_default();
    uncovered(&taken.routes, &wanted).into_iter().map(str::to_owned).collect()
}

/// The routes that a definition does not answer.
fn uncovered<'a>(routes: &'a BTreeSet<String>, wanted: &Definition) -> Vec<&'a str> {
    let is_covered = |text: &&String| {
        let Ok(route) = text.parse::<Route>() else { return false };
        wanted.routes.keys().filter(|other| other.path() == route.path()).any(|other| {
            let method = other.method();
            method == route.method()
                || method == Method::Any
                || (wanted.cors && route.method() == Method::Options)
        })
    };
    routes.iter().filter(|route| !is_covered(route)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use mdo_model::project::Security;
    use mdo_model::stack::ApiRoute;

    use super::*;

    fn answering(routes: &[&str], cors: bool) -> Definition {
        let target = ApiRoute {
            function: "echo".parse().expect("a name"),
            security: Security::Key,
            timeout_ms: 29_000,
        };
        let routes = routes.iter().map(|route| (route.parse().expect("a route"), target.clone())).collect();
        Definition { routes, cors, ..Definition::default() }
    }

    #[test]
    fn a_route_is_lost_that_neither_a_file_nor_any_nor_cors_answers() {
        let live = ["GET /a", "POST /a", "OPTIONS /a", "GET /b", "GET /c/{id}", "ANY /d"];
        let live = live.map(str::to_owned).into();
        let of = |routes: &[&str], cors| uncovered(&live, &answering(routes, cors));
        assert_eq!(of(&["GET /a", "GET /c/{id}"], false), ["ANY /d", "GET /b", "OPTIONS /a", "POST /a"]);
        assert_eq!(of(&["GET /a", "ANY /b", "GET /c/{id}", "GET /d"], true), ["ANY /d", "POST /a"]);
        assert_eq!(of(&["ANY /a", "ANY /b", "ANY /c/{id}", "ANY /d"], false), [""; 0]);
    }
}
