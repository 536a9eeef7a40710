//! What the front is made of at one moment: routes, keys and variables of the stage.

use std::collections::BTreeMap;

use super::identity::short_id;
use super::keys::KeyRing;
use super::router::Router;
use crate::project::Names;
use crate::provider::local::state::State;
use crate::stack::Api;

/// The deployed API of a stage, ready to match requests.
#[derive(Debug, Default)]
pub(in crate::provider::local) struct Front {
    /// The definition that is deployed on the stage; `None` when there is no stage.
    pub(in crate::provider::local) api: Option<Api>,
    pub(super) api_id: String,
    pub(super) router: Router,
    pub(in crate::provider::local) keys: KeyRing,
    pub(super) variables: BTreeMap<String, String>,
}

impl Front {
    /// The front of a stage as the store has it.
    pub(in crate::provider::local) fn new(names: &Names, state: &State) -> Self {
        let api = state.stage.as_ref().and_then(|stage| stage.deployed.clone());
        let routes = api.iter().flat_map(Api::parsed_routes);
        let enabled = state.keys.iter().filter(|(_, key)| key.resource.enabled);
        Self {
            api_id: short_id(&[names.project.as_str()], 10),
            router: Router::new(routes.map(|(route, target)| (route, target.clone()))),
            keys: KeyRing::new(enabled.map(|(name, key)| (name, key.id.as_str(), &key.value))),
            variables: state.stage.iter().flat_map(|stage| stage.resource.variables.clone()).collect(),
            api,
        }
    }
}
