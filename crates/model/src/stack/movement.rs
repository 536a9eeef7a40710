//! Plans that move a live stack without reading any file: other keys, and a server's way back to an earlier revision.

use std::collections::BTreeMap;

use super::Server;
use super::plan::{Plan, difference};
use super::resource::{Key, Stack};
use crate::project::{KeyName, Names};

/// Plans the way from the keys of a live stack to `keys`. Nothing else changes but a server, which is told of its keys.
pub fn plan_keys(names: &Names, live: &Stack, keys: BTreeMap<KeyName, Key>) -> Plan {
    let before = Stack { keys: live.keys.clone(), server: live.server.clone(), ..Stack::default() };
    let opening = keys.iter().filter(|(_, key)| key.enabled).map(|(name, _)| name.clone()).collect();
    let told = |server: &Server| Server { keys: opening, ..server.clone() };
    let server = live.server.as_ref().map(told);
    difference(names, &before, &Stack { keys, server, ..Stack::default() })
}

/// Plans the way back to what `earlier` ran, with everything that was frozen with it. What is not frozen, the number of tasks for
/// instance, stays as it is live; so do the keys, for a key that was taken away since must not open anything again.
pub fn rollback(names: &Names, live: &Stack, earlier: &Server) -> Plan {
    let server = live.server.as_ref().map(|live| Server {
        image: earlier.image.clone(),
        size: earlier.size,
        architecture: earlier.architecture,
        definition: earlier.definition.clone(),
        functions: earlier.functions.clone(),
        throttle: earlier.throttle,
        stop_timeout: earlier.stop_timeout,
        task_role: earlier.task_role.clone(),
        secrets: earlier.secrets.clone(),
        ..live.clone()
    });
    let before = Stack { server: live.server.clone(), ..Stack::default() };
    difference(names, &before, &Stack { server, ..Stack::default() })
}
