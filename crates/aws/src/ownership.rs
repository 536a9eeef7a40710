//! Whose a resource is, by its tags.

use std::collections::HashMap;

use mdo_engine::{Cause, Error, Scope};
use mdo_model::project::{Names, ProjectName, Tags};

use crate::errors;

/// The tag that names the project that a resource belongs to.
pub(crate) const PROJECT_TAG: &str = "mdo:project";

/// The tag that names the stage that a resource belongs to, if it belongs to one.
pub(crate) const STAGE_TAG: &str = "mdo:stage";

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This project.
    Us,
    /// Another project of mdo.
    Project(String),
    /// Nobody that mdo knows.
    Nobody,
}

impl Owner {
    /// Refuses what is not ours, unless it is to be taken over.
    pub(crate) fn check(&self, what: &str, name: &str, adopt: bool) -> Result<(), Error> {
        match self {
            Self::Us => Ok(()),
            _ if adopt => Ok(()),
            Self::Project(owner) => Err(errors::not_ours(what, name, Some(owner))),
            Self::Nobody => Err(errors::not_ours(what, name, None)),
        }
    }
}

/// What `scope` makes of a resource that is not ours and not to be taken over: what removes things passes it by.
pub(crate) fn found<T>(found: Result<Option<T>, Error>, scope: &Scope) -> Result<Option<T>, Error> {
    match found {
        Err(error) if scope.thorough && error.cause == Cause::NotOurs => Ok(None),
        found => found,
    }
}

/// Whose a resource with these tags is.
pub(crate) fn of<K, V>(tags: impl IntoIterator<Item = (K, V)>, project: &ProjectName) -> Owner
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    match tags.into_iter().find(|(key, _)| key.as_ref() == PROJECT_TAG) {
        Some((_, owner)) if owner.as_ref() == project.as_str() => Owner::Us,
        Some((_, owner)) => Owner::Project(owner.as_ref().to_owned()),
        None => Owner::Nobody,
    }
}

/// The tags of [`project_tags`] with the project's own, as most services take them.
pub(crate) fn tag_map(names: &Names, own: &Tags) -> HashMap<String, String> {
    project_tags(names).into_iter().map(|(key, value)| (key.to_owned(), value)).chain(own.written()).collect()
}

/// What to do about tags that are not the ones that are wanted.
pub(crate) struct Retagging {
    /// What to put on.
    pub on: HashMap<String, String>,
    /// What to take off, by name.
    pub off: Vec<String>,
}

/// What makes a resource with these tags of the project's own have those; nothing where it has them.
pub(crate) fn retagging(live: &Tags, wanted: &Tags) -> Option<Retagging> {
    let (before, after) = (live.written(), wanted.written());
    let off = before.into_keys().filter(|name| !after.contains_key(name)).collect();
    (live != wanted).then(|| Retagging { on: after.into_iter().collect(), off })
}

/// The tags of what every stage of the project shares.
pub(crate) fn project_tags(names: &Names) -> [(&'static str, String); 1] {
    [(PROJECT_TAG, names.project.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_project_tag_decides() {
        let project: ProjectName = "ml_api".parse().expect("a name");
        assert_eq!(of([("mdo:project", "ml_api")], &project), Owner::Us);
        assert_eq!(of([("mdo:project", "ml")], &project), Owner::Project("ml".to_owned()));
        assert_eq!(of([("Name", "ml_api")], &project), Owner::Nobody);
    }

    #[test]
    fn a_strangers_function_is_refused_unless_adopted() {
        let error = Owner::Nobody.check("function", "ml_api_x", false).expect_err("a refusal");
        assert_eq!(error.cause, Cause::NotOurs);
        assert_eq!(
            error.message,
            "function ml_api_x exists already and was not made by mdo (it has no tag mdo:project)"
        );
        assert!(error.help.expect("help").contains("--adopt"));
        assert!(Owner::Nobody.check("function", "ml_api_x", true).is_ok());
    }
}
