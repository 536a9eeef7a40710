//! What the front is made of at one moment: routes, keys and variables of the stage.

use std::collections::{BTreeMap, BTreeSet};

use mdo_model::project::{MediaType, Names};
use mdo_model::stack::Definition;

use super::identity::short_id;
use super::keys::KeyRing;
use super::router::Router;

/// How many routes are listed at most.
const SHOWN_ROUTES: usize = 5;

/// The deployed API of a stage, ready to match requests.
#[derive(Debug, Default)]
pub struct Front {
    /// The definition that is deployed on the stage; `None` when there is no stage.
    pub definition: Option<Definition>,
    pub(super) api_id: String,
    pub(super) deployment_id: String,
    pub(super) router: Router,
    /// The enabled keys.
    pub keys: KeyRing,
    pub(super) variables: BTreeMap<String, String>,
}

impl Front {
    /// The front of a stage: its deployed definition, its variables and its enabled keys.
    pub fn new(
        names: &Names,
        definition: Option<Definition>,
        variables: BTreeMap<String, String>,
        keys: KeyRing,
    ) -> Self {
        let routes = definition.iter().flat_map(|definition| &definition.routes);
        let deployed = serde_json::to_string(&definition).unwrap_or_default();
        Self {
            deployment_id: short_id(&[names.stage.as_str(), &deployed], 6),
            api_id: short_id(&[names.project.as_str()], 10),
            router: Router::new(routes.map(|(route, target)| (route.clone(), target.clone()))),
            keys,
            variables,
            definition,
        }
    }

    /// The first routes with the stage in their paths, for who missed them.
    pub(super) fn known_routes(&self, stage: &str) -> String {
        let routes = || self.definition.iter().flat_map(|definition| definition.routes.keys());
        let shown = routes().take(SHOWN_ROUTES);
        let mut known: Vec<_> =
            shown.map(|route| format!("{} /{stage}{}", route.method().as_str(), route.path())).collect();
        match routes().count().saturating_sub(SHOWN_ROUTES) {
            0 if known.is_empty() => "none".to_owned(),
            0 => known.join(", "),
            more => {
                known.push(format!("{more} more"));
                known.join(", ")
            }
        }
    }

    /// The types of bodies that are bytes.
    pub(super) fn binary_media_types(&self) -> &BTreeSet<MediaType> {
        const NONE: &BTreeSet<MediaType> = &BTreeSet::new();
        self.definition.as_ref().map_or(NONE, |definition| &definition.binary_media_types)
    }

    /// Whether pages of other origins may call the API.
    pub fn allows_cors(&self) -> bool {
        self.definition.as_ref().is_some_and(|definition| definition.cors)
    }
}
