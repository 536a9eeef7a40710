//! A project that had another name before: what it deployed under that name is another stack, which nothing leads to any more.

use mdo_model::project::ProjectName;
use mdo_package::OwnFolder;

use super::session::Session;
use crate::output;

/// Where the name is kept that was deployed last, in the project's own folder. It is a hint and may be deleted at any time.
const DEPLOYED_NAME: &str = "deployed-name";

/// Says that the stack of an earlier name stays, and how to remove it. On this machine a stack goes by its project's folder, and
/// takes the new name.
pub(super) fn say_if_renamed(session: &Session) {
    if session.is_local() {
        return;
    }
    let own = OwnFolder::of(&session.settings.root);
    let path = own.path().join(DEPLOYED_NAME);
    if own.check(&path).is_err() {
        return;
    }
    let before = std::fs::read_to_string(path).ok().and_then(|name| name.trim().parse::<ProjectName>().ok());
    let project = &session.settings.project;
    if let Some(before) = before.filter(|before| before != project) {
        output::once(&format!(
            "note: this project was deployed as {before}; that stack stays beside {project}. To remove it, set name = \"{before}\" in \
             project.toml once more and run: mdo destroy --all"
        ));
    }
}

/// Notes the name that was deployed.
pub(super) fn note_deployed(session: &Session) {
    if session.is_local() {
        return;
    }
    let own = OwnFolder::of(&session.settings.root);
    // Without the hint nothing is lost but the hint.
    let _ = own.write(DEPLOYED_NAME, session.settings.project.as_str().as_bytes());
}
