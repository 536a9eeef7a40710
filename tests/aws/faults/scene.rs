//! What a command is disturbed in: a project in an account of its own, and the proxies that its calls go through.

use crate::support::disturbance::Disturbance;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;
use crate::support::running::Running;

/// A project in the state in which a command starts.
pub(super) struct Scene {
    pub project: TestProject,
    /// That of AWS first, then that of the registry of images, if there is one.
    pub proxies: Vec<Proxy>,
}

impl Scene {
    /// Starts a command through the proxies.
    pub(super) fn begins(&self, command: &str) -> Running {
        self.proxies.iter().for_each(Proxy::forget);
        self.project.mdo(command).through(&self.proxies[0]).begins()
    }

    /// Disturbs the n-th call of an operation, wherever it goes to.
    pub(super) fn disturb(&self, operation: &str, number: usize, disturbance: &Disturbance) {
        self.proxies.iter().for_each(|proxy| proxy.disturb(operation, number, disturbance.clone()));
    }

    /// Whether the call to disturb has come.
    pub(super) fn has_disturbed(&self) -> bool {
        self.proxies.iter().any(Proxy::has_disturbed)
    }

    /// Waits until the call to disturb is halted, or the command has ended.
    pub(super) fn until_halted(&self, running: &mut Running) {
        let (first, others) = self.proxies.split_first().unwrap();
        first.until_halted(|| others.iter().any(Proxy::is_halted) || running.has_ended());
    }

    /// Lets the halted call go on.
    pub(super) fn let_go(&self) {
        self.proxies.iter().for_each(Proxy::let_go);
    }

    /// Lets the halted call go nowhere.
    pub(super) fn discard(&self) {
        self.proxies.iter().for_each(Proxy::discard);
    }

    /// Waits until every call that the command has begun has ended.
    pub(super) fn until_idle(&self) {
        self.proxies.iter().for_each(Proxy::until_idle);
    }

    /// Disturbs nothing any more.
    pub(super) fn heal(&self) {
        self.proxies.iter().for_each(Proxy::heal);
    }
}
